//! The whole service, with every process of it: a thousand cameras, an idle one with ten, and how soon it tells the
//! first verdict.

#![allow(clippy::disallowed_methods, reason = "a share of a time is measured over a time")]

use std::time::{Duration, Instant};

use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::machine::{Memory, median, total_cpu};
use crate::report::{Report, Row};
use crate::service::{Service, sum};
use crate::watched::{Fleet, configure};

/// What is to be reached with a thousand cameras, and when nothing is going on.
const THOUSAND_MB: f64 = 500.0;
const IDLE_MB: f64 = 90.0;
const IDLE_CPU: f64 = 0.02;
const START: Duration = Duration::from_secs(1);
const STARTS: usize = 5;

/// As many cameras as said, each at 720p and 1 Mbit/s and probed every `heartbeat_seconds`, with the simulator on the
/// same cores, for so many seconds.
pub async fn cameras(cameras: usize, heartbeat_seconds: u64, seconds: u64, report: &mut Report) {
    let camera = |name| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(Start::Live);
    let fleet = Fleet::start_many(cameras, heartbeat_seconds, camera).await;
    let (before, cpu_before) = (Measures::of(&fleet.service), total_cpu(fleet.service.pid()));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (after, cpu_after) = (Measures::of(&fleet.service), total_cpu(fleet.service.pid()));
    let memory = Memory::of(fleet.service.pid());
    let missed = after.missed - before.missed;
    let lag = Lag::between(&before, &after);
    let probes = after.probes - before.probes;
    let cpu_ms = cpu_after.saturating_sub(cpu_before).as_secs_f64() * 1000.0;
    println!(
        "{cameras} cameras (720p, 1 Mbit/s), {heartbeat_seconds} s heartbeat, {seconds} s, simulator on the same cores\n  \
         up                        {}\n  probes                    {probes}\n  heartbeats missed         {missed}\n  \
         99 % of starts lag at most {} s\n  memory (sum of PSS)       {:.0} MB, of it heap and stacks {:.0} MB\n  \
         CPU of all processes      {:.0} % of one core, {:.1} ms a probe\n",
        after.up,
        lag.p99_s,
        memory.pss_mb,
        memory.anonymous_mb,
        cpu_ms / seconds as f64 / 10.0,
        cpu_ms / probes,
    );
    report.add(Row {
        figure: format!(
            "{cameras} cameras (720p, 1 Mbit/s), {heartbeat_seconds} s heartbeat, simulator on the same cores"
        ),
        to_reach: format!("no heartbeat missed, 99 % of starts within 0.5 s, ≤ {THOUSAND_MB} MB"),
        measured: format!(
            "{missed} missed of {probes}, 99 % within {} s, {:.0} MB, {:.1} ms of CPU a probe",
            lag.p99_s,
            memory.pss_mb,
            cpu_ms / probes
        ),
        peers: String::new(),
        reached: missed == 0.0 && lag.p99_s <= 0.5 && memory.pss_mb <= THOUSAND_MB && after.up == cameras as f64,
    });
}

/// Ten cameras, and nobody who looks.
pub async fn idle(seconds: u64, report: &mut Report) {
    let camera = |name| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(Start::Live);
    let fleet = Fleet::start_many(10, 15, camera).await;
    let before = total_cpu(fleet.service.pid());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let share = total_cpu(fleet.service.pid()).saturating_sub(before).as_secs_f64() / seconds as f64;
    let memory = Memory::of(fleet.service.pid());
    println!(
        "idle, 10 cameras (720p, 1 Mbit/s), 15 s heartbeat, {seconds} s\n  memory (sum of PSS)  {:.0} MB, of it heap and \
         stacks {:.0} MB\n  CPU                  {:.2} % of one core\n",
        memory.pss_mb,
        memory.anonymous_mb,
        share * 100.0
    );
    report.add(Row {
        figure: "idle service, 10 cameras (720p, 1 Mbit/s), 15 s heartbeat".to_owned(),
        to_reach: format!("≤ {IDLE_MB} MB, ≤ {} % of one core", IDLE_CPU * 100.0),
        measured: format!("{:.0} MB, {:.2} %", memory.pss_mb, share * 100.0),
        peers: String::new(),
        reached: memory.pss_mb <= IDLE_MB && share <= IDLE_CPU,
    });
}

/// From the start of the process to the first line that says that a camera is up.
pub async fn first_verdict(report: &mut Report) {
    let camera = SimulatedCamera::rtsp("gate", clips::pattern_h264()).start(Start::KeyframeFirst);
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.unwrap();
    let mut took_ms = Vec::new();
    for _ in 0..STARTS {
        let directory = tempfile::tempdir().unwrap();
        configure(&simulator, &directory, 15, "");
        let began = Instant::now();
        let service = Service::start_until(directory.path(), "to=\"up\"");
        took_ms.push(began.elapsed().as_secs_f64() * 1000.0);
        drop(service);
    }
    let took_ms = median(took_ms);
    println!("start to the first verdict  {took_ms:.0} ms (median of {STARTS})\n");
    report.add(Row {
        figure: "start of the service to the first verdict".to_owned(),
        to_reach: format!("≤ {} s", START.as_secs()),
        measured: format!("{:.2} s", took_ms / 1000.0),
        peers: String::new(),
        reached: took_ms <= START.as_secs_f64() * 1000.0,
    });
}

/// What `/metrics` counts.
pub struct Measures {
    pub probes: f64,
    pub missed: f64,
    pub up: f64,
    /// Upper bounds of start lag in seconds, and how many starts were at most so late.
    pub lag: Vec<(f64, f64)>,
}

impl Measures {
    /// Asks.
    pub fn of(service: &Service) -> Self {
        let metrics = service.ask("/metrics");
        let lag = metrics.lines().filter_map(|line| {
            let (bound, count) =
                line.strip_prefix("streampulse_scheduler_lag_seconds_bucket{le=\"")?.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.parse().ok()?))
        });
        Self {
            probes: sum(&metrics, "streampulse_probes_total{"),
            missed: sum(&metrics, "streampulse_heartbeats_missed_total"),
            up: sum(&metrics, "stream_up{"),
            lag: lag.collect(),
        }
    }
}

/// How late probes were started.
pub struct Lag {
    /// The smallest bound of the histogram within which 99 % were, seconds.
    pub p99_s: f64,
}

impl Lag {
    /// Of the starts between two moments.
    pub fn between(before: &Measures, after: &Measures) -> Self {
        let counts: Vec<(f64, f64)> =
            before.lag.iter().zip(&after.lag).map(|((bound, from), (_, to))| (*bound, to - from)).collect();
        let all = counts.last().map_or(0.0, |(_, count)| *count);
        let p99_s = counts.iter().find(|(_, count)| *count >= 0.99 * all).map_or(f64::INFINITY, |(bound, _)| *bound);
        Self { p99_s }
    }
}
