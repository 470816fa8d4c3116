//! Starting a worker process: its socket, its environment, its registry.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::{PoolError, PoolOptions};

/// Scanning every installed plugin for the first time takes seconds on a Pi.
const WARM_UP: Duration = Duration::from_secs(60);

/// What a worker gets of our environment; everything else stays here.
const PASSED_ON: [&str; 10] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "GST_DEBUG",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
    "GST_PLUGIN_SCANNER",
    "LIBVA_DRIVER_NAME",
    "LIBVA_DRIVERS_PATH",
    "TZ",
];

fn command(options: &PoolOptions) -> Command {
    let mut command = Command::new(&options.program);
    command.arg0("streampulse-worker").arg("worker").kill_on_drop(true).env_clear();
    // A Ctrl+C in the terminal is for the monitor, which ends its workers in order.
    command.process_group(0);
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
        .env("LANG", "C.UTF-8")
        .env("GST_REGISTRY", &options.registry)
        .env("GIO_USE_PROXY_RESOLVER", "dummy")
        .env("GIO_USE_VFS", "local")
        .env("GSETTINGS_BACKEND", "memory")
        // glibc would give each of hundreds of threads an arena of its own.
        .env("MALLOC_ARENA_MAX", "2")
        // And map every block of 128 KiB and more anew: pictures and their parts are.
        .env("MALLOC_MMAP_THRESHOLD_", "8388608")
        // And give back all but 128 KiB of what is free at the end of the heap, to fault it in again several times a probe.
        .env("MALLOC_TRIM_THRESHOLD_", "8388608")
        .stdout(Stdio::null())
        // What libraries print may hold anything, a password included.
        .stderr(Stdio::null());
    command
}

/// Starts a worker; the socket is its standard input.
pub fn worker(options: &PoolOptions, with_hardware: bool) -> std::io::Result<(Child, UnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = command(options)
        .arg("--decode-slots")
        .arg(options.decode_slots.to_string())
        .args(with_hardware.then_some("--hardware"))
        .args(options.in_background.then_some("--background"))
        .env("GST_REGISTRY_UPDATE", "no")
        // A worker cannot start the plugin scanner: without a registry it looks itself.
        .env("GST_REGISTRY_FORK", "no")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

/// Lets GStreamer look for plugins once, so that sandboxed workers need not.
pub async fn warm_registry(options: &PoolOptions) -> Result<(), PoolError> {
    if let Some(directory) = options.registry.parent() {
        // Without a directory the workers look for plugins themselves, which is slow but works.
        let _ = tokio::fs::create_dir_all(directory).await;
    }
    let mut child = command(options).arg("--warm-registry").stdin(Stdio::null()).spawn().map_err(PoolError::Start)?;
    match tokio::time::timeout(WARM_UP, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(_)) | Err(_) => Err(PoolError::Mute),
        Ok(Err(error)) => Err(PoolError::Start(error)),
    }
}

/// A quarter of the machine's memory for all workers, between 160 MiB and 700 MiB each.
pub fn memory_limit_bytes(workers: usize) -> u64 {
    const MIB: u64 = 1024 * 1024;
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let share = total.map_or(700 * MIB, |kib| kib * 1024 / 4 / workers.max(1) as u64);
    share.clamp(160 * MIB, 700 * MIB)
}

/// How much memory a worker holds. Opened at its hello: afterwards it hides from the service's user, see
/// [`hide_memory`](crate::probe::sandbox::hide_memory).
pub struct Resident(Option<File>);

impl Resident {
    /// Of this process.
    pub fn of(pid: u32) -> Self {
        let opened = File::open(format!("/proc/{pid}/statm"));
        if let Err(error) = &opened {
            tracing::warn!("cannot measure the memory of worker {pid}: {error}");
        }
        Self(opened.ok())
    }

    /// Resident bytes, `None` when the process is gone.
    pub fn bytes(&self) -> Option<u64> {
        let mut text = [0; 256];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}
