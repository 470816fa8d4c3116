//! What is backed up while the service runs is there again after a restore; what is no backup changes nothing.

mod common;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Output, Stdio};

use common::service::{Service, Site};
use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, clips};

async fn simulator() -> Simulator {
    let camera = SimulatedCamera::rtsp("gate", clips::gate());
    Simulator::start(SimulatorOptions::new([camera])).await.expect("simulated cameras")
}

fn config(simulator: &Simulator) -> String {
    format!("# Mine.\nheartbeat_seconds: 2\nstreams:\n  - name: Gate\n    url: {}\n", simulator.url("gate"))
}

fn heartbeats(service: &Service) -> usize {
    service.json("/api/streams/gate/history?limit=1000")["heartbeats"].as_array().expect("heartbeats").len()
}

fn until_there_are(service: &Service, count: usize) {
    common::service::wait_until(|| heartbeats(service) >= count);
}

#[track_caller]
fn exits_with(code: i32, output: &Output) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_runs_is_backed_up_and_restored_elsewhere() {
    let simulator = simulator().await;
    let site = Site::new(&config(&simulator));
    let service = site.start();
    until_there_are(&service, 2);
    // What a user of that directory could put there to have root read it.
    let evidence = site.state().join("evidence");
    std::fs::create_dir_all(&evidence).expect("a directory");
    std::fs::write(evidence.join("7-1.jpg"), b"a picture").expect("written");
    std::fs::write(evidence.join("notes.txt"), b"not ours").expect("written");
    symlink("/etc/hostname", evidence.join("7-2.jpg")).expect("a link");

    let file = site.path().join("backup.tar");
    let name = file.to_str().expect("a name");
    let told = exits_with(0, &site.run(&["backup", name]));
    assert!(told.contains("1 pictures of incidents") && told.contains("passwords"), "{told}");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let there = heartbeats(&service);
    let again = exits_with(73, &site.run(&["backup", name]));
    assert!(again.contains("is there already; choose another name, or --replace it"), "{again}");
    exits_with(0, &site.run(&["backup", name, "--replace"]));
    let piped = site.run(&["backup", "-"]);
    assert_eq!(piped.status.code(), Some(0));
    std::fs::write(site.path().join("piped.tar"), &piped.stdout).expect("written");
    exits_with(0, &site.run(&["restore", "--check", site.path().join("piped.tar").to_str().expect("a name")]));
    let left: Vec<_> =
        std::fs::read_dir(site.path()).expect("a directory").map(|file| file.expect("a file").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("backup.tar.")), "left behind: {left:?}");

    let beside = exits_with(69, &site.run(&["restore", name]));
    assert!(beside.contains("in use by a StreamPulse that runs; stop it ("), "{beside}");
    service.stop();

    // Another machine, on which something ran already.
    let other = Site::new("# Of before.\nstreams: []\n");
    other.start().stop();
    let told = exits_with(0, &other.run(&["restore", "--check", name]));
    assert!(
        told.contains("sound") && std::fs::read_to_string(other.config()).expect("a file").contains("Of before"),
        "{told}"
    );
    let told = exits_with(0, &other.run(&["restore", name]));
    let aside =
        told.split_once("What was there before is in ").and_then(|(_, rest)| rest.split_once(';')).expect(&told).0;
    assert!(Path::new(aside).join("streampulse.db").exists());
    assert!(std::fs::read_to_string(Path::new(aside).join("config.yaml")).expect("a file").contains("Of before"));
    assert_eq!(std::fs::read_to_string(other.config()).expect("a file"), config(&simulator));
    assert_eq!(std::fs::read(other.state().join("evidence/7-1.jpg")).expect("a picture"), b"a picture");
    assert!(!other.state().join("evidence/7-2.jpg").exists() && !other.state().join("evidence/notes.txt").exists());
    // The account, its password and the history came along, and it goes on.
    let service = other.start();
    until_there_are(&service, there + 1);
    let audit = service.json("/api/audit");
    assert!(audit.to_string().contains("backup.restore"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_goes_is_in_the_backup_itself() {
    let simulator = simulator().await;
    let site = Site::new("").without("STREAMPULSE_STATE_DIR");
    let state = site.state();
    site.configure(&format!("{}storage: {{path: {}}}\n", config(&simulator), state.display()));
    let service = site.start();
    until_there_are(&service, 1);
    let file = site.path().join("backup.tar");
    let name = file.to_str().expect("a name");
    exits_with(0, &site.run(&["backup", name]));
    service.stop();
    std::fs::remove_dir_all(&state).expect("removed");
    std::fs::remove_file(site.config()).expect("removed");
    let told = exits_with(0, &site.run(&["restore", name]));
    assert!(!told.contains("What was there before"), "{told}");
    let service = site.start();
    until_there_are(&service, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_changes_nothing() {
    let site = Site::new("streams: []\n");
    let missing = exits_with(66, &site.run(&["backup", site.path().join("b.tar").to_str().expect("a name")]));
    assert!(missing.contains("there is no database yet"), "{missing}");
    site.start().stop();
    let file = site.path().join("backup.tar");
    let name = file.to_str().expect("a name");
    exits_with(0, &site.run(&["backup", name]));
    let whole = std::fs::read(&file).expect("a file");
    let before = std::fs::read(site.database()).expect("a database");

    let broken = site.path().join("broken.tar");
    let broken_name = broken.to_str().expect("a name");
    let mut changed = whole.clone();
    let config_at = 512;
    changed[config_at] ^= 1;
    for (bytes, what) in [
        (&whole[..whole.len() / 2], "it is no whole archive"),
        (changed.as_slice(), "config.yaml is not what was backed up"),
        (b"something else".repeat(100).as_slice(), "it is no"),
        (b"", "it ends too early, or is no backup of StreamPulse"),
    ] {
        std::fs::write(&broken, bytes).expect("written");
        for arguments in [vec!["restore", "--check", broken_name], vec!["restore", broken_name]] {
            let said = exits_with(65, &site.run(&arguments));
            assert!(said.contains(what) && said.contains("nothing was changed"), "{said}");
        }
    }
    exits_with(66, &site.run(&["restore", "/nonexistent.tar"]));
    assert_eq!(std::fs::read(site.database()).expect("a database"), before);
    let left: Vec<_> =
        std::fs::read_dir(site.state()).expect("a directory").map(|file| file.expect("a file").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("restore")), "left behind: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_leads_to_the_first_sign_in() {
    let site = Site::new("streams: []\n").without("STREAMPULSE_ADMIN_PASSWORD_FILE");
    let before = exits_with(69, &site.run(&["setup"]));
    assert!(before.contains("does not run") && before.contains("start it "), "{before}");
    // One that is waited for is found when it is there.
    let waiting = site.command(&["setup", "--wait", "60"]).stdout(Stdio::piped()).spawn().expect("a process");
    let service = site.start();
    let found = waiting.wait_with_output().expect("an end");
    assert!(found.status.success() && String::from_utf8_lossy(&found.stdout).contains("runs."), "{found:?}");
    let password = std::fs::read_to_string(site.state().join("initial-password")).expect("a password");
    let told = exits_with(0, &site.run(&["setup"]));
    assert!(told.contains(password.trim()) && told.contains("cameras     none yet"), "{told}");
    service.stop();
    site.configure("streams: nonsense\n");
    let wrong = exits_with(78, &site.run(&["setup"]));
    assert!(wrong.contains("config.yaml:1: streams") && wrong.contains("next: correct it"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_stays_as_it_is_until_the_service_starts() {
    let site = Site::new("streams: []\n");
    site.start().stop();
    let schema = |site: &Site| -> i64 {
        let connection = rusqlite::Connection::open(site.database()).expect("a database");
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a number")
    };
    let newest = schema(&site);
    rusqlite::Connection::open(site.database())
        .and_then(|connection| connection.pragma_update(None, "user_version", newest - 1))
        .expect("an older one");
    let file = site.path().join("backup.tar");
    let name = file.to_str().expect("a name");
    exits_with(0, &site.run(&["backup", name]));
    let other = Site::new("streams: []\n");
    // Left behind by one that was killed.
    std::fs::create_dir_all(other.state().join("restore-0123456789abcdef/evidence")).expect("a directory");
    let told = exits_with(0, &other.run(&["restore", name]));
    assert!(told.contains(&format!("schema {}", newest - 1)), "{told}");
    assert_eq!(schema(&other), newest - 1);
    assert!(!other.state().join("restore-0123456789abcdef").exists());
}
