//! The accept loop: everything that warp leaves open. A bound on connections, on the time a client takes to send its
//! headers and to take our bytes, the peer's address for the routes, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;
use warp::http::{Method, Request};
use warp::reply::Response;

use super::errors::WebError;
use super::headers;

/// Connections at once. The next one waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
/// For a whole request head, and for the next one on a connection that is kept open.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client may refuse to take a single byte.
const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request head (hyper answers 431 beyond it).
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long requests in flight may finish after the cancellation.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Who sent the request, in its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

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
pub(super) async fn serve_connections<S>(listener: TcpListener, service: S, cancel: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let (service, cancel) = (service.clone(), cancel.clone());
                connections.spawn(async move {
                    serve_one(stream, peer, service, cancel).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: trying again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::info!(connections = connections.len(), "connections were cut off at the end of the drain");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

async fn serve_one<S>(stream: TcpStream, peer: SocketAddr, service: S, cancel: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let mut service = service.clone();
        request.extensions_mut().insert(Peer(peer));
        // hyper leaves the body out of the answer to a HEAD by itself, so the routes need not know the method.
        if request.method() == Method::HEAD {
            *request.method_mut() = Method::GET;
        }
        let path = request.uri().path().to_owned();
        async move {
            let mut response = service.call(request).await?;
            headers::harden(&path, &mut response);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream)), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// A stream whose writes fail when the other side takes nothing for [`WRITE_STALL_TIMEOUT`].
struct Patient {
    inner: TcpStream,
    stalled: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patient {
    fn new(inner: TcpStream) -> Self {
        Self { inner, stalled: Box::pin(sleep(WRITE_STALL_TIMEOUT)), waiting: false }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = false;
            return polled;
        }
        if !self.waiting {
            self.waiting = true;
            self.stalled.as_mut().reset(Instant::now() + WRITE_STALL_TIMEOUT);
        }
        match self.stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
