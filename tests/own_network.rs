//! A machine without a network of its own says so, and not that its cameras are down.

mod common;

use std::future::Future;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::fates::full_port;
use common::request;
use common::service::{Service, Site};
use streampulse::clock::{Clock, SystemClock};
use streampulse::config::{Config, Overrides, parse};
use streampulse::model::{Outcome, ProbeReport, Reason, Stage};
use streampulse::probe::network::{NetworkState, NetworkWatch};
use streampulse::probe::{ProbeRequest, Probed, Prober};
use tokio::net::TcpSocket;
use tokio::sync::watch;

/// What fails without a network, as the design has it.
const OURS: [Reason; 7] = [
    Reason::DnsFailed,
    Reason::Unreachable,
    Reason::ConnectTimeout,
    Reason::ResponseTimeout,
    Reason::NoData,
    Reason::NoKeyframe,
    Reason::Stalled,
];

const LATENCY: Duration = Duration::from_millis(7);

/// A prober that fails for the reason that is its request's key.
struct Fails;

impl Prober for Fails {
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        let reason = Reason::parse(&request.key).expect("a reason");
        let mut report = ProbeReport::failed(Stage::Keyframe, reason, "as it was", LATENCY);
        if reason == Reason::Ok {
            report.outcome = Outcome::Ok;
        }
        Box::pin(async { Probed { report, jpeg: None } })
    }
}

/// A clock that stands until it is put forward.
#[derive(Default)]
struct Standing(Mutex<Option<Instant>>, AtomicU64);

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        SystemClock.now()
    }

    fn monotonic(&self) -> Instant {
        let begin = *self.0.lock().expect("begin").get_or_insert_with(Instant::now);
        begin + Duration::from_secs(self.1.load(Ordering::SeqCst))
    }
}

fn config(sentinel: &str) -> Arc<Config> {
    let text = format!("streams: []\nprobe: {{sentinel: '{sentinel}'}}\n");
    let loaded = parse("config.yaml".as_ref(), text.as_bytes(), &Overrides::default());
    Arc::new(loaded.expect("a configuration").config)
}

struct Rig {
    watch: NetworkWatch,
    config: watch::Sender<Arc<Config>>,
    clock: Arc<Standing>,
}

fn rig(sentinel: &str) -> Rig {
    let clock = Arc::new(Standing::default());
    let (sender, receiver) = watch::channel(config(sentinel));
    Rig { watch: NetworkWatch::new(Arc::new(Fails), receiver, clock.clone()), config: sender, clock }
}

impl Rig {
    /// What is said of a camera on loopback, where no link is in the way.
    async fn report(&self, reason: Reason) -> ProbeReport {
        self.watch.probe(request(reason.as_str(), "rtsp://127.0.0.1/stream1")).await.report
    }

    async fn leaves_all_alone(&self) {
        for reason in Reason::ALL {
            let (report, as_it_was) = (self.report(*reason).await, Fails.probe(request(reason.as_str(), "rtsp://a")));
            assert_eq!(report, as_it_was.await.report);
        }
        assert_eq!(self.watch.state().offline_because, None);
    }
}

/// A port that refuses: it is somebody's, and nobody listens. The socket holds it so.
fn closed_port() -> (String, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    (socket.local_addr().expect("address").to_string(), socket)
}

#[tokio::test]
async fn without_a_sentinel_nothing_is_asked() {
    rig("").leaves_all_alone().await;
    assert_eq!(rig("").watch.state(), NetworkState::default());
}

#[tokio::test]
async fn any_answer_of_the_sentinel_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    rig(&listener.local_addr().expect("address").to_string()).leaves_all_alone().await;
    let (closed, _socket) = closed_port();
    rig(&closed).leaves_all_alone().await;
    // A name server has answered, so there is a network; which one to ask is the operator's mistake.
    rig(&format!("{}.example", "x".repeat(64))).leaves_all_alone().await;
}

#[tokio::test]
async fn silence_of_the_sentinel_explains_what_looks_like_it() {
    let (full, _waiting, _listener) = full_port().await;
    let rig = rig(&full);
    let because = format!("the sentinel {full} does not answer");
    for reason in Reason::ALL {
        let report = rig.report(*reason).await;
        if OURS.contains(reason) {
            let expected = ProbeReport::failed(Stage::Keyframe, Reason::MonitorOffline, because.clone(), LATENCY);
            assert_eq!(report, expected);
        } else {
            assert_eq!(report.reason(), *reason);
        }
    }
    assert_eq!(rig.watch.state(), NetworkState { sentinel: Some(full), offline_because: Some(because) });
    // Another one in the file is asked at once.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    rig.config.send_replace(config(&listener.local_addr().expect("address").to_string()));
    assert_eq!(rig.report(Reason::ConnectTimeout).await.reason(), Reason::ConnectTimeout);
}

#[tokio::test]
async fn a_thousand_cameras_ask_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    let rig = rig(&listener.local_addr().expect("address").to_string());
    let asked = || {
        let mut count = 0;
        loop {
            match listener.accept() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let all = || futures_util::future::join_all((0..1000).map(|_| rig.report(Reason::Stalled)));
    assert!(all().await.iter().all(|report| report.reason() == Reason::Stalled));
    assert_eq!(asked(), 1);
    rig.clock.1.store(1, Ordering::SeqCst);
    all().await;
    assert_eq!(asked(), 0, "an answer holds for two seconds");
    rig.clock.1.store(2, Ordering::SeqCst);
    all().await;
    assert_eq!(asked(), 1);
}

/// Quick heartbeats of one camera; `probe` are further keys of that section.
fn site_text(url: &str, probe: &str) -> String {
    format!(
        "heartbeat_seconds: 2\nprobe: {{timeout_seconds: 1, retry_after_seconds: 1{probe}}}\nstreams:\n  \
         - {{name: Camera, url: '{url}'}}\n"
    )
}

/// Waits until the camera is in this state for this reason; gives the last message.
fn wait_for(service: &Service, state: &str, reason: &str) -> String {
    let streams = service.streams_when(|streams| {
        let camera = &streams["camera"];
        camera["state"] == state && camera["reason"] == reason
    });
    streams["camera"].to_string()
}

/// Reason and end of each incident.
fn incidents(site: &Site) -> Vec<(u8, Option<i64>)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(site.database(), flags).expect("the database");
    let mut rows = database.prepare("SELECT reason, closed_ms FROM incidents").expect("incidents");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("incidents")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_behind_a_dead_network_is_unknown_and_behind_a_living_one_down() {
    let (camera, _waiting, _camera_listener) = full_port().await;
    let (dead, waiting, dead_listener) = full_port().await;
    let (closed, _socket) = closed_port();
    let url = format!("rtsp://{camera}/stream1");
    let site = Site::new(&site_text(&url, &format!(", sentinel: '{dead}'")));
    let service = site.start();
    let because = format!("the sentinel {dead} does not answer");

    let seen = wait_for(&service, "unknown", "monitor_offline");
    assert!(seen.contains(&because), "{seen}");
    assert_eq!(service.json("/api/health")["network"]["sentinel"], dead);
    assert_eq!(service.json("/api/health")["network"]["offline_because"], because);
    assert_eq!(incidents(&site), []);

    // The sentinel is there again: whoever waits is taken, and everybody after them.
    drop(waiting);
    tokio::spawn(async move { while dead_listener.accept().await.is_ok() {} });
    service.wait_for_log("the network is back", 1);
    wait_for(&service, "down", "connect_timeout");
    assert_eq!(service.json("/api/health")["network"]["offline_because"], serde_json::Value::Null);
    let reason = Reason::ConnectTimeout.code();
    assert_eq!(incidents(&site), [(reason, None)]);

    // One that refuses is there, too.
    site.configure(&site_text(&url, &format!(", sentinel: '{closed}'")));
    common::service::wait_until(|| service.json("/api/health")["network"]["sentinel"] == closed);
    wait_for(&service, "down", "connect_timeout");

    let (code, log) = service.stop();
    assert_eq!((code, log.matches("the network of this machine is gone").count()), (0, 1), "{log}");
}

/// In a network of its own, with an interface `c0` whose cable ends at `c1`, which is off.
#[test]
fn a_cable_that_is_out_is_not_the_cameras_fault() {
    // The interfaces in /sys are those of the network in which it was mounted.
    let script = "set -e; mount -t sysfs sysfs /sys; ip link set lo up; ip link add c0 type veth peer name c1; \
                  ip addr add 192.0.2.5/24 dev c0; ip link set c0 up; exec \"$0\" \"$@\"";
    let me = std::env::current_exe().expect("this program");
    let inside = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-c", script])
        .arg(me)
        .args(["inside_a_network_with_a_cable_that_is_out", "--exact", "--ignored", "--nocapture"])
        .output()
        .expect("unshare");
    let said = [&inside.stdout, &inside.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(
        inside.status.success() && said.contains("1 passed"),
        "{said}\n(a network namespace with a veth interface must be possible here: run this test as root, or allow user \
         namespaces)"
    );
}

#[test]
#[ignore = "run by the test above, in a network of its own"]
fn inside_a_network_with_a_cable_that_is_out() {
    let site = Site::new(&site_text("rtsp://192.0.2.7/stream1", ""));
    let service = site.start();
    let seen = wait_for(&service, "unknown", "monitor_offline");
    assert!(seen.contains("no carrier on c0"), "{seen}");
    let network = &service.json("/api/health")["network"];
    assert_eq!(network, &serde_json::json!({"sentinel": null, "offline_because": "no carrier on c0"}));
    assert_eq!(incidents(&site), []);

    // Somebody puts the cable in: there is a link, and nobody at that address.
    let plugged = Command::new("ip").args(["link", "set", "c1", "up"]).status().expect("ip");
    assert!(plugged.success());
    service.wait_for_log("the network is back", 1);
    let streams = service.streams_when(|streams| streams["camera"]["state"] == "down");
    let reason = streams["camera"]["reason"].as_str().expect("a reason");
    assert!(["connect_timeout", "unreachable"].contains(&reason), "{reason}");
    let (code, log) = service.stop();
    assert_eq!((code, log.matches("the network of this machine is gone").count()), (0, 1), "{log}");
}
