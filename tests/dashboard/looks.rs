//! Every page as it looks with a fleet of which some is broken: what axe-core finds, whether it fits on a phone, and
//! pictures of it in `target/screenshots`.

use std::collections::BTreeMap;

use serde_json::Value;
use streampulse::simulator::demo::{HEALTHY, demo_fleet};

use super::*;
use crate::browser::{DESK, Finds as _, PHONE, Theme, WALL};

/// Addresses behind `#`, the heading that each has, and the name of its pictures when they are wanted.
const PAGES: &[(&str, &str, Option<&str>)] = &[
    ("/", "Overview", Some("overview")),
    ("/?view=dense", "Overview", Some("small-cards")),
    ("/?view=table", "Overview", Some("table")),
    ("/?q=nobody", "Nothing matches", None),
    ("/streams/gate", "Gate", Some("stream")),
    ("/streams/cellar", "Cellar", Some("stream-down")),
    ("/streams/stairs", "Stairs", Some("stream-degraded")),
    ("/streams/loading-dock", "Loading dock", None),
    ("/streams/nobody", "There is no such stream", None),
    ("/incidents", "Incidents", Some("incidents")),
    ("/incidents/1", "Evidence", Some("incident")),
    ("/incidents?show=past", "No incident is over yet", None),
    ("/incidents/maintenance", "Announced", None),
    ("/incidents/reports", "Monthly reports", None),
    ("/settings", "Settings", Some("settings")),
    ("/settings/streams/gate", "Edit Gate", Some("settings-stream")),
    ("/settings/streams/import", "Import cameras", None),
    ("/settings/general", "Probing and verdict", Some("settings-general")),
    ("/settings/mqtt", "Broker", None),
    ("/settings/users", "Users", None),
    ("/settings/tokens", "API tokens", None),
    ("/settings/audit", "Settings", None),
    ("/settings/file", "config.yaml", Some("settings-file")),
    ("/help", "Help", Some("help")),
    ("/help/about", "About this service", None),
    ("/nowhere", "There is no such page", None),
];

/// How many of the fleet are down: one is degraded, one is busy.
const BROKEN: usize = 5;

/// The fleet of the demonstration, once everything about it is known.
async fn fleet(theme: Theme) -> (Simulator, Site, Service, Browser) {
    let simulator = simulate(demo_fleet()).await;
    let head = "heartbeat_seconds: 5\nprobe: {retry_after_seconds: 1, timeout_seconds: 10}\n";
    let site = Site::new(&format!("{head}{}", strict_with(&simulator, "Stairs")));
    let service = site.start();
    probe_until_frozen(&service, "stairs");
    let count = |streams: &BTreeMap<String, Value>, state| streams.values().filter(|one| one["state"] == state).count();
    service.streams_when(|streams| count(streams, "up") == HEALTHY && count(streams, "down") == BROKEN);
    let mut browser = Browser::start(service.address()).await;
    browser.theme(theme).await;
    browser.open("/").await;
    browser.heading("Sign in").seen().await;
    browser.is_accessible().await;
    browser.screenshot("sign-in").await;
    browser.size(PHONE).await;
    browser.fits().await;
    browser.size(DESK).await;
    browser.sign_in("admin", ADMIN_PASSWORD).await;
    (simulator, site, service, browser)
}

async fn every_page(theme: Theme) {
    let (_simulator, _site, service, mut browser) = fleet(theme).await;
    let mut problems = Vec::new();
    for (place, heading, picture) in PAGES {
        browser.open(&format!("/#{place}")).await;
        // As a bookmark opens it.
        browser.reload().await;
        browser.heading(heading).seen().await;
        browser.text("Loading…").gone().await;
        problems.extend(browser.findings().await);
        if let Some(name) = picture {
            browser.screenshot(name).await;
        }
        browser.size(PHONE).await;
        // Colours are the same on a phone.
        if theme == Theme::Light {
            problems.extend(browser.findings().await);
        }
        problems.extend(browser.sticks_out().await);
        if let Some(name) = picture {
            browser.screenshot(name).await;
        }
        browser.size(DESK).await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_by_everybody_in_light_colours_and_on_a_phone() {
    every_page(Theme::Light).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_by_everybody_in_dark_colours_and_on_a_phone() {
    every_page(Theme::Dark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_cards_fill_a_wall_screen_and_can_be_read_from_afar() {
    let (_simulator, _site, service, mut browser) = fleet(Theme::Dark).await;
    browser.size(WALL).await;
    let letters = "return getComputedStyle(document.documentElement).fontSize === arguments[0]";
    for (place, size) in [("/", "27px"), ("/?view=dense", "19px"), ("/", "27px"), ("/help", "19px")] {
        browser.open(&format!("/#{place}")).await;
        browser.until(&format!("letters of {size} at {place}"), letters, &[size.into()]).await;
        browser.fits().await;
        if place == "/" {
            browser.link("Gate").seen().await;
            browser.screenshot("overview").await;
        }
    }
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_colours_of_the_system_are_followed_until_others_are_chosen() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let mut browser = signed_in(&service).await;
    let script = "return getComputedStyle(document.body).backgroundColor";
    let light = browser.run(script, &[]).await;
    browser.theme(Theme::Dark).await;
    let dark = browser.run(script, &[]).await;
    assert_ne!(light, dark);
    browser.button("Account").click().await;
    browser.button("Light").click().await;
    assert_eq!(browser.run(script, &[]).await, light);
    browser.reload().await;
    browser.button("Account").click().await;
    assert_eq!(browser.run(script, &[]).await, light);
    browser.button("As the system").click().await;
    assert_eq!(browser.run(script, &[]).await, dark);
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
