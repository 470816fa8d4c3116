//! Incidents: what is open, who has seen it, what it looked like, what is over; and announced work.

use streampulse::simulator::{Fault, clips};

use super::*;
use crate::browser::Finds as _;

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_appears_is_acknowledged_and_is_over() {
    let simulator = simulate([SimulatedCamera::rtsp("Gate", clips::gate())]).await;
    let site = Site::new(&format!("{OFTEN}{}", config_text(&simulator)));
    let service = site.start();
    service.streams_when(|streams| streams["gate"]["state"] == "up");
    let browser = signed_in(&service).await;
    browser.link("Incidents").click().await;
    browser.heading("No incident is open").seen().await;

    simulator.set_fault("Gate", Some(Fault::Status(404))).await.expect("broken");
    browser.row("Gate").text("No such stream on the camera").seen().await;
    browser.button("Acknowledge Gate").click().await;
    let dialog = browser.dialog("Acknowledge Gate");
    dialog.field("Note").fill("The path has changed.\nAsked the installer.").await;
    dialog.button("Acknowledge").click().await;
    dialog.gone().await;
    browser.row("Gate").text("admin").seen().await;
    browser.row("Gate").text("Asked the installer.").seen().await;

    browser.row("Gate").link("Gate").click().await;
    browser.heading("Gate: No such stream on the camera").seen().await;
    browser.text("Check the path in the URL against the camera's manual").seen().await;
    browser.text("Acknowledged by admin").seen().await;
    // The last good picture; a 404 brings none.
    browser.pictures().shows_pictures(1).await;
    browser.text("There is no bad picture: the probe ended at “Describe” and brought none.").seen().await;

    simulator.set_fault("Gate", None).await.expect("healed");
    browser.text("Over").seen().await;
    browser.link("All incidents").click().await;
    browser.row("Gate").seen().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_picture_is_shown_beside_the_usual_one() {
    let simulator = simulate([SimulatedCamera::rtsp("Stairs", clips::lobby())]).await;
    let site = Site::new(&strict_with(&simulator, "Stairs"));
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.item("Stairs").text("Up").seen().await;
    simulator.set_fault("Stairs", Some(Fault::Frozen)).await.expect("broken");
    probe_until_frozen(&service, "stairs");
    browser.item("Stairs").text("Picture is frozen").seen().await;
    browser.item("Stairs").text("Degraded").seen().await;
    browser.item("Stairs").link("Stairs").click().await;
    let issues = browser.region("What is wrong with the picture");
    issues.item("Picture is frozen").text("Restart the camera").seen().await;
    issues.picture("Stairs, last verified picture").shows_pictures(1).await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
