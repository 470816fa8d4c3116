//! What is wrong with its files, its address or its parts stops a service with one message that says the next step and
//! with the right exit code; a service that runs keeps running.

mod common;

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::service::{Service, Site, wait_until};
use rustix::process::Signal;

/// Exit codes of sysexits(3).
const USAGE: i32 = 64;
const BAD_DATA: i32 = 65;
const UNAVAILABLE: i32 = 69;
const CANNOT_WRITE: i32 = 73;
const BAD_CONFIG: i32 = 78;

/// Nothing to probe, and a stream that is switched off.
const GOOD: &str =
    "heartbeat_seconds: 5\nstreams:\n  - {name: Gate, url: \"rtsp://127.9.9.9:1/gate\", enabled: false}\n";

/// The service does not start: the exit code, and one message that holds all of these.
#[track_caller]
fn refuses(site: &Site, code: i32, expected: &[&str]) {
    let (got, log) = site.fails_to_start();
    let complaints: Vec<_> = log.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert_eq!(complaints.len(), 1, "one message:\n{log}");
    let message = complaints[0].strip_prefix("streampulse: ").expect("it names itself");
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(got, code, "{message}");
}

/// A site whose service has run: there is a database.
fn used_site() -> Site {
    let site = Site::new(GOOD);
    let (code, log) = site.start().stop();
    assert_eq!(code, 0, "{log}");
    site
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let site = Site::new(GOOD);
    std::fs::remove_file(site.config()).expect("remove");
    refuses(&site, BAD_CONFIG, &[&shown(&site.config()), "no such file", "create it", "--config"]);

    std::fs::create_dir(site.config()).expect("directory");
    refuses(&site, BAD_CONFIG, &[&shown(&site.config()), "is a directory", "--config"]);

    // As root every file can be read, so permission itself is no test here; a link that leads nowhere is.
    std::fs::remove_dir(site.config()).expect("remove");
    symlink(site.path().join("gone"), site.config()).expect("link");
    refuses(&site, BAD_CONFIG, &[&shown(&site.config()), "no such file"]);

    std::fs::remove_file(site.config()).expect("remove");
    symlink("/dev/null", site.config()).expect("link");
    refuses(&site, BAD_CONFIG, &[&shown(&site.config()), "not a regular file", "name a file with --config"]);
}

#[test]
fn a_configuration_that_may_not_be_read() {
    if rustix::process::geteuid().is_root() {
        // Root may read every file, whatever its mode.
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new(GOOD);
    std::fs::set_permissions(site.config(), std::fs::Permissions::from_mode(0o000)).expect("mode");
    refuses(&site, BAD_CONFIG, &[&shown(&site.config()), "permission denied", "chmod"]);
}

#[test]
fn a_configuration_that_is_wrong() {
    for (text, line, parts) in [
        ("", "", &["the file is empty", "streams: []"][..]),
        (
            "streams:\n  - {name: Gate, url: \"rtps://cam/1\"}\n",
            ":2",
            &["streams[0].url", "rtps", "did you mean rtsp?"],
        ),
        ("streams:\n  - {name: Gate}\n", ":2", &["streams[0].url", "write the camera's address"]),
        ("streams: []\nprobe: {timeout_seconds: soon}\n", ":2", &["probe.timeout_seconds", "soon"]),
        ("streams: []\nweb: {listen: everywhere}\n", ":2", &["web.listen", "everywhere"]),
        // Half-written: the file ends in the middle of a stream.
        ("streams:\n  - {name: Gate, url: \"rtsp://127.9.9.9:1/ga", ":2", &["not valid YAML", "written to its end"]),
        // A power cut left a file of zeroes.
        ("streams: []\n\0\0\0\0", ":2", &["zero byte", "restore it"]),
    ] {
        let site = Site::new(text);
        let place = format!("{}{line}", shown(&site.config()));
        refuses(&site, BAD_CONFIG, &[&[place.as_str()], parts].concat());
    }
}

#[test]
fn every_problem_of_a_configuration_has_a_line() {
    let site = Site::new("streams:\n  - {name: A, url: \"rtps://a/1\"}\n  - {name: A, url: \"rtsp://b:x/1\"}\n");
    let (code, log) = site.fails_to_start();
    assert_eq!(code, BAD_CONFIG, "{log}");
    for place in [":2: streams[0].url", ":3: streams[1].name", ":3: streams[1].url"] {
        assert_eq!(log.matches(place).count(), 1, "{place}:\n{log}");
    }
    assert_eq!(log.lines().count(), 3, "{log}");
}

#[test]
fn an_environment_that_is_wrong() {
    let site = Site::new(GOOD).with("STREAMPULSE_LISTEN", "here");
    refuses(&site, BAD_CONFIG, &["STREAMPULSE_LISTEN", "here"]);
    let site = Site::new(GOOD).with("STREAMPULSE_ADMIN_PASSWORD_FILE", "/nowhere/password");
    refuses(&site, BAD_CONFIG, &["/nowhere/password", "cannot be read", "STREAMPULSE_ADMIN_PASSWORD_FILE"]);
}

/// What `/api/health` says of the configuration.
fn configuration(service: &Service) -> serde_json::Value {
    service.json("/api/health")["configuration"].clone()
}

#[track_caller]
fn keeps_the_old_one(service: &Service, part: &str) {
    let configuration = configuration(service);
    assert_eq!(configuration["ok"], false, "{configuration}");
    assert!(configuration["problems"].to_string().contains(part), "{configuration}");
    assert!(service.log().contains(part), "{}", service.log());
    let names: Vec<_> = service.streams().into_keys().collect();
    assert_eq!(names, ["gate"]);
    wait_until(|| service.get_as(None, "/metrics").text().contains("streampulse_config_last_reload_successful 0\n"));
}

#[test]
fn a_running_service_keeps_its_configuration() {
    const REFUSED: &str = "the last good configuration stays in use";
    let site = Site::new(GOOD);
    let service = site.start();
    assert_eq!(configuration(&service)["ok"], true);

    site.configure("streams:\n  - {name: Yard, url: \"rtps://127.9.9.9:1/yard\"}\n");
    service.wait_for_log(REFUSED, 1);
    keeps_the_old_one(&service, "did you mean rtsp?");

    // Half-written.
    site.configure(&GOOD[..GOOD.len() - 30]);
    service.wait_for_log(REFUSED, 2);
    keeps_the_old_one(&service, "written to its end");

    std::fs::remove_file(site.config()).expect("remove");
    service.wait_for_log(REFUSED, 3);
    keeps_the_old_one(&service, "no such file");

    std::fs::create_dir(site.config()).expect("directory");
    service.wait_for_log(REFUSED, 4);
    keeps_the_old_one(&service, "is a directory");

    // Asked to read it again, it says again what is wrong.
    service.signal(Signal::HUP);
    service.wait_for_log(REFUSED, 5);
    keeps_the_old_one(&service, "is a directory");

    std::fs::remove_dir(site.config()).expect("remove");
    site.configure(&GOOD.replace("Gate", "Yard"));
    service.wait_for_log("configuration reloaded", 1);
    assert_eq!(configuration(&service)["ok"], true);
    assert_eq!(configuration(&service)["problems"], serde_json::json!([]));
    service.streams_when(|streams| streams.keys().eq(["yard"]));
    wait_until(|| service.get_as(None, "/metrics").text().contains("streampulse_config_last_reload_successful 1\n"));

    service.signal(Signal::HUP);
    service.wait_for_log("configuration read again", 1);
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_state_directory_that_another_service_uses() {
    let site = Site::new(GOOD);
    let service = site.start();
    refuses(&site, UNAVAILABLE, &[&shown(&site.state()), "in use", "stop it first", "storage.path"]);
    // The first one did not notice.
    assert_eq!(service.get_as(None, "/readyz").status, 200);
    assert_eq!(service.stop().0, 0);
}

#[test]
fn a_database_that_another_program_has_locked() {
    let site = used_site();
    let other = rusqlite::Connection::open(site.database()).expect("open");
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE streams SET id = id; COMMIT")
        .expect("lock");
    refuses(&site, UNAVAILABLE, &[&shown(&site.state()), "in use", "stop it", "storage.path"]);
    drop(other);
    assert_eq!(site.start().stop().0, 0);
}

#[test]
fn a_database_that_is_corrupt() {
    let site = used_site();
    let whole = std::fs::read(site.database()).expect("read");
    assert!(!site.state().join("streampulse.db-wal").exists(), "an ordered end leaves one whole file");
    let mut scribbled = whole.clone();
    scribbled[100..4_000].fill(0xa5);
    let garbage: Vec<u8> = (0..20_000_u32).map(|i| (i * 31 % 251) as u8).collect();
    for (number, (what, bytes)) in (1..).zip([
        ("garbage", garbage),
        ("a few bytes", b"SQLite".to_vec()),
        ("a header and no more", whole[..100].to_vec()),
        ("half of it", whole[..whole.len() / 2].to_vec()),
        ("its first page written over", scribbled),
    ]) {
        std::fs::write(site.database(), &bytes).expect(what);
        println!("{what}");
        let service = site.start();
        service.wait_for_log("not a sound StreamPulse database", 1);
        service.wait_for_log("a new one is begun", 1);
        // It works, and its first administrator is made anew.
        assert_eq!(service.get("/api/status").status, 200, "{what}");
        assert_eq!(service.stop().0, 0, "{what}");
        // Nothing was done to the old one, so that whoever can repair it may.
        let aside = site.state().join(format!("streampulse.db.corrupt-{number}"));
        assert_eq!(std::fs::read(aside).expect("set aside"), bytes, "{what}");
    }
}

#[test]
fn a_database_of_a_newer_version() {
    let site = used_site();
    let connection = rusqlite::Connection::open(site.database()).expect("open");
    connection.pragma_update(None, "user_version", 9_999).expect("set");
    drop(connection);
    refuses(
        &site,
        BAD_DATA,
        &[&shown(&site.database()), "newer StreamPulse", "9999", "install the newer StreamPulse again"],
    );
}

#[test]
fn a_state_directory_that_cannot_be_written() {
    let site = Site::new(GOOD);
    let below_a_file = shown(&site.config().join("state"));
    let site = site.with("STREAMPULSE_STATE_DIR", &below_a_file);
    refuses(&site, CANNOT_WRITE, &[&below_a_file, "cannot write", "set storage.path to a directory"]);
    // A file system in which even root makes no directory.
    let site = site.with("STREAMPULSE_STATE_DIR", "/proc/streampulse");
    refuses(&site, CANNOT_WRITE, &["/proc/streampulse", "cannot write", "storage.path"]);
    // The database's place is taken by a directory.
    let state = site.state();
    std::fs::create_dir_all(site.database()).expect("directory");
    let site = site.with("STREAMPULSE_STATE_DIR", &shown(&state));
    refuses(&site, CANNOT_WRITE, &[&shown(&site.database()), "cannot write"]);
}

#[test]
fn a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = other.local_addr().expect("address");
    let site = Site::new(GOOD).with("STREAMPULSE_LISTEN", &address.to_string());
    let port = address.port().to_string();
    refuses(&site, UNAVAILABLE, &[&port, "127.0.0.1", "in use", "stop it", "web.listen"]);
    drop(other);
    assert_eq!(site.start().stop().0, 0);
}

#[test]
fn an_address_of_another_machine() {
    let site = Site::new(GOOD).with("STREAMPULSE_LISTEN", "192.0.2.1:6969");
    refuses(&site, UNAVAILABLE, &["192.0.2.1:6969", "not an address of this machine", "web.listen"]);
}

/// Debian's plugins.
fn plugins() -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    let directories = libraries.map(|entry| entry.expect("entry").path().join("gstreamer-1.0"));
    directories.into_iter().find(|directory| directory.join("libgstcoreelements.so").exists()).expect("GStreamer")
}

#[test]
fn a_missing_plugin() {
    for (plugin, element, package) in [
        ("libgstlibav.so", "avdec_h264", "gstreamer1.0-libav"),
        ("libgstrtsp.so", "rtspsrc", "gstreamer1.0-plugins-good"),
    ] {
        let site = Site::new(GOOD);
        let directory = site.path().join("plugins");
        std::fs::create_dir(&directory).expect("directory");
        for entry in std::fs::read_dir(plugins()).expect("plugins") {
            let entry = entry.expect("entry");
            if entry.file_name() != *plugin {
                symlink(entry.path(), directory.join(entry.file_name())).expect("link");
            }
        }
        let cache = shown(&site.path().join("cache"));
        let site = site.with("GST_PLUGIN_SYSTEM_PATH_1_0", &shown(&directory)).with("CACHE_DIRECTORY", &cache);
        refuses(&site, UNAVAILABLE, &[element, &format!("sudo apt install {package}")]);
        // `streampulse probe` says the same.
        let site = site.with("XDG_CACHE_HOME", &cache);
        let output = site.run(&["probe", "rtsp://127.0.0.1:1/x"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(element) && said.contains(package) && said.lines().count() == 1, "{said}");
        assert_eq!(output.status.code(), Some(UNAVAILABLE), "{said}");
    }
}

#[test]
fn a_wrong_command_line() {
    let site = Site::new(GOOD);
    for (arguments, part) in [
        (&["--colour", "serve"][..], "--colour"),
        (&["observe"], "observe"),
        (&["probe"], "<URL or stream>"),
        (&["probe", "Yard"], "\"Yard\" is neither a URL nor a stream of"),
        (&["probe", "rtps://cam/1"], "did you mean rtsp?"),
        (&["probe", "rtsp://cam/1", "--timeout", "soon"], "write it as 10s or 500ms"),
        (&["demo", "--listen", "here"], "here"),
    ] {
        let output = site.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        let output = site.run(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn check_config_says_what_the_service_would() {
    let site = Site::new(GOOD);
    assert_eq!(site.run(&["check-config"]).status.code(), Some(0));
    site.configure("streams:\n  - {name: Gate, url: \"rtps://cam/1\"}\n");
    let output = site.run(&["check-config"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(":2: streams[0].url") && said.contains("did you mean rtsp?"), "{said}");
    assert_eq!(output.status.code(), Some(BAD_CONFIG), "{said}");
}
