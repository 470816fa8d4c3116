//! What a probe asked and what the camera answered, as a person reads it: the evidence for a failure.
//!
//! A message begins with a line such as `+12.3 ms > DESCRIBE rtsp://… RTSP/1.0`; its other lines are indented, so that
//! nothing a camera sends looks like the beginning of a message. `>` is ours, `<` the camera's, `=` what happened.

mod redact;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scrub::{CUT, INDENT, Scrubber};
use crate::model::stage::to_ms;

/// Longest text, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;

/// Longest message: as many as always stay, and the newest, fit into the whole.
const MAX_MESSAGE_BYTES: usize = 2_000;

/// Longest line; longer ones are cookies and the like, and the lines behind them tell more.
const MAX_LINE_BYTES: usize = 512;

/// Most messages; when there are more, those after the first ones go: a failure is at the end.
const MAX_MESSAGES: usize = 40;

/// How many messages of the beginning always stay.
const FIRST_MESSAGES: usize = 3;

/// Room for the line that says how many messages were left out, and what ends lines.
const SPARE_BYTES: usize = 128;

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Ours.
    We,
    /// The camera's.
    Camera,
    /// Nobody's: something happened.
    Nobody,
}

impl Who {
    fn sign(self) -> char {
        match self {
            Self::We => '>',
            Self::Camera => '<',
            Self::Nobody => '=',
        }
    }
}

/// Takes down the messages of one probe, in the threads that send and receive them. Holds no more than may be shown.
#[derive(Debug)]
pub struct Transcript {
    started: Instant,
    closed: AtomicBool,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    messages: Vec<Message>,
    left_out: usize,
}

#[derive(Debug)]
struct Message {
    at: Duration,
    who: Who,
    text: String,
    is_full: bool,
}

impl Taken {
    fn push(&mut self, message: Message) {
        self.messages.push(message);
        self.left_out += leave_out(&mut self.messages, |message| message.text.len());
    }

    /// The message that further lines belong to.
    fn newest(&mut self) -> Option<&mut Message> {
        self.messages.iter_mut().rev().find(|message| message.who != Who::Nobody)
    }
}

impl Message {
    fn line(&mut self, line: &str) {
        if self.is_full {
            return;
        }
        let line = one_line(line);
        self.text.push('\n');
        self.text.push_str(if line.is_empty() { "" } else { INDENT });
        self.is_full = self.text.len() + line.len() > MAX_MESSAGE_BYTES;
        if self.is_full {
            self.text.push(CUT);
        } else {
            self.text.push_str(&line);
        }
    }
}

impl Transcript {
    /// Nothing yet; times count from `started`.
    pub fn new(started: Instant) -> Self {
        Self { started, closed: AtomicBool::new(false), taken: Mutex::default() }
    }

    /// Something happened.
    pub fn note(&self, what: &str) {
        self.begin(Who::Nobody, what);
    }

    /// A message begins with this line.
    pub fn begin(&self, who: Who, line: &str) {
        if self.is_open() {
            let (at, text) = (self.started.elapsed(), one_line(line));
            self.lock().push(Message { at, who, text, is_full: false });
        }
    }

    /// The newest message has these lines, too.
    pub fn lines(&self, lines: &str) {
        let mut taken = self.lock();
        if let Some(message) = taken.newest().filter(|_| self.is_open()) {
            lines.lines().for_each(|line| message.line(line));
        }
    }

    /// The last line of the newest message goes on.
    pub fn go_on(&self, text: &str) {
        let mut taken = self.lock();
        if let Some(message) = taken.newest().filter(|message| self.is_open() && !message.is_full) {
            let text = one_line(text);
            message.is_full = message.text.len() + text.len() > MAX_MESSAGE_BYTES;
            message.text.push_str(if message.is_full { "…" } else { &text });
        }
    }

    /// A message as it goes over the wire, up to the first empty line.
    pub fn head(&self, who: Who, head: &str) {
        let mut lines = head.lines();
        if let Some(first) = lines.next() {
            self.begin(who, first);
            lines.take_while(|line| !line.is_empty()).for_each(|line| self.lines(line));
        }
    }

    /// Takes down nothing more: media came, or the verdict is known.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// False when nothing more is taken down.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// False when the newest message has no room for another line.
    pub fn has_room(&self) -> bool {
        self.is_open() && self.lock().newest().is_some_and(|message| !message.is_full)
    }

    /// All of it with how it ended, as it may be shown; `None` when nothing was done.
    pub fn told(&self, scrubber: &Scrubber, end: &str) -> Option<Box<str>> {
        let taken = self.lock();
        if taken.messages.is_empty() {
            return None;
        }
        let write = |at: Duration, who: Who, text: &str| {
            let text = format!("+{:.1} ms {} {text}", to_ms(at), who.sign());
            // First without secrets, then cut: never through one of them.
            clipped(&scrubber.clean_lines(&redact::redact(&text)), MAX_MESSAGE_BYTES)
        };
        let mut messages: Vec<_> = taken.messages.iter().map(|m| write(m.at, m.who, &m.text)).collect();
        messages.push(write(self.started.elapsed(), Who::Nobody, end));
        let left_out = taken.left_out + leave_out(&mut messages, String::len);
        if left_out > 0 {
            messages.insert(FIRST_MESSAGES, format!("{CUT} {left_out} messages left out"));
        }
        Some(clipped(&messages.join("\n"), MAX_BYTES).into())
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker told, as it may be shown. It has parsed hostile bytes: nothing of what it should have done is believed.
pub fn believe(told: &str, scrubber: &Scrubber) -> Option<Box<str>> {
    let clean = scrubber.clean_lines(&redact::redact(&clipped(told, MAX_BYTES)));
    let clean = clipped(&clean, MAX_BYTES);
    (!clean.trim().is_empty()).then(|| clean.into())
}

/// Takes out what is too much, after the first ones; gives how many.
fn leave_out<T>(messages: &mut Vec<T>, bytes: impl Fn(&T) -> usize) -> usize {
    let mut left_out = 0;
    // Each has a time and an end of line, too.
    let too_long = |messages: &Vec<T>| messages.iter().map(|m| bytes(m) + 1).sum::<usize>() > MAX_BYTES - SPARE_BYTES;
    while messages.len() > MAX_MESSAGES || (messages.len() > FIRST_MESSAGES + 1 && too_long(messages)) {
        messages.remove(FIRST_MESSAGES);
        left_out += 1;
    }
    left_out
}

/// A line has an end, and nothing in it that ends it.
fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(2 * MAX_LINE_BYTES);
    clipped(&text[..end].replace(char::is_control, " "), MAX_LINE_BYTES)
}

/// At most so many bytes, with a mark where it was cut.
fn clipped(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max_bytes - CUT.len_utf8());
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests;
