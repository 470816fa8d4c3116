//! What a worker holds after so many probes of one kind: `make bench ONLY="life 2000"`, some 40 minutes. What it does not give
//! back shows as growth.

use std::time::Duration;

use futures_util::StreamExt as _;
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Prober as _, SnapshotSize};
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::common::{pool_options, request};
use crate::machine::Memory;
use crate::soak_faults::{FAULTS, of_protocol};

const CAMERAS: usize = 40;
const TIMEOUT: Duration = Duration::from_secs(3);
/// Looks at a worker's memory.
const LOOKS: u64 = 5;

/// One worker for sound cameras and one for each fault of the soak, by RTSP and by MJPEG.
pub async fn of_a_worker(probes: u64) {
    println!("heap and stacks of a worker, MB, in {probes} probes of one kind, {CAMERAS} at once");
    for is_mjpeg in [false, true] {
        one(is_mjpeg, None, probes).await;
        for fault in FAULTS {
            one(is_mjpeg, Some(of_protocol(fault, is_mjpeg)), probes).await;
        }
    }
    println!();
}

async fn one(is_mjpeg: bool, fault: Option<Fault>, probes: u64) {
    let cameras = (0..CAMERAS).map(|number| match is_mjpeg {
        true => SimulatedCamera::mjpeg(format!("cam{number}"), clips::pool_mjpeg()),
        false => SimulatedCamera::rtsp(format!("cam{number}"), clips::gate()).start(Start::Live),
    });
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.unwrap();
    for name in simulator.names() {
        simulator.set_fault(name, fault).await.unwrap();
    }
    let options = PoolOptions { retire_after_probes: u64::MAX, ..pool_options().with_workers(1) };
    let pool = Pool::start(options).await.unwrap();
    let mut held_mb = Vec::new();
    for _ in 0..LOOKS {
        let probes = futures_util::stream::iter(0..probes / LOOKS).map(|number| probe(&pool, &simulator, number));
        probes.buffer_unordered(CAMERAS).for_each(|()| std::future::ready(())).await;
        // Nobody is there when a kind takes its worker down.
        held_mb.push(pool.measures().worker_pids.first().map_or(f64::NAN, |pid| Memory::of_one(*pid).anonymous_mb));
    }
    // A heap finds its size in the first of them.
    let growth_kb = (held_mb[LOOKS as usize - 1] - held_mb[1]) * 1e3 / ((LOOKS - 2) * probes / LOOKS) as f64;
    let held_mb: Vec<String> = held_mb.iter().map(|mb| format!("{mb:.1}")).collect();
    let (protocol, fault) = (if is_mjpeg { "MJPEG" } else { "RTSP" }, fault.map(|fault| format!("{fault:?}")));
    println!(
        "  {protocol:5} {:20} {}, {growth_kb:.2} kB a probe, {} workers lost",
        fault.as_deref().unwrap_or("sound"),
        held_mb.join(" "),
        pool.measures().restarts_total
    );
    pool.close().await;
}

async fn probe(pool: &Pool, simulator: &Simulator, number: u64) {
    let name = format!("cam{}", number % CAMERAS as u64);
    let snapshot = SnapshotSize::AtMostWidth(960);
    let request = ProbeRequest { timeout: TIMEOUT, snapshot, ..request(&name, &simulator.url_with_credentials(&name)) };
    pool.probe(request).await;
}
