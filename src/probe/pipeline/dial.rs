//! A connection to a camera that is not GStreamer's: plain or TLS, its certificate judged in its own handshake.

use std::cell::RefCell;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use gio::glib;
use gio::prelude::*;
use rustix::io::Errno;

use super::authority;
use super::connect::connect;
use crate::model::Stage;
use crate::probe::certificate::TlsFault;
use crate::probe::classify::End;
use crate::probe::protocol::Target;
use crate::probe::resolve::resolve;

/// What the watching thread needs: a name, a channel and a wait.
const WATCHING_STACK_BYTES: usize = 64 * 1024;

/// An open connection; every operation on it ends when its `cancel` is.
pub struct Dialled {
    stream: gio::IOStream,
    cancel: gio::Cancellable,
    /// Keeps the deadline for as long as the connection is used.
    _timer: Option<SyncSender<()>>,
}

impl Dialled {
    fn new(stream: gio::IOStream, cancel: &gio::Cancellable) -> Self {
        Self { stream, cancel: cancel.clone(), _timer: None }
    }
}

impl io::Read for Dialled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.input_stream().read(buffer, Some(&self.cancel)).map_err(io::Error::other)
    }
}

impl io::Write for Dialled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.output_stream().write(bytes, Some(&self.cancel)).map_err(io::Error::other)?;
        usize::try_from(written).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.output_stream().flush(Some(&self.cancel)).map_err(io::Error::other)
    }
}

/// Connects and, where the target asks for it, shakes hands. `begins` is told of the stages.
///
/// # Errors
/// The stage and what ended it; at the deadline, or when cancelled, that time ran out.
pub fn dial(
    target: &Target,
    deadline: Instant,
    cancel: &gio::Cancellable,
    mut begins: impl FnMut(Stage),
) -> Result<Dialled, (Stage, End)> {
    begins(Stage::Connect);
    let addresses = resolve(&target.host, target.port, deadline).map_err(|end| (Stage::Resolve, end))?;
    let socket = connect(&addresses, deadline, cancel).map_err(|end| (Stage::Connect, end))?;
    let stream = as_glib_has_it(socket, deadline).map_err(|end| (Stage::Connect, end))?;
    if !target.is_tls() {
        return Ok(Dialled::new(stream.upcast(), cancel));
    }
    begins(Stage::Tls);
    let stream = shake_hands(&stream, target, cancel).map_err(|end| (Stage::Tls, end))?;
    Ok(Dialled::new(stream.upcast(), cancel))
}

/// As [`dial`], with a deadline that is kept to the millisecond; for connections that nobody else cancels.
///
/// # Errors
/// As [`dial`].
pub fn dial_until(target: &Target, deadline: Instant) -> Result<Dialled, (Stage, End)> {
    let cancel = gio::Cancellable::new();
    let _timer = cancel_at(&cancel, deadline);
    Ok(Dialled { _timer, ..dial(target, deadline, &cancel, |_| {})? })
}

/// Cancels at that moment, unless what is returned is dropped before.
fn cancel_at(cancel: &gio::Cancellable, deadline: Instant) -> Option<SyncSender<()>> {
    let cancel = cancel.clone();
    // Nothing is ever sent: its end is the news.
    let (timer, done) = sync_channel(1);
    let watching = std::thread::Builder::new().name("deadline".to_owned()).stack_size(WATCHING_STACK_BYTES);
    let started = watching.spawn(move || {
        let left = deadline.saturating_duration_since(Instant::now());
        if done.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            cancel.cancel();
        }
    });
    // Without the thread the socket's own timeout, in whole seconds, holds.
    started.ok().map(|_| timer)
}

fn as_glib_has_it(socket: TcpStream, deadline: Instant) -> Result<gio::SocketConnection, End> {
    let socket = gio::Socket::from_fd(socket.into()).map_err(|_| End::Overloaded)?;
    // A second late, it is only for the case that nobody cancels.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_secs(1);
    socket.set_timeout(u32::try_from(left.as_secs()).unwrap_or(60).max(1));
    // So that GLib knows, too, that it is connected.
    socket.check_connect_result().map_err(|_| End::Connect(Errno::CONNABORTED))?;
    Ok(socket.connection_factory_create_connection())
}

fn shake_hands(
    stream: &gio::SocketConnection,
    target: &Target,
    cancel: &gio::Cancellable,
) -> Result<gio::TlsClientConnection, End> {
    authority::prepare();
    let identity = gio::NetworkAddress::new(target.host_without_zone(), target.port);
    let tls = gio::TlsClientConnection::new(stream, Some(&identity)).map_err(|_| End::Tls(TlsFault::Handshake))?;
    // Cameras close as they like; a keyframe that is whole needs no farewell.
    tls.set_require_close_notify(false);
    let verdict: Rc<RefCell<Option<Result<(), TlsFault>>>> = Rc::default();
    tls.connect_accept_certificate({
        let (verdict, target) = (verdict.clone(), target.clone());
        move |_, certificate, _| {
            let judged = authority::judge(certificate, &target);
            let taken = judged.is_ok();
            *verdict.borrow_mut() = Some(judged);
            taken
        }
    });
    let shaken = tls.handshake(Some(cancel));
    match (shaken, verdict.take()) {
        (_, Some(Err(fault))) => Err(End::Tls(fault)),
        (Ok(()), Some(Ok(()))) => Ok(tls),
        // A resumed session brings its certificate along.
        (Ok(()), None) => match tls.peer_certificate().map(|seen| authority::judge(&seen, target)) {
            Some(Ok(())) => Ok(tls),
            Some(Err(fault)) => Err(End::Tls(fault)),
            None => Err(End::Tls(TlsFault::Handshake)),
        },
        (Err(error), _) if is_silence(&error) => Err(End::Deadline { since_media: None }),
        _ => Err(End::Tls(TlsFault::Handshake)),
    }
}

/// Time ran out, or somebody said so.
fn is_silence(error: &glib::Error) -> bool {
    error.matches(gio::IOErrorEnum::TimedOut) || error.matches(gio::IOErrorEnum::Cancelled)
}
