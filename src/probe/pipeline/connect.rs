//! A TCP connection to whichever of a name's addresses takes it.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use gio::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::probe::classify::{End, more_telling};

/// Addresses of one name that are tried.
const MOST_ATTEMPTS: usize = 2;

/// An address has so long to itself before the next one is tried beside it (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How often it is looked whether nobody wants the connection any more.
const LOOK: Duration = Duration::from_millis(100);

/// The first connection that stands; its socket does not block. The sockets are made by hand, because GLib keeps only some of
/// what the system says and drops the interface of a link-local address.
///
/// # Errors
/// The most telling of what the attempts ended with; that of one which is open, at the deadline or when cancelled, is that
/// time ran out.
pub fn connect(addresses: &[SocketAddr], deadline: Instant, cancel: &gio::Cancellable) -> Result<TcpStream, End> {
    let mut attempts =
        Attempts { addresses, begun: 0, next_at: Instant::now(), open: Vec::new(), failed: End::NameUnknown };
    loop {
        attempts.begin();
        if attempts.open.is_empty() {
            return Err(attempts.failed);
        }
        let now = Instant::now();
        if now >= deadline || cancel.is_cancelled() {
            return Err(more_telling(attempts.failed, End::Deadline { since_media: None }));
        }
        let mut until = deadline.min(now + LOOK);
        if attempts.has_more() {
            until = until.min(attempts.next_at);
        }
        if let Some(stands) = attempts.wait(until.saturating_duration_since(now)) {
            return Ok(stands);
        }
    }
}

struct Attempts<'a> {
    /// Those that were not tried.
    addresses: &'a [SocketAddr],
    begun: usize,
    /// When the next one begins, unless all that are open fail before.
    next_at: Instant,
    open: Vec<OwnedFd>,
    failed: End,
}

impl Attempts<'_> {
    fn has_more(&self) -> bool {
        !self.addresses.is_empty() && self.begun < MOST_ATTEMPTS
    }

    /// Begins what is due.
    fn begin(&mut self) {
        while self.has_more() && (self.open.is_empty() || Instant::now() >= self.next_at) {
            let Some((address, rest)) = self.addresses.split_first() else { return };
            self.addresses = rest;
            match begin(*address) {
                Ok(socket) => {
                    self.open.push(socket);
                    self.begun += 1;
                    self.next_at = Instant::now() + HEAD_START;
                }
                Err(error) => {
                    // An address without a route costs nothing and nobody.
                    self.begun += usize::from(error != Errno::NETUNREACH);
                    self.fail(error);
                }
            }
        }
    }

    fn fail(&mut self, error: Errno) {
        let before = std::mem::replace(&mut self.failed, End::NameUnknown);
        self.failed = more_telling(before, End::Connect(error));
    }

    /// Waits for one that is decided; gives it when it stands.
    fn wait(&mut self, longest: Duration) -> Option<TcpStream> {
        let mut decided: Vec<_> = self.open.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
        // Interrupted, it is asked again.
        poll(&mut decided, Some(&Timespec::try_from(longest).ok()?)).ok()?;
        let at = decided.iter().position(|socket| !socket.revents().is_empty())?;
        let socket = self.open.swap_remove(at);
        match sockopt::socket_error(&socket).and_then(|outcome| outcome) {
            Ok(()) => Some(socket.into()),
            Err(error) => {
                // As above, when a router says so.
                self.begun -= usize::from(error == Errno::NETUNREACH);
                self.fail(error);
                None
            }
        }
    }
}

fn begin(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// An address that nobody listens at.
    fn closed() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
    }

    /// An address that answers to nothing: its queue of connections is full.
    fn silent() -> (TcpListener, Vec<OwnedFd>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let fill = (0..4).map(|_| begin(address).unwrap()).collect();
        (listener, fill)
    }

    #[test]
    fn the_address_that_takes_it() {
        let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = open.local_addr().unwrap();
        let (silent, _fill) = silent();
        for before in [closed(), silent.local_addr().unwrap()] {
            let stream = connect(&[before, address], soon(), &gio::Cancellable::new()).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
        }
    }

    #[test]
    fn why_none_does() {
        let cancel = gio::Cancellable::new();
        let refused = Some(End::Connect(Errno::CONNREFUSED));
        assert_eq!(connect(&[closed(), closed()], soon(), &cancel).err(), refused);
        let (silent, _fill) = silent();
        let silent = silent.local_addr().unwrap();
        let late = Some(End::Deadline { since_media: None });
        assert_eq!(connect(&[silent], Instant::now() + Duration::from_millis(300), &cancel).err(), late);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| connect(&[silent], Instant::now() + Duration::from_secs(600), &cancel).err());
            cancel.cancel();
            assert_eq!(waiting.join().unwrap(), late);
        });
    }
}
