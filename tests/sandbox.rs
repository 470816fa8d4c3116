//! What a worker cannot do any more. Each attempt runs in a process of its own, which puts itself into the sandbox.

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use common::{pool, request};
use nix::sys::ptrace;
use nix::unistd::Pid;
use streampulse::model::Outcome;
use streampulse::probe::{Prober as _, sandbox};
use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, clips};

/// Says to this program which attempt it is.
const ATTEMPT: &str = "STREAMPULSE_TEST_ATTEMPT";

const DENIED: i32 = 40;
const DONE: i32 = 41;

/// In the process that makes an attempt: makes it and ends. Elsewhere: nothing.
#[test]
#[allow(clippy::disallowed_methods, reason = "this process is an attempt and nothing else")]
fn attempt() {
    let Ok(attempt) = std::env::var(ATTEMPT) else { return };
    let (what, argument) = attempt.split_once(' ').expect("an argument");
    let pid = Pid::from_raw(argument.parse().unwrap_or(0));
    sandbox::enter().expect("sandbox");
    let done = match what {
        "write" => std::fs::OpenOptions::new().append(true).open(argument).is_ok(),
        "replace" => std::fs::File::create(argument).is_ok(),
        "remove" => std::fs::remove_file(argument).is_ok(),
        "read" => std::fs::read(argument).is_ok(),
        "start" => Command::new(argument).spawn().is_ok(),
        "attach" => ptrace::attach(pid).is_ok(),
        "signal" => nix::sys::signal::kill(pid, None).is_ok(),
        "thread" => std::thread::spawn(|| ()).join().is_ok(),
        other => panic!("{other}"),
    };
    std::process::exit(if done { DONE } else { DENIED });
}

fn attempted(attempt: &str, argument: &str) -> ExitStatus {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "attempt", "--test-threads=1"])
        .env(ATTEMPT, format!("{attempt} {argument}"))
        .output()
        .expect("a process")
        .status
}

/// Denied, or killed for it.
fn expect_denied(attempt: &str, argument: &str) {
    let status = attempted(attempt, argument);
    let killed = status.signal() == Some(nix::libc::SIGSYS);
    assert!(status.code() == Some(DENIED) || killed, "{attempt} {argument}: {status}");
}

#[test]
fn a_worker_changes_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, "streams: []\n").expect("written");
    let path = config.display().to_string();
    assert_eq!(attempted("read", &path).code(), Some(DONE), "it may read");
    for attempt in ["write", "replace", "remove"] {
        expect_denied(attempt, &path);
    }
    expect_denied("replace", &directory.path().join("new").display().to_string());
    assert_eq!(std::fs::read_to_string(&config).expect("still there"), "streams: []\n");
}

#[test]
fn a_worker_starts_no_program_and_touches_no_process() {
    assert_eq!(attempted("thread", "-").code(), Some(DONE), "it may have threads");
    expect_denied("start", "/bin/true");
    let monitor = std::process::id().to_string();
    expect_denied("attach", &monitor);
    expect_denied("signal", &monitor);
}

/// The pool's workers are in it, and work.
#[tokio::test(flavor = "multi_thread")]
async fn the_workers_of_the_pool_are_in_the_sandbox() {
    let camera = SimulatedCamera::rtsp("gate", clips::gate());
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
    let pool = pool().await;
    let probed = pool.probe(request("gate", &simulator.url("gate"))).await;
    assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    let measures = pool.measures();
    assert!(measures.sandbox.iter().any(|layer| layer == "seccomp"), "{:?}", measures.sandbox);
    for pid in measures.worker_pids {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        assert!(status.lines().any(|line| line == "Seccomp:\t2"), "{status}");
        assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    }
    pool.close().await;
}
