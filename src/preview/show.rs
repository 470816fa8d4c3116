//! One show: a session of the device for as long as somebody watches, given up and taken up again as the device's
//! heartbeats need it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Inner, Now, Picture, PreviewError};
use crate::config::Config;
use crate::model::{CameraAccount, ProbeReport, Stream};
use crate::probe::ProbeRequest;
use crate::probe::pool::live::{Live, Shown};
use crate::schedule::guard::Verdict;
use crate::schedule::{Found, Purpose, SchedulerHandle, VisitError, VisitLease, Visitor};

/// Pictures a second at most: enough to see what moves, and a fifth of what a camera sends.
const PICTURES_PER_SECOND: u32 = 5;

/// Longest wait for a session.
const PATIENCE: Duration = Duration::from_secs(30);

/// So long is waited for a preview that has the device: whoever turns from one of a recorder's channels to the next comes
/// before the session that was just left is hung up.
const LEAVES_IN: Duration = Duration::from_secs(2);

/// How often it is asked again meanwhile.
const ASKS_AGAIN: Duration = Duration::from_millis(100);

/// A show whose sessions bring no picture for so long ends: the heartbeats of the device leave it no time.
const STARVED: Duration = Duration::from_secs(60);

/// A session without a picture yet is not given up before this part of the stream's heartbeat has passed, at most
/// [`LONGEST_STAY`], or a camera with rare keyframes would never be seen. The heartbeat that waits comes as much later.
const STAY: u32 = 4;
const LONGEST_STAY: Duration = Duration::from_secs(4);

/// One session lasts no longer; then it is the others' turn, if there are any.
const SESSION: Duration = Duration::from_secs(300);

/// The worker ends a session by itself when nobody has told it to for so long.
const LONGEST: Duration = Duration::from_secs(330);

/// HTTP has no TEARDOWN: a camera sees that the connection was closed when it sends its next picture, and would refuse the
/// heartbeat that comes at once.
const CLOSES_IN: Duration = Duration::from_millis(250);

/// Why a session ended.
enum Ends {
    /// Another one is to follow.
    Again,
    Unwatched,
    With(PreviewError),
}

pub(super) struct Show {
    inner: Arc<Inner>,
    stream: Arc<Stream>,
    now: Arc<watch::Sender<Now>>,
    config: watch::Receiver<Arc<Config>>,
    /// When it began or had its newest picture.
    seen_at: Instant,
}

impl Show {
    pub(super) fn new(inner: Arc<Inner>, stream: Arc<Stream>, now: Arc<watch::Sender<Now>>) -> Self {
        let config = inner.config.clone();
        Self { inner, stream, now, config, seen_at: Instant::now() }
    }

    /// Shows until nobody watches or there is nothing to see.
    pub(super) async fn run(mut self) {
        let mut worker = None;
        loop {
            match self.session(&mut worker).await {
                Ends::Again => {}
                Ends::Unwatched => {
                    // Somebody may have come just then.
                    if self.inner.remove(&self.stream.id, &self.now, true) {
                        return;
                    }
                }
                Ends::With(error) => {
                    tracing::debug!(stream = %self.stream.id, %error, "a preview ended");
                    self.inner.remove(&self.stream.id, &self.now, false);
                    self.now.send_replace(Now::Ended(error));
                    return;
                }
            }
        }
    }

    /// From waiting for the device to hanging up.
    async fn session(&mut self, worker: &mut Option<Live>) -> Ends {
        if self.seen_at.elapsed() >= STARVED {
            return Ends::With(VisitError::Late.into());
        }
        let live = match worker.take().filter(Live::is_usable) {
            Some(live) => worker.insert(live),
            None => match self.inner.workers.start().await {
                Ok(live) => worker.insert(live),
                Err(error) => return Ends::With(PreviewError::NoWorker(error.to_string())),
            },
        };
        let visitor = Visitor {
            host: self.stream.device().to_owned(),
            account: CameraAccount::of(&self.stream),
            purpose: Purpose::Preview,
        };
        let lease = tokio::select! {
            biased;
            () = self.now.closed() => return Ends::Unwatched,
            () = self.inner.cancel.cancelled() => return Ends::With(PreviewError::Stopped),
            () = changed(&mut self.config, &self.stream) => return Ends::With(PreviewError::Changed),
            lease = visit(&self.inner.scheduler, visitor) => match lease {
                Ok(lease) => lease,
                Err(error) => return Ends::With(error.into()),
            },
        };
        let probe = self.config.borrow().probe.clone();
        live.begin(ProbeRequest::for_stream(&self.stream, &probe), LONGEST, PICTURES_PER_SECOND).await;
        let mut has_picture = false;
        let (ends, report) = self.watch(live, &lease, &mut has_picture).await;
        let report = match report {
            Some(report) => Some(report),
            None => live.hang_up().await,
        };
        if !self.stream.url.scheme().is_rtsp() {
            tokio::time::sleep(CLOSES_IN).await;
        }
        lease.finish(found(report.as_ref(), has_picture));
        ends
    }

    /// Passes pictures on until there is a reason not to. With the report, the camera was hung up on.
    async fn watch(
        &mut self,
        live: &mut Live,
        lease: &VisitLease,
        has_picture: &mut bool,
    ) -> (Ends, Option<ProbeReport>) {
        let began = Instant::now();
        let over = tokio::time::sleep_until(began + SESSION);
        tokio::pin!(over);
        let stay = (self.stream.heartbeat / STAY).min(LONGEST_STAY);
        let makes_room = async {
            lease.wanted().await;
            tokio::time::sleep_until(began + stay).await;
        };
        tokio::pin!(makes_room);
        loop {
            tokio::select! {
                biased;
                () = self.now.closed() => return (Ends::Unwatched, None),
                () = self.inner.cancel.cancelled() => return (Ends::With(PreviewError::Stopped), None),
                () = lease.wanted(), if *has_picture => return (Ends::Again, None),
                () = &mut makes_room, if !*has_picture => return (Ends::Again, None),
                () = changed(&mut self.config, &self.stream) => return (Ends::With(PreviewError::Changed), None),
                () = &mut over => return (Ends::Again, None),
                shown = live.next() => match shown {
                    Shown::Picture(jpeg) => {
                        *has_picture = true;
                        self.seen_at = Instant::now();
                        let picture = Picture { jpeg, taken_at: self.inner.clock.now() };
                        self.now.send_replace(Now::Picture(Arc::new(picture)));
                    }
                    Shown::Ended(report) => {
                        return (Ends::With(PreviewError::Failed(report.clone())), Some(*report));
                    }
                },
            }
        }
    }
}

/// A session of the device.
async fn visit(scheduler: &SchedulerHandle, visitor: Visitor) -> Result<VisitLease, VisitError> {
    let until = Instant::now() + LEAVES_IN;
    loop {
        match scheduler.visit(visitor.clone(), PATIENCE).await {
            Err(VisitError::Occupied) if Instant::now() < until => tokio::time::sleep(ASKS_AGAIN).await,
            decided => return decided,
        }
    }
}

/// What a session tells the guard and the device's limit.
fn found(report: Option<&ProbeReport>, has_picture: bool) -> Found {
    let mut found = report.map(Found::of).unwrap_or_default();
    if has_picture && found.account == Verdict::Unknown {
        found.account = Verdict::Accepted;
    }
    found
}

/// Resolves when the stream is not configured as it was any more.
async fn changed(config: &mut watch::Receiver<Arc<Config>>, stream: &Stream) {
    loop {
        let is_same = config.borrow_and_update().stream(stream.id.as_str()).is_some_and(|now| {
            (now.enabled, now.timeout) == (stream.enabled, stream.timeout) && now.is_asked_like(stream)
        });
        if !is_same {
            return;
        }
        if config.changed().await.is_err() {
            // The service ends, which is told in another way.
            return std::future::pending().await;
        }
    }
}
