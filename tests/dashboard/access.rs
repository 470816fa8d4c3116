//! Who gets in, and what they see then.

use fantoccini::key::Key;
use serde_json::json;
use streampulse::simulator::clips;

use super::*;
use crate::browser::Finds as _;

/// One that is switched off: nothing is probed.
const QUIET: &str = "streams:\n  - {name: Gate, enabled: false, url: 'rtsp://admin:secret@192.0.2.10/live'}\n";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_password_gets_in_and_out_again() {
    let site = Site::new(QUIET);
    let service = site.start();
    let browser = Browser::start(service.address()).await;
    browser.open("/").await;
    browser.heading("Sign in").seen().await;
    browser.excuse("/api/login");
    browser.field("User").fill("admin").await;
    browser.field("Password").fill("not the password").await;
    browser.button("Sign in").click().await;
    browser.alert("password").seen().await;
    // What was typed is kept, and the password is selected to be written over.
    assert_eq!(browser.field("User").value().await, "admin");
    let selected =
        browser.field("Password").run("return [arguments[0].selectionStart, arguments[0].selectionEnd]").await;
    assert_eq!(selected, json!([0, 16]));
    browser.write(ADMIN_PASSWORD).await;
    browser.press([Key::Enter]).await;
    browser.heading("Overview").seen().await;
    browser.link("Gate").seen().await;
    browser.reload().await;
    browser.link("Gate").seen().await;
    // Nothing of a session is within reach of a script.
    let stored =
        browser.run("return JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])", &[]).await;
    assert!(!stored.to_string().contains("eyJ"), "{stored}");

    browser.button("Account").click().await;
    browser.text("admin · Administrator").seen().await;
    browser.button("Sign out").click().await;
    browser.heading("Sign in").seen().await;
    browser.reload().await;
    browser.heading("Sign in").seen().await;
    assert_eq!(browser.link("Gate").count().await, 0);
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_password_is_changed_before_anything_else() {
    let site = Site::new(QUIET).without("STREAMPULSE_ADMIN_PASSWORD_FILE");
    let service = site.start();
    let file = site.state().join("initial-password");
    let first = std::fs::read_to_string(&file).expect("the first password");
    let browser = Browser::start(service.address()).await;
    browser.open("/#/incidents").await;
    browser.field("User").fill("admin").await;
    browser.field("Password").fill(first.trim()).await;
    browser.button("Sign in").click().await;
    browser.heading("Choose your password").seen().await;
    // Nothing else is to be had, not even by coming again.
    browser.open("/#/settings").await;
    browser.reload().await;
    browser.heading("Choose your password").seen().await;
    browser.field("Current password").fill(first.trim()).await;
    browser.field("New password").fill("a horse and a battery").await;
    browser.field("New password again").fill("a house and a battery").await;
    browser.button("Change password").click().await;
    browser.alert("The two passwords differ.").seen().await;
    browser.field("New password again").fill("a horse and a battery").await;
    browser.button("Change password").click().await;
    browser.heading("Settings").seen().await;
    assert!(!file.exists(), "the file with the first password is gone");

    browser.button("Account").click().await;
    browser.button("Sign out").click().await;
    browser.excuse("/api/login");
    browser.field("User").fill("admin").await;
    browser.field("Password").fill(first.trim()).await;
    browser.button("Sign in").click().await;
    browser.alert("password").seen().await;
    browser.sign_in("admin", "a horse and a battery").await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_zone_of_the_browser_is_offered_and_taken() {
    let site = Site::new(&format!("# Kept as it is.\n{QUIET}"));
    let service = site.start();
    let browser = Browser::start(service.address()).await;
    browser.zone("Europe/Berlin").await;
    browser.open("/").await;
    browser.sign_in("admin", ADMIN_PASSWORD).await;
    let offer = browser.region("Times are shown in UTC; this browser is in Europe/Berlin.");
    offer.button("Keep UTC").seen().await;
    offer.button("Use Europe/Berlin").click().await;
    browser.status("Times are shown in Europe/Berlin now.").seen().await;
    offer.gone().await;
    let text = std::fs::read_to_string(site.config()).expect("config.yaml");
    assert!(text.contains("timezone: Europe/Berlin") && text.contains("# Kept as it is.\n"), "{text}");
    browser.reload().await;
    browser.link("Gate").seen().await;
    assert_eq!(offer.count().await, 0);
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_is_enough() {
    let simulator = simulate([SimulatedCamera::rtsp("Gate", clips::gate())]).await;
    let site = Site::new(&format!("{SELDOM}{}", config_text(&simulator)));
    let service = site.start();
    let browser = Browser::start(service.address()).await;
    browser.open("/").await;
    browser.heading("Sign in").seen().await;
    let is_first = "return document.activeElement.name === 'username'";
    browser.until("the focus in the first field", is_first, &[]).await;
    browser.write("admin").await;
    browser.press([Key::Tab]).await;
    browser.write(ADMIN_PASSWORD).await;
    browser.press([Key::Enter]).await;
    browser.heading("Overview").seen().await;
    browser.link("Gate").seen().await;
    browser.tab_to("Gate").await;
    browser.press([Key::Enter]).await;
    browser.heading("Gate").seen().await;
    assert_eq!(browser.place().await, "/streams/gate");
    browser.tab_to("Probe now").await;
    browser.press([Key::Space]).await;
    browser.text("Wait for keyframe").seen().await;
    // The way to the content, past what every page has.
    browser.reload().await;
    browser.heading("Gate").seen().await;
    browser.tab_to("Skip to the content").await;
    browser.press([Key::Enter]).await;
    assert_eq!(browser.run("return document.activeElement.tagName", &[]).await, "MAIN");
    browser.reload().await;
    browser.heading("Gate").seen().await;
    browser.tab_to("Overview").await;
    browser.press([Key::Enter]).await;
    browser.heading("Overview").seen().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_cameras_and_neither_settings_nor_addresses() {
    let simulator = simulate([SimulatedCamera::rtsp("Gate", clips::gate())]).await;
    let site = Site::new(&format!("{SELDOM}{}", config_text(&simulator)));
    let service = site.start();
    make_viewer(&service);
    service.streams_when(|streams| streams["gate"]["state"] == "up");
    let browser = Browser::start(service.address()).await;
    browser.open("/").await;
    browser.sign_in("vera", VERAS_PASSWORD).await;
    browser.link("Gate").seen().await;
    assert_eq!(browser.link("Settings").count().await, 0);
    browser.link("Gate").click().await;
    browser.heading("Gate").seen().await;
    browser.text("H.264").seen().await;
    for button in ["Probe now", "Maintenance"] {
        assert_eq!(browser.button(button).count().await, 0, "{button}");
    }
    assert_eq!(browser.link("Edit").count().await, 0);
    let host = simulator.address("Gate").ip().to_string();
    let page = browser.run("return document.documentElement.outerHTML", &[]).await;
    assert!(!page.to_string().contains(&host), "the page holds the address {host}");
    // Whoever types the address of the settings gets no further.
    browser.open("/#/settings/streams").await;
    browser.text("are changed by administrators. Ask one of them").seen().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
