//! Host name to address, with a deadline.

use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use rustix::io::Errno;

use super::classify::End;

/// Stack of a resolving thread: glibc's resolver keeps its answers there.
const STACK_BYTES: usize = 256 * 1024;

/// The addresses of a host, at least one. The system's resolver knows no deadline, so it waits in a thread of its own.
///
/// # Errors
/// [`End::NameUnknown`], [`End::NoNameServer`], or [`End::Deadline`] when nobody answered in time.
pub fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, End> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    // Holds the one answer.
    let (answer, answers) = sync_channel(1);
    let host = host.to_owned();
    let resolver = std::thread::Builder::new().name("resolve".to_owned()).stack_size(STACK_BYTES);
    let started = resolver.spawn(move || {
        let _ = answer.try_send(look_up(&host, port));
    });
    if started.is_err() {
        return Err(End::Overloaded);
    }
    match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(found) => found,
        Err(_) => Err(End::Deadline { since_media: None }),
    }
}

/// A link-local address with its interface is one of the names.
fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, End> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(host), None, Some(hints)).map_err(|error| match meaning(error.kind()) {
        End::NameUnknown if host.contains('%') => End::Connect(Errno::NODEV),
        end => end,
    })?;
    let with_port = |mut address: SocketAddr| {
        address.set_port(port);
        address
    };
    let addresses: Vec<_> = found.flatten().map(|found| with_port(found.sockaddr)).collect();
    if addresses.is_empty() { Err(End::NameUnknown) } else { Ok(addresses) }
}

/// RFC 3493 section 6.1: "no such name" is an answer and speaks of the camera. Everything else is none, and speaks of
/// the name server or of the way to it, which all cameras share.
fn meaning(kind: LookupErrorKind) -> End {
    match kind {
        LookupErrorKind::NoName | LookupErrorKind::NoData => End::NameUnknown,
        LookupErrorKind::Memory => End::Overloaded,
        _ => End::NoNameServer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_answer_is_not_a_missing_name() {
        for (kind, end) in [
            (LookupErrorKind::NoName, End::NameUnknown),
            (LookupErrorKind::NoData, End::NameUnknown),
            (LookupErrorKind::Again, End::NoNameServer),
            (LookupErrorKind::Fail, End::NoNameServer),
            (LookupErrorKind::System, End::NoNameServer),
            (LookupErrorKind::Memory, End::Overloaded),
        ] {
            assert_eq!(meaning(kind), end, "{kind:?}");
        }
    }

    #[test]
    fn an_interface_comes_along() {
        let Ok(SocketAddr::V6(loopback)) = look_up("fe80::1%lo", 554).map(|found| found[0]) else { panic!("IPv6") };
        assert!(loopback.scope_id() > 0 && loopback.port() == 554, "{loopback}");
        assert_eq!(look_up("fe80::1%nosuch", 554), Err(End::Connect(Errno::NODEV)));
        assert_eq!(look_up("localhost", 80).map(|found| found[0].port()), Ok(80));
        assert_eq!(look_up(&format!("{}.example", "x".repeat(64)), 80), Err(End::NameUnknown));
    }
}
