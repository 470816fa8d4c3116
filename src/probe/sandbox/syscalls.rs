//! The filter of system calls (seccomp).
//!
//! A list of what is denied: decoders and the C library call too much, and different things on every release, for a
//! list of what is allowed. A filter has one action, so there are several, and the strictest that matches counts.

mod denied;
mod uses;

use std::collections::BTreeMap;

use anyhow::Context as _;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters in force, for every thread and for good.
pub(super) fn filter() -> anyhow::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .with_context(|| format!("there is no filter for {}", std::env::consts::ARCH))?;
    let always = |calls: &[i64]| -> Rules { calls.iter().map(|call| (*call, Vec::new())).collect() };
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let mut forbidden = always(denied::FORBIDDEN);
    forbidden.extend(always(denied::FORBIDDEN_OLDER));
    forbidden.extend(uses::rules()?);
    let filters = [
        (always(&denied::UNKNOWN), errno(libc::ENOSYS)),
        (forbidden, errno(libc::EPERM)),
        (always(&denied::DEADLY), SeccompAction::KillProcess),
    ];
    #[cfg(target_arch = "x86_64")]
    seccompiler::apply_filter_all_threads(&without_x32())?;
    for (rules, action) in filters {
        let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?;
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// Denies the numbering of x32, in which every call has a second number: the same with this bit, as seccomp(2) warns.
/// The library compares whole numbers only, so this is written in the instructions of `<linux/bpf_common.h>`.
#[cfg(target_arch = "x86_64")]
fn without_x32() -> BpfProgram {
    use seccompiler::sock_filter;
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    // The number is the first word of `struct seccomp_data`; the other filters look at the architecture.
    vec![
        sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs() },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ]
}
