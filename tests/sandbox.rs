//! What a worker cannot do any more. Each attempt runs in a process of its own, which puts itself into the sandbox.

#[cfg(target_pointer_width = "64")]
#[path = "sandbox/calls.rs"]
mod calls;
mod common;
#[cfg(target_pointer_width = "64")]
#[path = "sandbox/inside.rs"]
mod inside;

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};

use common::service::{Site, wait_until};
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
    #[cfg(target_pointer_width = "64")]
    if what == "stand-still" {
        inside::be_traced();
    }
    sandbox::enter().expect("sandbox");
    let done = match what {
        "write" => std::fs::OpenOptions::new().append(true).open(argument).is_ok(),
        "replace" => std::fs::File::create(argument).is_ok(),
        "remove" => std::fs::remove_file(argument).is_ok(),
        "read" => std::fs::read(argument).is_ok(),
        "open" => std::fs::File::open(argument).is_ok(),
        "start" => Command::new(argument).spawn().is_ok(),
        "become" => Command::new(argument).exec().kind() != std::io::ErrorKind::PermissionDenied,
        "attach" => ptrace::attach(pid).is_ok(),
        "signal" => nix::sys::signal::kill(pid, None).is_ok(),
        "thread" => std::thread::spawn(|| ()).join().is_ok(),
        #[cfg(target_pointer_width = "64")]
        "stand-still" => inside::stand_still(),
        other => panic!("{other}"),
    };
    std::process::exit(if done { DONE } else { DENIED });
}

/// The process that makes an attempt.
fn process(attempt: &str, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "attempt", "--test-threads=1"]).env(ATTEMPT, format!("{attempt} {argument}"));
    command
}

fn attempted(attempt: &str, argument: &str) -> ExitStatus {
    process(attempt, argument).output().expect("a process").status
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

/// The rule of its own: without a new process before, which is denied already.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_worker_that_becomes_another_program_is_killed() {
    let status = attempted("become", "/bin/true");
    assert_eq!(status.signal(), Some(nix::libc::SIGSYS), "{status}");
}

/// Calls with any arguments, made in a process that is in the sandbox.
#[cfg(target_pointer_width = "64")]
mod any_call {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use nix::errno::Errno;
    use nix::libc;

    use super::calls::{FORBIDDEN, FORBIDDEN_OLDER};
    use super::inside::Inside;

    /// The filter sees 64 bits of an argument of which the kernel takes 32.
    const UPPER_BIT: u64 = 1 << 32;

    fn number(value: i32) -> u64 {
        u64::from(value.unsigned_abs())
    }

    #[test]
    fn forbidden_calls_answer_eperm_whatever_the_arguments() {
        let mut inside = Inside::new();
        assert!(inside.call(libc::SYS_getpid, &[]).is_ok(), "others work");
        let numbers = FORBIDDEN.iter().chain(FORBIDDEN_OLDER);
        let passed: Vec<_> = numbers
            .map(|call| (*call, inside.call(*call, &[u64::MAX; 6])))
            .filter(|(_, answer)| *answer != Err(Errno::EPERM))
            .collect();
        assert!(passed.is_empty(), "{passed:?}");
    }

    #[test]
    fn a_file_that_is_open_for_reading_keeps_mode_owner_time_and_locks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, "streams: []\n").expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
        let facts = || {
            let seen = path.metadata().expect("its facts");
            (seen.mode(), seen.uid(), seen.gid(), seen.ctime(), seen.ctime_nsec())
        };
        let before = facts();
        let mut inside = Inside::with_input(File::open(&path).expect("open").into());
        let mut denied = |call, arguments: &[u64]| {
            assert_eq!(inside.call(call, arguments), Err(Errno::EPERM), "call {call} {arguments:x?}");
        };
        denied(libc::SYS_fchmod, &[0, 0o666]);
        denied(libc::SYS_fchown, &[0, 1, 1]);
        denied(libc::SYS_utimensat, &[0, 0, 0, 0]);
        denied(libc::SYS_ioctl, &[0, 0x4008_6602]); // FS_IOC_SETFLAGS
        denied(libc::SYS_ioctl, &[0, 0x4008_6602 | UPPER_BIT]);
        // A lock for reading keeps the monitor from writing.
        denied(libc::SYS_flock, &[0, number(libc::LOCK_SH)]);
        let locks = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW, libc::F_SETLEASE];
        for command in locks {
            denied(libc::SYS_fcntl, &[0, number(command), 0]);
            denied(libc::SYS_fcntl, &[0, number(command) | UPPER_BIT, 0]);
        }
        assert_eq!(facts(), before);
    }

    #[test]
    fn no_signal_is_sent_through_a_file_or_the_terminal() {
        let mut inside = Inside::new();
        let monitor = u64::from(std::process::id());
        // F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY.
        for command in [8, 10, 15, 1026] {
            for command in [command, command | UPPER_BIT] {
                assert_eq!(
                    inside.call(libc::SYS_fcntl, &[0, command, monitor]),
                    Err(Errno::EPERM),
                    "fcntl {command:x}"
                );
            }
        }
        // FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSPGRP, TIOCSCTTY, TIOCNOTTY, TIOCSETD, TCSETS, TCSETSW, TCSETSF.
        let requests = [0x8901, 0x8902, 0x5412, 0x541c, 0x5410, 0x540e, 0x5422, 0x5423, 0x5402, 0x5403, 0x5404];
        for request in requests {
            for request in [request, request | UPPER_BIT] {
                assert_eq!(inside.call(libc::SYS_ioctl, &[0, request]), Err(Errno::EPERM), "ioctl {request:x}");
            }
        }
        assert!(inside.call(libc::SYS_fcntl, &[0, number(libc::F_GETFL)]).is_ok());
        let readable = inside.call(libc::SYS_ioctl, &[0, libc::FIONREAD]);
        assert!(matches!(readable, Err(Errno::ENOTTY | Errno::EFAULT)), "{readable:?}");
    }

    #[test]
    fn sockets_are_those_that_cameras_and_names_need() {
        let mut inside = Inside::new();
        let (stream, datagram, raw) = (number(libc::SOCK_STREAM), number(libc::SOCK_DGRAM), number(libc::SOCK_RAW));
        let mut socket = |family: i32, kind, protocol| {
            let opened = inside.call(libc::SYS_socket, &[number(family), kind, protocol]);
            let upper = inside.call(libc::SYS_socket, &[number(family) | UPPER_BIT, kind, protocol | UPPER_BIT]);
            assert_eq!(opened == Err(Errno::EPERM), upper == Err(Errno::EPERM), "{family}");
            opened
        };
        for (family, kind, protocol) in [
            (libc::AF_INET, stream, 0),
            (libc::AF_INET, stream, 6),
            (libc::AF_INET, datagram, 17),
            (libc::AF_INET6, stream, 6),
            (libc::AF_INET6, datagram, 0),
            (libc::AF_UNIX, stream, 0),
            (libc::AF_NETLINK, raw, 0),
        ] {
            // A machine may have no IPv6.
            let opened = socket(family, kind, protocol);
            assert!(opened.is_ok() || opened == Err(Errno::EAFNOSUPPORT), "{family} {protocol}: {opened:?}");
        }
        let (sctp, netfilter) = (132, 12);
        for (family, kind, protocol) in [
            (libc::AF_PACKET, raw, 0),
            (libc::AF_VSOCK, stream, 0),
            (libc::AF_ALG, number(libc::SOCK_SEQPACKET), 0),
            (libc::AF_BLUETOOTH, raw, 0),
            (libc::AF_CAN, raw, 1),
            (libc::AF_INET, stream, sctp),
            (libc::AF_INET6, stream, sctp),
            (libc::AF_NETLINK, raw, netfilter),
        ] {
            assert_eq!(socket(family, kind, protocol), Err(Errno::EPERM), "{family} {protocol}");
        }
        let mut pair = |family| inside.call(libc::SYS_socketpair, &[number(family), stream, 0]);
        assert_eq!(pair(libc::AF_UNIX), Err(Errno::EFAULT), "only the place for the two is missing");
        for family in [libc::AF_INET, libc::AF_TIPC] {
            assert_eq!(pair(family), Err(Errno::EPERM));
        }
    }

    #[test]
    fn there_is_no_new_namespace() {
        let mut inside = Inside::new();
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWPID] {
            assert_eq!(inside.call(libc::SYS_unshare, &[number(flag)]), Err(Errno::EPERM), "unshare {flag:x}");
            let thread = libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
            for flags in [flag | libc::SIGCHLD, flag | thread] {
                assert_eq!(inside.call(libc::SYS_clone, &[number(flags)]), Err(Errno::EPERM), "clone {flags:x}");
            }
        }
    }
}

/// Refuses these calls to this thread and what it starts, as a kernel that does not have them.
#[cfg(target_pointer_width = "64")]
fn refuse(calls: &[i64]) {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().expect("a filter for this machine");
    let errno = SeccompAction::Errno(nix::libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, arch).expect("a filter");
    seccompiler::apply_filter(&BpfProgram::try_from(filter).expect("a filter")).expect("in force");
}

/// Runs it where root may not look into every process, as the service's user may not, and without Landlock, which keeps
/// a worker out of processes that are not in it, as on Raspberry Pi OS.
fn without_root_s_eyes_and_landlock(run: impl FnOnce() + Send) {
    use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // The latter two may read since Linux 6.14 what the first may. Who is not root has none of them to lose.
            for capability in [CapabilitySet::SYS_PTRACE, CapabilitySet::PERFMON, CapabilitySet::SYS_ADMIN] {
                let _ = remove_capability_from_bounding_set(capability);
            }
            #[cfg(target_pointer_width = "64")]
            refuse(&[nix::libc::SYS_landlock_create_ruleset]);
            run();
        });
        thread.join().expect("it ran");
    });
}

/// Passwords are in there.
#[test]
fn a_worker_sees_into_no_memory() {
    let site = Site::new("streams: []\nprobe: {workers: 2}\n");
    without_root_s_eyes_and_landlock(|| {
        // It ends with its input.
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a process");
        let environment = |pid: u32| attempted("open", &format!("/proc/{pid}/environ")).code();
        assert_eq!(environment(other.id()), Some(DONE), "of another process of this user it may");
        let service = site.start();
        let pids = service.json("/api/health")["workers"]["pids"].clone();
        let mut pids: Vec<u32> = serde_json::from_value(pids).expect("pids");
        assert_eq!(pids.len(), 2);
        pids.push(service.pid());
        for pid in pids {
            // A worker waits for the first word of the monitor, so that this can measure its memory.
            wait_until(|| environment(pid) == Some(DENIED));
            expect_denied("open", &format!("/proc/{pid}/mem"));
        }
        drop(other.stdin.take());
        other.wait().expect("its end");
    });
}

#[test]
fn health_shows_what_is_in_force() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let workers = service.json("/api/health")["workers"].clone();
    let shown = |key: &str| workers[key].as_array().unwrap_or_else(|| panic!("{key}: {workers}")).clone();
    for layer in ["no_new_privs", "no core dumps", "at most 14400 s of CPU"] {
        assert!(shown("sandbox").contains(&layer.into()), "{layer}: {workers}");
    }
    let is_missing = |layer: &str| shown("sandbox_missing").iter().any(|missing| missing["layer"] == layer);
    let has_filter = cfg!(target_pointer_width = "64");
    assert_eq!(shown("sandbox").contains(&"seccomp".into()), has_filter, "{workers}");
    assert_eq!(is_missing("seccomp"), !has_filter, "{workers}");
    let has_landlock = shown("sandbox").iter().any(|layer| layer.as_str().is_some_and(|it| it.starts_with("landlock")));
    assert_eq!(is_missing("landlock"), !has_landlock, "{workers}");
}

/// As on a kernel that has neither, or in a container that allows neither.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_missing_layer_is_in_the_log_and_in_health() {
    let site = Site::new("streams: []\n");
    let service = std::thread::scope(|scope| {
        let started = scope.spawn(|| {
            refuse(&[nix::libc::SYS_landlock_create_ruleset, nix::libc::SYS_seccomp]);
            site.start()
        });
        started.join().expect("a service")
    });
    let log = service.log();
    let line = |layer: &str| log.lines().find(|line| line.contains(&format!("run without {layer} ("))).expect(layer);
    assert!(line("seccomp").contains("WARN") && line("seccomp").contains("start programs"), "{log}");
    assert!(line("landlock").contains("INFO"), "{log}");
    let workers = service.json("/api/health")["workers"].clone();
    let missing: Vec<_> = workers["sandbox_missing"].as_array().expect("a list").iter().collect();
    assert_eq!(
        missing.iter().map(|one| one["layer"].as_str()).collect::<Vec<_>>(),
        [Some("landlock"), Some("seccomp")]
    );
    assert!(missing.iter().all(|one| one["because"].is_string() && one["meaning"].is_string()), "{workers}");
    let in_force = workers["sandbox"].as_array().expect("a list");
    assert!(in_force.iter().all(|layer| layer != "seccomp" && layer != "landlock"), "{workers}");
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
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("a process");
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.split_whitespace().take(2).map(|value| value.parse::<u64>().expect(name)).max().expect(name)
        };
        assert_eq!(limit("Max core file size"), 0);
        assert!(limit("Max open files") <= 8_192, "{limits}");
        assert!(limit("Max cpu time") <= 4 * 3_600, "{limits}");
    }
    pool.close().await;
}
