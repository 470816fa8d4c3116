//! The hardware decoders of a worker: few slots, each with a thread of its own, because a device may never answer.
//!
//! A slot is opened before the sandbox closes and never again. After a flaw it is begun anew on the same descriptor and
//! has to pass the self-test before it gets another camera's keyframe. A slot that does not answer is left where it
//! hangs; should it come back, it has to pass the same test.

use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Hardware;
use crate::model::Codec;
use crate::probe::decoders::{Candidate, Decoder, Flaw, NotUsed, select, settle, slots};
use crate::probe::pipeline::decode::{Picture, Slot};
use crate::probe::pipeline::{Sample, hardware, self_test};

/// How long a device may take for one keyframe, or for the self-test.
const LIMIT: Duration = Duration::from_secs(2);
/// With less time than this to the deadline a device is not tried: it would be blamed for the camera's slowness.
const LEAST_TIME: Duration = Duration::from_secs(1);
/// How long a keyframe waits for a slot before software takes it.
const PATIENCE: Duration = Duration::from_millis(250);
/// What a slot may need beyond its limit to say that nothing came.
const ANSWER: Duration = Duration::from_millis(100);

/// What became of a keyframe here.
pub enum Tried {
    /// Decoded by this element.
    Picture(Picture, String),
    /// This element had it, and this was wrong.
    Flawed(Flaw, String),
    /// Every slot is taken, or there is too little time left.
    Busy,
    /// No decoder for this codec works; the preferred one says why.
    NoDecoder(Option<Decoder>),
}

/// Called with all decoders when one changes.
type OnChange = Box<dyn Fn(Vec<Decoder>) + Send + Sync>;

/// The decoders and their slots.
#[derive(Default)]
pub struct Bank {
    lines: Mutex<Vec<Line>>,
    /// Told when a slot is idle again.
    idle: Condvar,
    on_change: Mutex<Option<OnChange>>,
}

/// One decoder.
struct Line {
    decoder: Decoder,
    /// Ways to the slots that wait for a keyframe.
    idle: Vec<SyncSender<Work>>,
    /// Slots that wait, work or are tested; not those that hang or are gone.
    alive: usize,
}

/// One keyframe for a slot.
struct Work {
    sample: Sample,
    limit: Duration,
    /// Holds the one answer; when nobody waits for it any more the slot was given up.
    answer: SyncSender<Result<Picture, Flaw>>,
}

/// The hardware decoders with their devices open, not tested yet.
pub struct Opened {
    candidates: Vec<Candidate>,
    slots: HashMap<String, Vec<Slot>>,
}

impl Opened {
    /// Opens the device of every hardware decoder that is worth trying. For a process that is not in the sandbox yet.
    pub fn all() -> Self {
        let candidates = select(hardware::found(), Hardware::Auto);
        let worth = candidates.iter().filter(|candidate| candidate.refused.is_none());
        let slots = worth.map(|Candidate { found, .. }| {
            let opened = (0..slots(&found.element)).filter_map(|_| hardware::open(found).ok());
            (found.element.clone(), opened.collect())
        });
        Self { slots: slots.collect(), candidates }
    }

    /// Tests the decoders in their order and closes those that are not used. For a process that is in the sandbox: what
    /// passes has passed there.
    pub fn test(mut self) -> Arc<Bank> {
        let bank = Arc::new(Bank::default());
        let mut ways = HashMap::new();
        let decoders = settle(&self.candidates, |found| {
            let opened = self.slots.remove(&found.element).unwrap_or_default();
            // The line that it will have: one for each candidate, in their order.
            let number = self.candidates.iter().take_while(|candidate| candidate.found != *found).count();
            let idle = start_all(&bank, number, opened)?;
            ways.insert(found.element.clone(), idle);
            Ok(())
        });
        let lines = decoders.into_iter().map(|mut decoder| {
            let idle = ways.remove(&decoder.element).unwrap_or_default();
            decoder.slots = idle.len();
            Line { decoder, alive: idle.len(), idle }
        });
        *bank.lock() = lines.collect();
        bank
    }
}

/// Starts and tests the slots of one decoder, each in its thread; gives the ways to those that passed.
fn start_all(bank: &Arc<Bank>, number: usize, opened: Vec<Slot>) -> Result<Vec<SyncSender<Work>>, NotUsed> {
    let mut ways = Vec::new();
    let mut why = NotUsed::NotOpened;
    for slot in opened {
        // Holds the one result; a slot that is too late with it is not used.
        let (tested, results) = sync_channel(1);
        let bank = bank.clone();
        let thread = std::thread::Builder::new().name("hardware".to_owned());
        let started = thread.spawn(move || serve(&bank, number, slot, &tested));
        let result = match started {
            Ok(_) => results.recv_timeout(LIMIT).unwrap_or(Err(Flaw::Silent)),
            Err(_) => Err(Flaw::NoMemory),
        };
        match result {
            Ok(way) => ways.push(way),
            Err(flaw) => {
                why = NotUsed::SelfTest(flaw);
                break;
            }
        }
    }
    if ways.is_empty() { Err(why) } else { Ok(ways) }
}

/// The thread of one slot.
fn serve(bank: &Bank, number: usize, mut slot: Slot, tested: &SyncSender<Result<SyncSender<Work>, Flaw>>) {
    // Holds the one keyframe that the slot was taken for.
    let (way, works) = sync_channel::<Work>(1);
    let passed = slot.start().map_err(|_| Flaw::Device).and_then(|()| self_test::run(&mut slot, LIMIT));
    let is_good = passed.is_ok();
    if tested.send(passed.map(|()| way.clone())).is_err() || !is_good {
        return;
    }
    while let Ok(work) = works.recv() {
        let result = if slot.takes(&work.sample) {
            slot.decode_within(&work.sample, work.limit).and_then(Picture::copied)
        } else {
            Err(Flaw::Format)
        };
        let flaw = result.as_ref().err().copied();
        let given_up = bank.answer(&work.answer, result);
        let tested_again = match flaw {
            None => Ok(()),
            Some(_) => slot.restart().map_err(|_| Flaw::Device).and_then(|()| self_test::run(&mut slot, LIMIT)),
        };
        match tested_again {
            Ok(()) => bank.give_back(number, way.clone(), given_up),
            Err(now) => return bank.lose(number, flaw.unwrap_or(now), given_up),
        }
    }
}

impl Bank {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The decoders, used or not.
    pub fn decoders(&self) -> Vec<Decoder> {
        self.lock().iter().map(|line| line.decoder.clone()).collect()
    }

    /// Who is told when a decoder is used again or not any more.
    pub fn on_change(&self, told: impl Fn(Vec<Decoder>) + Send + Sync + 'static) {
        *self.on_change.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(told));
    }

    fn tell(&self) {
        let decoders = self.decoders();
        if let Some(told) = &*self.on_change.lock().unwrap_or_else(PoisonError::into_inner) {
            told(decoders);
        }
    }

    /// Gives a keyframe to the decoder of this codec. It comes back well before `deadline`, with time left for software,
    /// unless `only` hardware will do.
    pub fn decode(&self, codec: Codec, sample: &Sample, deadline: Instant, only: bool) -> Tried {
        let begun = Instant::now();
        let left = deadline.saturating_duration_since(begun);
        if left < LEAST_TIME {
            return Tried::Busy;
        }
        let patience = if only { left / 2 } else { PATIENCE };
        let mut lines = self.lock();
        let (number, way) = loop {
            let for_codec = || lines.iter().filter(|line| line.decoder.codec == codec);
            if !for_codec().any(|line| line.decoder.is_used()) {
                return Tried::NoDecoder(for_codec().next().map(|line| line.decoder.clone()));
            }
            let with_slot = lines.iter().position(|line| line.decoder.codec == codec && !line.idle.is_empty());
            if let Some(number) = with_slot
                && let Some(way) = lines[number].idle.pop()
            {
                break (number, way);
            }
            let Some(patience) = patience.checked_sub(begun.elapsed()) else { return Tried::Busy };
            lines = self.idle.wait_timeout(lines, patience).unwrap_or_else(PoisonError::into_inner).0;
        };
        let element = lines[number].decoder.element.clone();
        drop(lines);
        let limit = LIMIT.min(deadline.saturating_duration_since(Instant::now()) / 2);
        // Holds the one answer of the slot.
        let (answer, answers) = sync_channel(1);
        let _ = way.send(Work { sample: sample.clone(), limit, answer });
        let answered = answers.recv_timeout(limit + ANSWER).ok();
        let result = match answered {
            Some(result) => result,
            None => {
                let mut lines = self.lock();
                // The slot answers under the same lock: it is either in time, or told that it was given up.
                match answers.try_recv() {
                    Ok(result) => result,
                    Err(_) => {
                        drop(answers);
                        let changed = lines[number].lose(Flaw::Silent);
                        drop(lines);
                        if changed {
                            self.tell();
                        }
                        Err(Flaw::Silent)
                    }
                }
            }
        };
        match result {
            Ok(picture) => Tried::Picture(picture, element),
            Err(flaw) => Tried::Flawed(flaw, element),
        }
    }

    /// True when nobody waits for the answer any more: the slot was given up.
    fn answer(&self, answer: &SyncSender<Result<Picture, Flaw>>, result: Result<Picture, Flaw>) -> bool {
        let _lines = self.lock();
        answer.try_send(result).is_err()
    }

    /// A slot waits for its next keyframe.
    fn give_back(&self, number: usize, way: SyncSender<Work>, given_up: bool) {
        let mut lines = self.lock();
        let line = &mut lines[number];
        line.idle.push(way);
        let changed = given_up && line.alive == 0;
        if given_up {
            line.alive += 1;
            line.decoder.slots = line.alive;
            line.decoder.not_used = None;
        }
        drop(lines);
        self.idle.notify_one();
        if changed {
            self.tell();
        }
    }

    /// A slot is gone for good.
    fn lose(&self, number: usize, flaw: Flaw, given_up: bool) {
        let changed = !given_up && self.lock()[number].lose(flaw);
        if changed {
            self.tell();
        }
    }
}

impl Line {
    /// One slot less; true when it was the last and the decoder is not used any more.
    fn lose(&mut self, flaw: Flaw) -> bool {
        self.alive = self.alive.saturating_sub(1);
        self.decoder.slots = self.alive;
        if self.alive == 0 {
            self.decoder.not_used = Some(NotUsed::Left(flaw));
        }
        self.alive == 0
    }
}
