//! What GStreamer does not tell of a failure, one bare connection without credentials does.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::challenge::bare_get;
use super::dial::{Dialled, dial_until};
use crate::model::Stage;
use crate::probe::certificate::TlsFault;
use crate::probe::classify::End;
use crate::probe::exchange::{Transcript, Who};
use crate::probe::protocol::Target;

/// What a second look may take.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// More than this without the end of a header is no answer. GStreamer takes any amount.
const OVERSIZED_BYTES: usize = 64 * 1024;

/// An element says that the connection failed but not how.
pub fn at_a_failure(target: &Target, current: Stage) -> (Stage, End) {
    match dial_until(target, Instant::now() + SECOND_LOOK) {
        // It failed for `rtspsrc` and not for us.
        Ok(_) if target.is_tls() => (Stage::Tls, End::Tls(TlsFault::Handshake)),
        Ok(_) => (current, End::Protocol),
        Err((Stage::Connect, End::Deadline { .. })) => (Stage::Connect, End::Connect(Errno::TIMEDOUT)),
        Err(told) => told,
    }
}

/// The deadline passed and no answer was whole: because nothing came, because it came too slowly, or because it did not
/// end? And did the device take the connection at all, where the element connects and asks in one step?
pub fn at_the_deadline(target: &Target, stage: Stage, transcript: &Transcript) -> Option<(Stage, End)> {
    let method = match stage {
        Stage::Options => "OPTIONS",
        Stage::Describe => "DESCRIBE",
        Stage::Request => "GET",
        // `rtspsrc` connects and shakes hands in one step.
        Stage::Connect if target.is_tls() => "",
        _ => return None,
    };
    match dial_until(target, Instant::now() + SECOND_LOOK) {
        Ok(_) if stage == Stage::Connect => None,
        Ok(connection) => is_oversized(connection, target, method, transcript).then_some((stage, End::Protocol)),
        Err((Stage::Tls, End::Deadline { since_media })) if stage == Stage::Connect => {
            Some((Stage::Tls, End::Deadline { since_media }))
        }
        // With RTSP, and behind the relay, the first connection is known to have been accepted.
        Err((Stage::Connect, End::Deadline { .. })) if stage == Stage::Request && !target.is_tls() => {
            Some((Stage::Connect, End::Connect(Errno::TIMEDOUT)))
        }
        Err(_) => None,
    }
}

/// Reads on until the second look is over, or the connection is.
fn is_oversized(mut connection: Dialled, target: &Target, method: &str, transcript: &Transcript) -> bool {
    let request = match method {
        "GET" => bare_get(target),
        _ => format!("{method} {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", target.location),
    };
    transcript.note("no answer; asking once more, on a connection of its own");
    transcript.head(Who::We, &request);
    if connection.write_all(request.as_bytes()).is_err() {
        return false;
    }
    let (mut chunk, mut taken) = ([0; 4096], 0);
    while taken <= OVERSIZED_BYTES {
        match connection.read(&mut chunk) {
            Ok(length) if length > 0 => taken += length,
            _ => {
                transcript.note(&format!("{taken} bytes came"));
                return false;
            }
        }
    }
    transcript.note(&format!("more than {OVERSIZED_BYTES} bytes came"));
    true
}
