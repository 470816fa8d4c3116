//! A thousand cameras and the service that watches them, for the figures that ask it meanwhile.

use std::time::Duration;

use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, Start, clips};
use tempfile::TempDir;

use crate::service::Service;

pub const CAMERAS: usize = 1_000;
pub const HEARTBEAT_SECONDS: u64 = 15;
/// Until every stream has its verdict and its place in the schedule.
const WARM: Duration = Duration::from_secs(45);

/// They, their directory and the service, which has probed each of them.
pub async fn watched() -> (Simulator, TempDir, Service) {
    let cameras = (0..CAMERAS)
        .map(|number| SimulatedCamera::rtsp(format!("cam{number}"), clips::pattern_h264()).start(Start::Live));
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut text = format!("heartbeat_seconds: {HEARTBEAT_SECONDS}\nstreams:\n");
    for name in simulator.names() {
        text.push_str(&format!("  - {{name: {name}, url: \"{}\"}}\n", simulator.url(name)));
    }
    std::fs::write(directory.path().join("config.yaml"), text).unwrap();
    let service = Service::start(directory.path());
    tokio::time::sleep(WARM).await;
    (simulator, directory, service)
}
