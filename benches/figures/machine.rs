//! What the kernel says of machine and processes.

use std::time::Duration;

/// CPU model and cores.
pub fn describe() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} × {cores},", model.unwrap_or("unknown processor"))
}

/// User and system time of a living process.
pub fn cpu(pid: u32) -> Duration {
    ticks(&format!("/proc/{pid}/stat"), 13)
}

/// User and system time of a process and all its descendants: those that live, and those that ended and were waited for.
pub fn total_cpu(pid: u32) -> Duration {
    family(pid).into_iter().map(|pid| cpu(pid) + ticks(&format!("/proc/{pid}/stat"), 15)).sum()
}

/// User and system time of this process's children that were waited for.
pub fn children_cpu() -> Duration {
    ticks("/proc/self/stat", 15)
}

/// The sum of two neighbouring fields of proc_pid_stat(5), counted from 0.
fn ticks(file: &str, field: usize) -> Duration {
    // One that has ended meanwhile has none.
    let Ok(stat) = std::fs::read_to_string(file) else { return Duration::ZERO };
    // The name in parentheses may hold spaces.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    let two: u64 = fields[field - 2..field].iter().map(|text| text.parse::<u64>().unwrap()).sum();
    Duration::from_secs_f64(two as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// What all processors did since the machine started, in ticks: nothing, and anything at all (proc_stat(5)).
pub fn idle() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let all: Vec<f64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|text| text.parse().unwrap()).collect();
    // Guests are counted among the first two, too.
    (all[3] + all[4], all[..8].iter().sum())
}

/// A process and all its descendants.
pub fn family(pid: u32) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut next = 0;
    while next < pids.len() {
        let threads = std::fs::read_dir(format!("/proc/{}/task", pids[next])).into_iter().flatten().flatten();
        for thread in threads {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    pids
}

/// What a process and its descendants hold.
pub struct Memory {
    /// Proportional set size, MB: of pages that processes share, their share. Depends on who else runs.
    pub pss_mb: f64,
    /// The part of it that is no file: heap and stacks, MB.
    pub anonymous_mb: f64,
}

impl Memory {
    /// Asks the kernel.
    pub fn of(pid: u32) -> Self {
        Self::of_all(&family(pid))
    }

    /// Without descendants.
    pub fn of_one(pid: u32) -> Self {
        Self::of_all(&[pid])
    }

    fn of_all(pids: &[u32]) -> Self {
        let rollups: Vec<String> = pids
            .iter()
            .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default())
            .collect();
        let sum_mb = |field: &str| {
            let lines = rollups.iter().flat_map(|rollup| rollup.lines()).filter(|line| line.starts_with(field));
            let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            kib.sum::<u64>() as f64 * 1024.0 / 1e6
        };
        Self { pss_mb: sum_mb("Pss:"), anonymous_mb: sum_mb("Pss_Anon:") }
    }
}

/// The middle one of an odd number of values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
