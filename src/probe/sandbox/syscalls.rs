//! The filter of system calls (seccomp).
//!
//! A list of what is denied: decoders and the C library call too much, and different things on every release, for a
//! list of what is allowed. A filter has one action, so there are three, and the strictest that matches counts.

use std::collections::BTreeMap;

use anyhow::Context as _;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Nobody calls these by mistake.
const DEADLY: [i64; 3] = [libc::SYS_execve, libc::SYS_execveat, libc::SYS_ptrace];

/// The C library takes the older call instead, whose flags can be seen; these keep them in memory.
const UNKNOWN: [i64; 2] = [libc::SYS_openat2, libc::SYS_clone3];

/// Reaching into other processes, into the kernel, or changing files without opening them.
const FORBIDDEN: &[i64] = &[
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_truncate,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_open_by_handle_at,
];

/// The same by their older names, which only some architectures have.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_OLDER: &[i64] = &[
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_fork,
    libc::SYS_vfork,
];
#[cfg(target_arch = "aarch64")]
const FORBIDDEN_OLDER: &[i64] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FORBIDDEN_OLDER: &[i64] = &[];

/// Puts the filters in force, for every thread and for good.
pub(super) fn filter() -> anyhow::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .with_context(|| format!("there is no filter for {}", std::env::consts::ARCH))?;
    let always = |calls: &[i64]| -> Rules { calls.iter().map(|call| (*call, Vec::new())).collect() };
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let mut forbidden = always(FORBIDDEN);
    forbidden.extend(always(FORBIDDEN_OLDER));
    forbidden.extend(conditional()?);
    let filters = [
        (always(&UNKNOWN), errno(libc::ENOSYS)),
        (forbidden, errno(libc::EPERM)),
        (always(&DEADLY), SeccompAction::KillProcess),
    ];
    for (rules, action) in filters {
        let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?;
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// Calls of which some uses are denied.
fn conditional() -> anyhow::Result<Rules> {
    let bits = |argument, mask: i32, value: i32| -> anyhow::Result<SeccompRule> {
        let operator = SeccompCmpOp::MaskedEq(u64::from(mask.unsigned_abs()));
        let value = u64::from(value.unsigned_abs());
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    };
    let other_than = |argument, value: u64| -> anyhow::Result<SeccompRule> {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    };
    let writing = |flags| -> anyhow::Result<Vec<SeccompRule>> {
        let mode = libc::O_ACCMODE;
        Ok(vec![
            bits(flags, mode, libc::O_WRONLY)?,
            bits(flags, mode, libc::O_RDWR)?,
            bits(flags, mode, mode)?,
            bits(flags, libc::O_CREAT, libc::O_CREAT)?,
            bits(flags, libc::O_TRUNC, libc::O_TRUNC)?,
        ])
    };
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let mut clone = namespaces.into_iter().map(|flag| bits(0, flag, flag)).collect::<Result<Vec<_>, _>>()?;
    // A thread shares the memory; what does not would be a new process.
    clone.push(bits(0, libc::CLONE_THREAD, 0)?);
    let mut rules = Rules::from([
        (libc::SYS_openat, writing(2)?),
        (libc::SYS_clone, clone),
        // An abort signals its own process.
        (libc::SYS_tgkill, vec![other_than(0, u64::from(std::process::id()))?]),
        (libc::SYS_prlimit64, vec![other_than(0, 0)?]),
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, writing(1)?);
    Ok(rules)
}
