//! `make soak`: three hundred cameras that break and heal at random, a broker and a service that are restarted, a
//! configuration that changes, and dashboards that look on, for a chosen time. Memory, threads, file descriptors,
//! processes and the growth of the database must stay flat, every session be ended with TEARDOWN, and no change of state
//! be recorded that had no cause. Ends with 1 when one of these is not so.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a program for the terminal")]
#![allow(clippy::disallowed_methods, reason = "a soak is measured by the clock")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use streampulse::clock::{Clock as _, SystemClock};

#[path = "soak/cameras.rs"]
mod cameras;
#[path = "soak/clients.rs"]
mod clients;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "soak/faults.rs"]
mod faults;
#[path = "soak/gauges.rs"]
mod gauges;
#[path = "soak/judge.rs"]
mod judge;
#[path = "figures/machine.rs"]
#[allow(dead_code, reason = "the figures use more of it")]
mod machine;
#[path = "soak/random.rs"]
mod random;
#[path = "figures/service.rs"]
mod service;
#[path = "soak/site.rs"]
mod site;

use cameras::Cameras;
use clients::Clients;
use gauges::{Gauges, Times};
use judge::Findings;
use random::Random;
use site::Site;

const TICK: Duration = Duration::from_secs(1);
const GAUGE_EVERY: u64 = 5;
const RELOAD_EVERY: u64 = 30;
const BROKER_EVERY: u64 = 180;
/// For so long the broker is away.
const BROKER_AWAY: u64 = 15;
/// After a start, until memory is compared: every worker has then seen its share of cameras at once.
const WARM: u64 = 90;
/// For so long nothing is broken, twice on the way.
const CALM: u64 = 240;
/// Of that, until a worker that one of them had to itself is gone: five clean probes, and two minutes without a need for it.
const SETTLED: u64 = 210;
/// For so long nothing is broken at the end, when everything has to be up.
const END: u64 = 60;
/// After a start, until each camera has been probed.
const FIRST_ROUND: u64 = 20;
/// Two restarts, what is compared between them, and the calm at the end need so long.
const SHORTEST: u64 = 1_080;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let minutes: u64 = arguments.next().map_or(60, |text| text.parse().expect("minutes"));
    let seed = arguments.next().map_or_else(Random::seed_of_now, |text| text.parse().expect("a seed"));
    let seconds = (minutes * 60).max(SHORTEST);
    let machine = machine::describe();
    println!("{machine} {}\n{} minutes, seed {seed}\n", SystemClock.now().strftime("%Y-%m-%d"), seconds / 60);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let findings = runtime.block_on(soak(seconds, Random::from(seed)));
    if findings.print() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak(seconds: u64, mut random: Random) -> Findings {
    let mut cameras = Cameras::start().await;
    let mut site = Site::start(&cameras);
    let clients = Clients::start(site.address(), site.token());
    let mut gauges = Gauges::default();
    // Between them the service is one and the same, so that growth shows.
    let restarts = [seconds / 6, seconds - END - 60];
    let steady = restarts[0] + WARM..restarts[1];
    // What memory cameras take that are broken is theirs, and never the same: so there are times without.
    let calm = [steady.start + (steady.end - steady.start) / 4, steady.end - CALM].map(|begin| begin..begin + CALM);
    let (began, mut begun_at) = (Instant::now(), 0);
    for second in 0..seconds {
        let is_calm = calm.iter().any(|calm| calm.contains(&second));
        if second + END < seconds && !is_calm {
            cameras.break_and_heal(second, &mut random).await;
        } else {
            cameras.heal_all().await;
        }
        if restarts.contains(&second) {
            clients.pause();
            site.restart_service();
            clients.move_to(site.address());
            begun_at = second;
        }
        if second == begun_at + FIRST_ROUND {
            clients.go_on();
        }
        match second % BROKER_EVERY {
            BROKER_AWAY => site.broker_away(),
            twice if twice == 2 * BROKER_AWAY => site.broker_back(),
            _ => {}
        }
        if second % RELOAD_EVERY == RELOAD_EVERY - 1 && second + END < seconds {
            site.change(&cameras, &mut random);
        }
        if steady.contains(&second) && second % GAUGE_EVERY == 0 {
            let is_settled = calm.iter().any(|calm| (calm.start + SETTLED..calm.end).contains(&second));
            let times = match (is_calm, is_settled) {
                (false, _) => Times::Broken,
                (true, false) => Times::Healing,
                (true, true) => Times::Calm,
            };
            gauges.read(&site, times);
        }
        if second % 60 == 0 {
            println!("{:>4} min  {}  {}", second / 60, cameras.line(), gauges.line());
        }
        tokio::time::sleep((began + TICK * (second as u32 + 1)).saturating_duration_since(Instant::now())).await;
    }
    let answers = clients.stop();
    let (up, configured) = (site.up_in_the_end(), site.configured());
    let told = site.broker_is_reached();
    let missed = site.missed();
    let transitions = site.stop();
    let open = cameras.open_sessions().await;
    let mut findings = Findings::default();
    gauges.judge(&mut findings);
    cameras.judge(&transitions, open, &site, &mut findings);
    findings.add("every camera up in the end", up == configured, || format!("{up} of {configured}"));
    findings.add("no heartbeat missed", missed == 0.0, || format!("{missed} since the last start"));
    findings.add("the broker has all", told.is_ok(), || told.clone().unwrap_or_else(|why| why));
    findings.add("dashboards are served", answers.refused == 0 && answers.events > 0, || {
        format!("{} answers, {} events, {} refused", answers.answered, answers.events, answers.refused)
    });
    findings
}
