//! A disk that fills up and has room again: an alarm, no crash, and nothing that need not be lost is lost.

mod common;

use std::io::Write as _;
use std::process::Command;

use common::service::{Service, Site, wait_until};
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

#[test]
fn a_full_disk_is_survived() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "set -e; mount -t tmpfs -o size=4m tmpfs \"$TMPDIR\"; exec \"$0\" \"$@\"";
    let me = std::env::current_exe().expect("this program");
    let inside = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(me)
        .args(["inside_a_small_disk", "--exact", "--ignored", "--nocapture"])
        .env("TMPDIR", directory.path())
        .output()
        .expect("unshare");
    let said = [&inside.stdout, &inside.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(
        inside.status.success() && said.contains("1 passed"),
        "{said}\n(a mount namespace must be possible here: run this test as root, or allow user namespaces)"
    );
}

/// Writes until there is no room left.
fn fill(path: &std::path::Path) {
    let mut file = std::fs::File::create(path).expect("filler");
    let mut size = 65_536;
    while size > 0 {
        if file.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

fn metric(service: &Service, name: &str) -> f64 {
    let text = service.get_as(None, "/metrics").text();
    let line =
        text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, on a disk of its own"]
async fn inside_a_small_disk() {
    let cameras = (0..4).map(|number| SimulatedCamera::rtsp(format!("cam-{number}"), clips::gate()));
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let site =
        Site::new(&format!("heartbeat_seconds: 2\nprobe: {{retry_after_seconds: 1}}\n{}", config_text(&simulator)));
    let service = site.start();
    service.streams_when(|streams| streams.len() == 4 && streams.values().all(|stream| stream["state"] == "up"));
    let filler = site.path().join("filler");
    fill(&filler);
    service.wait_for_log("heartbeats are not recorded", 1);
    let alarm = || service.json("/api/health")["store"]["alarm"].as_str().map(str::to_owned);
    wait_until(|| alarm().is_some_and(|alarm| alarm.contains("full")));
    wait_until(|| metric(&service, "streampulse_recording") == 0.0);

    // A camera breaks meanwhile: probing and the dashboard go on.
    simulator.set_fault("cam-0", Some(Fault::Status(404))).await.expect("a camera");
    service.streams_when(|streams| streams["cam-0"]["state"] == "down");
    assert!(service.log().contains("the disk is full"), "{}", service.log());

    std::fs::remove_file(&filler).expect("remove");
    service.wait_for_log("heartbeats are recorded again", 1);
    wait_until(|| metric(&service, "streampulse_recording") == 1.0);
    assert!(service.json("/api/health")["store"]["alarm"].is_null());
    // The incident that was opened while there was no room.
    wait_until(|| service.json("/api/incidents?open=true")["incidents"].as_array().is_some_and(|all| all.len() == 1));
    let incident = &service.json("/api/incidents")["incidents"][0];
    assert_eq!((&incident["streams"][0]["stream"], &incident["reason"]), (&"cam-0".into(), &"not_found".into()));
    // And the time: the span of a camera that stayed up has no hole.
    wait_until(|| {
        let answer = service.json("/api/streams/cam-3/availability?window=1h&spans=1");
        let spans = answer["spans"].as_array().expect("spans");
        spans.len() == 1 && answer["seconds"]["up"].as_f64().is_some_and(|seconds| seconds > 2.0)
    });
    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let database = rusqlite::Connection::open(site.database()).expect("open");
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("check");
    assert_eq!(sound, "ok");
}
