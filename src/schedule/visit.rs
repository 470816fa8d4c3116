//! A session of a device for something else than a heartbeat, as whoever asked for it holds it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::plan::VisitId;
use super::start::Found;

/// Why there is no session for a visit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// The camera refused the password; asking more often could lock the account.
    #[error(
        "the camera refuses the password of this user, so it is asked again only in {minutes} min; with the right password it is asked at once"
    )]
    Paused {
        /// Rounded up.
        minutes: u64,
    },
    /// Other previews have every session of the device.
    #[error(
        "another preview uses the session of this device; close it, or allow the device more sessions under devices:"
    )]
    Occupied,
    /// Too many requests wait.
    #[error("too many sessions were asked for at once; try again in a moment")]
    Busy,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
    /// No session within the time that the caller waits.
    #[error("the device had no session free in time; too many of its streams wait")]
    Late,
}

/// What was given back and not taken by the scheduler yet: never more than sessions may be in use.
#[derive(Debug, Default)]
pub(super) struct Returned {
    leases: Mutex<Vec<(VisitId, Found)>>,
    changed: Notify,
}

impl Returned {
    pub(super) fn take(&self) -> Vec<(VisitId, Found)> {
        std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when something was given back since this resolved last.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// A session at a device. Dropping it gives the session back; [`Self::finish`] does and says what was found.
#[derive(Debug)]
pub struct VisitLease {
    id: VisitId,
    wanted: CancellationToken,
    returned: Arc<Returned>,
    found: Found,
}

impl VisitLease {
    pub(super) fn new(id: VisitId, returned: &Arc<Returned>) -> Self {
        Self { id, wanted: CancellationToken::new(), returned: returned.clone(), found: Found::default() }
    }

    /// Cancelled when the session is wanted.
    pub(super) fn signal(&self) -> CancellationToken {
        self.wanted.clone()
    }

    /// Resolves when somebody waits at the device for the session that a preview has. Resolves again at once after that.
    pub async fn wanted(&self) {
        self.wanted.cancelled().await;
    }

    /// Gives the session back, and tells the lock-out guard and the device's limit what was found.
    pub fn finish(mut self, found: Found) {
        self.found = found;
    }
}

impl Drop for VisitLease {
    fn drop(&mut self) {
        self.returned.leases.lock().unwrap_or_else(PoisonError::into_inner).push((self.id, self.found));
        self.returned.changed.notify_one();
    }
}
