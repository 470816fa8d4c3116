//! What a worker takes away from itself before it reads the first byte of a camera.
//!
//! Layers that do not need one another: limits, Landlock where the kernel has it (Raspberry Pi OS ships without), and a
//! filter of system calls. The worker does it to itself, as its first act, when it has one thread; only the worker with the
//! hardware decoders opens their devices before.

#[cfg(target_pointer_width = "64")]
mod syscalls;

use std::io;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, setrlimit};

/// File descriptors a worker may hold: a receive stage over UDP needs about a dozen.
const MAX_FILES: u64 = 8_192;

/// A worker is replaced after some thousands of probes of a few hundredths of a second; one that comes here is lost.
const MAX_CPU_SECONDS: u64 = 4 * 3_600;

/// Limits the calling process for good and says which layers are active.
///
/// # Errors
/// When the kernel refuses a limit that every Debian kernel has.
pub fn enter() -> io::Result<Vec<String>> {
    let mut layers = Vec::new();
    rustix::thread::set_no_new_privs(true)?;
    layers.push("no_new_privs".to_owned());
    // A core of a decoder holds pictures and passwords.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    layers.push("no core dumps".to_owned());
    for (resource, most) in [(Resource::Nofile, MAX_FILES), (Resource::Cpu, MAX_CPU_SECONDS)] {
        let most = rustix::process::getrlimit(resource).maximum.unwrap_or(most).min(most);
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        layers.push(match resource {
            Resource::Cpu => format!("at most {most} s of CPU"),
            _ => format!("at most {most} files"),
        });
    }
    if let Some(layer) = landlock() {
        layers.push(layer);
    }
    layers.push(seccomp());
    Ok(layers)
}

#[cfg(target_pointer_width = "64")]
fn seccomp() -> String {
    match syscalls::filter() {
        Ok(()) => "seccomp".to_owned(),
        Err(error) => format!("no seccomp: {error}"),
    }
}

/// The library has no filter for 32-bit ARM; the other layers hold there.
#[cfg(not(target_pointer_width = "64"))]
fn seccomp() -> String {
    format!("no seccomp: there is no filter for {}", std::env::consts::ARCH)
}

/// No writing to any file, no program started, no signal to other processes. Reading stays: plugins, certificates and
/// the resolver's files lie all over the system. The best that this kernel can do, `None` when it has no Landlock.
fn landlock() -> Option<String> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_write(ABI::V5) | AccessFs::Execute)
        .and_then(|rules| rules.scope(Scope::Signal))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match status.ok()?.ruleset {
        RulesetStatus::FullyEnforced => Some("landlock".to_owned()),
        RulesetStatus::PartiallyEnforced => Some("landlock (what this kernel has of it)".to_owned()),
        RulesetStatus::NotEnforced => None,
    }
}
