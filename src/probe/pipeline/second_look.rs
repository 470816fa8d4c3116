//! What GStreamer does not tell of a failure, one bare TCP connection without credentials does.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::challenge::bare_get;
use crate::model::Stage;
use crate::probe::classify::End;
use crate::probe::protocol::Target;

/// What a second look may take.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// More than this without the end of a header is no answer. GStreamer takes any amount.
const OVERSIZED_BYTES: usize = 64 * 1024;

/// An element says that the connection failed but not how.
pub fn at_a_failure(target: &Target) -> End {
    let Some(addresses) = resolve(target) else { return End::NameUnknown };
    let mut last = End::NameUnknown;
    for address in addresses.iter().take(2) {
        match TcpStream::connect_timeout(address, SECOND_LOOK) {
            Ok(_) if target.scheme.ends_with('s') => return End::Tls,
            Ok(_) => return End::Protocol,
            Err(error) => last = End::Connect(error.kind()),
        }
    }
    last
}

/// The deadline passed and no answer was whole: because nothing came, because it came too slowly, or because it did not
/// end? And did the device take the connection at all, where the element connects and asks in one step?
pub fn at_the_deadline(target: &Target, stage: Stage) -> Option<End> {
    let method = match stage {
        Stage::Options => "OPTIONS",
        Stage::Describe => "DESCRIBE",
        Stage::Request => "GET",
        _ => return None,
    };
    if target.scheme.ends_with('s') {
        return None;
    }
    let until = Instant::now() + SECOND_LOOK;
    let address = *resolve(target)?.first()?;
    match TcpStream::connect_timeout(&address, SECOND_LOOK) {
        Ok(connection) => is_oversized(connection, target, method, until).then_some(End::Protocol),
        // With RTSP the first connection is known to have been accepted.
        Err(error) if stage == Stage::Request && is_silence(error.kind()) => Some(End::Connect(ErrorKind::TimedOut)),
        Err(_) => None,
    }
}

fn resolve(target: &Target) -> Option<Vec<SocketAddr>> {
    (target.host.as_str(), target.port).to_socket_addrs().ok().map(Iterator::collect)
}

fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn is_oversized(mut connection: TcpStream, target: &Target, method: &str, until: Instant) -> bool {
    let request = match method {
        "GET" => bare_get(target),
        _ => format!("{method} {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", target.location),
    };
    if connection.write_all(request.as_bytes()).is_err() {
        return false;
    }
    let (mut chunk, mut taken) = ([0; 4096], 0);
    while taken <= OVERSIZED_BYTES {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || connection.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match connection.read(&mut chunk) {
            Ok(length) if length > 0 => taken += length,
            _ => return false,
        }
    }
    true
}
