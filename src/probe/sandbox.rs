//! What a worker takes away from itself before it reads the first byte of a camera.
//!
//! Layers that do not need one another: limits, Landlock where the kernel has it (Raspberry Pi OS ships without), and a
//! filter of system calls. The worker does it to itself, as its first act, when it has one thread; only the worker with the
//! hardware decoders opens their devices before.

#[cfg(target_pointer_width = "64")]
mod syscalls;

use std::io;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// File descriptors a worker may hold: a receive stage over UDP needs about a dozen.
const MAX_FILES: u64 = 8_192;

/// A worker is replaced after some thousands of probes of a few hundredths of a second; one that comes here is lost.
const MAX_CPU_SECONDS: u64 = 4 * 3_600;

/// Before the name of a layer that could not be put in force; what prevented it follows.
const MISSING: &str = "without ";

/// A layer that is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing<'a> {
    /// Its name: `seccomp`, `landlock`.
    pub layer: &'a str,
    /// Why it is missing, one clause.
    pub why: &'a str,
}

impl<'a> Missing<'a> {
    /// Reads one of the layers of [`enter`]; `None` when it is in force.
    pub fn of(layer: &'a str) -> Option<Self> {
        let (layer, why) = layer.strip_prefix(MISSING)?.split_once(": ")?;
        Some(Self { layer, why })
    }

    /// What code that a camera smuggles into a worker could do without it; for an operator.
    pub fn meaning(self) -> &'static str {
        match self.layer {
            "seccomp" => {
                "code that a camera smuggles into a worker could do whatever the service's user may, start programs \
                 and write files included"
            }
            _ => {
                "seccomp alone keeps code that a camera smuggles into a worker from starting programs, writing files and \
                 signalling other processes"
            }
        }
    }

    /// True when the layers that are left do not make up for it.
    pub fn is_serious(self) -> bool {
        self.layer == "seccomp"
    }
}

/// Keeps processes of the same user out of this one's memory and environment, which hold passwords, and makes no core
/// dump of it. Without it a worker could read them in `/proc` (proc(5), ptrace(2): `PTRACE_MODE_READ`). A program that
/// is started begins without it.
///
/// Where `/proc` is mounted with `hidepid`, as `ProtectProc=` of systemd does, nobody but root can open anything in
/// `/proc` of such a process: a worker hides when the monitor has opened what it needs.
///
/// # Errors
/// When the kernel refuses, which none does.
pub fn hide_memory() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Limits the calling process for good and says which layers are active. One that cannot be put in force is in the list,
/// too: see [`Missing`].
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
    layers.push(landlock());
    layers.push(seccomp());
    Ok(layers)
}

#[cfg(target_pointer_width = "64")]
fn seccomp() -> String {
    match syscalls::filter() {
        Ok(()) => "seccomp".to_owned(),
        Err(error) => format!("{MISSING}seccomp: {error}"),
    }
}

/// The library has no filter for 32-bit ARM; the other layers hold there.
#[cfg(not(target_pointer_width = "64"))]
fn seccomp() -> String {
    format!("{MISSING}seccomp: there is no filter for {}", std::env::consts::ARCH)
}

/// No writing to any file, no program started, no signal to other processes. Reading stays: plugins, certificates and
/// the resolver's files lie all over the system. The best that this kernel can do.
fn landlock() -> String {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_write(ABI::V5) | AccessFs::Execute)
        .and_then(|rules| rules.scope(Scope::Signal))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match status.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => "landlock".to_owned(),
        Ok(RulesetStatus::PartiallyEnforced) => "landlock (what this kernel has of it)".to_owned(),
        Ok(RulesetStatus::NotEnforced) => format!("{MISSING}landlock: this kernel has none"),
        Err(error) => format!("{MISSING}landlock: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_in_force_or_missing() {
        for layer in ["seccomp", "landlock (what this kernel has of it)", "no core dumps", "no_new_privs"] {
            assert_eq!(Missing::of(layer), None, "{layer}");
        }
        let missing = Missing::of("without seccomp: there is no filter for arm").expect("missing");
        assert_eq!(missing, Missing { layer: "seccomp", why: "there is no filter for arm" });
        assert!(missing.is_serious());
        assert!(!Missing::of("without landlock: this kernel has none").expect("missing").is_serious());
    }
}
