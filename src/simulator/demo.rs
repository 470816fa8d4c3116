//! The fleet of `streampulse demo`: cameras that look different, and some that are broken.

use super::camera::SimulatedCamera;
use super::fault::Fault;
use super::{Auth, Simulator, clips};

/// How many of [`demo_fleet`] deliver a usable picture.
pub const HEALTHY: usize = 7;

/// Named cameras in groups: first the healthy ones, then one for each common way to be broken.
pub fn demo_fleet() -> Vec<SimulatedCamera> {
    let rtsp = SimulatedCamera::rtsp;
    vec![
        // A password as people choose them, which must be percent-encoded in a URL.
        rtsp("Gate", clips::gate()).group("Entrance").auth(Auth::digest("admin", "open/se:sam@me")),
        rtsp("Reception", clips::lobby()).group("Entrance").auth(Auth::basic("viewer", "lobby 2024")).session_limit(2),
        rtsp("Crossing", clips::street()).group("Outside").path("/cam/realmonitor?channel=1&subtype=0").gop_loops(2),
        rtsp("Car park", clips::night()).group("Outside").path("/Streaming/Channels/101").session_limit(1),
        rtsp("Warehouse", clips::warehouse()).group("Warehouse").path("/h264Preview_01_main"),
        rtsp("Packing line", clips::pattern_h265()).group("Warehouse").path("/live/ch0"),
        SimulatedCamera::mjpeg("Pool", clips::pool_mjpeg()).group("Outside").auth(Auth::both("admin", "swim")),
        rtsp("Loading dock", clips::warehouse())
            .group("Warehouse")
            .auth(Auth::digest("admin", "the new password"))
            .told("admin", "the old password"),
        rtsp("Stairs", clips::lobby()).group("Entrance").fault(Fault::Frozen),
        rtsp("Back door", clips::lobby()).group("Entrance").fault(Fault::Status(404)),
        rtsp("Roof", clips::street()).group("Outside").fault(Fault::ConnectionRefused),
        rtsp("Cellar", clips::night()).group("Warehouse").fault(Fault::SilentAfterAccept),
        rtsp("Fence", clips::gate()).group("Outside").fault(Fault::NoKeyframe),
        // Its sessions are all taken by others.
        rtsp("Lift", clips::lobby()).group("Entrance").session_limit(0),
    ]
}

/// The `streams:` of a config.yaml for a service that watches these cameras: name, URL with the credentials that its
/// clients are told, group.
pub fn config_text(simulator: &Simulator) -> String {
    let mut text = String::from("streams:\n");
    for name in simulator.names() {
        text.push_str(&format!("  - name: {}\n", quoted(name)));
        text.push_str(&format!("    url: {}\n", quoted(&simulator.url_with_credentials(name))));
        if let Some(group) = simulator.camera(name).group_name() {
            text.push_str(&format!("    group: {}\n", quoted(group)));
        }
    }
    text
}

/// A double-quoted YAML scalar (YAML 1.2 section 7.3.1).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CameraUrl;
    use crate::simulator::SimulatorOptions;

    #[tokio::test]
    async fn the_fleet_runs_and_its_configuration_names_every_camera() {
        let simulator = Simulator::start(SimulatorOptions::new(demo_fleet())).await.expect("starts");
        let text = config_text(&simulator);
        for name in simulator.names() {
            let url = simulator.url_with_credentials(name);
            assert!(text.contains(&format!("  - name: \"{name}\"\n    url: \"{url}\"\n    group: \"")), "{text}");
            let (parsed, credentials) = CameraUrl::parse(&url).expect("a URL");
            assert_eq!(parsed.port(), simulator.address(name).port());
            assert_eq!(credentials.as_ref(), simulator.camera(name).told_credentials());
        }
        let broken = |name: &&String| {
            let camera = simulator.camera(name);
            camera.fault.is_some() || camera.told.is_some() || camera.session_limit == Some(0)
        };
        assert_eq!(simulator.names().iter().filter(|n| !broken(n)).count(), HEALTHY);
    }

    #[test]
    fn names_survive_yaml() {
        assert_eq!(quoted("a \"b\" \\ \u{7}é"), "\"a \\\"b\\\" \\\\ \\U00000007é\"");
    }
}
