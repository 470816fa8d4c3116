//! What the pool remembers of streams: the transport that worked, and who is a suspect.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::CLEAN_PROBES;
use crate::model::{Outcome, ProbeReport, Transport};

/// What is remembered of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remembered {
    /// The transport that brought media last.
    transport: Option<Transport>,
    /// Clean probes still to come before it may share a worker again.
    suspect_for: u32,
}

impl Remembered {
    /// The transport to begin with.
    pub fn transport_for(self, wanted: Transport) -> Transport {
        match (wanted, self.transport) {
            (Transport::Auto, Some(Transport::Udp)) => Transport::Udp,
            _ => wanted,
        }
    }

    /// True when it must run alone.
    pub fn is_suspect(self) -> bool {
        self.suspect_for > 0
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
        self.lock().get(key).copied().unwrap_or_default()
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
        if entry.suspect_for == 0 && entry.transport.is_none() {
            memory.remove(key);
        }
    }
}
