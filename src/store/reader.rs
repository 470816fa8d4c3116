//! Read-only connections for everybody else.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::Semaphore;

use super::{READ_DEADLINE, StoreError};

/// Queries at once; more wait, at most [`READ_DEADLINE`].
const CONNECTIONS: usize = 4;

/// Each connection's page cache, a quarter of SQLite's own default: what is not in it comes from the system's cache of
/// the file, which all connections share and which is given back when somebody needs the memory.
const CACHE_KIB: i64 = 512;

#[derive(Clone)]
pub(super) struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Self { inner: Arc::new(Inner { path, permits, idle: Mutex::default() }) }
    }

    /// Runs `query` in a transaction of its own on a thread for blocking work. It is interrupted when it takes too long
    /// or when the caller goes away.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let running = Arc::new(Running::default());
        let guard = InterruptOnDrop(running.clone());
        let inner = self.inner.clone();
        let done = async move {
            let permit = inner.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
            let work = move || {
                let _permit = permit;
                inner.run(query, &running)
            };
            tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
        };
        let answer = tokio::time::timeout(READ_DEADLINE, done).await.unwrap_or(Err(StoreError::Slow));
        drop(guard);
        answer
    }

    /// No further query; the idle connections are closed.
    pub(super) fn close(&self) {
        self.inner.permits.close();
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Inner {
    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
        running: &Running,
    ) -> Result<T, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::at_run(&self.path, &error);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect().map_err(failed)?,
        };
        if !running.begin(&connection) {
            return Err(StoreError::Slow);
        }
        // All statements of the query see the same state.
        let answer = connection.transaction().and_then(|transaction| query(&transaction)).map_err(failed);
        running.end();
        if answer.is_ok() && !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        answer
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
        // Negative: KiB, not pages. https://sqlite.org/pragma.html#pragma_cache_size
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }
}

/// The query in flight, as far as it can be interrupted.
#[derive(Default)]
struct Running(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Query(InterruptHandle),
    /// Nobody waits for the answer, or there is one.
    Over,
}

impl Running {
    /// False when nobody waits any more.
    fn begin(&self, connection: &Connection) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = matches!(*state, State::Waiting);
        if wanted {
            *state = State::Query(connection.get_interrupt_handle());
        }
        wanted
    }

    /// From here on the connection may serve another query, which must not be interrupted.
    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Over;
    }
}

struct InterruptOnDrop(Arc<Running>);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Query(handle) = &*state {
            handle.interrupt();
        }
        *state = State::Over;
    }
}
