//! What must stay flat.

use crate::judge::Findings;
use crate::machine::{Memory, family, median};
use crate::site::Site;

/// Growth that is none: the last quarter of the time beside the first. Workers are replaced now and then, and cameras
/// that break at random are not the same ones. A worker more or less is none either: cameras that hold one up get one of
/// their own.
const RATIO: f64 = 1.10;
const PROCESSES: f64 = 2.0;
const THREADS: f64 = 20.0;
const DESCRIPTORS: f64 = 40.0;
const MEGABYTES: f64 = 20.0;
const MONITOR_MEGABYTES: f64 = 5.0;
/// Bytes a heartbeat, with everything that is kept beside it: incidents and what was said in them, transitions, hours.
const HEARTBEAT_BYTES: f64 = 100.0;

type Gauge = fn(&Reading) -> f64;

/// What is going on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Cameras break and heal.
    Broken,
    /// Nothing is broken any more.
    Healing,
    /// Nothing is broken, and has not been for a while.
    Calm,
}

/// One look.
struct Reading {
    times: Times,
    /// Heap and stacks of the service without its workers.
    monitor_mb: f64,
    pss_mb: f64,
    anonymous_mb: f64,
    threads: f64,
    descriptors: f64,
    processes: f64,
    database_bytes: f64,
    heartbeats: f64,
}

/// All looks.
#[derive(Default)]
pub struct Gauges(Vec<Reading>);

impl Gauges {
    /// Looks at every process of the service and at its database.
    pub fn read(&mut self, site: &Site, times: Times) {
        let pid = site.pid();
        let Memory { pss_mb, anonymous_mb } = Memory::of(pid);
        let monitor_mb = Memory::of_one(pid).anonymous_mb;
        let pids = family(pid);
        let entries = |of: &str| -> f64 {
            let count = |pid: &u32| std::fs::read_dir(format!("/proc/{pid}/{of}")).map_or(0, Iterator::count);
            pids.iter().map(count).sum::<usize>() as f64
        };
        self.0.push(Reading {
            times,
            monitor_mb,
            pss_mb,
            anonymous_mb,
            threads: entries("task"),
            descriptors: entries("fd"),
            processes: pids.len() as f64,
            database_bytes: site.database_bytes(),
            heartbeats: site.heartbeats(),
        });
    }

    /// For the eye.
    pub fn line(&self) -> String {
        self.0.last().map_or_else(String::new, |last| {
            format!(
                "{:.0} MB ({:.0} MB heap and stacks, {:.0} MB without workers), {} threads, {} descriptors, {} processes",
                last.pss_mb, last.anonymous_mb, last.monitor_mb, last.threads, last.descriptors, last.processes
            )
        })
    }

    /// Of the time while cameras break, the first quarter beside the last one; and the first calm time beside the last one.
    pub fn judge(&self, findings: &mut Findings) {
        let broken: Vec<&Reading> = self.0.iter().filter(|reading| reading.times == Times::Broken).collect();
        let quarter = broken.len() / 4;
        let (first, last) = (&broken[..quarter], &broken[broken.len() - quarter..]);
        let gauges: [(&str, Gauge, f64, &str); 6] = [
            ("memory flat (PSS)", |it| it.pss_mb, MEGABYTES, " MB"),
            ("memory flat (heap and stacks)", |it| it.anonymous_mb, MEGABYTES, " MB"),
            ("memory flat without the workers", |it| it.monitor_mb, MONITOR_MEGABYTES, " MB"),
            ("threads flat", |it| it.threads, THREADS, ""),
            ("file descriptors flat", |it| it.descriptors, DESCRIPTORS, ""),
            ("processes flat", |it| it.processes, PROCESSES, ""),
        ];
        for (what, gauge, slack, unit) in gauges {
            let [before, after] = [first, last].map(|readings| median(readings.iter().copied().map(gauge).collect()));
            let medians = format!("{unit} (medians of a quarter)");
            findings.add(what, is_flat(before, after, slack), || told(before, after, &medians));
        }
        let mut calm = self.0.chunk_by(|a, b| a.times == b.times).filter(|readings| readings[0].times == Times::Calm);
        let (first, last) = (calm.next().unwrap(), calm.next_back().unwrap());
        let [before, after] =
            [first, last].map(|readings| median(readings.iter().map(|it| it.anonymous_mb).collect::<Vec<_>>()));
        findings.add("memory flat while nothing is broken", is_flat(before, after, MEGABYTES), || {
            told(before, after, " MB of heap and stacks")
        });
        let largest = self.0.iter().map(|it| it.pss_mb).fold(0.0, f64::max);
        println!("\nmost memory, with what the cameras sent at that time: {largest:.0} MB");
        let (begin, middle, end) = (&self.0[0], &self.0[self.0.len() / 2], &self.0[self.0.len() - 1]);
        let bytes = |from: &Reading, to: &Reading| {
            (to.database_bytes - from.database_bytes) / (to.heartbeats - from.heartbeats)
        };
        let (first, second) = (bytes(begin, middle), bytes(middle, end));
        findings.add("database grows by heartbeats alone", first.max(second) <= HEARTBEAT_BYTES, || {
            format!("{first:.1} bytes a heartbeat in the first half, {second:.1} in the second")
        });
    }
}

fn is_flat(before: f64, after: f64, slack: f64) -> bool {
    after <= (before * RATIO).max(before + slack)
}

fn told(before: f64, after: f64, unit: &str) -> String {
    format!("{before:.0}, in the end {after:.0}{unit}, ratio {:.2}", after / before)
}
