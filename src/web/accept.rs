//! The accept loop: everything that warp leaves open. A bound on connections, on the time a client takes to send its
//! headers and to take our bytes, TLS, the peer's address for the routes, and an orderly end.

mod patient;
mod places;
mod refusal;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{Service, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _, SizeAbove};
use warp::http::{Method, Request};
use warp::reply::{Reply as _, Response};

use self::patient::Patient;
use self::places::{Full, Place};
pub(super) use self::places::{Places, network_of};
use super::errors::WebError;
use super::headers;
use super::tls::Tls;
use crate::config::Config;

/// For a whole request head, and for the next one on a connection that is kept open.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// For a whole TLS handshake, from the connection on.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A smaller answer fits into one packet anyway.
const MIN_COMPRESSED_BYTES: u64 = 1024;
/// What hyper gathers of a request head before it gives up with 431, about: twice what [`refusal::of_head`] takes, so that
/// a long address can be named as what it is.
const HEAD_BUFFER_BYTES: usize = 64 * 1024;
/// How long requests in flight may finish after the cancellation.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The first byte of a TLS record that shakes hands (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Who sent the request, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The other end of the connection.
    pub(super) address: SocketAddr,
    tls: Option<Tls>,
    place: Arc<Place>,
}

impl Peer {
    /// True when the connection is encrypted up to here.
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The whole body was read: what takes time from here on is ours.
    pub(super) fn body_is_whole(&self) {
        self.place.body_is_whole();
    }
}

/// What the accept loop has beside the listener and the routes.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) places: Places,
    pub(super) tls: Option<Tls>,
    pub(super) config: watch::Receiver<Arc<Config>>,
}

/// Listens. Port 0 lets the system choose; the listener's `local_addr` tells which.
///
/// # Errors
/// When the address cannot be had; the message names it and says the next step.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(addr).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => WebError::PortInUse(addr),
        io::ErrorKind::PermissionDenied => WebError::NotAllowed(addr),
        io::ErrorKind::AddrNotAvailable => WebError::NoSuchAddress(addr),
        _ => WebError::CannotListen(addr, error),
    })
}

/// Serves until `cancel`, then lets requests in flight finish for at most [`DRAIN_TIMEOUT`].
pub(super) async fn serve_connections<S>(listener: TcpListener, service: S, doors: Doors, cancel: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: trying again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let is_proxy = headers::is_trusted(peer.ip(), &doors.config.borrow().web.trusted_proxies);
        let place = tokio::select! {
            () = cancel.cancelled() => break,
            place = place_for(&doors.places, peer, is_proxy) => place,
        };
        let Some(place) = place else {
            refuse(&stream, peer, doors.tls.is_some());
            continue;
        };
        let (service, tls, cancel) = (service.clone(), doors.tls.clone(), cancel.clone());
        connections.spawn(async move {
            let place = Arc::new(place);
            tokio::select! {
                () = place.has_to_be_given_up() => tracing::debug!(%peer, "a connection gave way to another"),
                () = serve_one(stream, peer, tls, service, place.clone(), cancel) => {}
            }
        });
    }
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::info!(connections = connections.len(), "connections were cut off at the end of the drain");
    }
}

/// `None` when the client's address has too many. When nobody can give way, the ones behind wait in the kernel's queue.
async fn place_for(places: &Places, peer: SocketAddr, is_proxy: bool) -> Option<Place> {
    loop {
        match places.take(peer.ip(), is_proxy) {
            Ok(place) => return Some(place),
            Err(Full::Address) => return None,
            Err(Full::All) => places.freed().await,
        }
    }
}

/// Says why, when that costs nothing.
fn refuse(stream: &TcpStream, peer: SocketAddr, is_tls: bool) {
    tracing::debug!(%peer, "a connection was refused: too many from its address");
    if !is_tls {
        // An empty buffer takes all of it.
        let _ = stream.try_write(&refusal::too_many_connections());
    }
}

async fn serve_one<S>(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Tls>,
    service: S,
    place: Arc<Place>,
    cancel: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let peer = Peer { address, tls: tls.clone(), place };
    let Some(tls) = tls else { return serve_http(stream, peer, service, cancel).await };
    let handshake = timeout(HANDSHAKE_TIMEOUT, shake_hands(stream, &tls));
    let shaken = tokio::select! {
        () = cancel.cancelled() => return,
        shaken = handshake => shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    };
    match shaken {
        Ok(stream) => serve_http(stream, peer, service, cancel).await,
        Err(error) => tracing::debug!(peer = %address, %error, "a TLS handshake failed"),
    }
}

async fn shake_hands(
    mut stream: TcpStream,
    tls: &Tls,
) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
        let _ = stream.read(&mut [0; 4096]).await?;
        stream.write_all(&refusal::speaks_tls()).await?;
        stream.shutdown().await?;
        // What is unread at the end would reset the connection, and the answer would be lost.
        while stream.read(&mut [0; 4096]).await? > 0 {}
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks no TLS"));
    }
    tls.accept(stream).await
}

async fn serve_http<IO, S>(stream: IO, peer: Peer, service: S, cancel: CancellationToken)
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let (place, address) = (peer.place.clone(), peer.address);
    let answer = service_fn(move |request: Request<Incoming>| answer(request, peer.clone(), service.clone()));
    // A list of a thousand streams is a tenth of it over the wire. Pictures and what goes on for ever stay as they are.
    let worth_it = DefaultPredicate::new()
        .and(SizeAbove::new(MIN_COMPRESSED_BYTES))
        .and(NotForContentType::const_new("multipart/"));
    let answer = Compression::new(answer).quality(CompressionLevel::Fastest).compress_when(worth_it);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream, place)), TowerToHyperService::new(answer));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %address, %error, "a connection ended early");
    }
}

async fn answer<S>(
    mut request: Request<Incoming>,
    peer: Peer,
    mut service: S,
) -> Result<warp::http::Response<Answer>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    if !peer.place.head_is_whole(!request.body().is_end_stream()) {
        // The place is another's: the connection is dropped before this would be awaited any further.
        std::future::pending::<()>().await;
    }
    let (place, tls) = (peer.place.clone(), peer.tls.clone());
    let path = request.uri().path().to_owned();
    let mut response = match refusal::of_head(&request) {
        Some(refused) => refused.into_response(),
        None => {
            request.extensions_mut().insert(peer);
            // hyper leaves the body out of the answer to a HEAD by itself, so the routes need not know the method.
            if request.method() == Method::HEAD {
                *request.method_mut() = Method::GET;
            }
            service.call(request).await?
        }
    };
    headers::harden(&path, tls.as_ref().and_then(Tls::hsts), &mut response);
    Ok(response.map(|body| Answer { body, place }))
}

/// A body that says when it was handed over: hyper drops it then.
struct Answer {
    body: <Response as IntoBody>::Body,
    place: Arc<Place>,
}

/// Names the type of warp's body, which is not public.
trait IntoBody {
    type Body;
}

impl<B> IntoBody for warp::http::Response<B> {
    type Body = B;
}

impl Body for Answer {
    type Data = Bytes;
    type Error = warp::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.was_answered();
    }
}
