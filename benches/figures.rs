//! The figures of the product, measured: `make bench`, or one of them by name: `make bench ONLY=keyframe`; the fleet for
//! as long as you like: `make bench ONLY="fleet 600"`; the history of as many days as there is room for: `make bench
//! ONLY="history 7"` (5 GB for 30 days).
//!
//! CPU is what the kernel charges the worker processes, peers what it charges the finished children of this process;
//! the simulated cameras run in this process and are in neither.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a program for the terminal")]

use streampulse::clock::{Clock as _, SystemClock};
use streampulse::simulator::Start;

#[path = "figures/api.rs"]
mod api;
#[path = "../tests/browser/mod.rs"]
mod browser;
#[path = "figures/checks.rs"]
mod checks;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "figures/dashboard.rs"]
mod dashboard;
#[path = "figures/faults.rs"]
mod faults;
#[path = "figures/fleet.rs"]
mod fleet;
#[path = "figures/growth.rs"]
mod growth;
#[path = "figures/history.rs"]
mod history;
#[path = "figures/life.rs"]
mod life;
#[path = "figures/machine.rs"]
mod machine;
#[path = "figures/mqtt.rs"]
mod mqtt;
#[path = "figures/photographs.rs"]
mod photographs;
#[path = "figures/picture.rs"]
mod picture;
#[path = "figures/report.rs"]
mod report;
#[path = "figures/service.rs"]
#[allow(dead_code, reason = "the soak uses more of it")]
mod service;
#[path = "soak/faults.rs"]
mod soak_faults;
#[path = "figures/watched.rs"]
mod watched;
#[path = "figures/whole.rs"]
mod whole;

fn main() {
    // cargo passes `--bench`; what is left is the name of a figure.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let only = arguments.next();
    let seconds = arguments.next().map_or(120, |text| text.parse().unwrap());
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name == only);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let machine = format!("{} {}", machine::describe(), SystemClock.now().strftime("%Y-%m-%d"));
    println!("{machine}\n");
    let mut report = report::Report::default();
    if wanted("keyframe") {
        runtime.block_on(picture::keyframe_first(&mut report));
    }
    if wanted("mid-gop") {
        runtime.block_on(picture::mid_gop(&mut report));
    }
    if wanted("start") {
        runtime.block_on(whole::first_verdict(&mut report));
    }
    if wanted("idle") {
        runtime.block_on(whole::idle(seconds, &mut report));
    }
    if wanted("thousand") {
        runtime.block_on(whole::cameras(1_000, 15, seconds, &mut report));
    }
    if only.as_deref() == Some("two-thousand") {
        runtime.block_on(whole::cameras(2_000, 15, seconds, &mut report));
    }
    if only.as_deref() == Some("life") {
        runtime.block_on(life::of_a_worker(seconds));
    }
    if wanted("growth") {
        runtime.block_on(growth::of_a_stream(&mut report));
    }
    if wanted("faults") {
        runtime.block_on(faults::verdicts());
    }
    if wanted("checks") {
        checks::table();
    }
    if wanted("history") {
        let days = if only.is_some() && seconds != 120 { i64::try_from(seconds).unwrap() } else { 30 };
        runtime.block_on(history::answers(days, &mut report));
    }
    if wanted("fleet") {
        runtime.block_on(fleet::hundred_cameras(seconds, 0, Start::Live));
    }
    if wanted("api") {
        runtime.block_on(api::under_load(seconds.min(30)));
    }
    if wanted("dashboard") {
        runtime.block_on(dashboard::of(watched::CAMERAS, watched::HEARTBEAT_SECONDS, seconds.min(30)));
    }
    if only.as_deref() == Some("dashboard-five-thousand") {
        // As many probes a second.
        runtime.block_on(dashboard::of(5 * watched::CAMERAS, 5 * watched::HEARTBEAT_SECONDS, seconds.min(75)));
    }
    if wanted("mqtt") {
        runtime.block_on(mqtt::of_a_thousand(seconds.min(30)));
    }
    if wanted("hostile") {
        runtime.block_on(fleet::among_hostile(seconds));
    }
    report.finish(&machine, only.is_none());
}
