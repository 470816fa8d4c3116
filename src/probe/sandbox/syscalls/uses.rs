//! System calls of which some uses are denied.
//!
//! Each argument that is looked at here is an `int` to the kernel, which does not read its upper half; neither do these.

use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::Rules;

/// The rules of all of them.
pub(super) fn rules() -> anyhow::Result<Rules> {
    Ok(Rules::from([
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, writing(1)?),
        (libc::SYS_openat, writing(2)?),
        (libc::SYS_clone, processes_and_namespaces()?),
        (libc::SYS_fcntl, signals_and_locks()?),
        (libc::SYS_ioctl, requests()?),
        (libc::SYS_socket, sockets()?),
        (libc::SYS_socketpair, vec![all([other_than(0, libc::AF_UNIX)])?]),
        // An abort signals its own process.
        (libc::SYS_tgkill, vec![all([other_than(0, std::process::id().cast_signed())])?]),
        (libc::SYS_prlimit64, vec![all([other_than(0, 0)])?]),
    ]))
}

/// What one argument has to be: its number, how it is compared, and with what.
type Condition = (u8, SeccompCmpOp, u32);

fn equal(argument: u8, value: u32) -> Condition {
    (argument, SeccompCmpOp::Eq, value)
}

fn other_than(argument: u8, value: i32) -> Condition {
    (argument, SeccompCmpOp::Ne, value.cast_unsigned())
}

fn bits(argument: u8, mask: i32, value: i32) -> Condition {
    (argument, SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned())), value.cast_unsigned())
}

/// Denies a call for which all of this holds.
fn all(conditions: impl IntoIterator<Item = Condition>) -> anyhow::Result<SeccompRule> {
    let compiled = conditions.into_iter().map(|(argument, operator, value)| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, u64::from(value))
    });
    Ok(SeccompRule::new(compiled.collect::<Result<_, _>>()?)?)
}

/// Denies a call with one of these values.
fn any_of(argument: u8, values: impl IntoIterator<Item = u32>) -> anyhow::Result<Vec<SeccompRule>> {
    values.into_iter().map(|value| all([equal(argument, value)])).collect()
}

fn writing(flags: u8) -> anyhow::Result<Vec<SeccompRule>> {
    let mode = libc::O_ACCMODE;
    let denied = [
        (mode, libc::O_WRONLY),
        (mode, libc::O_RDWR),
        (mode, mode),
        (libc::O_CREAT, libc::O_CREAT),
        (libc::O_TRUNC, libc::O_TRUNC),
    ];
    denied.into_iter().map(|(mask, value)| all([bits(flags, mask, value)])).collect()
}

fn processes_and_namespaces() -> anyhow::Result<Vec<SeccompRule>> {
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let mut rules = namespaces.into_iter().map(|flag| all([bits(0, flag, flag)])).collect::<Result<Vec<_>, _>>()?;
    // A thread shares the memory; what does not would be a new process.
    rules.push(all([bits(0, libc::CLONE_THREAD, 0)])?);
    Ok(rules)
}

/// A descriptor can be made to send any signal to any process of the same user, and a lock for reading on the database
/// or its index keeps the monitor from writing (fcntl(2)).
fn signals_and_locks() -> anyhow::Result<Vec<SeccompRule>> {
    const F_SETOWN: i32 = 8;
    const F_SETSIG: i32 = 10;
    const F_SETOWN_EX: i32 = 15;
    let signals = [F_SETOWN, F_SETSIG, F_SETOWN_EX, libc::F_NOTIFY];
    let locks = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW, libc::F_SETLEASE];
    any_of(1, signals.into_iter().chain(locks).map(i32::cast_unsigned))
}

/// The same by `ioctl`, and what changes a terminal or a file through a descriptor that is for reading. The numbers are
/// those of `<asm-generic/ioctls.h>`, `<asm-generic/sockios.h>` and `<linux/fs.h>`.
fn requests() -> anyhow::Result<Vec<SeccompRule>> {
    const FIOSETOWN: u32 = 0x8901;
    const SIOCSPGRP: u32 = 0x8902;
    const TCSETS: u32 = 0x5402;
    const TCSETSW: u32 = 0x5403;
    const TCSETSF: u32 = 0x5404;
    const TIOCSCTTY: u32 = 0x540e;
    const TIOCSPGRP: u32 = 0x5410;
    // Types into the terminal.
    const TIOCSTI: u32 = 0x5412;
    const TIOCLINUX: u32 = 0x541c;
    const TIOCNOTTY: u32 = 0x5422;
    const TIOCSETD: u32 = 0x5423;
    let signals = [FIOSETOWN, SIOCSPGRP];
    let terminal = [TCSETS, TCSETSW, TCSETSF, TIOCSCTTY, TIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCNOTTY, TIOCSETD];
    let mut rules = any_of(1, signals.into_iter().chain(terminal))?;
    // Attributes, encryption and verity of files ('f'), of XFS ('X') and of Btrfs.
    for kind in [i32::from(b'f'), i32::from(b'X'), 0x94] {
        rules.push(all([bits(1, 0xff00, kind << 8)])?);
    }
    Ok(rules)
}

/// The network over TCP and UDP, and what names and addresses need: `AF_UNIX` for the services that the C library may
/// ask for a name (nscd, systemd-resolved, avahi), the routes of `AF_NETLINK` for `getaddrinfo` and GLib, the events
/// there for libudev. Other families and protocols would load parts of the kernel that nobody here uses.
fn sockets() -> anyhow::Result<Vec<SeccompRule>> {
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK];
    let inet = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP];
    let netlink = [libc::NETLINK_ROUTE, libc::NETLINK_KOBJECT_UEVENT];
    let protocols = |family: i32, allowed: &[i32]| {
        let others = allowed.iter().map(|protocol| other_than(2, *protocol));
        all(std::iter::once(equal(0, family.cast_unsigned())).chain(others))
    };
    Ok(vec![
        all(families.map(|family| other_than(0, family)))?,
        protocols(libc::AF_INET, &inet)?,
        protocols(libc::AF_INET6, &inet)?,
        protocols(libc::AF_NETLINK, &netlink)?,
    ])
}
