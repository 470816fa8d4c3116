//! System calls made inside a process that is in the sandbox, any call with any arguments, as code that a camera smuggled
//! into a worker could make them. A tracer puts them into the registers of that process; the kernel asks the filter after
//! the tracer (seccomp(2)), so it sees what a worker's own call would be.

use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

type Registers = nix::libc::user_regs_struct;

/// A process in the sandbox that stands still and makes the calls that it is told to.
pub struct Inside {
    child: Child,
    /// The one of its threads that is traced.
    thread: Pid,
    registers: Registers,
}

/// In the process itself: this thread is traced from now on, which the sandbox does not change.
pub fn be_traced() {
    ptrace::traceme().expect("traced");
}

/// In the process itself, in the sandbox: hands itself over. The registers stand behind a system call now.
/// Nobody lets it go on from there by itself.
pub fn stand_still() -> bool {
    nix::sys::signal::raise(Signal::SIGSTOP).is_ok()
}

impl Inside {
    /// One whose standard input is this. Every call has to come from the thread that made it.
    pub fn with_input(input: Stdio) -> Self {
        let child = super::process("stand-still", "-").stdin(input).spawn().expect("a process");
        // A thread, too, but none of another test.
        let any = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        match waitpid(None, Some(any)).expect("its end or its stop") {
            WaitStatus::Stopped(thread, Signal::SIGSTOP) => {
                let registers = ptrace::getregs(thread).expect("registers");
                Self { child, thread, registers }
            }
            other => panic!("not in the sandbox and traced: {other:?}"),
        }
    }

    /// One without an input.
    pub fn new() -> Self {
        Self::with_input(Stdio::null())
    }

    /// Makes a call; what it gives back. Panics when the process is killed for it.
    pub fn call(&mut self, number: i64, arguments: &[u64]) -> Result<i64, Errno> {
        let result = self.make(number, arguments).unwrap_or_else(|| panic!("killed for call {number} {arguments:x?}"));
        if (-4095..0).contains(&result) { Err(Errno::from_raw(-result as i32)) } else { Ok(result) }
    }

    /// `None` when the process is killed for it.
    pub fn make(&mut self, number: i64, arguments: &[u64]) -> Option<i64> {
        let mut registers = self.registers;
        put(&mut registers, number as u64, arguments);
        ptrace::setregs(self.thread, registers).expect("registers");
        // To the entrance of the call, and to its end.
        for _ in 0..2 {
            ptrace::syscall(self.thread, None).expect("goes on");
            match waitpid(self.thread, Some(WaitPidFlag::__WALL)).expect("its end or its stop") {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
                WaitStatus::Stopped(_, Signal::SIGSYS) | WaitStatus::Signaled(_, Signal::SIGSYS, _) => return None,
                other => panic!("call {number}: {other:?}"),
            }
        }
        Some(result(&ptrace::getregs(self.thread).expect("registers")))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // The process has ended when its tracer has seen the end of the thread.
        while let Ok(WaitStatus::Stopped(..)) = waitpid(self.thread, Some(WaitPidFlag::__WALL)) {}
        let _ = self.child.wait();
    }
}

/// Back onto the instruction that makes system calls (two bytes), with another call.
#[cfg(target_arch = "x86_64")]
fn put(registers: &mut Registers, number: u64, arguments: &[u64]) {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    registers.rip -= 2;
    registers.rax = number;
    // No call to restart.
    registers.orig_rax = u64::MAX;
    (registers.rdi, registers.rsi, registers.rdx) = (argument(0), argument(1), argument(2));
    (registers.r10, registers.r8, registers.r9) = (argument(3), argument(4), argument(5));
}

#[cfg(target_arch = "x86_64")]
fn result(registers: &Registers) -> i64 {
    registers.rax.cast_signed()
}

/// Back onto the instruction that makes system calls (four bytes), with another call.
#[cfg(target_arch = "aarch64")]
fn put(registers: &mut Registers, number: u64, arguments: &[u64]) {
    registers.pc -= 4;
    registers.regs[8] = number;
    for index in 0..6 {
        registers.regs[index] = arguments.get(index).copied().unwrap_or(0);
    }
}

#[cfg(target_arch = "aarch64")]
fn result(registers: &Registers) -> i64 {
    registers.regs[0].cast_signed()
}
