//! A fleet of cameras, a thousand unless told otherwise, and the service that watches them, for the figures that ask it
//! meanwhile.

use std::time::Duration;

use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions};
use tempfile::TempDir;

use crate::service::Service;

pub const CAMERAS: usize = 1_000;
pub const HEARTBEAT_SECONDS: u64 = 15;
/// Until every stream has its verdict and its place in the schedule.
const WARM: Duration = Duration::from_secs(45);
/// So many of them do, a second.
const VERDICTS_A_SECOND: u64 = 25;

fn warm(cameras: usize) -> Duration {
    WARM.max(Duration::from_secs(cameras as u64 / VERDICTS_A_SECOND))
}

/// They, and what they are watched by. Dropping it ends them.
pub struct Fleet {
    simulator: Simulator,
    directory: TempDir,
    pub service: Service,
}

impl Fleet {
    /// Starts them, each made by `camera` of its name, and waits until each was probed.
    pub async fn start(heartbeat_seconds: u64, camera: impl Fn(String) -> SimulatedCamera) -> Self {
        Self::start_with(heartbeat_seconds, "", camera).await
    }

    /// The same, with these lines in the configuration.
    pub async fn start_with(heartbeat_seconds: u64, more: &str, camera: impl Fn(String) -> SimulatedCamera) -> Self {
        Self::start_all(CAMERAS, heartbeat_seconds, more, camera).await
    }

    /// As many as said.
    pub async fn start_many(
        cameras: usize,
        heartbeat_seconds: u64,
        camera: impl Fn(String) -> SimulatedCamera,
    ) -> Self {
        Self::start_all(cameras, heartbeat_seconds, "", camera).await
    }

    async fn start_all(
        cameras: usize,
        heartbeat_seconds: u64,
        more: &str,
        camera: impl Fn(String) -> SimulatedCamera,
    ) -> Self {
        let all = (0..cameras).map(|number| camera(format!("cam{number}")));
        let simulator = Simulator::start(SimulatorOptions::new(all)).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        configure(&simulator, &directory, heartbeat_seconds, more);
        let service = Service::start(directory.path());
        tokio::time::sleep(warm(cameras)).await;
        Self { simulator, directory, service }
    }

    /// From now on each is probed so often.
    pub async fn probe_every(&self, heartbeat_seconds: u64) {
        configure(&self.simulator, &self.directory, heartbeat_seconds, "");
        tokio::time::sleep(warm(self.simulator.names().len())).await;
    }

    /// From now on these lines are in the configuration; it is read at once.
    pub fn configure(&self, heartbeat_seconds: u64, more: &str) {
        configure(&self.simulator, &self.directory, heartbeat_seconds, more);
        self.service.reload();
    }

    /// From now on all of them answer so; as they were made without a fault.
    pub async fn all(&self, fault: Option<Fault>) {
        for name in self.simulator.names() {
            self.simulator.set_fault(name, fault).await.unwrap();
        }
    }
}

/// Writes the configuration that has these cameras.
pub fn configure(simulator: &Simulator, directory: &TempDir, heartbeat_seconds: u64, more: &str) {
    let mut text = format!("{more}heartbeat_seconds: {heartbeat_seconds}\nstreams:\n");
    for name in simulator.names() {
        // Each probe begins with the same picture.
        let url = simulator.url(name);
        text.push_str(&format!("  - {{name: {name}, url: \"{url}\", checks: {{frozen: false}}}}\n"));
    }
    // As an editor does: never half of it.
    std::fs::write(directory.path().join("config.yaml.new"), text).unwrap();
    std::fs::rename(directory.path().join("config.yaml.new"), directory.path().join("config.yaml")).unwrap();
}
