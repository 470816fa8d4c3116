//! What a stream costs among ten and among thousands: probes come at the same rate, only more streams share it.

#![allow(clippy::disallowed_methods, reason = "a share of a time is measured over a time")]

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::machine::{cpu, median};
use crate::report::{Report, Row};
use crate::service::{Service, sum};
use crate::watched::configure;

const SIZES: [usize; 4] = [10, 100, 1_000, 5_000];
/// In all, whatever the number of streams: the shortest heartbeat with the fewest, and an hour is never reached.
const PROBES_A_SECOND: usize = 5;
/// Every stream has its first verdict within.
const PATIENCE: Duration = Duration::from_secs(600);
const ANSWERS: usize = 51;
/// By so much the dearest of hundreds and thousands may cost more than the cheapest.
const FLAT: f64 = 1.5;

/// Of one size.
struct Cost {
    streams: usize,
    /// CPU of the service without its workers, milliseconds a probe.
    cpu_ms: f64,
    /// An answer, microseconds a stream.
    metrics_us: f64,
    status_us: f64,
    /// Memory of the service without its workers that is no file, MB.
    memory_mb: f64,
}

/// Each size for so many seconds, with one dashboard that is told of every change.
pub async fn of_a_stream(seconds: u64, report: &mut Report) {
    println!("{PROBES_A_SECOND} probes a second of so many streams, {seconds} s each, without the workers");
    println!(
        "{:>8} {:>14} {:>22} {:>22} {:>10}",
        "streams", "CPU a probe", "/metrics a stream", "/api/status a stream", "memory"
    );
    let mut costs = Vec::new();
    for streams in SIZES {
        let cost = of(streams, seconds).await;
        println!(
            "{streams:>8} {:>11.2} ms {:>19.2} µs {:>19.2} µs {:>7.1} MB",
            cost.cpu_ms, cost.metrics_us, cost.status_us, cost.memory_mb
        );
        costs.push(cost);
    }
    println!();
    let column =
        |of: fn(&Cost) -> f64| costs.iter().map(|cost| format!("{:.2}", of(cost))).collect::<Vec<_>>().join(", ");
    // Of ten streams an answer is its head.
    let many: Vec<&Cost> = costs.iter().filter(|cost| cost.streams >= 100).collect();
    let growth = |of: fn(&Cost) -> f64| {
        let (first, last) = (of(many[0]), of(many[many.len() - 1]));
        last / first
    };
    let ratios = [growth(|cost| cost.cpu_ms), growth(|cost| cost.metrics_us), growth(|cost| cost.status_us)];
    report.add(Row {
        figure: format!(
            "cost of a stream among {SIZES:?}, {PROBES_A_SECOND} probes a second, one dashboard, without the workers"
        ),
        to_reach: format!("flat: 5,000 at most {FLAT} times as much each as 100"),
        measured: format!(
            "CPU a probe {} ms; `/metrics` {}, `/api/status` {} µs a stream; {} MB; × {:.2}, {:.2}, {:.2}",
            column(|cost| cost.cpu_ms),
            column(|cost| cost.metrics_us),
            column(|cost| cost.status_us),
            column(|cost| cost.memory_mb),
            ratios[0],
            ratios[1],
            ratios[2],
        ),
        peers: String::new(),
        reached: ratios.iter().all(|ratio| *ratio <= FLAT),
    });
}

async fn of(streams: usize, seconds: u64) -> Cost {
    let camera =
        |number| SimulatedCamera::rtsp(format!("cam{number}"), clips::pattern_h264()).start(Start::KeyframeFirst);
    let simulator = Simulator::start(SimulatorOptions::new((0..streams).map(camera))).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    configure(&simulator, &directory, (streams / PROBES_A_SECOND) as u64, "");
    let service = Service::start(directory.path());
    let begun = Instant::now();
    while sum(&service.ask("/metrics"), "stream_up{") < streams as f64 {
        assert!(begun.elapsed() < PATIENCE, "not every stream is up");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let dashboard = listen(&service);
    let probes = || sum(&service.ask("/metrics"), "streampulse_probes_total{");
    let (probes_before, cpu_before) = (probes(), cpu(service.pid()));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (probes_after, cpu_after) = (probes(), cpu(service.pid()));
    let answer_us = |path: &str| {
        let took = (0..ANSWERS).map(|_| {
            let begun = Instant::now();
            service.ask(path);
            begun.elapsed().as_secs_f64() * 1e6
        });
        median(took.collect()) / streams as f64
    };
    let (metrics_us, status_us) = (answer_us("/metrics"), answer_us("/api/status"));
    let memory_mb = anonymous_mb(service.pid());
    drop(service);
    dashboard.join().unwrap();
    let cpu_ms = (cpu_after - cpu_before).as_secs_f64() * 1000.0 / (probes_after - probes_before);
    Cost { streams, cpu_ms, metrics_us, status_us, memory_mb }
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

/// Heap and stacks of one process.
fn anonymous_mb(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss_Anon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}
