//! The lines of docs/api.md work as they stand there.

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::service::Site;
use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, clips};

/// The shell blocks of a page, each with the number of its first line.
fn shell_blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut block, line) {
            (None, "```sh") => block = Some((number + 2, String::new())),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some((_, text)), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_to_copy_works() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).expect("the page");
    let simulator = Simulator::start(SimulatorOptions::new([SimulatedCamera::rtsp("gate", clips::pattern_h264())]));
    let simulator = simulator.await.expect("a simulator");
    let config = format!(
        "heartbeat_seconds: 10\nstreams:\n  - {{name: Gate, id: gate, group: Front, url: '{}'}}\n",
        simulator.url_with_credentials("gate")
    );
    let site = Site::new(&config);
    let made = site.run(&["token", "create", "page", "--role", "admin"]);
    let token = String::from_utf8(made.stdout).expect("a token");
    let mut command = site.command(&["user", "add", "anna"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("run");
    child.stdin.take().expect("standard input").write_all(b"correct horse battery\n").expect("write");
    assert!(child.wait().expect("its end").success());
    let service = site.start();
    service.streams_when(|streams| streams["gate"]["state"] == "up");

    let blocks = shell_blocks(&page);
    assert!(blocks.len() > 10, "found only {} blocks: the reader is broken", blocks.len());
    let mut script = String::from("set -euo pipefail\n");
    for (number, text) in &blocks {
        let text = text.replace("http://localhost:6969", &format!("http://{}", service.address()));
        // Addresses of nobody, which a machine may wait for a long time.
        let text = text.replace("192.0.2.", "127.9.9.");
        let made_here = "TOKEN=$(sudo streampulse token create my-script --role admin)";
        let text = text.replace(made_here, &format!("TOKEN={}", token.trim()));
        script.push_str(&format!("at=\"line {number}\"\n{text}"));
    }
    let script = format!("trap 'echo \"failed in the block of ${{at-}}: $BASH_COMMAND\" >&2' ERR\n{script}");
    let folder = tempfile::tempdir().expect("a folder");
    let done = Command::new("bash").arg("-c").arg(&script).current_dir(folder.path()).output().expect("bash");
    let said = format!("{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "the page leaves {left:?} behind");
}
