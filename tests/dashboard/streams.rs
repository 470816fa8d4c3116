//! Cameras that come and go before the eyes of whoever looks, without a reload.

use streampulse::simulator::{Fault, clips};

use super::*;
use crate::browser::{DESK, Finds as _, PHONE};
use crate::common::service::PATIENCE;

/// The page leaves a mark on itself, which a reload would take away.
async fn mark(browser: &Browser) {
    browser.run("window.mark = 'the same page'", &[]).await;
}

async fn is_marked(browser: &Browser) -> bool {
    browser.run("return window.mark", &[]).await == "the same page"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_breaks_is_down_with_reason_and_next_step_and_up_again_without_a_reload() {
    let cameras = ["Gate", "Yard"].map(|name| SimulatedCamera::rtsp(name, clips::gate()));
    let simulator = simulate(cameras).await;
    let site = Site::new(&format!("{OFTEN}{}", config_text(&simulator)));
    let service = site.start();
    let browser = signed_in(&service).await;
    mark(&browser).await;
    browser.status("2 up").seen().await;
    let card = browser.item("Gate");
    card.text("Up").seen().await;
    card.picture("Gate, last verified picture").shows_pictures(1).await;

    simulator.set_fault("Gate", Some(Fault::ConnectionRefused)).await.expect("broken");
    card.text("Down").seen().await;
    card.text("Connection refused").seen().await;
    card.text("Check the port in the URL").seen().await;
    browser.status("1 down").seen().await;
    browser.until("the title of the window", "return document.title === '(1 down) StreamPulse'", &[]).await;
    // Worst first.
    let first = browser.run("return document.querySelector('article').innerText", &[]).await;
    assert!(first.to_string().contains("Gate"), "{first}");
    // The way from the summary to who is down.
    browser.link_with("1 down").click().await;
    browser.item("Yard").gone().await;
    card.link("Gate").click().await;
    browser.heading("Gate").seen().await;
    browser.heading("Connection refused").seen().await;
    browser.text("Next step: Check the port in the URL and that RTSP or HTTP is switched on").seen().await;
    browser.text("Connect (broke here)").seen().await;
    browser.row("Connection refused").seen().await;

    simulator.set_fault("Gate", None).await.expect("healed");
    browser.heading("Everything is fine").seen().await;
    browser.text("Wait for keyframe").seen().await;
    browser.until("the title of the window", "return document.title === 'StreamPulse'", &[]).await;
    assert!(is_marked(&browser).await, "the page was loaded again");
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_preview_moves_and_its_session_ends_with_it() {
    let simulator = simulate([SimulatedCamera::rtsp("Crossing", clips::street())]).await;
    let site = Site::new(&format!("{SELDOM}{}", config_text(&simulator)));
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.link("Crossing").click().await;
    browser.picture("Crossing, last verified picture").shows_pictures(1).await;
    browser.button("Watch live").click().await;
    browser.picture("Crossing, live").shows_pictures(3).await;
    browser.button("Stop watching").click().await;
    browser.picture("Crossing, last verified picture").shows_pictures(1).await;
    let ended = simulator.counts_when("Crossing", PATIENCE, |counts| counts.sessions_open == 0).await;
    assert!(ended.is_ok_and(|counts| counts.sessions_opened >= 2), "{:?}", simulator.counts("Crossing"));
    // Whoever goes elsewhere does not watch any more.
    browser.button("Watch live").click().await;
    browser.picture("Crossing, live").shows_pictures(1).await;
    browser.link("Overview").click().await;
    browser.heading("Overview").seen().await;
    let ended = simulator.counts_when("Crossing", PATIENCE, |counts| counts.sessions_open == 0).await;
    assert!(ended.is_ok(), "{:?}", simulator.counts("Crossing"));
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_said_and_comes_back_by_itself() {
    let simulator = simulate([SimulatedCamera::rtsp("Gate", clips::gate())]).await;
    let site = Site::new(&format!("{OFTEN}{}", config_text(&simulator)));
    let service = site.start();
    let address = service.address();
    let browser = signed_in(&service).await;
    mark(&browser).await;
    let card = browser.item("Gate");
    card.text("Up").seen().await;
    assert_eq!(service.stop().0, 0);
    // Requests of this page find nobody.
    browser.excuse("net::ERR_");
    let banner = browser.alert("Connection to StreamPulse lost, trying again.");
    banner.seen().await;
    browser.text("What you see is").seen().await;
    // What was known is still there.
    browser.item("Gate").text("Up").seen().await;

    let site = site.with("STREAMPULSE_LISTEN", &address.to_string());
    let service = site.start();
    banner.gone().await;
    simulator.set_fault("Gate", Some(Fault::Status(404))).await.expect("broken");
    browser.item("Gate").text("No such stream on the camera").seen().await;
    browser.item("Gate").text("Down").seen().await;
    assert!(is_marked(&browser).await, "the page was loaded again");
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn among_many_cameras_the_ones_looked_for_are_found() {
    let cameras = [("Gate", "Entrance"), ("Lobby", "Entrance"), ("Roof", "Outside"), ("Yard", "Outside")];
    let simulator = simulate(cameras.map(|(name, group)| {
        let camera = SimulatedCamera::rtsp(name, clips::gate()).group(group);
        if name == "Roof" { camera.fault(Fault::Status(404)) } else { camera }
    }))
    .await;
    let site = Site::new(&format!("{SELDOM}probe: {{retry_after_seconds: 1}}\n{}", config_text(&simulator)));
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.status("3 up 1 down").seen().await;
    // The slash leads to the search.
    browser.press(['/']).await;
    browser.write("ga").await;
    browser.item("Lobby").gone().await;
    browser.item("Gate").seen().await;
    assert_eq!(browser.place().await, "/?q=ga");
    browser.button("1 of 4: show all").click().await;
    browser.field("Group").choose("Outside").await;
    browser.item("Gate").gone().await;
    browser.item("Roof").seen().await;
    browser.field("State").choose("Up (3)").await;
    browser.item("Roof").gone().await;
    browser.field("Search").fill("nobody").await;
    browser.heading("Nothing matches").seen().await;
    browser.button("Show all").click().await;
    browser.item("Gate").seen().await;

    browser.button("Table").click().await;
    browser.row("Roof").text("No such stream on the camera").seen().await;
    browser.button("Name").click().await;
    let names = "return [...document.querySelectorAll('tbody th a')].map((link) => link.innerText).join() \
                 === 'Gate,Lobby,Roof,Yard'";
    browser.until("rows by name", names, &[]).await;
    browser.row("Gate").button("Probe Gate now").click().await;
    browser.status("Gate: Fine").seen().await;
    // It is remembered.
    browser.reload().await;
    browser.row("Roof").seen().await;
    browser.row("Yard").link("Watch Yard live").click().await;
    browser.picture("Yard, live").shows_pictures(1).await;
    // Among its neighbours by name.
    browser.link("Before it: Roof").click().await;
    browser.heading("Roof").seen().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_of_a_stream_is_shown_and_taken_away_as_a_file() {
    let simulator = simulate([SimulatedCamera::rtsp("Gate", clips::gate())]).await;
    let site = Site::new(&format!("{OFTEN}{}", config_text(&simulator)));
    let service = site.start();
    simulator.set_fault("Gate", Some(Fault::ConnectionRefused)).await.expect("broken");
    let mut browser = signed_in(&service).await;
    browser.status("1 down").seen().await;
    // What comes of a change is seen because of it, not because a minute has passed.
    let no_minutes = "const plain = window.setInterval; \
                      window.setInterval = (run, ms) => plain(run, ms < 30_000 ? ms : 2 ** 31 - 1)";
    browser.run(no_minutes, &[]).await;
    browser.link("Gate").click().await;
    browser.heading("Gate").seen().await;
    browser.region("Availability").text("Down").seen().await;
    simulator.set_fault("Gate", None).await.expect("healed");
    browser.region("Availability").text("Up").seen().await;
    let some_up =
        "return [...document.querySelectorAll('.figures b')].some((share) => parseFloat(share.innerText) > 0)";
    browser.until("the share that it was up", some_up, &[]).await;
    browser.region("Time to a picture").pictures().seen().await;
    let as_wide = "const chart = document.querySelector('.chart .uplot'); \
                   return chart && chart.offsetWidth === chart.parentElement.clientWidth";
    for size in [PHONE, DESK] {
        browser.size(size).await;
        browser.until("a chart as wide as its place", as_wide, &[]).await;
    }
    // As it is for a moment when a phone is turned.
    browser.run("document.querySelector('.chart .uplot').style.width = '5000px'", &[]).await;
    browser.fits().await;
    browser.region("Heartbeats").row("Fine").seen().await;
    browser.until("a second heartbeat", "return document.querySelectorAll('.history tbody tr').length > 1", &[]).await;
    browser.region("Heartbeats").link("All as CSV").click().await;
    let csv = browser.downloaded(".csv").await;
    assert!(csv.lines().count() > 2 && csv.contains("gate"), "{csv}");
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
