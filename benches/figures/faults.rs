//! Every fault of the table test against one pool: how late the latest verdict is, and how long a worker is missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use streampulse::model::{CameraUrl, Outcome, Transport, Trust, stage::to_ms};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Prober as _, SnapshotSize};
use streampulse::simulator::{Simulator, SimulatorOptions};

use crate::common::fates::{Fate, http_fates, rtsp_fates};

const TIMEOUT: Duration = Duration::from_secs(3);
/// As many at once as in the table test.
const AT_ONCE: usize = 6;
const RESPAWNS: usize = 5;

/// How one probe ended.
struct Ended {
    what: &'static str,
    is_right: bool,
    after_deadline: Duration,
}

/// Each fault once, then again when the pool knows who takes workers down.
pub async fn verdicts() {
    let fates: Vec<Fate> = rtsp_fates().into_iter().chain(http_fates()).collect();
    let simulator = Simulator::start(SimulatorOptions::new(fates.iter().map(|(_, camera, ..)| camera.clone())));
    let simulator = simulator.await.unwrap();
    let pool = start(2).await;
    println!("{} faults, timeout {} s, {AT_ONCE} at once, 2 workers", fates.len(), TIMEOUT.as_secs());
    for round in ["first", "second"] {
        let done = Arc::new(AtomicBool::new(false));
        let missing = tokio::spawn(longest_without_a_worker(pool.clone(), done.clone()));
        let probes = futures_util::stream::iter(&fates).map(|fate| probe(&pool, &simulator, fate));
        let ended: Vec<Ended> = probes.buffer_unordered(AT_ONCE).collect().await;
        done.store(true, Ordering::Relaxed);
        let latest = ended.iter().max_by_key(|ended| ended.after_deadline).unwrap();
        let late = ended.iter().filter(|ended| ended.after_deadline > Duration::from_millis(500)).count();
        println!(
            "  {round} round: {} of {} right; the latest verdict {:.0} ms after the deadline ({}), {late} later than \
             500 ms; longest without a worker {:.0} ms",
            ended.iter().filter(|ended| ended.is_right).count(),
            ended.len(),
            to_ms(latest.after_deadline),
            latest.what,
            to_ms(missing.await.unwrap()),
        );
        for wrong in ended.iter().filter(|ended| !ended.is_right) {
            println!("    wrong: {}", wrong.what);
        }
    }
    println!("  workers lost {}, streams in quarantine {}", pool.measures().restarts_total, pool.measures().suspects);
    pool.close().await;
    let mut respawn_ms = Vec::new();
    for _ in 0..RESPAWNS {
        // A new pool each time: one that loses worker after worker waits before the next.
        let pool = start(1).await;
        respawn_ms.push(to_ms(respawn(&pool).await));
        pool.close().await;
    }
    println!("  to respawn one that is killed: {:.0} ms (median of {RESPAWNS})\n", crate::machine::median(respawn_ms));
}

async fn start(workers: usize) -> Pool {
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-registry.bin");
    let options = PoolOptions { program: env!("CARGO_BIN_EXE_streampulse").into(), ..PoolOptions::new(registry) };
    Pool::start(options.with_workers(workers)).await.unwrap()
}

async fn probe(pool: &Pool, simulator: &Simulator, (what, _, stage, reason): &Fate) -> Ended {
    let (url, credentials) = CameraUrl::parse(&simulator.url_with_credentials(what)).unwrap();
    let request = ProbeRequest {
        key: (*what).to_owned(),
        url,
        credentials,
        transport: Transport::Auto,
        timeout: TIMEOUT,
        trust: Trust::default(),
        max_megapixels: 40,
        snapshot: SnapshotSize::AtMostWidth(960),
    };
    let started = Instant::now();
    let report = pool.probe(request).await.report;
    let after_deadline = started.elapsed().saturating_sub(TIMEOUT);
    let is_right = match &report.outcome {
        Outcome::Failed { stage: at, reason: why, .. } => at.as_str() == *stage && why.as_str() == *reason,
        Outcome::Ok => false,
    };
    Ended { what, is_right, after_deadline }
}

/// The longest time in which fewer workers were ready than before.
async fn longest_without_a_worker(pool: Pool, done: Arc<AtomicBool>) -> Duration {
    let (mut most, mut since, mut longest) = (0, Instant::now(), Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let ready = pool.measures().worker_pids.len();
        most = most.max(ready);
        if ready >= most {
            since = Instant::now();
        }
        longest = longest.max(since.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest
}

/// From the death of an idle worker to the next one that is ready.
async fn respawn(pool: &Pool) -> Duration {
    let before = pool.measures().worker_pids;
    let started = Instant::now();
    kill_process(Pid::from_raw(before[0] as i32).unwrap(), Signal::KILL).unwrap();
    loop {
        let now = pool.measures().worker_pids;
        if now.len() >= before.len() && !now.contains(&before[0]) {
            return started.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
