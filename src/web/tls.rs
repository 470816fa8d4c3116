//! TLS of the web server: certificate and key from two files, followed while the service runs.

mod pair;
mod validity;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use warp::http::HeaderValue;

use self::pair::Pair;
pub use self::pair::TlsError;
use crate::clock::Clock;
use crate::config::WebTls;

/// How often the files' content is looked at: a renewal may replace what a link leads to, which no watch on a file sees.
const POLL: Duration = Duration::from_secs(2);
/// Changed files must still be the same after this time, or they are taken for half-written.
const SETTLE: Duration = Duration::from_millis(500);
/// Files on a dead network mount must not hold the task for ever.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// The pair in use. Cloning is cheap and shares it.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: WebTls,
    hsts: Option<HeaderValue>,
    current: RwLock<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    pair: Pair,
    problem: Option<String>,
}

/// How it stands, for `/api/health`.
#[derive(Debug, Serialize)]
pub(super) struct TlsState {
    /// Until when the certificate is valid; `null` when it does not say so in a form we read.
    certificate_until: Option<Timestamp>,
    /// Why the files are refused while an earlier pair is in use. It names them.
    pub(super) problem: Option<String>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// When they cannot be used; one clause with the file and the next step.
    pub fn load(files: &WebTls, now: Timestamp) -> Result<Self, TlsError> {
        let pair = Pair::read(files)?;
        let acceptor = pair.acceptor(files)?;
        tell(files, &pair, now);
        let hsts = (files.hsts_seconds > 0).then(|| format!("max-age={}", files.hsts_seconds));
        let hsts = hsts.and_then(|text| HeaderValue::from_str(&text).ok());
        let current = RwLock::new(Current { acceptor, pair, problem: None });
        Ok(Self(Arc::new(Inner { files: files.clone(), hsts, current })))
    }

    /// As [`Self::load`], and no more than that.
    ///
    /// # Errors
    /// As there.
    pub fn check(files: &WebTls) -> Result<(), TlsError> {
        Pair::read(files)?.acceptor(files).map(drop)
    }

    /// Shakes hands with the pair in use now.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.0.current.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone();
        acceptor.accept(stream).await
    }

    /// `Strict-Transport-Security` (RFC 6797), unless it is switched off.
    pub(super) fn hsts(&self) -> Option<&HeaderValue> {
        self.0.hsts.as_ref()
    }

    /// How it stands.
    pub(super) fn state(&self) -> TlsState {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsState { certificate_until: current.pair.valid_until, problem: current.problem.clone() }
    }

    /// Takes a new pair when the files change, and keeps the old one when the new one is bad; until `cancel`.
    pub(super) async fn follow(&self, clock: Arc<dyn Clock>, cancel: CancellationToken) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Ok(self.0.current.read().unwrap_or_else(PoisonError::into_inner).pair.clone());
        let mut expiry_told = None;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let looking = async {
                let read = self.read().await;
                if read == seen {
                    return;
                }
                sleep(SETTLE).await;
                // Different again: still being written; the next poll looks again.
                if self.read().await == read {
                    self.take(read.clone(), clock.now());
                    seen = read;
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = looking => {}
            }
            let until = self.state().certificate_until.filter(|until| *until < clock.now());
            if until.is_some() && until != expiry_told {
                warn_of_expiry(&self.0.files);
            }
            expiry_told = until;
        }
    }

    /// What the files hold; a text where they cannot be read.
    async fn read(&self) -> Result<Pair, String> {
        let files = self.0.files.clone();
        let reading = tokio::task::spawn_blocking(move || Pair::read(&files));
        match timeout(READ_DEADLINE, reading).await {
            Ok(Ok(pair)) => pair.map_err(|error| error.to_string()),
            Ok(Err(_)) => Err("reading certificate and key was broken off; this is a fault of StreamPulse".to_owned()),
            Err(_) => {
                let file: PathBuf = self.0.files.cert_file.clone();
                Err(format!("{} cannot be read within 10 s; check the disk and the mount", file.display()))
            }
        }
    }

    fn take(&self, read: Result<Pair, String>, now: Timestamp) {
        let files = &self.0.files;
        let taken = read.and_then(|pair| {
            let acceptor = pair.acceptor(files).map_err(|error| error.to_string())?;
            Ok((acceptor, pair))
        });
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        match taken {
            Ok((acceptor, pair)) => {
                tracing::info!("certificate and key of web.tls were read again and are in use");
                tell(files, &pair, now);
                *current = Current { acceptor, pair, problem: None };
            }
            Err(problem) => {
                tracing::error!("{problem}; the certificate read before stays in use");
                current.problem = Some(problem);
            }
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

fn warn_of_expiry(files: &WebTls) {
    tracing::warn!("web.tls.cert_file: {} has expired: browsers refuse it; renew it", files.cert_file.display());
}

/// Says what is odd with a pair that can be used.
fn tell(files: &WebTls, pair: &Pair, now: Timestamp) {
    let file = files.cert_file.display();
    match (pair.valid_from, pair.valid_until) {
        // Told where it is followed: it may also come to that while it is in use.
        (_, Some(until)) if until < now => {}
        (Some(from), _) if from > now => {
            tracing::warn!("web.tls.cert_file: {file} is valid from {from} on only; check the clock of this machine");
        }
        (_, Some(until)) => tracing::info!("the web server's certificate, {file}, is valid until {until}"),
        _ => {}
    }
    if pair.is_key_public {
        tracing::warn!(
            "web.tls.key_file: {key} can be read by every user of this machine; chmod 640 {key}",
            key = files.key_file.display()
        );
    }
}
