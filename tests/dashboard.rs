//! The dashboard in a real browser, through the running service and simulated cameras: what a person sees and can do.

mod browser;
mod common;

#[path = "dashboard/access.rs"]
mod access;
#[path = "dashboard/incidents.rs"]
mod incidents;
#[path = "dashboard/looks.rs"]
mod looks;
#[path = "dashboard/nets.rs"]
mod nets;
#[path = "dashboard/settings.rs"]
mod settings;
#[path = "dashboard/streams.rs"]
mod streams;

use browser::Browser;
use common::service::{ADMIN_PASSWORD, Service, Site, wait_until};
use serde_json::json;
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions};

/// Heartbeats that are not in the way.
const SELDOM: &str = "heartbeat_seconds: 3600\n";

/// A heartbeat every two seconds, and a verdict soon.
const OFTEN: &str = "heartbeat_seconds: 2\nprobe: {retry_after_seconds: 1}\n";

async fn simulate(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

const VERAS_PASSWORD: &str = "vera looks at it";

/// Makes the account vera, who may look and nothing else.
fn make_viewer(service: &Service) {
    let vera = json!({"username": "vera", "password": VERAS_PASSWORD, "role": "viewer", "must_change_password": false});
    let made = service.post("/api/users", &vera);
    assert_eq!(made.status, 201, "{}", made.text());
}

/// The configuration of these cameras, in which the picture of this one may stand still for one heartbeat, which comes once
/// an hour.
fn strict_with(simulator: &Simulator, name: &str) -> String {
    let entry = format!("  - name: \"{name}\"\n");
    let text = config_text(simulator);
    assert!(text.contains(&entry), "{text}");
    text.replace(&entry, &format!("{entry}    heartbeat_seconds: 3600\n    checks: {{frozen: 2}}\n"))
}

/// Probes this stream of [`strict_with`] until it is found to be frozen.
fn probe_until_frozen(service: &Service, id: &str) {
    wait_until(|| {
        let answer = service.post(&format!("/api/streams/{id}/probe"), &json!({}));
        answer.status == 200 && service.streams()[id]["state"] == "degraded"
    });
}

/// A browser in which the administrator is signed in.
async fn signed_in(service: &Service) -> Browser {
    let browser = Browser::start(service.address()).await;
    browser.open("/").await;
    browser.sign_in("admin", ADMIN_PASSWORD).await;
    browser
}
