//! What the clients of a camera did, counted.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What the clients of one camera did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections accepted. On a port that several cameras share: those that asked for this camera.
    pub connections: usize,
    /// RTSP sessions opened: SETUP succeeded.
    pub sessions_opened: usize,
    /// RTSP sessions open now.
    pub sessions_open: usize,
    /// HTTP streams begun. HTTP has no TEARDOWN, so these are counted apart.
    pub http_sessions_opened: usize,
    /// HTTP streams open now.
    pub http_sessions_open: usize,
    /// The most sessions that were open at once, RTSP and HTTP together.
    pub most_sessions_open: usize,
    /// PLAYs that succeeded.
    pub plays: usize,
    /// PAUSEs of an open session.
    pub pauses: usize,
    /// TEARDOWNs of an open session.
    pub teardowns: usize,
    /// RTSP sessions that the camera itself ended, because it broke or healed.
    pub sessions_cut: usize,
    /// SETUPs (or HTTP GETs) refused because the device served as many sessions as it can.
    pub refused_busy: usize,
    /// Requests with an `Authorization` header.
    pub requests_with_credentials: usize,
    /// Requests whose `Authorization` header was refused.
    pub requests_refused: usize,
}

impl Counts {
    /// Field by field the sum; of `most_sessions_open` the larger.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            sessions_opened: self.sessions_opened + other.sessions_opened,
            sessions_open: self.sessions_open + other.sessions_open,
            http_sessions_opened: self.http_sessions_opened + other.http_sessions_opened,
            http_sessions_open: self.http_sessions_open + other.http_sessions_open,
            most_sessions_open: self.most_sessions_open.max(other.most_sessions_open),
            plays: self.plays + other.plays,
            pauses: self.pauses + other.pauses,
            teardowns: self.teardowns + other.teardowns,
            sessions_cut: self.sessions_cut + other.sessions_cut,
            refused_busy: self.refused_busy + other.refused_busy,
            requests_with_credentials: self.requests_with_credentials + other.requests_with_credentials,
            requests_refused: self.requests_refused + other.requests_refused,
        }
    }
}

/// The sessions of one device, over all its cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// Open now.
    pub open: usize,
    /// The most that were open at once.
    pub most_open: usize,
}

/// Counts that change, and that can be waited for.
#[derive(Debug, Default)]
pub(super) struct LiveCounts {
    counts: Mutex<Counts>,
    changed: Notify,
}

impl LiveCounts {
    pub(super) fn read(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Resolves at the next change after this call (`notify_waiters` wakes every `Notified` that exists).
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

/// How many sessions a device has and may have.
#[derive(Debug)]
pub(super) struct Slots {
    limit: AtomicUsize,
    counts: Mutex<DeviceCounts>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { limit: AtomicUsize::new(usize::MAX), counts: Mutex::default() }
    }
}

impl Slots {
    pub(super) fn limit(&self, limit: usize) {
        self.limit.fetch_min(limit, SeqCst);
    }

    pub(super) fn read(&self) -> DeviceCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot until the ticket is dropped; `None` when the device is busy.
    pub(super) fn take(self: &Arc<Self>) -> Option<SlotTicket> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.open >= self.limit.load(SeqCst) {
            return None;
        }
        counts.open += 1;
        counts.most_open = counts.most_open.max(counts.open);
        Some(SlotTicket(Arc::clone(self)))
    }
}

/// A taken slot of a device.
#[derive(Debug)]
pub(super) struct SlotTicket(Arc<Slots>);

impl Drop for SlotTicket {
    fn drop(&mut self) {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
    }
}
