//! Three hundred cameras, what is broken about them, and when that was.

use std::time::Duration;

use streampulse::clock::{Clock as _, SystemClock};
use streampulse::simulator::{Counts, Fault, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::faults::{FAULTS, of_protocol};
use crate::judge::{Findings, Transition};
use crate::random::Random;
use crate::site::{HEARTBEAT_SECONDS, RETRY_SECONDS, Site, TIMEOUT_SECONDS};

/// How many there are.
pub const CAMERAS: usize = 300;
/// Every fifth sends MJPEG.
const MJPEG_EVERY: usize = 5;
/// Every third is sound.
pub const SOUND_EVERY: usize = 3;
/// So many are broken at once, at most.
const BROKEN: usize = 30;
/// So long, in seconds.
const BROKEN_SECONDS: std::ops::Range<usize> = 45..150;

/// A worker that is stuck in what a camera sends is killed, and what it had open with it: one session of so many.
const LOST_OF: usize = 1_000;

/// What a camera is called.
pub fn name_of(number: usize) -> String {
    format!("cam{number}")
}

/// One that never breaks: whatever is recorded of it has no cause.
fn is_sound(number: usize) -> bool {
    number.is_multiple_of(SOUND_EVERY)
}

fn is_mjpeg(number: usize) -> bool {
    number.is_multiple_of(MJPEG_EVERY)
}

/// A verdict may be so much later than what it is about: the probe that was running, the next one, the one that
/// confirms, and waiting for a place.
const LATEST: Duration = Duration::from_secs(HEARTBEAT_SECONDS + RETRY_SECONDS + 2 * TIMEOUT_SECONDS + 10);

/// A camera that was broken for a time.
struct Episode {
    camera: usize,
    fault: Fault,
    from_ms: i64,
    /// `None` while it is.
    to_ms: Option<i64>,
    /// The second of the run in which it is healed.
    until_second: u64,
}

impl Episode {
    fn end_ms(&self) -> i64 {
        self.to_ms.unwrap_or(i64::MAX)
    }
}

/// They.
pub struct Cameras {
    simulator: Simulator,
    episodes: Vec<Episode>,
}

/// Milliseconds since 1970, as the database has them.
pub fn now_ms() -> i64 {
    SystemClock.now().as_millisecond()
}

impl Cameras {
    /// All of them, healthy.
    pub async fn start() -> Self {
        let cameras = (0..CAMERAS).map(|number| {
            if is_mjpeg(number) {
                SimulatedCamera::mjpeg(name_of(number), clips::pool_mjpeg())
            } else {
                SimulatedCamera::rtsp(name_of(number), clips::gate()).start(Start::Live)
            }
        });
        let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.unwrap();
        Self { simulator, episodes: Vec::new() }
    }

    /// Names and addresses.
    pub fn urls(&self) -> impl Iterator<Item = (&str, String)> {
        self.simulator.names().iter().map(|name| (name.as_str(), self.simulator.url(name)))
    }

    /// Heals whose time has come, and breaks another one, or not.
    pub async fn break_and_heal(&mut self, second: u64, random: &mut Random) {
        // All are drawn, whatever becomes of them, so that a seed gives the same again.
        let (camera, coin, fault) = (random.below(CAMERAS), random.below(2), *random.one_of(&FAULTS));
        let seconds = BROKEN_SECONDS.start + random.below(BROKEN_SECONDS.len());
        self.heal(|episode| episode.until_second <= second).await;
        let broken = self.episodes.iter().filter(|episode| episode.to_ms.is_none()).count();
        // One that was healed a moment ago would be hard to judge.
        let lately =
            |episode: &Episode| episode.camera == camera && episode.until_second + 2 * LATEST.as_secs() > second;
        if coin == 0 || broken >= BROKEN || is_sound(camera) || self.episodes.iter().any(lately) {
            return;
        }
        let fault = of_protocol(fault, is_mjpeg(camera));
        self.simulator.set_fault(&name_of(camera), Some(fault)).await.unwrap();
        let until_second = second + seconds as u64;
        self.episodes.push(Episode { camera, fault, from_ms: now_ms(), to_ms: None, until_second });
    }

    /// Heals all.
    pub async fn heal_all(&mut self) {
        self.heal(|_| true).await;
    }

    async fn heal(&mut self, which: impl Fn(&Episode) -> bool) {
        for episode in self.episodes.iter_mut().filter(|episode| episode.to_ms.is_none()) {
            if which(episode) {
                self.simulator.set_fault(&name_of(episode.camera), None).await.unwrap();
                episode.to_ms = Some(now_ms());
            }
        }
    }

    /// Waits until nothing is open any more, for a while: the sessions that are.
    pub async fn open_sessions(&self) -> usize {
        let mut open = 0;
        for name in self.simulator.names() {
            let none_open = |counts: &Counts| counts.sessions_open + counts.http_sessions_open == 0;
            let counts = self.simulator.counts_when(name, Duration::from_secs(5), none_open).await;
            open += counts.map_or_else(|counts| counts.sessions_open + counts.http_sessions_open, |_| 0);
        }
        open
    }

    /// For the eye.
    pub fn line(&self) -> String {
        let broken = self.episodes.iter().filter(|episode| episode.to_ms.is_none()).count();
        format!("{broken:>2} broken, {:>3} healed", self.episodes.len() - broken)
    }

    /// What the recorded changes say beside what was so, and whether all were hung up on.
    pub fn judge(&self, transitions: &[Transition], open: usize, site: &Site, findings: &mut Findings) {
        let false_ones: Vec<String> =
            transitions.iter().filter(|transition| !self.has_cause(transition)).map(Transition::to_string).collect();
        findings.add("no change of state without a cause", false_ones.is_empty(), || {
            let few: Vec<&str> = false_ones.iter().take(10).map(String::as_str).collect();
            let all = format!("{} changes, {} without", transitions.len(), false_ones.len());
            if few.is_empty() { all } else { format!("{all}: {}", few.join("; ")) }
        });
        let to_be_told: Vec<&Episode> =
            self.episodes.iter().filter(|episode| self.had_to_be_told(episode, site)).collect();
        let untold: Vec<String> = to_be_told
            .iter()
            .filter(|episode| !transitions.iter().any(|transition| tells(transition, episode)))
            .map(|episode| format!("{} {:?}", name_of(episode.camera), episode.fault))
            .collect();
        findings.add("every fault told", untold.is_empty(), || {
            let told = format!("{} of {}", to_be_told.len() - untold.len(), to_be_told.len());
            if untold.is_empty() { told } else { format!("{told}, without {}", untold.join(", ")) }
        });
        let total = self.simulator.total();
        let sessions = total.sessions_opened - total.sessions_cut;
        let lost = sessions.saturating_sub(total.teardowns);
        findings.add("every session ended with TEARDOWN", lost * LOST_OF <= sessions, || {
            format!("{sessions} sessions, {lost} without; {} workers were replaced", site.workers_replaced())
        });
        findings.add("nothing left open", open == 0, || format!("{open} sessions"));
    }

    fn has_cause(&self, transition: &Transition) -> bool {
        let window = transition.at_ms - LATEST.as_millis() as i64..=transition.at_ms;
        let mut of_camera = self.episodes.iter().filter(|episode| transition.stream == name_of(episode.camera));
        if transition.is_up() {
            // Not while it was broken all the time.
            return !of_camera.any(|episode| episode.from_ms <= *window.start() && episode.end_ms() >= *window.end());
        }
        of_camera.any(|episode| episode.from_ms <= *window.end() && episode.end_ms() >= *window.start())
    }

    /// True when it was broken for long enough, watched by one and the same service, and not taken out meanwhile.
    fn had_to_be_told(&self, episode: &Episode, site: &Site) -> bool {
        let (from_ms, to_ms) = (episode.from_ms, episode.end_ms());
        let interrupted = site.interruptions_of(episode.camera);
        to_ms - from_ms > LATEST.as_millis() as i64 && !interrupted.iter().any(|at_ms| (from_ms..to_ms).contains(at_ms))
    }
}

fn tells(transition: &Transition, episode: &Episode) -> bool {
    !transition.is_up()
        && transition.stream == name_of(episode.camera)
        && (episode.from_ms..episode.end_ms().saturating_add(5_000)).contains(&transition.at_ms)
}
