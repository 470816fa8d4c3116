//! What happens to a worker costs no stream a false verdict.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{PROGRAM, pool_options, request};
use rustix::process::{Pid, Signal, kill_process};
use streampulse::model::{Outcome, Reason};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Probed, Prober as _};
use streampulse::simulator::{Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, clips};
use tokio::task::{JoinHandle, JoinSet};

const CAMERAS: usize = 10;
/// Long enough for any event that a test waits for, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn cameras() -> Simulator {
    let cameras = (0..CAMERAS).map(|number| SimulatedCamera::rtsp(format!("cam{number}"), clips::gate()));
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

/// Probes every camera at once.
fn probe_all(pool: &Arc<Pool>, simulator: &Simulator) -> JoinSet<Probed> {
    let mut probes = JoinSet::new();
    for name in simulator.names() {
        let (pool, request) = (pool.clone(), request(name, &simulator.url(name)));
        probes.spawn(async move { pool.probe(request).await });
    }
    probes
}

/// Begins a probe of one camera.
fn probe_one(pool: &Arc<Pool>, request: ProbeRequest) -> JoinHandle<Probed> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.probe(request).await })
}

async fn wait_for_sessions(simulator: &Simulator) {
    for name in simulator.names() {
        simulator.counts_when(name, PATIENCE, |counts| counts.sessions_opened > 0).await.expect("a session");
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    kill_process(pid, signal).expect("a signal");
}

/// While every probe is in flight the workers get this signal; every probe must still find its picture.
async fn expect_pictures_in_spite_of(signal: Signal) {
    let simulator = cameras().await;
    let pool = Arc::new(Pool::start(pool_options().with_workers(2)).await.expect("pool"));
    let probes = probe_all(&pool, &simulator);
    wait_for_sessions(&simulator).await;
    for pid in pool.measures().worker_pids {
        send(pid, signal);
    }
    for probed in probes.join_all().await {
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    }
    assert!(pool.measures().restarts_total >= 2, "{:?}", pool.measures());
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_fails_no_probe() {
    expect_pictures_in_spite_of(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_fails_no_probe() {
    expect_pictures_in_spite_of(Signal::STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_is_started_when_the_first_is_busy() {
    let names: Vec<String> = (0..20).map(|number| format!("silent {number}")).collect();
    let camera = |name: &String| SimulatedCamera::rtsp(name, clips::gate()).fault(Fault::SilentTo(Method::Play));
    let simulator = Simulator::start(SimulatorOptions::new(names.iter().map(camera))).await.expect("simulator");
    let options = PoolOptions { workers_at_start: 1, decode_slots: 1, ..pool_options().with_workers(2) };
    let pool = Arc::new(Pool::start(options).await.expect("pool"));
    let first = pool.measures().worker_pids;
    assert_eq!(first.len(), 1);
    let probes = probe_all(&pool, &simulator);
    let both = async {
        while pool.measures().worker_pids.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("a second worker");
    for probed in probes.join_all().await {
        assert_eq!(probed.report.reason(), Reason::ResponseTimeout, "{:?}", probed.report);
    }
    let pids = pool.measures().worker_pids;
    assert!(pids.len() == 2 && pids.contains(&first[0]), "it stays: {pids:?}");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_memory_loses_a_worker_first() {
    let ours: i32 =
        std::fs::read_to_string("/proc/self/oom_score_adj").expect("a score").trim().parse().expect("a number");
    let pool = Pool::start(pool_options().with_workers(2)).await.expect("pool");
    for pid in pool.measures().worker_pids {
        let score = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a score");
        assert_eq!(score.trim(), ours.max(500).to_string());
    }
    pool.close().await;
}

/// A Ctrl+C in a terminal goes to the whole process group; only the monitor may hear it.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_in_a_process_group_of_its_own() {
    let pool = Pool::start(pool_options().with_workers(1)).await.expect("pool");
    let worker = Pid::from_raw(i32::try_from(pool.measures().worker_pids[0]).expect("a pid")).expect("a pid");
    assert_eq!(rustix::process::getpgid(Some(worker)).expect("its group"), worker);
    assert_ne!(rustix::process::getpgid(None).expect("our group"), worker);
    pool.close().await;
}

fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("statm");
    statm.split_whitespace().nth(1).expect("pages").parse::<u64>().expect("a number")
        * rustix::param::page_size() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_grows_is_replaced_and_fails_no_probe() {
    let simulator = cameras().await;
    let usual = Pool::start(pool_options().with_workers(1)).await.expect("pool");
    let idle_bytes = resident_bytes(usual.measures().worker_pids[0]);
    usual.close().await;
    // Every worker is over this limit when it starts and under twice the limit when it works.
    let options = PoolOptions { memory_limit_bytes: idle_bytes * 9 / 10, ..pool_options().with_workers(1) };
    let pool = Arc::new(Pool::start(options).await.expect("pool"));
    let first = pool.measures().worker_pids;
    for _ in 0..2 {
        for probed in probe_all(&pool, &simulator).join_all().await {
            let reason = probed.report.reason();
            assert!(reason == Reason::Ok || reason.is_ours(), "{:?}", probed.report);
        }
    }
    // Where there was none any more, it had been taken out at its first look.
    assert!(first.is_empty() || pool.measures().worker_pids != first, "the worker was replaced");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_far_over_its_limit_is_killed_and_no_camera_is_blamed() {
    let simulator = cameras().await;
    let options = PoolOptions { memory_limit_bytes: 1, ..pool_options().with_workers(1) };
    let pool = Arc::new(Pool::start(options).await.expect("pool"));
    for probed in probe_all(&pool, &simulator).join_all().await {
        let reason = probed.report.reason();
        assert!(reason == Reason::Ok || reason.is_ours(), "{:?}", probed.report);
    }
    assert!(pool.measures().restarts_total > 0);
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_replaced_after_their_share_of_probes() {
    let simulator = cameras().await;
    let options = PoolOptions { retire_after_probes: 3, ..pool_options().with_workers(1) };
    let pool = Arc::new(Pool::start(options).await.expect("pool"));
    for probed in probe_all(&pool, &simulator).join_all().await {
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    }
    assert_eq!(pool.measures().restarts_total, 0, "replacing in good order is not a loss");
    pool.close().await;
}

async fn silent_camera() -> (Simulator, ProbeRequest) {
    let camera = SimulatedCamera::rtsp("fence", clips::gate()).fault(Fault::NoKeyframe);
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
    let request = request("fence", &simulator.url("fence"));
    (simulator, request)
}

/// Every session that was opened is closed with a TEARDOWN.
async fn expect_goodbye(simulator: &Simulator) {
    let counts = simulator.counts_when("fence", PATIENCE, |counts| counts.sessions_open == 0).await.expect("an end");
    assert_eq!((counts.sessions_opened, counts.teardowns), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_nobody_waits_for_hangs_up_politely() {
    let (simulator, request) = silent_camera().await;
    let pool = Arc::new(Pool::start(pool_options().with_workers(1)).await.expect("pool"));
    let probe = probe_one(&pool, request);
    simulator.counts_when("fence", PATIENCE, |counts| counts.plays == 1).await.expect("a play");
    probe.abort();
    expect_goodbye(&simulator).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_closes_hangs_up_politely() {
    let (simulator, request) = silent_camera().await;
    let pool = Arc::new(Pool::start(pool_options().with_workers(1)).await.expect("pool"));
    let probe = probe_one(&pool, request);
    simulator.counts_when("fence", PATIENCE, |counts| counts.plays == 1).await.expect("a play");
    pool.close().await;
    expect_goodbye(&simulator).await;
    assert!(probe.await.expect("a report").report.reason().is_ours());
}

/// A worker whose monitor was killed hangs up and ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_does_not_outlive_its_monitor() {
    let (simulator, _) = silent_camera().await;
    let mut monitor = std::process::Command::new(PROGRAM)
        .args(["probe", &simulator.url("fence"), "--timeout", "60s"])
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("streampulse probe");
    simulator.counts_when("fence", PATIENCE, |counts| counts.plays == 1).await.expect("a play");
    monitor.kill().expect("kill");
    monitor.wait().expect("wait");
    expect_goodbye(&simulator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_overruns_is_quarantined_and_the_others_are_not_failed() {
    let simulator = cameras().await;
    let pool = Arc::new(Pool::start(pool_options().with_workers(1)).await.expect("pool"));
    let probes = probe_all(&pool, &simulator);
    wait_for_sessions(&simulator).await;
    assert_eq!(pool.measures().suspects, 0);
    // One stream whose worker dies while it is alone in it is a suspect from then on.
    for probed in probes.join_all().await {
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    }
    let (fence, request) = silent_camera().await;
    let probe = probe_one(&pool, request.clone());
    fence.counts_when("fence", PATIENCE, |counts| counts.plays == 1).await.expect("a play");
    send(pool.measures().worker_pids[0], Signal::KILL);
    fence.counts_when("fence", PATIENCE, |counts| counts.plays == 2).await.expect("a second play, alone");
    assert_eq!(pool.measures().suspects, 1);
    for probed in probe_all(&pool, &simulator).join_all().await {
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    }
    assert_eq!(probe.await.expect("a report").report.reason(), Reason::NoKeyframe);
    fence.set_fault("fence", None).await.expect("healed");
    for _ in 0..streampulse::probe::pool::CLEAN_PROBES {
        assert_eq!(pool.probe(request.clone()).await.report.outcome, Outcome::Ok);
    }
    assert_eq!(pool.measures().suspects, 0, "trusted again");
    pool.close().await;
}

/// Whoever was probed alone leaves a worker behind, which goes when nobody has needed it for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_the_quarantine_goes_when_nobody_needs_it() {
    let (fence, request) = silent_camera().await;
    let options = PoolOptions { quarantine_idle: Duration::from_millis(300), ..pool_options().with_workers(1) };
    let pool = Arc::new(Pool::start(options).await.expect("pool"));
    let probe = probe_one(&pool, request.clone());
    fence.counts_when("fence", PATIENCE, |counts| counts.plays == 1).await.expect("a play");
    send(pool.measures().worker_pids[0], Signal::KILL);
    fence.counts_when("fence", PATIENCE, |counts| counts.plays == 2).await.expect("a second play, alone");
    wait_for_workers(&pool, 2).await;
    assert_eq!(probe.await.expect("a report").report.reason(), Reason::NoKeyframe, "not ended in the middle");
    wait_for_workers(&pool, 1).await;
    fence.set_fault("fence", None).await.expect("healed");
    assert_eq!(pool.probe(request).await.report.outcome, Outcome::Ok, "the next one is started for it");
    assert_eq!((pool.measures().suspects, pool.measures().restarts_total), (1, 1), "going is no loss");
    pool.close().await;
}

async fn wait_for_workers(pool: &Pool, workers: usize) {
    let there = async {
        while pool.measures().worker_pids.len() != workers {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.expect("so many workers");
}

/// A header that comes a byte a second cannot be given up in the middle: its worker has to be killed. The probe beside it
/// ends as if nothing were.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_does_not_hang_up_costs_its_neighbours_nothing() {
    let drips = SimulatedCamera::rtsp("drips", clips::gate()).fault(Fault::Drips);
    let fence = SimulatedCamera::rtsp("fence", clips::gate()).fault(Fault::NoKeyframe);
    let simulator = Simulator::start(SimulatorOptions::new([drips, fence])).await.expect("simulator");
    let pool = Arc::new(Pool::start(pool_options().with_workers(1)).await.expect("pool"));
    let probe = |name: &str, seconds| {
        let request = ProbeRequest { timeout: Duration::from_secs(seconds), ..request(name, &simulator.url(name)) };
        let pool = pool.clone();
        tokio::spawn(async move { pool.probe(request).await.report.reason() })
    };
    let first = pool.measures().worker_pids;
    let (drips, fence) = (probe("drips", 3), probe("fence", 7));
    assert_eq!(drips.await.expect("a report"), Reason::ResponseTimeout);
    assert_eq!(fence.await.expect("a report"), Reason::NoKeyframe);
    let counts = simulator.counts_when("fence", PATIENCE, |counts| counts.sessions_open == 0).await.expect("an end");
    assert_eq!((counts.plays, counts.teardowns), (1, 1), "begun once");
    assert_eq!((pool.measures().suspects, pool.measures().restarts_total), (1, 1));
    assert_ne!(pool.measures().worker_pids, first, "the worker was replaced meanwhile");
    pool.close().await;
}
