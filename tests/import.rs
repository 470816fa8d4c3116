//! `streampulse import` on databases as the original writes them.

mod common;
#[path = "import/old.rs"]
mod old;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::service::Site;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use old::{Old, SECRET, USER_SECRET, iso, log_of, now};
use rusqlite::Connection;

const DAY: i64 = 86_400;

/// What our service is told: some of the original's streams, one with another id.
const CONFIG: &str = "timezone: Asia/Kolkata
streams:
  - {name: GateCamera, url: 'rtsp://admin:s3cr3t-of-the-camera@192.0.2.7:554/stream1', id: front}
  - {name: Gate, url: 'rtsp://192.0.2.8/1'}
  - {name: MotionEye 1, url: 'http://192.0.2.9:8081/'}
";

fn import(site: &Site, old: &Path) -> Output {
    site.run(&["import", old.to_str().expect("path")])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The figures of the summary by the old name, after a successful run.
fn figures(output: &Output) -> BTreeMap<String, Vec<u64>> {
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    for bytes in [&output.stdout, &output.stderr] {
        assert!(!text(bytes).contains(SECRET) && !text(bytes).contains(USER_SECRET), "{}", text(bytes));
    }
    let mut lines = said.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("old stream")), "{said}");
    let mut all = BTreeMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let figures: Vec<u64> =
            words.split_off(words.len() - 7).iter().map(|word| word.parse().expect("a figure")).collect();
        assert_eq!(figures[0], figures[1..].iter().sum::<u64>(), "{line}");
        if words != ["total"] {
            words.pop();
        }
        all.insert(words.join(" "), figures);
    }
    all
}

/// Everything that an import leaves, as text.
fn dump(site: &Site) -> BTreeMap<&'static str, Vec<String>> {
    let connection = Connection::open(site.database()).expect("open");
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("check");
    assert_eq!(sound, "ok");
    let queries = [
        (
            "heartbeats",
            "SELECT id, at_ms, reason, stage, latency_ms, health FROM heartbeats JOIN streams ON key = stream ORDER BY 1, 2",
        ),
        ("rollups", "SELECT id, r.* FROM rollups r JOIN streams ON key = stream ORDER BY id, hour"),
        ("reasons", "SELECT id, hour, reason, count FROM reasons JOIN streams ON key = stream ORDER BY 1, 2, 3"),
        ("totals", "SELECT * FROM totals ORDER BY 1"),
        ("spans", "SELECT id, from_ms, to_ms, health FROM spans JOIN streams ON key = stream ORDER BY 1, 2"),
        ("imports", "SELECT * FROM imports ORDER BY 1, 2"),
        (
            "others",
            "SELECT (SELECT count(*) FROM stream_state) + (SELECT count(*) FROM transitions) + (SELECT count(*) FROM users)",
        ),
    ];
    queries
        .into_iter()
        .map(|(name, sql)| {
            let mut statement = connection.prepare(sql).expect(sql);
            let columns = statement.column_count();
            let skipped = usize::from(name == "rollups") * 2;
            let rows = statement
                .query_map([], |row| {
                    let cell = |index| row.get::<_, rusqlite::types::Value>(index).map(|value| format!("{value:?}"));
                    (0..columns)
                        .filter(|index| *index != skipped || skipped == 0)
                        .map(cell)
                        .collect::<Result<Vec<_>, _>>()
                })
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .expect(sql);
            (name, rows.into_iter().map(|row| row.join(" ")).collect())
        })
        .collect()
}

fn number(site: &Site, sql: &str) -> i64 {
    Connection::open(site.database()).expect("open").query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// Two streams with more than one batch of rows, the young ones kept one by one, none near a limit of age.
fn large() -> Old {
    let old = Old::new(&["GateCamera", "MotionEye 1"]);
    let now = now();
    let rows = |begin: i64, count: i64| {
        (0..count).map(move |n| {
            let (status, message) = match n % 97 {
                0..=3 => ("fail", "timeout"),
                50 => ("ok", "RTSP 401 Unauthorized"),
                _ => ("ok", "RTSP 200"),
            };
            // Some go back, some come twice, some are late.
            let jitter = [0, 0, -20, 15, 400][(n % 31 % 5) as usize * usize::from(n % 31 < 5)];
            (iso(begin + n * 15 + jitter, "Asia/Kolkata"), status, message)
        })
    };
    old.add("log_GateCamera", rows(now - 20 * DAY, 12_000));
    old.add("log_GateCamera", rows(now - 5 * DAY, 13_000));
    old.add("log_MotionEye_1", rows(now - 6 * DAY, 17_000));
    old
}

#[test]
fn every_row_is_accounted_for() {
    let old = Old::new(&["GateCamera", "Gate", "gate", "MotionEye 1", "Tür गेट", "2nd", "Never"]);
    let now = now();
    let at = |ago: i64| iso(now - ago, "Asia/Kolkata");
    old.add(
        "log_GateCamera",
        [
            (at(401 * DAY), "ok", "RTSP 200"),
            (at(30 * DAY), "ok", "RTSP 200"),
            (at(30 * DAY - 60), "ok", "RTSP 401 Unauthorized"),
            (at(DAY), "ok", "RTSP 200"),
            (at(DAY - 60), "fail", "error:[Errno 111] Connect call failed ('192.0.2.7', 554)"),
            (at(DAY - 120), "fail", "cv2err:rtsp://admin:s3cr3t-of-the-camera@192.0.2.7"),
            // No next row for an hour: two of these minutes are covered by nobody.
            (at(DAY - 3600), "ok", "ok"),
            ("rtsp://admin:s3cr3t-of-the-camera@192.0.2.7".to_owned(), "ok", "RTSP 200"),
            ("soon".to_owned(), "ok", "RTSP 200"),
            (at(-3600), "ok", "RTSP 200"),
        ],
    );
    // The same second three times, without an offset: in the zone of the configuration.
    let second = at(2 * DAY)[..19].to_owned();
    old.add("log_MotionEye_1", (0..3).map(|_| (second.clone(), "ok", "HTTP 200")));
    old.add("log_Gate", [(at(100), "ok", "RTSP 404 Not Found"), (at(90), "ok", "RTSP 200")]);
    let connection = old.open();
    Old::make_log(&connection, "log_forgotten");
    connection.execute_batch("CREATE TABLE log_of_a_tool(line TEXT); CREATE TABLE notes(x)").expect("others");
    drop(connection);
    old.add("log_Tür_ग_ट", [(at(5000), "ok", "RTSP 200")]);
    old.add("log_t_2nd", [(at(5000), "fail", "timeout")]);
    old.add("log_forgotten", [(at(5000), "ok", "RTSP 200")]);
    let before = old.looks();

    let site = Site::new(CONFIG);
    let output = import(&site, &old.path());
    let said = text(&output.stdout);
    let figures = figures(&output);
    assert_eq!(figures["total"][0], old.rows(), "{said}");
    // rows, raw, rollups, too old, unreadable, before, watched
    assert_eq!(figures["GateCamera"], [10, 4, 2, 1, 3, 0, 0], "{said}");
    assert_eq!(figures["MotionEye 1"], [3, 3, 0, 0, 0, 0, 0]);
    assert_eq!(figures["Gate + gate"], [2, 2, 0, 0, 0, 0, 0]);
    assert_eq!(figures["Tür गेट"], [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(figures["log_forgotten"], [1, 1, 0, 0, 0, 0, 0]);
    for part in [
        "The rows of \"Gate\", \"gate\" cannot be told apart: they shared log_Gate and are under gate-2.",
        "log_GateCamera: 3 rows without a usable time, the first has the id 8 and something that is no time.",
        "2 rows were ok for the original and are not here, 1 of them because the camera answered 401",
        "Not imported: users.",
        "no logs of the original: \"log_of_a_tool\", \"notes\".",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(said.contains("Not in the configuration: gate-2, "), "{said}");
    assert_eq!(old.looks(), before, "the original is only read");

    assert_eq!(
        number(
            &site,
            "SELECT count(*) FROM streams WHERE id IN ('front', 'gate-2', 'motioneye-1', '2nd', 'forgotten')"
        ),
        5
    );
    assert_eq!(number(&site, "SELECT count(*) FROM streams WHERE id = 'gate'"), 0);
    assert_eq!(number(&site, "SELECT count(*) FROM heartbeats"), figures["total"][1] as i64);
    assert_eq!(
        number(&site, "SELECT sum(ok + failed + blind) FROM rollups"),
        (figures["total"][1] + figures["total"][2]) as i64
    );
    assert_eq!(
        number(&site, "SELECT sum(ok + failed + blind) FROM totals"),
        (figures["total"][1] + figures["total"][2]) as i64
    );
    let of =
        |what: &str, id: &str| number(&site, &format!("SELECT {what} JOIN streams ON key = stream WHERE id = '{id}'"));
    // Three rows of one second are three heartbeats, a millisecond apart.
    assert_eq!(of("max(at_ms) - min(at_ms) FROM heartbeats", "motioneye-1"), 2);
    assert_eq!(of("min(at_ms) FROM heartbeats", "motioneye-1") / 1000, now - 2 * DAY);
    // Good for a minute, twice; a refusal, a last failure and what is before them hold 180 s, 180 s and a minute.
    assert_eq!(of("sum(up_ms) FROM rollups", "front"), 120_000);
    assert_eq!(of("sum(down_ms) FROM rollups", "front"), 60_000 + 180_000);
    assert_eq!(of("sum(unknown_ms) FROM rollups", "front"), 180_000, "it asked without the password");
    assert_eq!(of("sum(to_ms - from_ms) FROM spans", "front"), 540_000);
    assert_eq!(dump(&site)["others"], ["Integer(0)"]);
    let bytes = String::from_utf8_lossy(&fs::read(site.database()).expect("read")).into_owned();
    assert!(!bytes.contains(SECRET) && !bytes.contains(USER_SECRET));
}

#[test]
fn a_second_run_changes_nothing_and_a_grown_file_goes_on() {
    let old = large();
    let site = Site::new(CONFIG);
    let first = figures(&import(&site, &old.path()));
    assert_eq!(first["total"], [42_000, 30_000, 12_000, 0, 0, 0, 0]);
    let after = dump(&site);
    // Under another name, too.
    let copy = old.dir.path().join("renamed.db");
    fs::copy(old.path(), &copy).expect("copy");
    let again = figures(&import(&site, &copy));
    assert_eq!(again["total"], [42_000, 0, 0, 0, 0, 42_000, 0]);
    assert_eq!(dump(&site), after);

    let begin = now() - 6 * 3600;
    let more = |from: i64, to: i64| (from..to).map(move |n| (iso(begin + n * 15, "Asia/Kolkata"), "ok", "RTSP 200"));
    old.add("log_GateCamera", more(0, 500));
    let grown = figures(&import(&site, &old.path()));
    assert_eq!(grown["GateCamera"], [25_500, 500, 0, 0, 0, 25_000, 0]);
    // In two steps or in one: the span that goes over the border is the same.
    old.add("log_GateCamera", more(500, 700));
    let grown = figures(&import(&site, &old.path()));
    assert_eq!(grown["total"], [42_700, 200, 0, 0, 0, 42_500, 0]);
    let at_once = Site::new(CONFIG);
    import(&at_once, &old.path());
    assert_eq!(dump(&at_once), dump(&site));
}

#[test]
fn a_killed_import_goes_on_without_loss() {
    let old = large();
    let undisturbed = Site::new(CONFIG);
    let begun = Instant::now();
    let expected = figures(&import(&undisturbed, &old.path()));
    let took = begun.elapsed();
    let expected_dump = dump(&undisturbed);
    // As often as it takes to hit one in the middle: how far it comes is for the machine to say.
    let mut hits = 0;
    for _ in 0..10 {
        let site = Site::new(CONFIG);
        let last = loop {
            match killed_at_a_random_moment(&site, &old, took) {
                Some(output) => break output,
                None => hits += usize::from((1..42_000).contains(&taken(&site))),
            }
        };
        assert_eq!(figures(&last)["total"][0], expected["total"][0]);
        assert_eq!(dump(&site), expected_dump);
        if hits > 1 {
            return;
        }
    }
    panic!("no import was killed in the middle");
}

/// Rows that are taken for good, as the numbers of the last ones; 0 without a database.
fn taken(site: &Site) -> i64 {
    if !site.database().exists() {
        return 0;
    }
    let connection = Connection::open(site.database()).expect("open");
    connection.query_row("SELECT coalesce(sum(last_id), 0) FROM imports", [], |row| row.get(0)).unwrap_or(0)
}

/// `None` when it was killed before it ended.
#[allow(clippy::disallowed_methods, reason = "the moment is random on purpose")]
fn killed_at_a_random_moment(site: &Site, old: &Old, within: Duration) -> Option<Output> {
    let mut command = site.command(&["import", old.path().to_str().expect("path")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("run");
    let share = getrandom::u64().expect("random") % 1000;
    std::thread::sleep(within.mul_f64(share as f64 / 1000.0));
    let _ = child.kill();
    let output = child.wait_with_output().expect("wait");
    output.status.signal().is_none().then_some(output)
}

#[test]
fn what_this_service_watched_is_not_counted_again() {
    let old = Old::new(&["GateCamera"]);
    let begin = now() - 10_000;
    old.add("log_GateCamera", (0..400).map(|n| (iso(begin + n * 15, "UTC"), "ok", "RTSP 200")));
    let site = Site::new(CONFIG);
    // A service that watched for ten minutes, was stopped, and watches since five minutes.
    assert_eq!(import(&site, &Old::new(&[]).path()).status.code(), Some(0));
    let connection = Connection::open(site.database()).expect("open");
    connection.execute("INSERT INTO streams (key, id) VALUES (7, 'front')", []).expect("stream");
    let ms = |second: i64| (begin + second) * 1000;
    connection.execute("INSERT INTO spans VALUES (7, ?1, ?2, 2)", [ms(1505), ms(2105)]).expect("span");
    connection
        .execute(
            "INSERT INTO stream_state (stream, health, since_ms, reason, failures_in_row, successes_in_row, blind_in_row,
                 span_health, span_from_ms, span_to_ms) VALUES (7, 0, ?1, 0, 0, 9, 0, 0, ?1, ?2)",
            [ms(5695), ms(6010)],
        )
        .expect("state");
    drop(connection);
    let figures = figures(&import(&site, &old.path()));
    assert_eq!(figures["GateCamera"], [400, 340, 0, 0, 0, 0, 60]);
    assert_eq!(number(&site, "SELECT span_to_ms FROM stream_state"), ms(6010));
    let connection = Connection::open(site.database()).expect("open");
    let spans: Vec<[i64; 3]> = connection
        .prepare("SELECT from_ms, to_ms, health FROM spans WHERE stream = 7 ORDER BY 1")
        .and_then(|mut s| s.query_map([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?]))?.collect())
        .expect("spans");
    assert_eq!(spans, [[ms(0), ms(1505), 0], [ms(1505), ms(2105), 2], [ms(2105), ms(5695), 0]]);
}

#[test]
fn the_file_is_read_however_it_was_left() {
    let rows = |log: &str, old: &Old, count: i64| {
        let begin = now() - 3600;
        old.add(log, (0..count).map(|n| (iso(begin + n * 15, "Europe/Berlin"), "ok", "RTSP 200")));
    };
    // The original runs: its log is not in the file yet.
    let old = Old::new(&["Gate"]);
    let running = old.open();
    running.query_row("SELECT count(*) FROM streams", [], |_| Ok(())).expect("it has the file open");
    rows("log_Gate", &old, 10);
    let before = old.looks();
    assert_eq!(before.0, ["streams.db", "streams.db-shm", "streams.db-wal"]);
    let site = Site::new(CONFIG);
    assert_eq!(figures(&import(&site, &old.path()))["Gate"][..2], [10, 10]);
    assert_eq!(old.looks(), before);
    running.execute("INSERT INTO log_Gate(ts,status) VALUES (?1, 'ok')", [iso(now(), "UTC")]).expect("it still writes");

    // It crashed, and only two of its files were copied.
    let crashed = Old { dir: tempfile::tempdir().expect("a directory") };
    for ending in ["", "-wal"] {
        let name = format!("streams.db{ending}");
        fs::copy(old.dir.path().join(&name), crashed.dir.path().join(&name)).expect("copy");
    }
    let before = crashed.looks();
    let temporary = tempfile::tempdir().expect("a directory");
    let site = Site::new(CONFIG).with("TMPDIR", temporary.path().to_str().expect("path"));
    assert_eq!(figures(&import(&site, &crashed.path()))["Gate"][..2], [11, 11]);
    assert_eq!(crashed.looks(), before);
    assert_eq!(fs::read_dir(temporary.path()).expect("list").count(), 0, "the copy is gone");
    drop(running);

    // On a medium that cannot be written, by somebody who is not root.
    let mode = |mode: u32| fs::set_permissions(old.dir.path(), fs::Permissions::from_mode(mode)).expect("mode");
    mode(0o555);
    fs::set_permissions(old.path(), fs::Permissions::from_mode(0o444)).expect("mode");
    let before = old.looks();
    let site = Site::new(CONFIG);
    let output = as_nobody(&site, site.command(&["import", old.path().to_str().expect("path")]));
    assert_eq!(figures(&output)["Gate"][..2], [11, 11]);
    assert_eq!(old.looks(), before);
    mode(0o755);
}

/// Runs it as another user when root runs the tests.
fn as_nobody(site: &Site, mut command: Command) -> Output {
    const NOBODY: u32 = 65_534;
    if rustix::process::geteuid().is_root() {
        fs::create_dir_all(site.state()).expect("state");
        for path in [site.path().to_owned(), site.state(), site.config()] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().expect("run")
}

/// The original opens and closes its database for each row, and with it the files beside it come and go.
#[test]
#[allow(clippy::disallowed_methods, reason = "the pace of another program")]
fn an_original_that_goes_on_loses_no_row() {
    let old = large();
    let (site, begin) = (Site::new(CONFIG), now() - 3600);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..100 {
                old.add("log_GateCamera", [(iso(begin + n * 15, "UTC"), "ok", "RTSP 200")]);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        while !writer.is_finished() {
            figures(&import(&site, &old.path()));
        }
    });
    assert_eq!(figures(&import(&site, &old.path()))["total"][0], 42_100);
    let at_once = Site::new(CONFIG);
    import(&at_once, &old.path());
    assert_eq!(dump(&site), dump(&at_once));
}

#[test]
fn what_root_makes_belongs_to_the_service() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let old = Old::new(&["Gate"]);
    old.add("log_Gate", [(iso(now() - 50, "UTC"), "ok", "RTSP 200")]);
    let site = Site::new(CONFIG);
    fs::create_dir_all(site.state()).expect("state");
    std::os::unix::fs::chown(site.state(), Some(4711), Some(4712)).expect("chown");
    figures(&import(&site, &old.path()));
    for entry in fs::read_dir(site.state()).expect("list") {
        let metadata = entry.expect("entry").metadata().expect("metadata");
        assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
    }
    assert!(site.database().exists());
}

#[test]
fn what_cannot_be_imported_is_named() {
    let site = Site::new(CONFIG);
    let fails = |path: &Path, code: i32, part: &str| {
        let output = import(&site, path);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part) && said.contains(path.to_str().expect("path")), "{said}");
    };
    fails(&site.path().join("nothing.db"), 66, "no such file");
    fails(site.path(), 66, "is a directory");
    fails(&site.config(), 65, "it is another kind of file");
    fs::write(site.path().join("empty.db"), "").expect("write");
    fails(&site.path().join("empty.db"), 65, "it is empty");
    let other = site.path().join("other.db");
    Connection::open(&other)
        .and_then(|c| c.execute_batch("CREATE TABLE a(x); CREATE TABLE streams(x)"))
        .expect("other");
    fails(&other, 65, "it has the tables a, streams); expected an SQLite database with a table streams (name, url)");
    assert!(!site.database().exists(), "nothing was begun");
    let nothing = Old::new(&[]);
    assert_eq!(figures(&import(&site, &nothing.path()))["total"], [0; 7]);
    fails(&site.database(), 65, "it is a database of this StreamPulse");
    site.configure("streams: nonsense");
    assert_eq!(import(&site, &nothing.path()).status.code(), Some(78));
}

/// The original of the first months wrote no offset: the hour that comes twice is told by the order of the rows.
#[test]
fn the_night_in_which_clocks_are_set_back_has_every_hour() {
    let berlin = TimeZone::get("Europe/Berlin").expect("zone");
    let last = Timestamp::from_second(now() - DAY).expect("time");
    // The one of autumn, of the last two changes.
    let changes = berlin.preceding(last).take(2).map(|change| change.timestamp().as_second());
    let back = changes.into_iter().find(|at| iso(*at, "Europe/Berlin").contains("+01:00")).expect("an autumn");
    let site = Site::new("timezone: Europe/Berlin\nstreams: []\n");
    for (name, cut) in [("With", 32), ("Without", 19)] {
        let old = Old::new(&[name]);
        let times = (-480..=480).map(|n| iso(back + n * 15, "Europe/Berlin").replace(".000250", ""));
        old.add(&log_of(name), times.map(|time| (time.chars().take(cut).collect(), "ok", "RTSP 200")));
        assert_eq!(figures(&import(&site, &old.path()))["total"][0], 961);
        let of = |what: &str| {
            let id = name.to_lowercase();
            number(&site, &format!("SELECT {what} FROM spans JOIN streams ON key = stream WHERE id = '{id}'"))
        };
        assert_eq!((of("min(from_ms)"), of("max(to_ms)")), ((back - 7200) * 1000, (back + 7200) * 1000));
        assert_eq!((of("count(*)"), of("sum(to_ms - from_ms)")), (1, 14_400_000), "{name}");
    }
}

#[test]
fn a_service_that_runs_is_not_disturbed() {
    let old = Old::new(&["Gate"]);
    let site = Site::new("streams: []\n");
    let service = site.start();
    let output = import(&site, &old.path());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("in use by a StreamPulse that runs; stop it ("), "{said}");
    assert_eq!(service.stop().0, 0);
}

#[test]
fn the_api_shows_the_history_of_both() {
    let old = Old::new(&["Gate"]);
    let begin = now() - 7200;
    // In the zone of the configuration, up to an hour ago, every tenth a failure.
    let rows = (0..240).map(|n| {
        (iso(begin + n * 15, "Asia/Kolkata")[..19].to_owned(), if n % 10 == 0 { "fail" } else { "ok" }, "timeout")
    });
    old.add(
        "log_Gate",
        rows.map(|(ts, status, message)| (ts, status, if status == "ok" { "RTSP 200" } else { message })),
    );
    let site =
        Site::new("timezone: Asia/Kolkata\nstreams:\n  - {name: Gate, url: 'rtsp://127.0.0.1:9/x', enabled: false}\n");
    figures(&import(&site, &old.path()));
    let service = site.start();
    let page = service.json("/api/streams/gate/history?limit=1000");
    assert_eq!(page["heartbeats"].as_array().expect("heartbeats").len(), 240);
    assert_eq!(page["heartbeats"][1]["stage"], "describe");
    let available = service.json("/api/streams/gate/availability?window=24h");
    let share = available["availability"].as_f64().unwrap_or_else(|| panic!("{available}"));
    assert!((share - 0.9).abs() < 0.01, "{available}");
    assert_eq!(service.stop().0, 0);
}
