//! What systemd is told: ready, alive, stopping (sd_notify(3)). Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::schedule::SchedulerHandle;

/// The service works.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The service ends.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Feeds the watchdog, when the unit has one, as long as the scheduler answers.
pub async fn watchdog(scheduler: SchedulerHandle, cancel: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return cancel.cancelled().await };
    let third = (limit / 3).max(Duration::from_millis(100));
    let mut tick = tokio::time::interval(third);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = tick.tick() => if scheduler.is_alive(third).await {
                tell(NotifyState::Watchdog);
            } else {
                tracing::error!("the scheduler does not answer; systemd is not told that all is well");
            },
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("cannot tell systemd: {error}");
    }
}
