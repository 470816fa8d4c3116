mod memory;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::clock::SystemClock;
use crate::model::{CameraAccount, Health, Outcome, ProbeReport, Reason, Refusal, Stage};
use crate::probe::{ProbeRequest, Probed, Prober};
use crate::schedule::plan::tests::{config, stream};
use crate::schedule::{ProbeNowError, scheduler};
use crate::store::HistoryQuery;

/// Fails this often, then gives pictures.
struct Fails(AtomicUsize);

impl Prober for Fails {
    fn probe(&self, _: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        let left = self.0.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Box::pin(std::future::ready(if left.is_ok() { refused() } else { picture() }))
    }
}

fn picture() -> Probed {
    let took = Duration::from_millis(40);
    let report = ProbeReport { outcome: Outcome::Ok, ..ProbeReport::failed(Stage::Picture, Reason::NoData, "", took) };
    Probed { report, jpeg: Some(Bytes::from_static(b"\xff\xd8picture")) }
}

fn refused() -> Probed {
    let report = ProbeReport::failed(Stage::Connect, Reason::ConnectionRefused, "port 554", Duration::from_millis(2));
    Probed { report, jpeg: None }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn id(name: &str) -> StreamId {
    StreamId::from_name(name)
}

fn cameras(names: &[&str]) -> Config {
    let mut config = config(names.iter().map(|name| stream(name, &format!("rtsp://u:p@127.0.0.1/{name}"))).collect());
    config.probe.retry_after = Duration::from_millis(20);
    config
}

/// A monitor with a real store; the test plays the scheduler.
struct Rig {
    status: StatusTable,
    store: Store,
    events: broadcast::Receiver<Event>,
    completed: mpsc::Sender<Completed>,
    config: watch::Sender<Arc<Config>>,
    handle: MonitorHandle,
    task: JoinHandle<()>,
}

async fn rig(dir: &Path, config: Config) -> Rig {
    let store = Store::open(dir).await.expect("store");
    let (config, watched) = watch::channel(Arc::new(config));
    let (completed, receiver) = mpsc::channel(64);
    let clock = Arc::new(SystemClock);
    let (handle, _) =
        scheduler(watched.clone(), Arc::new(Fails(AtomicUsize::new(0))), clock.clone(), completed.clone(), 64);
    let status = StatusTable::default();
    let mut events = status.subscribe();
    let monitor = Monitor::new(status.clone(), store.clone(), handle, watched, clock);
    let reference = monitor.handle();
    let task = tokio::spawn(monitor.run(receiver, CancellationToken::new()));
    assert!(matches!(events.recv().await, Ok(Event::StreamsChanged)));
    Rig { status, store, events, completed, config, handle: reference, task }
}

impl Rig {
    async fn send(&self, name: &str, second: i64, probed: Probed) -> oneshot::Receiver<Arc<ProbeReport>> {
        let (reply, answer) = oneshot::channel();
        let stream = Arc::new(stream(name, "rtsp://127.0.0.1/s"));
        let reply = Some(reply);
        let started_at = at(second);
        let completed =
            Completed { refusals: None, stream, started_at, scheduled: true, lag: Duration::ZERO, probed, reply };
        self.completed.send(completed).await.expect("the monitor lives");
        answer
    }

    /// As [`Self::send`], and an account has now been refused so often.
    async fn send_refusals(&self, name: &str, count: u32) {
        let stream = Arc::new(stream(name, "rtsp://127.0.0.1/s"));
        let account = CameraAccount { host: "cam".to_owned(), username: "admin".to_owned(), fingerprint: 7 };
        let refusals = Some(vec![Refusal { account, count, last_at: at(0) }]);
        let completed = Completed {
            refusals,
            stream,
            started_at: at(i64::from(count)),
            scheduled: true,
            lag: Duration::ZERO,
            probed: refused(),
            reply: None,
        };
        self.completed.send(completed).await.expect("the monitor lives");
    }

    async fn reconfigure(&mut self, config: Config) {
        self.config.send_replace(Arc::new(config));
        while !matches!(self.events.recv().await.expect("events"), Event::StreamsChanged) {}
    }

    async fn stop(self) {
        drop(self.completed);
        self.task.await.expect("the monitor returns when the scheduler is gone");
        self.store.close().await;
    }
}

#[tokio::test]
async fn a_picture_is_recorded_before_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), cameras(&["a"])).await;
    let answer = rig.send("a", 0, picture()).await;
    let Event::Heartbeat(row) = rig.events.recv().await.unwrap() else { panic!("a heartbeat comes first") };
    let page = rig.store.history(&id("a"), HistoryQuery { limit: 10, ..HistoryQuery::default() }).await.unwrap();
    assert_eq!(page.heartbeats.len(), 1, "told before it was recorded");
    assert_eq!((row.state.health, row.last_ok_at, row.ok_since), (Health::Up, Some(at(0)), Some(at(0))));
    assert_eq!(row.snapshot.as_ref().unwrap().taken_at, at(0) + Duration::from_millis(40));
    let Event::Transition(transition) = rig.events.recv().await.unwrap() else { panic!("then the transition") };
    assert_eq!((transition.from, transition.to), (Health::Unknown, Health::Up));
    assert_eq!(answer.await.unwrap().reason(), Reason::Ok);
    rig.stop().await;
}

#[tokio::test]
async fn results_of_one_stream_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a", "b"])).await;
    let mut last = None;
    for second in 0..12 {
        let probed = if second % 2 == 0 { picture() } else { refused() };
        rig.send("b", second, picture()).await;
        last = Some(rig.send("a", second, probed).await);
    }
    last.unwrap().await.expect("recorded");
    let row = rig.status.get("a").unwrap();
    let times: Vec<_> = row.recent.iter().map(|beat| beat.at).collect();
    assert_eq!(times, (0..12).map(at).collect::<Vec<_>>());
    // One failure at a time never makes it down.
    assert!(row.recent.iter().all(|beat| beat.health == Health::Up), "{:?}", row.recent);
    assert_eq!((row.last_ok_at, row.ok_since), (Some(at(10)), None));
    assert!(row.snapshot.is_some(), "the last verified picture stays");
    rig.stop().await;
}

#[tokio::test]
async fn our_own_fault_does_not_break_a_good_run() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    rig.send("a", 0, picture()).await;
    let crashed = ProbeReport::failed(Stage::Decode, Reason::WorkerCrashed, "", Duration::ZERO);
    rig.send("a", 15, Probed { report: crashed, jpeg: None }).await.await.unwrap();
    assert_eq!(rig.status.get("a").unwrap().ok_since, Some(at(0)));
    rig.stop().await;
}

#[tokio::test]
async fn a_store_that_fails_does_not_stop_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    rig.store.clone().close().await;
    for second in 0..3 {
        rig.send("a", second, refused()).await.await.expect("answered all the same");
    }
    let row = rig.status.get("a").unwrap();
    assert_eq!((row.state.health, row.recent.len()), (Health::Down, 3));
    assert_eq!(row.state.reason, Reason::ConnectionRefused);
    rig.stop().await;
}

/// What the store has of a stream's pictures.
async fn known_scenes(dir: &Path) -> usize {
    let store = Store::open(dir).await.expect("store");
    let looks = store.looks().await.expect("readable");
    store.close().await;
    serde_json::from_str::<crate::health::looks::Past>(&looks[&id("a")]).expect("a past").known_scenes()
}

#[tokio::test]
async fn what_is_usual_is_stored_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    for second in 0..9 {
        let probed = Probed { report: looks::tests::report(second), jpeg: None };
        rig.send("a", second as i64, probed).await.await.unwrap();
    }
    rig.handle.take_reference(&id("a"));
    rig.stop().await;
    assert_eq!(known_scenes(dir.path()).await, 0);
}

#[tokio::test]
async fn a_past_on_its_way_does_not_come_back_after_it_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    for second in 0..7 {
        let probed = Probed { report: looks::tests::report(second), jpeg: None };
        rig.send("a", second as i64, probed).await.await.unwrap();
    }
    // This one makes the scene known, so its past is stored, behind refused passwords.
    let stream = Arc::new(stream("a", "rtsp://127.0.0.1/s"));
    let probed = Probed { report: looks::tests::report(8), jpeg: None };
    let (refusals, started_at, lag) = (Some(Vec::new()), at(8), Duration::ZERO);
    let on_its_way = Completed { refusals, stream, started_at, scheduled: true, lag, probed, reply: None };
    rig.completed.send(on_its_way).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.handle.take_reference(&id("a"));
    rig.send("a", 9, refused()).await.await.unwrap();
    rig.stop().await;
    assert_eq!(known_scenes(dir.path()).await, 0);
}

#[tokio::test]
async fn a_stream_that_comes_back_and_a_restart_keep_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = rig(dir.path(), cameras(&["a", "b"])).await;
    first.send("a", 0, refused()).await.await.unwrap();
    first.send("a", 15, picture()).await.await.unwrap();
    first.send("a", 30, picture()).await.await.unwrap();
    first.reconfigure(cameras(&["b"])).await;
    assert!(first.status.get("a").is_none());
    assert!(first.send("a", 45, refused()).await.await.is_err(), "nobody is told of a removed stream");
    first.reconfigure(cameras(&["a", "b"])).await;
    let row = first.status.get("a").unwrap();
    assert_eq!((row.state.health, row.recent.len(), row.last_ok_at), (Health::Up, 3, Some(at(30))));
    assert_eq!(row.ok_since, Some(at(15)));
    first.stop().await;
    let second = rig(dir.path(), cameras(&["a"])).await;
    let row = second.status.get("a").unwrap();
    assert_eq!((row.state.health, row.recent.len(), row.ok_since), (Health::Up, 3, Some(at(15))));
    assert!(row.last.is_none() && row.snapshot.is_none());
    second.stop().await;
}

#[tokio::test]
async fn a_first_failure_is_probed_again_within_moments_and_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (config, watched) = watch::channel(Arc::new(cameras(&["a"])));
    let (sender, completed) = mpsc::channel(8);
    let clock = Arc::new(SystemClock);
    let prober = Arc::new(Fails(AtomicUsize::new(2)));
    let (handle, scheduler) = scheduler(watched.clone(), prober, clock.clone(), sender, 64);
    let status = StatusTable::default();
    let mut events = status.subscribe();
    let monitor = Monitor::new(status.clone(), store.clone(), handle.clone(), watched, clock);
    let cancel = CancellationToken::new();
    let monitor = tokio::spawn(monitor.run(completed, CancellationToken::new()));
    let scheduler = tokio::spawn(scheduler.run(cancel.clone()));
    // The heartbeat is 10 s; down within two probes means that the re-probe came.
    let transition = loop {
        if let Event::Transition(transition) = events.recv().await.unwrap() {
            break transition;
        }
    };
    assert_eq!((transition.to, transition.reason), (Health::Down, Reason::ConnectionRefused));
    assert_eq!(status.get("a").unwrap().recent.len(), 2);
    // Probe now: answered when it is recorded.
    assert_eq!(handle.probe_now(&id("a")).await.unwrap().reason(), Reason::Ok);
    assert_eq!(status.get("a").unwrap().state.health, Health::Up);
    cancel.cancel();
    scheduler.await.unwrap();
    monitor.await.unwrap();
    assert_eq!(handle.probe_now(&id("a")).await, Err(ProbeNowError::Stopped));
    drop(config);
    store.close().await;
}

/// The counts of refused passwords that a restart would find.
async fn remembered(rig: Rig, dir: &Path) -> Vec<u32> {
    rig.stop().await;
    let store = Store::open(dir).await.expect("store");
    let refusals = store.refusals().await.expect("refusals");
    store.close().await;
    refusals.into_iter().map(|refusal| refusal.count).collect()
}

#[tokio::test]
async fn the_refusals_that_a_removed_stream_brings_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    rig.send_refusals("removed", 2).await;
    assert_eq!(remembered(rig, dir.path()).await, [2]);
}

#[tokio::test]
async fn older_refusals_do_not_overwrite_newer_ones() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a", "b"])).await;
    // The second waits behind the first's commit, and the third, of another stream, does not.
    rig.send_refusals("a", 1).await;
    rig.send_refusals("a", 2).await;
    rig.send_refusals("b", 3).await;
    assert_eq!(remembered(rig, dir.path()).await, [3]);
}
