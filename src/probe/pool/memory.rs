//! What the pool remembers of streams: the transport that worked, who is a suspect, and whom hardware may decode.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::CLEAN_PROBES;
use crate::model::{Codec, Outcome, ProbeReport, Stage, Transport};

/// A stream that hardware could not decode is left to software for this long.
const REFUSED_FOR: Duration = Duration::from_secs(3_600);

/// After so many pictures of a stream by hardware the next is decoded in software. A hardware decoder hides damage and
/// does not say so; libav says what it had to conceal.
const SOFTWARE_EVERY: u32 = 20;

/// Of more streams than this nothing is remembered about hardware.
const MOST_STREAMS: usize = 10_000;

/// What is remembered of a stream.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The transport that brought media last.
    transport: Option<Transport>,
    /// Clean probes still to come before it may share a worker again.
    suspect_for: u32,
    hardware: Option<Hardware>,
}

/// What is remembered of a stream for the choice of a decoder.
#[derive(Clone, Debug)]
struct Hardware {
    codec: Option<Codec>,
    /// Until when no hardware decoder gets it, and why.
    refused: Option<(Instant, String)>,
    /// Pictures by hardware since the last in software.
    pictures: u32,
    /// Its last picture did not decode in software.
    is_damaged: bool,
}

/// Where a stream's next keyframe may be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// By hardware, if there is a decoder for its codec.
    Hardware,
    /// In software, because hardware could not: why.
    Refused(String),
    /// In software this time.
    Software,
}

impl Remembered {
    /// The transport to begin with.
    pub fn transport_for(&self, wanted: Transport) -> Transport {
        match (wanted, self.transport) {
            (Transport::Auto, Some(Transport::Udp)) => Transport::Udp,
            _ => wanted,
        }
    }

    /// True when it must run alone.
    pub fn is_suspect(&self) -> bool {
        self.suspect_for > 0
    }

    /// The codec of the last picture.
    pub fn codec(&self) -> Option<Codec> {
        self.hardware.as_ref().and_then(|hardware| hardware.codec)
    }

    /// Where the next keyframe may be decoded.
    pub fn advice(&self, now: Instant) -> Advice {
        let Some(hardware) = &self.hardware else { return Advice::Hardware };
        match &hardware.refused {
            Some((until, why)) if now < *until => Advice::Refused(why.clone()),
            _ if hardware.is_damaged || hardware.pictures >= SOFTWARE_EVERY => Advice::Software,
            _ => Advice::Hardware,
        }
    }
}

/// By the stream's key. Holds only streams of which there is something to remember.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Remembered>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a stream.
    pub fn recall(&self, key: &str) -> Remembered {
        self.lock().get(key).cloned().unwrap_or_default()
    }

    /// How many streams run alone.
    pub fn suspects(&self) -> usize {
        self.lock().values().filter(|remembered| remembered.is_suspect()).count()
    }

    /// Makes a stream run alone from now on.
    pub fn suspect(&self, key: &str) {
        self.lock().entry(key.to_owned()).or_default().suspect_for = CLEAN_PROBES;
        tracing::warn!(stream = key, "probing alone from now on: its last probe took a worker down or overran");
    }

    /// A clean end counts for a suspect; a transport that brought a picture is tried first from now on.
    pub fn learn(&self, key: &str, report: &ProbeReport) {
        let mut memory = self.lock();
        let entry = memory.entry(key.to_owned()).or_default();
        entry.suspect_for = entry.suspect_for.saturating_sub(1);
        entry.transport = if report.outcome == Outcome::Ok { report.transport } else { None };
        if entry.suspect_for == 0 && entry.transport.is_none() && entry.hardware.is_none() {
            memory.remove(key);
        }
    }

    /// What a probe says for the choice of the next decoder. For a pool that has hardware decoders.
    pub fn learn_hardware(&self, key: &str, report: &ProbeReport, now: Instant) {
        let Some(video) = &report.video else { return };
        self.change_hardware(key, |hardware| {
            hardware.codec = Some(video.codec);
            if video.hardware {
                hardware.pictures = hardware.pictures.saturating_add(1);
            } else if video.decoder.is_some() {
                hardware.pictures = 0;
                hardware.is_damaged = matches!(report.outcome, Outcome::Failed { stage: Stage::Decode, .. });
            }
            if let Some(why) = &video.hardware_refused {
                hardware.refused = Some((now + REFUSED_FOR, why.clone()));
            }
        });
        if let Some(why) = &video.hardware_refused {
            tracing::warn!(stream = key, "decoded in software for the next hour: {why}");
        }
    }

    /// Keeps a stream away from hardware decoders for a while.
    pub fn refuse_hardware(&self, key: &str, why: &str, now: Instant) {
        self.change_hardware(key, |hardware| hardware.refused = Some((now + REFUSED_FOR, why.to_owned())));
    }

    fn change_hardware(&self, key: &str, change: impl FnOnce(&mut Hardware)) {
        let mut memory = self.lock();
        if memory.len() >= MOST_STREAMS && !memory.contains_key(key) {
            return;
        }
        let entry = memory.entry(key.to_owned()).or_default();
        let nothing = Hardware { codec: None, refused: None, pictures: 0, is_damaged: false };
        change(entry.hardware.get_or_insert(nothing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reason, VideoFacts};

    fn report(hardware: bool, outcome: Outcome, refused: Option<&str>) -> ProbeReport {
        let video = VideoFacts {
            codec: Codec::H264,
            profile: None,
            width: None,
            height: None,
            fps: None,
            decoder: Some("some".to_owned()),
            hardware,
            hardware_refused: refused.map(str::to_owned),
        };
        let failed = ProbeReport::failed(Stage::Decode, Reason::Corrupt, "", Duration::ZERO);
        ProbeReport { outcome, video: Some(video), ..failed }
    }

    fn corrupt() -> Outcome {
        Outcome::Failed { stage: Stage::Decode, reason: Reason::Corrupt, detail: String::new() }
    }

    #[test]
    fn a_refused_stream_comes_back_after_an_hour() {
        let (memory, start) = (Memory::default(), Instant::now());
        let advice = |after: Duration| memory.recall("gate").advice(start + after);
        assert_eq!(advice(Duration::ZERO), Advice::Hardware);
        memory.learn_hardware("gate", &report(false, Outcome::Ok, Some("x: y")), start);
        assert_eq!(advice(REFUSED_FOR - Duration::from_secs(1)), Advice::Refused("x: y".to_owned()));
        assert_eq!(advice(REFUSED_FOR), Advice::Hardware);
        assert_eq!(memory.recall("yard").advice(start), Advice::Hardware, "of this stream only");
        memory.refuse_hardware("yard", "lost", start);
        assert_eq!(memory.recall("yard").advice(start), Advice::Refused("lost".to_owned()));
    }

    #[test]
    fn software_looks_at_every_twentieth_picture_and_stays_while_it_is_damaged() {
        let (memory, now) = (Memory::default(), Instant::now());
        for _ in 0..SOFTWARE_EVERY {
            assert_eq!(memory.recall("gate").advice(now), Advice::Hardware);
            memory.learn_hardware("gate", &report(true, Outcome::Ok, None), now);
        }
        assert_eq!(memory.recall("gate").advice(now), Advice::Software);
        memory.learn_hardware("gate", &report(false, corrupt(), None), now);
        assert_eq!(memory.recall("gate").advice(now), Advice::Software, "damaged");
        memory.learn_hardware("gate", &report(false, Outcome::Ok, None), now);
        assert_eq!(memory.recall("gate").advice(now), Advice::Hardware);
    }

    #[test]
    fn hardware_is_remembered_of_so_many_streams_and_no_more() {
        let (memory, now) = (Memory::default(), Instant::now());
        for number in 0..MOST_STREAMS + 5 {
            memory.refuse_hardware(&number.to_string(), "x", now);
        }
        assert_eq!(memory.lock().len(), MOST_STREAMS);
    }
}
