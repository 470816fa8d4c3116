//! What a worker holds after so many probes of one kind: `make bench ONLY="life 2000"`, some 40 minutes. What it does not give
//! back shows as growth.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use streampulse::model::{CameraUrl, Transport, Trust};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Prober as _, SnapshotSize};
use streampulse::simulator::{Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::machine::Memory;

const CAMERAS: usize = 40;
const TIMEOUT: Duration = Duration::from_secs(3);
/// Looks at a worker's memory.
const LOOKS: u64 = 5;

/// What a camera may do that leaves its worker alive, and `None` for one that is sound.
const KINDS: [Option<Fault>; 18] = [
    None,
    Some(Fault::ConnectionRefused),
    Some(Fault::SilentAfterAccept),
    Some(Fault::ClosesAfterRequest),
    Some(Fault::Drips),
    Some(Fault::Garbage),
    Some(Fault::EndlessHeader),
    Some(Fault::EndlessBody),
    Some(Fault::RedirectsToItself),
    Some(Fault::Html),
    Some(Fault::Status(404)),
    Some(Fault::Status(500)),
    Some(Fault::SilentTo(Method::Play)),
    Some(Fault::AudioOnly),
    Some(Fault::UnknownCodec),
    Some(Fault::DamagedPictures),
    Some(Fault::DecoderBomb),
    Some(Fault::NoKeyframe),
];

/// One worker for each kind, by RTSP and by MJPEG.
pub async fn of_a_worker(probes: u64) {
    println!("heap and stacks of a worker, MB, in {probes} probes of one kind, {CAMERAS} at once");
    for is_mjpeg in [false, true] {
        for kind in KINDS {
            let fault = match kind {
                Some(Fault::SilentTo(_)) if is_mjpeg => Some(Fault::SilentTo(Method::Get)),
                other => other,
            };
            one(is_mjpeg, fault, probes).await;
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
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-registry.bin");
    let options = PoolOptions { program: env!("CARGO_BIN_EXE_streampulse").into(), ..PoolOptions::new(registry) };
    let options = PoolOptions { retire_after_probes: u64::MAX, ..options.with_workers(1) };
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
    let (url, credentials) = CameraUrl::parse(&simulator.url_with_credentials(&name)).unwrap();
    let request = ProbeRequest {
        key: name,
        url,
        credentials,
        transport: Transport::Auto,
        timeout: TIMEOUT,
        trust: Trust::default(),
        max_megapixels: 40,
        snapshot: SnapshotSize::AtMostWidth(960),
    };
    pool.probe(request).await;
}
