use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::plan::tests::{config, stream};
use super::super::{SchedulerHandle, scheduler};
use super::*;
use crate::clock::SystemClock;
use crate::model::{CameraAccount, Outcome};
use crate::schedule::{Found, Purpose, VisitError, Visitor};

const S: fn(u64) -> Duration = Duration::from_secs;

/// What the fake does with a stream.
#[derive(Clone, Copy)]
enum Plays {
    Picture(Duration),
    Hangs,
    Panics,
}

/// A prober that plays by the stream's key and counts.
struct Fake {
    plays: Box<dyn Fn(&str) -> Plays + Send + Sync>,
    now: Mutex<HashMap<String, usize>>,
    most: AtomicUsize,
    dropped: AtomicUsize,
}

struct Leave<'a>(&'a Fake, String, bool);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.now.lock().unwrap().get_mut(&self.1) {
            *count -= 1;
        }
        if !self.2 {
            self.0.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Prober for Fake {
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        Box::pin(async move {
            {
                let mut now = self.now.lock().unwrap();
                let count = now.entry(request.key.clone()).or_default();
                *count += 1;
                self.most.fetch_max(*count, Ordering::SeqCst);
            }
            let mut leave = Leave(self, request.key.clone(), false);
            match (self.plays)(&request.key) {
                Plays::Picture(took) => {
                    tokio::time::sleep(took).await;
                    leave.2 = true;
                    let report = ProbeReport {
                        outcome: Outcome::Ok,
                        latency: took,
                        ..ProbeReport::failed(Stage::Picture, Reason::Ok, "", took)
                    };
                    Probed { report, jpeg: None }
                }
                Plays::Hangs => std::future::pending().await,
                Plays::Panics => panic!("as the test wants it"),
            }
        })
    }
}

struct Rig {
    fake: Arc<Fake>,
    handle: SchedulerHandle,
    completed: mpsc::Receiver<Completed>,
    config: watch::Sender<Arc<Config>>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn rig(config: Config, room: usize, plays: impl Fn(&str) -> Plays + Send + Sync + 'static) -> Rig {
    let fake = Arc::new(Fake {
        plays: Box::new(plays),
        now: Mutex::default(),
        most: AtomicUsize::new(0),
        dropped: AtomicUsize::new(0),
    });
    let (config, watched) = watch::channel(Arc::new(config));
    let (sender, completed) = mpsc::channel(room);
    let (handle, scheduler) = scheduler(watched, fake.clone(), Arc::new(SystemClock), sender, 64);
    let cancel = CancellationToken::new();
    let task = tokio::spawn(scheduler.run(cancel.clone()));
    Rig { fake, handle, completed, config, cancel, task }
}

fn cameras(count: usize) -> Config {
    config((0..count).map(|n| stream(&format!("cam{n}"), &format!("rtsp://127.0.0.{n}/s"))).collect())
}

async fn stop(rig: Rig) {
    rig.cancel.cancel();
    rig.task.await.expect("the loop returns");
}

#[tokio::test(start_paused = true)]
async fn every_camera_at_once_and_then_once_an_interval() {
    let mut rig = rig(cameras(20), 64, |_| Plays::Picture(Duration::from_millis(300)));
    let mut seen: HashMap<StreamId, usize> = HashMap::new();
    let begun = Instant::now();
    let mut last_first = Duration::ZERO;
    while begun.elapsed() < S(65) {
        let completed = rig.completed.recv().await.expect("running");
        assert!(completed.scheduled);
        let count = seen.entry(completed.stream.id.clone()).or_default();
        *count += 1;
        if *count == 1 {
            last_first = begun.elapsed();
        }
    }
    assert!(last_first < S(1), "{last_first:?}");
    assert!(seen.len() == 20 && seen.values().all(|n| (6..=8).contains(n)), "{seen:?}");
    assert_eq!(rig.fake.most.load(Ordering::SeqCst), 1);
    let measures = rig.handle.measures();
    assert_eq!(measures.missed_total, 0);
    assert_eq!(measures.probes_total, seen.values().sum::<usize>() as u64);
    assert_eq!(measures.lag.count, measures.probes_total + measures.in_flight as u64 - 20);
    assert!(measures.lag.p99 <= Duration::from_millis(10), "{:?}", measures.lag);
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_prober_that_hangs_or_panics_is_unknown_and_harms_nobody() {
    let mut rig = rig(cameras(3), 64, |key| match key {
        "cam0" => Plays::Hangs,
        "cam1" => Plays::Panics,
        _ => Plays::Picture(Duration::from_millis(100)),
    });
    let mut reasons: HashMap<String, HashSet<Reason>> = HashMap::new();
    for _ in 0..30 {
        let completed = rig.completed.recv().await.expect("running");
        let reasons = reasons.entry(completed.stream.id.to_string()).or_default();
        reasons.insert(completed.probed.report.reason());
    }
    let expected = [
        ("cam0".to_owned(), HashSet::from([Reason::WorkerTimeout])),
        ("cam1".to_owned(), HashSet::from([Reason::WorkerCrashed])),
        ("cam2".to_owned(), HashSet::from([Reason::Ok])),
    ];
    assert_eq!(reasons, HashMap::from(expected));
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_gets_the_report_of_the_one_probe() {
    let mut rig = rig(cameras(1), 64, |_| Plays::Picture(S(1)));
    let id = StreamId::from_name("cam0");
    let ask = |handle: SchedulerHandle, id: StreamId| tokio::spawn(async move { handle.probe_now(&id).await });
    let (first, second) = (ask(rig.handle.clone(), id.clone()), ask(rig.handle.clone(), id.clone()));
    let completed = rig.completed.recv().await.expect("the first probe");
    assert!(completed.scheduled);
    completed.reply.expect("two wait").send(Arc::new(completed.probed.report)).expect("heard");
    for asked in [first, second] {
        assert_eq!(asked.await.unwrap().unwrap().reason(), Reason::Ok);
    }
    let third = ask(rig.handle.clone(), id.clone());
    let completed = rig.completed.recv().await.expect("a probe out of turn");
    assert!(!completed.scheduled && completed.lag == Duration::ZERO);
    drop(completed);
    assert_eq!(third.await.unwrap(), Err(ProbeNowError::Stopped));
    let nobody = StreamId::from_name("nobody");
    assert_eq!(rig.handle.probe_now(&nobody).await, Err(ProbeNowError::Unknown(nobody.clone())));
    let handle = rig.handle.clone();
    stop(rig).await;
    assert_eq!(handle.probe_now(&id).await, Err(ProbeNowError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_removed_stream_is_told() {
    let rig = rig(cameras(1), 64, |_| Plays::Hangs);
    let id = StreamId::from_name("cam0");
    let (handle, asked) = (rig.handle.clone(), id.clone());
    let asked = tokio::spawn(async move { handle.probe_now(&asked).await });
    while rig.handle.measures().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_millis(10)).await;
    rig.config.send_replace(Arc::new(config(vec![])));
    assert_eq!(asked.await.unwrap(), Err(ProbeNowError::Unknown(id)));
    assert!(rig.handle.measures().by_stream.is_empty());
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_quick_re_probe_comes_between_heartbeats() {
    let mut rig = rig(cameras(1), 64, |_| Plays::Picture(Duration::from_millis(10)));
    let first = rig.completed.recv().await.expect("first");
    let at = Instant::now();
    rig.handle.probe_soon(&first.stream.id, S(3));
    let second = rig.completed.recv().await.expect("re-probe");
    assert!(!second.scheduled);
    assert!(at.elapsed() >= S(3) && at.elapsed() < S(4), "{:?}", at.elapsed());
    let third = rig.completed.recv().await.expect("heartbeat");
    assert!(third.scheduled);
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_falls_behind_shows_as_missed_heartbeats_and_loses_nothing() {
    let mut rig = rig(cameras(4), 1, |_| Plays::Picture(Duration::from_millis(10)));
    tokio::time::sleep(S(35)).await;
    let measures = rig.handle.measures();
    assert!(measures.missed_total > 0, "{measures:?}");
    assert_eq!(measures.by_stream.values().map(|s| s.missed).sum::<u64>(), measures.missed_total);
    let mut seen = HashSet::new();
    while seen.len() < 4 {
        seen.insert(rig.completed.recv().await.expect("nothing lost").stream.id.clone());
    }
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_drops_what_runs() {
    let rig = rig(cameras(3), 64, |_| Plays::Hangs);
    while rig.handle.measures().in_flight < 3 {
        tokio::task::yield_now().await;
    }
    // Started tasks have not been polled yet.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let fake = rig.fake.clone();
    stop(rig).await;
    assert_eq!(fake.dropped.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn warnings_can_be_read() {
    let streams = (0..9).map(|n| stream(&format!("cam{n}"), "rtsp://127.0.0.9/s")).collect();
    let mut config = config(streams);
    config.devices = vec![crate::config::Device { host: "127.0.0.9".to_owned(), sessions: 1 }];
    let rig = rig(config, 64, |_| Plays::Hangs);
    while rig.handle.measures().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let warnings = rig.handle.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("127.0.0.9") && warnings[0].contains("heartbeat_seconds"), "{warnings:?}");
    rig.config.send_replace(Arc::new(cameras(9)));
    while !rig.handle.warnings().is_empty() {
        tokio::task::yield_now().await;
    }
    stop(rig).await;
}

fn visitor(host: &str, purpose: Purpose) -> Visitor {
    let account = CameraAccount { host: host.to_owned(), username: "admin".to_owned(), fingerprint: 1 };
    Visitor { host: host.to_owned(), account: Some(account), purpose }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_waits_for_a_visit_that_makes_room_for_it() {
    let mut rig = rig(cameras(1), 64, |_| Plays::Picture(Duration::from_millis(100)));
    rig.completed.recv().await.expect("the first probe");
    let preview = || rig.handle.visit(visitor("127.0.0.0", Purpose::Preview), S(5));
    let lease = preview().await.expect("a session");
    assert_eq!(preview().await.err(), Some(VisitError::Occupied));
    lease.wanted().await;
    assert_eq!(rig.fake.now.lock().unwrap()["cam0"], 0, "the heartbeat waits");
    lease.finish(Found::default());
    // Given back before it was asked for again: it is queued and not refused, behind the heartbeat.
    let again = preview().await.expect("a session");
    assert!(rig.completed.recv().await.expect("the heartbeat").scheduled);
    assert_eq!(rig.handle.measures().missed_total, 0);
    drop(again);
    assert!(preview().await.is_ok(), "a dropped lease is given back");
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_visitor_waits_no_longer_than_it_wants_to() {
    let rig = rig(cameras(1), 64, |_| Plays::Hangs);
    let handle = rig.handle.clone();
    while handle.measures().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        // One that gave up is not in the way of the next.
        let refused = handle.visit(visitor("127.0.0.0", Purpose::Preview), S(2)).await;
        assert_eq!(refused.err(), Some(VisitError::Late));
    }
    stop(rig).await;
    let refused = handle.visit(visitor("127.0.0.0", Purpose::Probe), S(2)).await;
    assert_eq!(refused.err(), Some(VisitError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn what_visits_find_of_an_account_is_told_and_remembered() {
    let rig = rig(cameras(1), 64, |_| Plays::Picture(Duration::from_millis(100)));
    let mut refusals = rig.handle.refusals();
    let refused = ProbeReport::failed(Stage::Describe, Reason::AuthFailed, "", Duration::ZERO);
    for count in 1..=2 {
        let lease = rig.handle.visit(visitor("elsewhere", Purpose::Probe), S(5)).await.expect("a session");
        lease.finish(Found::of(&refused));
        refusals.changed().await.expect("the loop runs");
        assert_eq!(refusals.borrow_and_update()[0].count, count);
    }
    let paused = rig.handle.visit(visitor("elsewhere", Purpose::Probe), S(5)).await;
    assert_eq!(paused.err(), Some(VisitError::Paused { minutes: 30 }));
    stop(rig).await;
}

#[tokio::test(start_paused = true)]
async fn it_answers_while_its_loop_turns_and_not_otherwise() {
    let rig = rig(cameras(1), 64, |_| Plays::Hangs);
    let handle = rig.handle.clone();
    assert!(handle.is_alive(S(5)).await, "also while a camera hangs");
    stop(rig).await;
    assert!(!handle.is_alive(S(5)).await);

    let (_config, watched) = watch::channel(Arc::new(cameras(1)));
    let (sender, _completed) = mpsc::channel(1);
    let (handle, standing) = scheduler(watched, Arc::new(Idle), Arc::new(SystemClock), sender, 64);
    assert!(!handle.is_alive(S(5)).await, "it is there and does not turn");
    drop(standing);
}

/// Nobody asks it.
struct Idle;

impl Prober for Idle {
    fn probe(&self, _: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
