//! A thousand cameras and a broker: how long it takes until every change is there, how long until another broker has
//! everything, and what brokers that are none do to the heartbeats.

#![allow(clippy::disallowed_methods, reason = "load is measured over a time")]

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use streampulse::simulator::{SimulatedCamera, Start, clips};

use crate::common::broker::{Broker, Files};
use crate::common::certificates::Authority;
use crate::machine::total_cpu;
use crate::service::{Service, sum};
use crate::watched::{CAMERAS, Fleet, HEARTBEAT_SECONDS};

const NODE: &str = "streampulse/bench";
const OVERSIZED_BYTES: usize = 10_000_000;

/// Every figure.
pub async fn of_a_thousand(seconds: u64) {
    let authority = Authority::new();
    let files = Files::new();
    let server = files.certificate("server", &authority.sign(&["127.0.0.1"]));
    let (first, second) = (Broker::open(), Broker::start(files, "allow_anonymous true\n", &["", &server]));
    let camera = |name| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(Start::Live);
    let settings = |more: Value| {
        let mut mqtt = json!({"enabled": true, "host": "127.0.0.1", "port": first.port(0), "node": "bench", "client_id": "sp",
            "ca_file": authority.file(), "home_assistant": false, "commands": true});
        mqtt.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("mqtt: {mqtt}\n")
    };
    let thousand = Fleet::start_with(HEARTBEAT_SECONDS, &settings(json!({})), camera).await;
    let service = &thousand.service;
    println!(
        "MQTT: {CAMERAS} cameras, each probed every {HEARTBEAT_SECONDS} s, simulator and Mosquitto on the same cores"
    );

    let receiver = Receiver::start(first.port(0), "streampulse/#");
    let begun = now();
    let made: Value = serde_json::from_str(&service.tell("/api/maintenance", Some(r#"{"minutes": 60}"#))).unwrap();
    let states = receiver.until(|text| text.matches("\"state\":\"maintenance\"").count() >= CAMERAS);
    let events = receiver.until(|text| text.matches("\"to\":\"maintenance\"").count() >= CAMERAS);
    println!(
        "{CAMERAS} streams change their state at once: every state after {:.2} s, every event after {:.2} s",
        last(&states, "\"state\":\"maintenance\"") - begun,
        last(&events, "\"to\":\"maintenance\"") - begun
    );
    service.tell(&format!("/api/maintenance/{}", made["id"]), None);
    drop(receiver);

    let receiver = Receiver::start(second.port(0), "streampulse/#");
    let begun = now();
    let other = json!({"host": "127.0.0.1", "tls_port": second.port(1), "use_tls": true});
    thousand.configure(HEARTBEAT_SECONDS, &settings(other));
    let text = receiver.until(|text| with_state(text).len() == CAMERAS);
    first.wait_for_log("Received DISCONNECT from sp", 1);
    println!(
        "another broker, port and TLS: it has {} states after {:.2} s, the old one a goodbye",
        with_state(&text).len(),
        time_of(text.lines().last().unwrap()) - begun
    );
    drop(receiver);

    println!("{:<44} {:>7} {:>8} {:>12} {:>10}", "", "missed", "probes", "lag ≤ 0.5 s", "CPU");
    std::thread::sleep(Duration::from_secs(HEARTBEAT_SECONDS * 2));
    measure(service, "a broker", seconds, || ());
    thousand.configure(HEARTBEAT_SECONDS, &settings(json!({"port": never_answering(b"")})));
    measure(service, "one that accepts and never answers", seconds, || ());
    thousand.configure(HEARTBEAT_SECONDS, &settings(json!({"port": never_answering(&[0x20, 2, 0, 0])})));
    measure(service, "one that lets us in and then says nothing", seconds, || ());
    thousand.configure(HEARTBEAT_SECONDS, &settings(json!({"port": garbage()})));
    measure(service, "one that sends garbage without end", seconds, || ());
    thousand.configure(HEARTBEAT_SECONDS, &settings(json!({})));
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    std::fs::write(&large, vec![b'x'; OVERSIZED_BYTES]).unwrap();
    measure(service, "10 MB to a command topic, once a second", seconds, || {
        publish(first.port(0), &format!("{NODE}/streams/cam1/probe"), &large);
    });
    let health: Value = serde_json::from_str(service.ask("/api/health").split_once("\r\n\r\n").unwrap().1).unwrap();
    println!("then: {}, {} events wait\n", health["mqtt"]["state"], health["mqtt"]["events_waiting"]);
}

/// Prints a row: what the schedule did while `load` is done every second.
fn measure(service: &Service, name: &str, seconds: u64, load: impl Fn()) {
    let used = || total_cpu(service.pid());
    let (before, used_before) = (service.ask("/metrics"), used());
    for _ in 0..seconds {
        let begun = std::time::Instant::now();
        load();
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
    }
    let (after, used_after) = (service.ask("/metrics"), used());
    let more = |start: &str| sum(&after, start) - sum(&before, start);
    println!(
        "{name:<44} {:>7} {:>8} {:>10.2} % {:>8.0} %",
        more("streampulse_heartbeats_missed_total"),
        more("streampulse_probes_total"),
        100.0 * more("streampulse_scheduler_lag_seconds_bucket{le=\"0.5\"}")
            / more("streampulse_scheduler_lag_seconds_count"),
        // A worker that was replaced meanwhile has taken its share along.
        100.0 * used_after.saturating_sub(used_before).as_secs_f64() / seconds as f64,
    );
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Streams whose state has come.
fn with_state(text: &str) -> HashSet<&str> {
    text.lines().filter_map(|line| line.split(' ').nth(1)?.strip_suffix("/state")).collect()
}

fn time_of(line: &str) -> f64 {
    line.split(' ').next().unwrap().parse().unwrap()
}

/// When the last line came that holds this.
fn last(text: &str, what: &str) -> f64 {
    text.lines().filter(|line| line.contains(what)).map(time_of).fold(0.0, f64::max)
}

/// A client that writes the time, the topic and the message of each that comes to a file.
struct Receiver {
    process: Child,
    file: tempfile::NamedTempFile,
}

impl Receiver {
    fn start(port: u16, topic: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let process = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic, "-q", "1", "-F", "%U %t %p"])
            .stdout(Stdio::from(file.reopen().unwrap()))
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(1));
        Self { process, file }
    }

    /// Waits until the whole lines that came are enough.
    fn until(&self, enough: impl Fn(&str) -> bool) -> String {
        for _ in 0..600 {
            let text = std::fs::read_to_string(self.file.path()).unwrap();
            let whole = &text[..text.rfind('\n').unwrap_or(0)];
            if enough(whole) {
                return whole.to_owned();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("it did not come to that within a minute");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn publish(port: u16, topic: &str, file: &Path) {
    let sent = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic, "-f"])
        .arg(file)
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Says this to whoever connects, and nothing more.
fn never_answering(words: &'static [u8]) -> u16 {
    each_connection(move |mut stream| {
        let _ = stream.write_all(words);
        std::mem::forget(stream);
    })
}

fn garbage() -> u16 {
    each_connection(|mut stream| {
        std::thread::spawn(move || {
            let _ = stream.write_all(&[0x20, 2, 0, 0]);
            let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
            let mut noise: Vec<u8> = (0..65_536_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            while stream.write_all(&noise).is_ok() {
                let _ = stream.read(&mut [0; 1024]);
                noise.rotate_left(7);
            }
        });
    })
}

fn each_connection(then: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(then));
    port
}
