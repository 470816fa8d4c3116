//! What a month of history costs those who ask: the same service with an hour and with many days of it, side by side.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use streampulse::clock::{Clock as _, SystemClock};
use streampulse::store::Store;

use crate::machine::median;
use crate::report::{Report, Row};
use crate::service::Service;

const STREAMS: i64 = 1_000;
const HEARTBEAT_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
/// Every stream is down so long once a day, each at another time.
const OUTAGE_MS: i64 = 10 * 60_000;

/// What is to be reached.
const HEARTBEAT_BYTES: f64 = 30.0;
const ANSWER_MS: f64 = 20.0;
/// By so much one answer may take longer than another that is as quick.
const SAME: f64 = 1.25;

/// Median time of an answer with an hour of history and with `days` of it, and what the file holds.
pub async fn answers(days: i64, report: &mut Report) {
    let now = SystemClock.now();
    let hour = prepare(HOUR_MS, now).await;
    let begun = Instant::now();
    let month = prepare(days * 24 * HOUR_MS, now).await;
    let beats = days * 24 * HOUR_MS / HEARTBEAT_MS * STREAMS;
    let bytes = std::fs::metadata(month.path().join("state/streampulse.db")).unwrap().len();
    println!(
        "{days} days of {STREAMS} streams, a heartbeat each 15 s: {:.1} million heartbeats made in {:.0} s, {:.2} GB, \
         {:.1} bytes each with all that is kept beside them",
        beats as f64 / 1e6,
        begun.elapsed().as_secs_f64(),
        bytes as f64 / 1e9,
        bytes as f64 / beats as f64,
    );
    report.add(Row {
        figure: format!("disk a raw heartbeat, with all that is kept beside it, {days} days of {STREAMS} streams"),
        to_reach: format!("≤ {HEARTBEAT_BYTES} bytes"),
        measured: format!("{:.1} bytes", bytes as f64 / beats as f64),
        peers: String::new(),
        reached: bytes as f64 / beats as f64 <= HEARTBEAT_BYTES,
    });
    let services = [start(hour.path()), start(month.path())];
    let window = format!("?from={}&to={}", now - jiff::SignedDuration::from_hours(days * 24), now);
    let paths = [
        "/metrics".to_owned(),
        "/api/status".to_owned(),
        "/api/streams/camera-500/availability?window=30d".to_owned(),
        "/api/availability?window=30d".to_owned(),
        format!("/api/streams/camera-500/availability{window}"),
    ];
    println!("{:<55} {:>10} {:>10} {:>7}", "median of 101 answers", "1 hour", format!("{days} days"), "ratio");
    for path in &paths {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..101 {
            for (service, times) in services.iter().zip(&mut times) {
                let begun = Instant::now();
                let length = service.ask(path).len();
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
                assert!(length > 50, "{path}");
            }
        }
        let [short, long] = times.map(median);
        let shown = path.split("?from").next().unwrap();
        let shown = if shown == path { shown.to_owned() } else { format!("{shown}?from=…&to=…") };
        if ["/metrics", "/api/status"].contains(&path.as_str()) {
            report.add(Row {
                figure: format!("`{path}`, {STREAMS} streams, {days} days of history"),
                to_reach: format!("≤ {ANSWER_MS} ms, the same at 1 hour"),
                measured: format!("{long:.1} ms, 1 hour {short:.1} ms"),
                peers: String::new(),
                reached: long <= ANSWER_MS && long / short < SAME,
            });
        }
        println!("{shown:<55} {short:>7.2} ms {long:>7.2} ms {:>7.2}", long / short);
    }
    for (service, name) in services.iter().zip(["1 hour", "all days"]) {
        let Export { rows, megabytes, seconds, grown_mb } = service.export();
        println!(
            "/api/export.csv of {name}: {:.2} million heartbeats, {megabytes:.0} MB in {seconds:.1} s; the service grew by \
             {grown_mb:.1} MB meanwhile",
            rows as f64 / 1e6
        );
    }
    println!();
}

/// A site whose database holds this much history up to now.
async fn prepare(history_ms: i64, now: Timestamp) -> tempfile::TempDir {
    let site = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let state = site.path().join("state");
    Store::open(&state).await.unwrap().close().await;
    // Probed once in the time of this figure, and refused at once.
    let mut text = "heartbeat_seconds: 3600\nstorage: {heartbeats_days: 3650}\nstreams:\n".to_owned();
    for stream in 0..STREAMS {
        let host = format!("127.{}.{}.1", 1 + stream / 250, stream % 250);
        text.push_str(&format!("  - {{name: camera-{stream}, url: \"rtsp://{host}:9/s\", group: g{}}}\n", stream % 10));
    }
    std::fs::write(site.path().join("config.yaml"), text).unwrap();
    let mut connection = Connection::open(state.join("streampulse.db")).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000").unwrap();
    fill(&mut connection, now.as_millisecond() - history_ms, now.as_millisecond());
    drop(connection);
    // What the service does in the background, an hour after the end of each day.
    let store = Store::open(&state).await.unwrap();
    store.roll_up(now).await.unwrap();
    store.close().await;
    site
}

/// When the outage of a stream begins that lies in a day.
fn outage(stream: i64, day: i64) -> i64 {
    day * 24 * HOUR_MS + stream * 60_000
}

fn is_down(stream: i64, at_ms: i64) -> bool {
    let begin = outage(stream, at_ms.div_euclid(24 * HOUR_MS));
    (begin..begin + OUTAGE_MS).contains(&at_ms)
}

/// How much of `from..to` a stream is down.
fn down_ms(stream: i64, from: i64, to: i64) -> i64 {
    let day = from.div_euclid(24 * HOUR_MS);
    let begin = outage(stream, day);
    (to.min(begin + OUTAGE_MS) - from.max(begin)).max(0)
}

/// As the service would have written it: heartbeats in the order of time, and everything that is kept beside them.
fn fill(connection: &mut Connection, from_ms: i64, to_ms: i64) {
    for stream in 0..STREAMS {
        let id = format!("camera-{stream}");
        connection.execute("INSERT INTO streams (key, id) VALUES (?1, ?2)", params![stream, id]).unwrap();
    }
    let mut hour_ms = from_ms;
    while hour_ms < to_ms {
        let end_ms = ((hour_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS).min(to_ms);
        let transaction = connection.transaction().unwrap();
        heartbeats(&transaction, hour_ms, end_ms);
        rollups(&transaction, hour_ms, end_ms);
        transaction.commit().unwrap();
        hour_ms = end_ms;
    }
    let transaction = connection.transaction().unwrap();
    for stream in 0..STREAMS {
        spans(&transaction, stream, from_ms, to_ms);
    }
    transaction.commit().unwrap();
}

fn heartbeats(connection: &Connection, from_ms: i64, to_ms: i64) {
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO heartbeats (at_ms, stream, reason, stage, latency_ms, health) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .unwrap();
    let mut at_ms = from_ms.div_euclid(HEARTBEAT_MS) * HEARTBEAT_MS;
    while at_ms < to_ms {
        for stream in 0..STREAMS {
            let down = is_down(stream, at_ms);
            let latency = 300 + (at_ms / 1000 * 31 + stream * 7) % 600;
            let (reason, stage, health) = if down { (4, 1, 2) } else { (0, 11, 0) };
            insert.execute(params![at_ms + stream * 15, stream, reason, stage, latency, health]).unwrap();
        }
        at_ms += HEARTBEAT_MS;
    }
}

fn rollups(connection: &Connection, from_ms: i64, to_ms: i64) {
    let hour = from_ms.div_euclid(HOUR_MS);
    let beats = (to_ms - from_ms) / HEARTBEAT_MS;
    let mut row = connection
        .prepare_cached(
            "INSERT INTO rollups (hour, stream, ok, failed, blind, up_ms, down_ms, latency_2, latency_3, latency_sum_ms)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?3 / 2, ?3 - ?3 / 2, ?3 * 600)",
        )
        .unwrap();
    let mut reason =
        connection.prepare_cached("INSERT INTO reasons (hour, stream, reason, count) VALUES (?1, ?2, 4, ?3)").unwrap();
    let mut all_failed = 0;
    for stream in 0..STREAMS {
        let down = down_ms(stream, from_ms, to_ms);
        let failed = down / HEARTBEAT_MS;
        all_failed += failed;
        row.execute(params![hour, stream, beats - failed, failed, to_ms - from_ms - down, down]).unwrap();
        if failed > 0 {
            reason.execute(params![hour, stream, failed]).unwrap();
        }
    }
    connection
        .execute(
            "INSERT INTO totals (hour, ok, failed, blind) VALUES (?1, ?2, ?3, 0)",
            params![hour, beats * STREAMS - all_failed, all_failed],
        )
        .unwrap();
}

/// Spans, transitions and incidents of one stream.
fn spans(connection: &Connection, stream: i64, from_ms: i64, to_ms: i64) {
    let mut over = Vec::new();
    let mut begun = from_ms;
    for day in from_ms.div_euclid(24 * HOUR_MS)..=to_ms.div_euclid(24 * HOUR_MS) {
        let (begin, end) = (outage(stream, day), outage(stream, day) + OUTAGE_MS);
        if begin > from_ms && end < to_ms {
            over.extend([(begun, begin, 0), (begin, end, 2)]);
            begun = end;
        }
    }
    for (from, to, health) in &over {
        let sql = "INSERT INTO spans (stream, from_ms, to_ms, health) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql).unwrap().execute(params![stream, from, to, health]).unwrap();
        if *health == 2 {
            let sql = "INSERT INTO transitions (at_ms, stream, from_health, to_health, reason)
                VALUES (?1, ?2, 0, 2, 4), (?3, ?2, 2, 0, 0)";
            connection.prepare_cached(sql).unwrap().execute(params![from, stream, to]).unwrap();
            let sql = "INSERT INTO incidents (health, cause, reason, stage, detail, opened_ms, closed_ms)
                VALUES (2, 'stream', 4, 1, 'The device did not answer the connection in time.', ?1, ?2)";
            connection.prepare_cached(sql).unwrap().execute(params![from, to]).unwrap();
            let sql = "INSERT INTO incident_members (incident, joined_ms, stream, reason, stage, began_ms, left_ms)
                VALUES (?1, ?2, ?3, 4, 1, ?2, ?4)";
            let incident = connection.last_insert_rowid();
            connection.prepare_cached(sql).unwrap().execute(params![incident, from, stream, to]).unwrap();
        }
    }
    let sql =
        "INSERT INTO stream_state (stream, health, since_ms, reason, failures_in_row, successes_in_row, blind_in_row,
        last_ok_ms, span_health, span_from_ms, span_to_ms, announced) VALUES (?1, 0, ?2, 0, 0, 5, 0, ?3, 0, ?2, ?3, 0)";
    connection.prepare_cached(sql).unwrap().execute(params![stream, begun, to_ms]).unwrap();
}

/// Starts a service whose every stream has been probed, and whose availability was looked up since then.
fn start(site: &Path) -> Service {
    let service = Service::start(site);
    for done in ["stream_id=\"camera-999\",state=\"up\"} 0", "window=\"30d\"} "] {
        while !service.ask("/metrics").contains(done) {
            std::thread::yield_now();
        }
    }
    while service.probes() < STREAMS {
        std::thread::yield_now();
    }
    service
}

impl Service {
    fn probes(&self) -> i64 {
        let answer = self.ask("/metrics");
        let lines = answer.lines().filter(|line| line.starts_with("streampulse_probes_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
    }

    /// Everything as CSV, and by how much the most memory that the service held meanwhile is above what it held before.
    fn export(&self) -> Export {
        let pid = self.pid();
        // Forgets the peak of before (proc_pid_clear_refs(5)).
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        let before_mb = peak_mb(pid);
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(self.request("/api/export.csv").as_bytes()).unwrap();
        let (mut rows, mut bytes, mut buffer) = (0, 0, vec![0; 1 << 20]);
        let mut end = Vec::new();
        loop {
            let count = stream.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            bytes += count;
            rows += buffer[..count].iter().filter(|byte| **byte == b'Z').count();
            end.extend_from_slice(&buffer[count.saturating_sub(8)..count]);
        }
        assert!(end.ends_with(b"0\r\n\r\n"), "the export was cut off");
        let megabytes = bytes as f64 / 1e6;
        Export { rows, megabytes, seconds: begun.elapsed().as_secs_f64(), grown_mb: peak_mb(pid) - before_mb }
    }
}

/// What an export was.
struct Export {
    /// Each has one time, which ends with the only Z.
    rows: usize,
    megabytes: f64,
    seconds: f64,
    grown_mb: f64,
}

/// The most memory that a process held, MB (`VmHWM`).
fn peak_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}
