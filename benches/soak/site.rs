//! The service with its configuration and its database, and the broker beside it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use streampulse::model::Reason;
use tempfile::TempDir;

use crate::cameras::{CAMERAS, Cameras, SOUND_EVERY, now_ms};
use crate::common::broker::Broker;
use crate::judge::Transition;
use crate::random::Random;
use crate::service::{Service, sum};

pub const HEARTBEAT_SECONDS: u64 = 10;
pub const TIMEOUT_SECONDS: u64 = 5;
pub const RETRY_SECONDS: u64 = 2;
/// From this one on, sound ones are taken out of the configuration and put into it again.
pub const FIRST_EXTRA: usize = 270;
const SETTLE: Duration = Duration::from_secs(30);

/// They.
pub struct Site {
    directory: TempDir,
    broker: Broker,
    service: Option<Service>,
    token: String,
    /// Left out at present.
    left_out: Vec<usize>,
    /// When a camera was taken out or put in, and when all were, by a restart.
    interruptions: Vec<(Option<usize>, i64)>,
    /// Workers that were replaced in services that have ended.
    replaced_before: usize,
}

impl Site {
    /// Starts both.
    pub fn start(cameras: &Cameras) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::open();
        let mut site = Self {
            directory,
            broker,
            service: None,
            token: String::new(),
            left_out: Vec::new(),
            interruptions: Vec::new(),
            replaced_before: 0,
        };
        site.configure(cameras, 0);
        let service = Service::start(site.directory.path());
        let made = service.tell("/api/tokens", Some(r#"{"name":"soak","role":"viewer"}"#));
        let made: Value = serde_json::from_str(&made).unwrap();
        site.token = made["token"].as_str().expect("a token").to_owned();
        site.service = Some(service);
        site
    }

    fn service(&self) -> &Service {
        self.service.as_ref().expect("it runs")
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.service().address
    }

    /// A token of a viewer.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The service's process id.
    pub fn pid(&self) -> u32 {
        self.service().pid()
    }

    fn configure(&self, cameras: &Cameras, tag: usize) {
        let mut text = format!(
            "heartbeat_seconds: {HEARTBEAT_SECONDS}\nprobe: {{timeout_seconds: {TIMEOUT_SECONDS}, retry_after_seconds: \
             {RETRY_SECONDS}}}\nmqtt: {{enabled: true, host: 127.0.0.1, port: {}, node: soak}}\nstreams:\n",
            self.broker.port(0)
        );
        for (number, (name, url)) in cameras.urls().enumerate() {
            if !self.left_out.contains(&number) {
                let tag = (number + tag) % 7;
                text.push_str(&format!("  - {{name: {name}, url: \"{url}\", tags: [tag-{tag}]}}\n"));
            }
        }
        // As an editor does: never half of it.
        let file = self.directory.path().join("config.yaml");
        std::fs::write(file.with_extension("new"), text).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// Takes a camera out or puts it in, and gives every camera another tag.
    pub fn change(&mut self, cameras: &Cameras, random: &mut Random) {
        let number = FIRST_EXTRA + SOUND_EVERY * random.below((CAMERAS - FIRST_EXTRA) / SOUND_EVERY);
        match self.left_out.iter().position(|left_out| *left_out == number) {
            Some(index) => {
                self.left_out.swap_remove(index);
            }
            None => self.left_out.push(number),
        }
        self.interruptions.push((Some(number), now_ms()));
        self.configure(cameras, random.below(7));
        self.service().reload();
    }

    /// How many cameras are in the configuration.
    pub fn configured(&self) -> usize {
        CAMERAS - self.left_out.len()
    }

    /// Ends the service and starts it again.
    pub fn restart_service(&mut self) {
        self.replaced_before += self.replaced_now();
        self.interruptions.push((None, now_ms()));
        self.service.take().expect("it runs").stop();
        self.service = Some(Service::start(self.directory.path()));
        self.interruptions.push((None, now_ms()));
    }

    /// The broker is gone.
    pub fn broker_away(&mut self) {
        self.broker.stop();
    }

    /// And there again.
    pub fn broker_back(&mut self) {
        self.broker.begin_again();
    }

    /// When this camera was not watched as always.
    pub fn interruptions_of(&self, camera: usize) -> Vec<i64> {
        let is_its = |of: &Option<usize>| of.is_none_or(|number| number == camera);
        self.interruptions.iter().filter(|(of, _)| is_its(of)).map(|(_, at_ms)| *at_ms).collect()
    }

    fn metric(&self, start: &str) -> f64 {
        sum(&self.service().ask("/metrics"), start)
    }

    /// Heartbeats in the database.
    pub fn heartbeats(&self) -> f64 {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.database(), flags).unwrap();
        let count: i64 = database.query_row("SELECT count(*) FROM heartbeats", [], |row| row.get(0)).unwrap();
        count as f64
    }

    /// Heartbeats that were not begun in time.
    pub fn missed(&self) -> f64 {
        self.metric("streampulse_heartbeats_missed_total")
    }

    /// Waits until as many are up as there are, for a while: how many are.
    pub fn up_in_the_end(&self) -> usize {
        let began = Instant::now();
        while self.up() != self.configured() && began.elapsed() < SETTLE {
            std::thread::sleep(Duration::from_millis(500));
        }
        self.up()
    }

    /// How many cameras are up.
    fn up(&self) -> usize {
        self.metric("stream_up{") as usize
    }

    fn replaced_now(&self) -> usize {
        self.metric("streampulse_worker_restarts_total") as usize
    }

    /// Workers that had to be replaced, in all.
    pub fn workers_replaced(&self) -> usize {
        self.replaced_before
    }

    /// What the database takes, with what is not yet in its main file.
    pub fn database_bytes(&self) -> f64 {
        let bytes = |file: &std::path::Path| std::fs::metadata(file).map_or(0.0, |it| it.len() as f64);
        bytes(&self.database()) + bytes(&self.database().with_extension("db-wal"))
    }

    fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("state/streampulse.db")
    }

    /// Waits until the broker has everything, for a while.
    pub fn broker_is_reached(&self) -> Result<String, String> {
        let began = Instant::now();
        loop {
            let waiting = self.metric("streampulse_mqtt_queued");
            let published = self.metric("streampulse_mqtt_published_total");
            let dropped = self.metric("streampulse_mqtt_dropped_total");
            let connected = self.metric("streampulse_mqtt_connected");
            let said = format!("connected {connected}, {published} published, {waiting} wait, {dropped} dropped");
            if connected == 1.0 && waiting == 0.0 {
                return if dropped == 0.0 { Ok(said) } else { Err(said) };
            }
            if began.elapsed() > SETTLE {
                return Err(said);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Ends the service, and gives what it recorded.
    pub fn stop(&mut self) -> Vec<Transition> {
        self.replaced_before += self.replaced_now();
        self.service.take().expect("it runs").stop();
        let database = Connection::open(self.database()).unwrap();
        let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        transitions(&database)
    }
}

fn transitions(database: &Connection) -> Vec<Transition> {
    let sql = "SELECT at_ms, streams.id, from_health, to_health, reason FROM transitions JOIN streams ON key = stream \
               ORDER BY at_ms";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Transition {
            at_ms: row.get(0)?,
            stream: row.get(1)?,
            from: health(row.get(2)?),
            to: health(row.get(3)?),
            reason: Reason::from_code(row.get(4)?).map_or("unknown", Reason::as_str).to_owned(),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The states as the database numbers them (`src/store/codes.rs`).
fn health(code: u8) -> String {
    ["up", "degraded", "down", "unknown", "maintenance"][usize::from(code)].to_owned()
}
