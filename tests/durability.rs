//! What survives a service that is killed, and how one ends that is asked to.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::time::Duration;

use common::service::{Service, Site};
use serde_json::Value;
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

const CAMERAS: usize = 20;
const KILLS: usize = 50;

/// Cameras, some of which are broken.
async fn simulator() -> Simulator {
    let cameras = (0..CAMERAS).map(|number| {
        let camera = SimulatedCamera::rtsp(format!("cam-{number:02}"), clips::gate());
        match number {
            0 => camera.fault(Fault::Status(404)),
            1 => camera.fault(Fault::ConnectionRefused),
            _ => camera,
        }
    });
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

fn site(simulator: &Simulator) -> Site {
    let head = "heartbeat_seconds: 2\nprobe: {retry_after_seconds: 1}\nweb: {public_status: true}\n";
    Site::new(&format!("{head}{}", config_text(simulator)))
}

/// Waits until each stream is in its final state.
fn settle(service: &Service) -> BTreeMap<String, Value> {
    service.streams_when(|streams| {
        streams.iter().all(|(id, stream)| {
            stream["state"] == if matches!(id.as_str(), "cam-00" | "cam-01") { "down" } else { "up" }
        })
    })
}

/// State, since when and why, of each stream.
fn states(streams: &BTreeMap<String, Value>) -> BTreeMap<String, [Value; 3]> {
    let of = |stream: &Value| ["state", "since", "reason"].map(|key| stream[key].clone());
    streams.iter().map(|(id, stream)| (id.clone(), of(stream))).collect()
}

/// The same of the answer that needs no sign-in, so that it can be the first thing that is asked.
fn public_states(service: &Service) -> BTreeMap<String, [Value; 3]> {
    let answer = service.get_as(None, "/api/status");
    serde_json::from_slice(&answer.body).map(|all| states(&all)).expect("the status of every stream")
}

/// Every heartbeat, as the API tells it.
fn history(service: &Service, streams: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for id in streams {
        let page = service.json(&format!("/api/streams/{id}/history?limit=1000"));
        assert_eq!(page["next_cursor"], Value::Null, "all of it is one page");
        all.extend(page["heartbeats"].as_array().expect("heartbeats").iter().map(|beat| format!("{id} {beat}")));
    }
    all
}

/// What is in the database as the killed service left it: looked at in a copy, so that the next service has to repair
/// the original by itself.
struct Left {
    heartbeats: u64,
    transitions: u64,
    incidents: u64,
}

fn left_behind(site: &Site) -> Left {
    let copies = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(site.state()).expect("state") {
        let entry = entry.expect("entry");
        // The shared-memory index is what a crash of the machine would lose, so it has to be made anew from the log.
        let name = entry.file_name().into_string().expect("name");
        if name.starts_with("streampulse.db") && !name.ends_with("-shm") {
            std::fs::copy(entry.path(), copies.path().join(name)).expect("copy");
        }
    }
    let database = rusqlite::Connection::open(copies.path().join("streampulse.db")).expect("open");
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("check");
    assert_eq!(sound, "ok");
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        database.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("count") as u64
    };
    // The hours hold what the spans say, to the millisecond, however often the service was killed.
    let sum = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("sum");
    let in_hours = sum("SELECT sum(up_ms + degraded_ms + down_ms + unknown_ms + maintenance_ms) FROM rollups");
    let in_spans = sum("SELECT coalesce(sum(to_ms - from_ms), 0) FROM spans")
        + sum("SELECT coalesce(sum(span_to_ms - span_from_ms), 0) FROM stream_state");
    assert_eq!(in_hours, in_spans);
    assert_eq!(sum("SELECT count(*) FROM incidents WHERE closed_ms IS NOT NULL"), 0, "nothing has recovered");
    Left { heartbeats: count("heartbeats"), transitions: count("transitions"), incidents: count("incidents") }
}

/// Lets a random number of heartbeats pass, up to a second of them.
fn random_moment(service: &Service) {
    let heartbeats = (getrandom::u64().expect("random") % 10) as usize;
    service.events(|text| {
        text.lines().filter(|line| line.starts_with("event:") && line.contains("stream")).count() > heartbeats
    });
}

/// Probes that have ended, whether they are committed or not.
fn ended_probes(service: &Service) -> u64 {
    service.json("/api/health")["scheduler"]["probes"].as_u64().expect("probes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_has_lost_at_most_one_second() {
    let simulator = simulator().await;
    let site = site(&simulator);
    let mut service = site.start();
    let settled = settle(&service);
    let expected = states(&settled);
    let mut before = 0;
    for kill in 0..KILLS {
        random_moment(&service);
        let ended = ended_probes(&service);
        // The promise itself, not a guess: what ended a second before the kill is there afterwards.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let known = history(&service, expected.keys().cloned());
        let log = service.kill();

        let left = left_behind(&site);
        assert!(
            left.heartbeats >= before + ended,
            "kill {kill}: {} heartbeats of {} and {ended} before\n{log}",
            left.heartbeats,
            before
        );
        before = left.heartbeats;

        service = site.start();
        assert_eq!(public_states(&service), expected, "at once after kill {kill}");
        let recovered = history(&service, expected.keys().cloned());
        let lost: Vec<_> = known.difference(&recovered).collect();
        assert!(lost.is_empty(), "kill {kill}: {lost:?}");
    }
    random_moment(&service);
    assert_eq!(states(&service.streams()), expected, "and the probes after the last kill agree");
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    // From unknown to a verdict, and never back and forth.
    let left = left_behind(&site);
    assert_eq!((left.transitions, left.incidents), (CAMERAS as u64, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_end_hangs_up_and_keeps_everything() {
    let simulator = simulator().await;
    let site = site(&simulator);
    let service = site.start();
    settle(&service);
    random_moment(&service);
    let known = history(&service, service.streams().into_keys());
    // A browser that keeps an event stream open does not hold the end up.
    let mut events = service.open("/api/events");
    let mut all = vec![0; 12];
    events.read_exact(&mut all).expect("the beginning of an answer");
    let listening = std::thread::spawn(move || {
        // Until the service closes it.
        let _ = events.read_to_end(&mut all);
        all
    });
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    // It ended by itself: nothing was cut off, nothing was lost.
    for cut_off in ["took longer than", "is dropped", "cut off", "did not let go", "are lost", "may be lost", "ERROR"] {
        assert!(!log.contains(cut_off), "{cut_off}:\n{log}");
    }
    assert!(String::from_utf8_lossy(&listening.join().expect("listener")).starts_with("HTTP/1.1 200"));

    for name in simulator.names() {
        let counts = simulator.counts_when(name, common::service::PATIENCE, |counts| counts.sessions_open == 0).await;
        let counts = counts.expect("no session stays open");
        assert_eq!(counts.teardowns, counts.sessions_opened, "{name}: {counts:?}");
    }
    assert!(simulator.total().teardowns >= CAMERAS - 2, "{:?}", simulator.total());

    assert!(!site.state().join("streampulse.db-wal").exists(), "everything is in the one file");
    let left = left_behind(&site);
    assert!(left.heartbeats >= known.len() as u64);
    let service = site.start();
    let recovered = history(&service, service.streams().into_keys());
    assert!(known.is_subset(&recovered));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_while_cameras_say_nothing() {
    let cameras = (0..6).map(|number| {
        let fault = if number % 2 == 0 { Fault::SilentAfterAccept } else { Fault::NoKeyframe };
        SimulatedCamera::rtsp(format!("cam-{number}"), clips::gate()).fault(fault)
    });
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let text = format!("probe: {{timeout_seconds: 60}}\n{}", config_text(&simulator));
    let site = Site::new(&text);
    let service = site.start();
    for name in simulator.names() {
        let camera = simulator.camera(name);
        let silent = matches!(name.as_str(), "cam-0" | "cam-2" | "cam-4");
        let waiting = simulator.counts_when(name, common::service::PATIENCE, |counts| {
            if silent { counts.connections > 0 } else { counts.plays > 0 }
        });
        assert!(waiting.await.is_ok(), "{camera:?}\n{}", service.log());
    }
    // Every probe has nearly a minute to go; none of them holds the end up.
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("took longer than") && !log.contains("ERROR"), "{log}");
    for name in simulator.names() {
        let counts = simulator.counts_when(name, common::service::PATIENCE, |counts| counts.sessions_open == 0).await;
        let counts = counts.expect("no session stays open");
        assert_eq!(counts.teardowns, counts.sessions_opened, "{name}: {counts:?}");
    }
}
