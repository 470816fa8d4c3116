//! What a stream costs among ten and among thousands: answers, memory, and what is done with a verdict. What its probes cost
//! is in the figures of a thousand and of ten cameras.

#![allow(clippy::disallowed_methods, reason = "a service is asked again until it is ready")]

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::machine::{Memory, cpu, median};
use crate::report::{Report, Row};
use crate::service::{Service, sum};
use crate::watched::configure;

const SIZES: [usize; 4] = [10, 100, 1_000, 5_000];
/// Nobody is probed twice while it is measured.
const HEARTBEAT_SECONDS: u64 = 3_600;
/// Then as many a second whatever the size, but no stream more often than every 2 s, over a time.
const A_SECOND: u64 = 50;
const SHORTEST_HEARTBEAT_SECONDS: u64 = 2;
const WINDOW: Duration = Duration::from_secs(30);
/// Every stream has its first verdict within.
const PATIENCE: Duration = Duration::from_secs(600);
const ANSWERS: usize = 51;
/// By so much a stream among 5,000 may cost more than one among 100.
const FLAT: f64 = 1.5;

/// Of one stream among so many.
struct Cost {
    streams: usize,
    /// Its share of an answer, microseconds.
    metrics_us: f64,
    status_us: f64,
    /// Memory of the service without its workers that is no file, the latest picture included, kB.
    memory_kb: f64,
    /// CPU of the service without its workers for a heartbeat: when it is due, what is told and stored of it, milliseconds.
    heartbeat_ms: f64,
}

/// Each size, with one dashboard that is told of every change.
pub async fn of_a_stream(report: &mut Report) {
    println!(
        "{:>8} {:>18} {:>21} {:>16} {:>16}",
        "streams", "/metrics a stream", "/api/status a stream", "memory a stream", "CPU a heartbeat"
    );
    let mut costs = Vec::new();
    for streams in SIZES {
        let cost = of(streams).await;
        let Cost { metrics_us, status_us, memory_kb, heartbeat_ms, .. } = cost;
        println!(
            "{streams:>8} {metrics_us:>15.2} µs {status_us:>18.2} µs {memory_kb:>13.1} kB {heartbeat_ms:>13.2} ms"
        );
        costs.push(cost);
    }
    println!();
    let column =
        |of: fn(&Cost) -> f64| costs.iter().map(|cost| format!("{:.2}", of(cost))).collect::<Vec<_>>().join(", ");
    // Of ten streams an answer is its head, and the memory is the service's own.
    let growth = |of: fn(&Cost) -> f64| {
        let at = |streams| costs.iter().find(|cost| cost.streams == streams).map_or(f64::NAN, of);
        at(5_000) / at(100)
    };
    let ratios = [
        growth(|cost| cost.metrics_us),
        growth(|cost| cost.status_us),
        growth(|cost| cost.memory_kb),
        growth(|cost| cost.heartbeat_ms),
    ];
    report.add(Row {
        figure: format!("a stream among {SIZES:?}, without the workers"),
        to_reach: format!("flat: among 5,000 at most {FLAT} times what it is among 100"),
        measured: format!(
            "`/metrics` {} µs, `/api/status` {} µs, {} kB, {} ms of CPU a heartbeat; × {:.2}, {:.2}, {:.2}, {:.2}",
            column(|cost| cost.metrics_us),
            column(|cost| cost.status_us),
            column(|cost| cost.memory_kb),
            column(|cost| cost.heartbeat_ms),
            ratios[0],
            ratios[1],
            ratios[2],
            ratios[3],
        ),
        peers: String::new(),
        reached: ratios.iter().all(|ratio| *ratio <= FLAT),
    });
}

async fn of(streams: usize) -> Cost {
    let camera =
        |number| SimulatedCamera::rtsp(format!("cam{number}"), clips::pattern_h264()).start(Start::KeyframeFirst);
    let simulator = Simulator::start(SimulatorOptions::new((0..streams).map(camera))).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    configure(&simulator, &directory, HEARTBEAT_SECONDS, "");
    let service = Service::start(directory.path());
    let dashboard = listen(&service);
    let begun = Instant::now();
    while sum(&service.ask("/metrics"), "stream_up{") < streams as f64 {
        assert!(begun.elapsed() < PATIENCE, "not every stream is up");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let answer_us = |path: &str| {
        let took = (0..ANSWERS).map(|_| {
            let begun = Instant::now();
            service.ask(path);
            begun.elapsed().as_secs_f64() * 1e6
        });
        median(took.collect()) / streams as f64
    };
    let (metrics_us, status_us) = (answer_us("/metrics"), answer_us("/api/status"));
    let memory_kb = Memory::of_one(service.pid()).anonymous_mb * 1e3 / streams as f64;
    let heartbeat_seconds = SHORTEST_HEARTBEAT_SECONDS.max(streams as u64 / A_SECOND);
    configure(&simulator, &directory, heartbeat_seconds, "");
    service.reload();
    let probes = || sum(&service.ask("/metrics"), "streampulse_probes_total{");
    // Until they are in their rhythm.
    let enough = probes() + (streams as u64 / heartbeat_seconds * WINDOW.as_secs() / 6) as f64;
    while probes() < enough {
        assert!(begun.elapsed() < PATIENCE, "the heartbeat does not change");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (probes_before, cpu_before) = (probes(), cpu(service.pid()));
    tokio::time::sleep(WINDOW).await;
    let used = cpu(service.pid()) - cpu_before;
    let heartbeat_ms = used.as_secs_f64() * 1e3 / (probes() - probes_before);
    drop(service);
    dashboard.join().unwrap();
    Cost { streams, metrics_us, status_us, memory_kb, heartbeat_ms }
}

/// One dashboard: it is told of every change until the service ends.
fn listen(service: &Service) -> std::thread::JoinHandle<()> {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(service.request("/api/events").as_bytes()).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while stream.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
    })
}
