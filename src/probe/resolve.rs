//! Host name to address, with a deadline.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use super::classify::End;

/// Stack of a resolving thread: glibc's resolver keeps its answers there.
const STACK_BYTES: usize = 256 * 1024;

/// The addresses of a host, at least one. The system's resolver knows no deadline, so it waits in a thread of its own.
///
/// # Errors
/// [`End::NameUnknown`], or [`End::Deadline`] when nobody answered in time.
pub fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, End> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    // Holds the one answer.
    let (answer, answers) = sync_channel(1);
    let host = host.to_owned();
    let resolver = std::thread::Builder::new().name("resolve".to_owned()).stack_size(STACK_BYTES);
    let started = resolver.spawn(move || {
        let found: Vec<SocketAddr> =
            (host.as_str(), port).to_socket_addrs().map_or_else(|_| Vec::new(), Iterator::collect);
        let _ = answer.try_send(found);
    });
    if started.is_err() {
        return Err(End::Overloaded);
    }
    match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(found) if found.is_empty() => Err(End::NameUnknown),
        Ok(found) => Ok(found),
        Err(_) => Err(End::Deadline { since_media: None }),
    }
}
