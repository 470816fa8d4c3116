//! Live previews: what a camera shows now, for as long as somebody watches.
//!
//! Whoever watches a stream shares one session with all others who do: a *show*, one task with a worker process of its
//! own. It is a visit at the device and makes room when a heartbeat waits; the viewers stay connected meanwhile. A viewer
//! gets the newest picture when it is ready for one: a slow one skips pictures and holds nobody up.

mod show;

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{ProbeReport, Stream, StreamId};
use crate::probe::pool::live::LiveWorkers;
use crate::schedule::{SchedulerHandle, VisitError};
use show::Show;

/// Viewers at once, all streams together.
pub const MAX_VIEWERS: usize = 32;

/// Streams that are shown at once: one a core, at most this many.
pub const MAX_SHOWS: usize = 4;

/// How long the end of the service waits for sessions to be hung up.
const GOODBYE: Duration = Duration::from_secs(2);

/// A picture that was on the screen of a camera a moment ago.
#[derive(Debug)]
pub struct Picture {
    /// JPEG, full-range BT.601.
    pub jpeg: Bytes,
    /// When it came from the worker.
    pub taken_at: Timestamp,
}

/// Why there is no preview, or none any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PreviewError {
    /// [`MAX_VIEWERS`] watch.
    #[error("{MAX_VIEWERS} previews are open already; close one")]
    TooManyViewers,
    /// As many streams are shown as this machine may.
    #[error("as many cameras are shown live as this machine may show at once; close one")]
    TooManyShows,
    /// No session at the device.
    #[error(transparent)]
    NoSession(#[from] VisitError),
    /// The camera, or the worker, gave no picture.
    #[error("{}", .0.message())]
    Failed(Box<ProbeReport>),
    /// Our worker did not start.
    #[error("the worker for the preview does not start: {0}")]
    NoWorker(String),
    /// The stream was removed, switched off or changed.
    #[error("the stream was changed in the configuration; open the preview again")]
    Changed,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
}

/// What a show is at.
#[derive(Clone, Debug)]
enum Now {
    /// Nothing was shown yet.
    Opening,
    Picture(Arc<Picture>),
    Ended(PreviewError),
}

/// Everybody who watches. Cloning it shares it.
#[derive(Clone)]
pub struct Previews {
    inner: Arc<Inner>,
}

struct Inner {
    workers: LiveWorkers,
    scheduler: SchedulerHandle,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    viewers: Arc<Semaphore>,
    shows: Arc<Semaphore>,
    most_shows: usize,
    running: Mutex<HashMap<StreamId, Running>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// A show that can be joined.
struct Running {
    /// Holds what is newest; nobody waits for a viewer.
    now: Arc<watch::Sender<Now>>,
    stream: Arc<Stream>,
}

/// Somebody who watches; dropping it is leaving.
pub struct Viewer {
    now: watch::Receiver<Now>,
    _place: OwnedSemaphorePermit,
}

impl Previews {
    /// No preview yet.
    pub fn new(
        workers: LiveWorkers,
        scheduler: SchedulerHandle,
        config: watch::Receiver<Arc<Config>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let most_shows = std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_SHOWS);
        let inner = Inner {
            workers,
            scheduler,
            config,
            clock,
            viewers: Arc::new(Semaphore::new(MAX_VIEWERS)),
            shows: Arc::new(Semaphore::new(most_shows)),
            most_shows,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Watches a stream; the first picture is yet to come.
    ///
    /// # Errors
    /// [`PreviewError`], when there is no place for one more.
    pub fn watch(&self, stream: &Arc<Stream>) -> Result<Viewer, PreviewError> {
        let inner = &self.inner;
        if inner.cancel.is_cancelled() {
            return Err(PreviewError::Stopped);
        }
        let place = inner.viewers.clone().try_acquire_owned().map_err(|_| PreviewError::TooManyViewers)?;
        let mut running = inner.running();
        let joined = running
            .get(&stream.id)
            .filter(|running| running.stream == *stream && !matches!(*running.now.borrow(), Now::Ended(_)));
        if let Some(running) = joined {
            return Ok(Viewer { now: running.now.subscribe(), _place: place });
        }
        let show_place = inner.shows.clone().try_acquire_owned().map_err(|_| PreviewError::TooManyShows)?;
        let (now, viewer) = watch::channel(Now::Opening);
        let now = Arc::new(now);
        running.insert(stream.id.clone(), Running { now: now.clone(), stream: stream.clone() });
        let show = Show::new(inner.clone(), stream.clone(), now);
        inner.tasks.spawn(async move {
            show.run().await;
            drop(show_place);
        });
        Ok(Viewer { now: viewer, _place: place })
    }

    /// How many watch, and how many streams are shown.
    pub fn counts(&self) -> (usize, usize) {
        let inner = &self.inner;
        (MAX_VIEWERS - inner.viewers.available_permits(), inner.most_shows - inner.shows.available_permits())
    }

    /// Ends every preview, and waits a moment for the cameras to be hung up on.
    pub async fn close(&self) {
        self.inner.cancel.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(GOODBYE, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("a preview did not hang up in time");
        }
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<StreamId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a show out, so that nobody joins it any more; with `unwatched` only when nobody watches it.
    fn remove(&self, stream: &StreamId, now: &Arc<watch::Sender<Now>>, unwatched: bool) -> bool {
        let mut running = self.running();
        if unwatched && now.receiver_count() > 0 {
            return false;
        }
        if running.get(stream).is_some_and(|running| Arc::ptr_eq(&running.now, now)) {
            running.remove(stream);
        }
        true
    }
}

impl Viewer {
    /// The newest picture that this viewer has not seen; those between are skipped. An error is the end. Nothing that was
    /// shown before it began to watch counts. May be dropped and called again.
    ///
    /// # Errors
    /// [`PreviewError`].
    pub async fn next(&mut self) -> Result<Arc<Picture>, PreviewError> {
        loop {
            if self.now.changed().await.is_err() {
                return Err(PreviewError::Stopped);
            }
            match &*self.now.borrow_and_update() {
                Now::Opening => {}
                Now::Picture(picture) => return Ok(picture.clone()),
                Now::Ended(error) => return Err(error.clone()),
            }
        }
    }
}
