use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::model::Stream;
use crate::schedule::guard::{PAUSE, Verdict};
use crate::schedule::plan::tests::{config, stream};
use crate::schedule::start::Found;

const MIN: fn(u64) -> Duration = |minutes| Duration::from_secs(minutes * 60);

/// Cameras of one device, each with the one password that it takes, and the plan that probes them.
struct Site {
    plan: Plan,
    now: Duration,
    right: &'static str,
    /// When a password was refused, and whose.
    refused: Vec<(Duration, String)>,
    accepted: usize,
}

fn at(now: Duration) -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("time").checked_add(now).expect("time")
}

fn channels(urls: &[&str]) -> Vec<Stream> {
    urls.iter().enumerate().map(|(n, url)| stream(&format!("ch{n}"), url)).collect()
}

impl Site {
    fn new(right: &'static str, urls: &[&str]) -> Self {
        let mut site = Self { plan: Plan::new(64), now: MIN(0), right, refused: Vec::new(), accepted: 0 };
        site.configure(urls);
        site
    }

    fn configure(&mut self, urls: &[&str]) {
        self.plan.reconfigure(&config(channels(urls)), self.now);
    }

    /// Lets the device answer until then.
    fn run(&mut self, until: Duration) {
        while self.now < until {
            let starts = self.plan.due(self.now);
            let mut found = Vec::new();
            for start in &starts {
                let shown = start.stream.url.to_string();
                let given = start.stream.credentials.as_ref().map(|c| c.password.expose().to_owned());
                let right = given.as_deref() == Some(self.right) || shown.contains(&format!("password={}", self.right));
                let account = match self.plan.paused_until(&start.stream, self.now) {
                    Some(_) => Verdict::Unknown,
                    None if right => Verdict::Accepted,
                    None => Verdict::Refused,
                };
                self.refused.extend((account == Verdict::Refused).then(|| (self.now, start.stream.id.to_string())));
                self.accepted += usize::from(account == Verdict::Accepted);
                found.push((start.stream.id.clone(), account));
            }
            for (id, account) in found {
                let found = Found { picture: account == Verdict::Accepted, account, ..Found::default() };
                self.plan.finished(&id, self.now, at(self.now), found);
            }
            let next = self.plan.next_wake().unwrap_or(until).min(until);
            self.now = if starts.is_empty() { next.max(self.now + Duration::from_millis(1)) } else { self.now };
        }
    }

    /// The most refusals in any half hour so far.
    fn most(&self) -> usize {
        let within = |from: Duration| self.refused.iter().filter(|(at, _)| *at >= from && *at < from + PAUSE).count();
        self.refused.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }
}

const WRONG: [&str; 4] = [
    "rtsp://admin:a@nvr/1",
    "rtsp://admin:b@NVR/2",
    "http://nvr./snap?user=admin&password=c",
    "rtsp://nvr/user=admin&password=d&channel=4",
];

#[test]
fn four_wrong_passwords_of_one_account_do_not_lock_it() {
    let mut site = Site::new("right", &WRONG);
    site.run(MIN(5));
    assert!(site.refused.len() <= 3, "{:?}", site.refused);
    // The operator corrects them all, and sees it at once.
    let (before, fixed) = (site.now, ["rtsp://admin:right@nvr/1"; 4]);
    site.configure(&fixed);
    site.run(before + Duration::from_secs(20));
    assert!(site.accepted >= 4 && site.plan.paused(site.now).count() == 0, "{} {:?}", site.accepted, site.refused);
    site.run(MIN(60));
    assert!(site.refused.len() <= 3, "{:?}", site.refused);
}

#[test]
fn whatever_is_configured_a_device_sees_a_handful_of_refusals() {
    let mut site = Site::new("right", &WRONG);
    // Another guess every two minutes, for two hours.
    for guess in 0..60 {
        let urls: Vec<String> = (0..4).map(|n| format!("rtsp://admin:guess{guess}-{n}@nvr/{n}")).collect();
        site.configure(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        site.run(MIN(2) * (guess + 1));
    }
    assert!(site.most() <= 4, "{:?}", site.refused);
    assert!(site.refused.len() >= 4, "the guard does not go deaf: {:?}", site.refused);
}

#[test]
fn a_right_password_beside_a_wrong_one_goes_on_and_the_wrong_one_does_not() {
    let mut site = Site::new("right", &["rtsp://admin:wrong@nvr/1", "rtsp://admin:right@nvr/2"]);
    site.run(MIN(29));
    assert_eq!(site.refused.len(), 2, "{:?}", site.refused);
    assert!(site.accepted > 150, "{}", site.accepted);
    site.run(MIN(59));
    assert_eq!(site.refused.len(), 3, "one more after the pause: {:?}", site.refused);
}

#[test]
fn a_single_correction_is_tried_at_once_and_a_second_one_too() {
    let mut site = Site::new("right", &["rtsp://admin:old@nvr/1"]);
    site.run(MIN(1));
    assert_eq!(site.refused.len(), 2);
    site.configure(&["rtsp://admin:typo@nvr/1"]);
    site.run(MIN(2));
    assert_eq!(site.refused.len(), 3, "once, and then left alone");
    site.configure(&["rtsp://admin:right@nvr/1"]);
    site.run(MIN(2) + Duration::from_secs(20));
    assert!(site.accepted > 0);
}

#[test]
fn going_back_to_a_refused_password_is_no_change() {
    let mut site = Site::new("right", &["rtsp://admin:a@nvr/1"]);
    for minute in 1..=20 {
        site.run(MIN(minute));
        site.configure(
            &[["rtsp://admin:b@nvr/1", "rtsp://admin:a@nvr/1"][usize::try_from(minute % 2).expect("small")]],
        );
    }
    assert!(site.refused.len() <= 4, "{:?}", site.refused);
}

#[test]
fn an_account_in_the_query_is_guarded() {
    let mut site = Site::new("right", &["http://cam/snap.cgi?user=admin&password=wrong"]);
    site.run(MIN(29));
    assert_eq!(site.refused.len(), 2, "{:?}", site.refused);
    assert_eq!(site.plan.paused(site.now).count(), 1);
}

#[test]
fn without_credentials_there_is_nothing_to_guard() {
    let mut site = Site::new("right", &["rtsp://cam/1"]);
    site.run(MIN(5));
    assert!(site.refused.len() > 20 && site.plan.paused(site.now).count() == 0);
    assert!(site.plan.take_refusals().is_none());
}

#[test]
fn the_limit_survives_a_restart() {
    let mut site = Site::new("right", &WRONG);
    site.run(MIN(5));
    let (seen, remembered) = (site.refused.len(), site.plan.take_refusals().expect("refusals"));
    let mut after = Site { plan: Plan::new(64), ..Site::new("right", &[]) };
    after.plan.restore(remembered, MIN(0), at(MIN(6)));
    after.configure(&WRONG);
    after.run(MIN(20));
    assert!(seen + after.refused.len() <= 3, "{seen} and {:?}", after.refused);
    after.configure(&["rtsp://admin:right@nvr/1"]);
    after.run(MIN(21));
    assert!(after.accepted > 0);
}
