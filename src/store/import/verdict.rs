//! What a row of the original says, in our words. It looked no further than a DESCRIBE or a HEAD, so that is the stage of
//! nearly everything that it knew.

use crate::model::{Health, Reason, Stage};

/// Stage and reason of a row. Only what the message proves is believed: "ok" with a 401 in it is a refused request.
pub(super) fn verdict(status: &str, message: &str) -> (Stage, Reason) {
    let said_ok = status.trim().eq_ignore_ascii_case("ok");
    let message = message.trim();
    let found = if message.eq_ignore_ascii_case("ok") {
        // OpenCV gave it a frame.
        (Stage::Picture, Reason::Ok)
    } else if let Some(code) = code_after("RTSP ", message) {
        (Stage::Describe, of_code(code))
    } else if let Some(code) = code_after("HTTP ", message) {
        (Stage::Request, of_code(code))
    } else if said_ok {
        (Stage::Describe, Reason::Ok)
    } else {
        of_failure(message)
    };
    match found {
        (Stage::Picture, Reason::Ok) if !said_ok => (Stage::Decode, Reason::ProtocolError),
        (stage, Reason::Ok) if !said_ok => (stage, Reason::ProtocolError),
        found => found,
    }
}

/// The state that a row speaks for.
pub(super) fn health(reason: Reason) -> Health {
    match reason {
        Reason::Ok => Health::Up,
        // The original asked without the password, so this is what a camera that is well and has one answers.
        Reason::AuthFailed => Health::Unknown,
        // No session left for us says nothing about the picture that others see.
        Reason::Busy => Health::Unknown,
        reason if reason.is_ours() => Health::Unknown,
        _ => Health::Down,
    }
}

fn code_after(protocol: &str, message: &str) -> Option<u16> {
    let rest = message.strip_prefix(protocol)?;
    rest.split_whitespace().next()?.parse().ok().filter(|code| (100..=999).contains(code))
}

/// RFC 2326 section 7.1.1, RFC 9110 section 15. A redirect was ok for the original, which did not follow it, and is no failure.
fn of_code(code: u16) -> Reason {
    match code {
        200..=399 => Reason::Ok,
        401 => Reason::AuthFailed,
        403 => Reason::Forbidden,
        404 => Reason::NotFound,
        453 | 503 => Reason::Busy,
        454 => Reason::SessionNotFound,
        461 => Reason::UnsupportedTransport,
        400..=499 => Reason::RequestRefused,
        500..=599 => Reason::ServerError,
        _ => Reason::ProtocolError,
    }
}

/// Messages of exceptions: of `asyncio` ("error:[Errno 111] Connect call failed …"), of `aiohttp` ("error:Cannot connect
/// to host … [Connection refused]"), and of the first version, which only had OpenCV.
fn of_failure(message: &str) -> (Stage, Reason) {
    let text = message.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if text == "timeout" {
        // In the connection or after it: it did not tell. That the camera did not respond in time is true of both.
        (Stage::Describe, Reason::ResponseTimeout)
    } else if text == "no frame" {
        (Stage::FirstPacket, Reason::NoData)
    } else if text.starts_with("cv2err") {
        (Stage::FirstPacket, Reason::ProtocolError)
    } else if says(&[
        "[errno -",
        "name or service not known",
        "name resolution",
        "getaddrinfo",
        "nodename nor servname",
    ]) || says(&["no address associated", "domain name not found"])
    {
        (Stage::Resolve, Reason::DnsFailed)
    } else if says(&["[errno 24]", "[errno 23]", "[errno 12]", "[errno 105]", "too many open files"]) {
        (Stage::Connect, Reason::Overloaded)
    } else if says(&["certificate", "sslerror", "tlsv1", "handshake"]) {
        (Stage::Tls, Reason::TlsFailed)
    } else if says(&["[errno 111]", "connection refused"]) {
        (Stage::Connect, Reason::ConnectionRefused)
    } else if says(&["[errno 110]", "connection timed out", "connection timeout"]) {
        (Stage::Connect, Reason::ConnectTimeout)
    } else if says(&["[errno 113]", "[errno 101]", "no route to host", "unreachable", "host is down"])
        // aiohttp drops the number here: refused or no route, in any case not reached.
        || says(&["connect call failed", "cannot connect to host"])
    {
        (Stage::Connect, Reason::Unreachable)
    } else {
        // A reset, a connection closed early, an answer that is none.
        (Stage::Describe, Reason::ProtocolError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_original_are_told_truthfully() {
        use Reason::*;
        use Stage::*;
        let rows = [
            ("ok", "RTSP 200", Describe, Ok),
            ("ok", "RTSP 401 Unauthorized", Describe, AuthFailed),
            ("ok", "RTSP 403 Forbidden", Describe, Forbidden),
            ("ok", "RTSP 404 Not Found", Describe, NotFound),
            ("ok", "RTSP 454 Session Not Found", Describe, SessionNotFound),
            ("fail", "RTSP not 200", Describe, ProtocolError),
            ("fail", "timeout", Describe, ResponseTimeout),
            ("fail", "error:[Errno 111] Connect call failed ('192.0.2.7', 554)", Connect, ConnectionRefused),
            (
                "fail",
                "error:Multiple exceptions: [Errno 111] Connect call failed ('::1', 554, 0, 0), [Errno 111] Connect call failed ('127.0.0.1', 554)",
                Connect,
                ConnectionRefused,
            ),
            ("fail", "error:[Errno 113] Connect call failed ('192.0.2.7', 554)", Connect, Unreachable),
            ("fail", "error:[Errno 101] Network is unreachable", Connect, Unreachable),
            ("fail", "error:[Errno 110] Connect call failed ('192.0.2.7', 554)", Connect, ConnectTimeout),
            ("fail", "error:[Errno -2] Name or service not known", Resolve, DnsFailed),
            ("fail", "error:[Errno -3] Temporary failure in name resolution", Resolve, DnsFailed),
            ("fail", "error:Cannot connect to host cam:8081 ssl:False [Name or service not known]", Resolve, DnsFailed),
            (
                "fail",
                "error:Cannot connect to host 192.0.2.9:8081 ssl:False [Connect call failed ('192.0.2.9', 8081)]",
                Connect,
                Unreachable,
            ),
            ("fail", "error:[Errno 104] Connection reset by peer", Describe, ProtocolError),
            ("fail", "error:Server disconnected", Describe, ProtocolError),
            ("fail", "error:[Errno 24] Too many open files", Connect, Overloaded),
            ("fail", "error:", Describe, ProtocolError),
            ("fail", "", Describe, ProtocolError),
            ("ok", "HTTP 200", Request, Ok),
            ("ok", "HTTP 302", Request, Ok),
            ("fail", "HTTP 401", Request, AuthFailed),
            ("fail", "HTTP 405", Request, RequestRefused),
            ("fail", "HTTP 500", Request, ServerError),
            ("fail", "HTTP 503", Request, Busy),
            ("ok", "ok", Picture, Ok),
            ("fail", "no frame", FirstPacket, NoData),
            ("fail", "No frame", FirstPacket, NoData),
            ("fail", "Cannot open stream", Describe, ProtocolError),
            ("fail", "cv2err:rtsp://admin:secret@192.0.2.7/x", FirstPacket, ProtocolError),
            // What it never wrote.
            ("ok", "", Describe, Ok),
            ("fail", "RTSP 200", Describe, ProtocolError),
            ("fail", "ok", Decode, ProtocolError),
            ("OK", "RTSP 40x", Describe, Ok),
        ];
        for (status, message, stage, reason) in rows {
            assert_eq!(verdict(status, message), (stage, reason), "{status} {message}");
        }
    }

    #[test]
    fn a_fault_of_the_monitor_is_not_the_cameras() {
        assert_eq!(health(Reason::Ok), Health::Up);
        assert_eq!(health(Reason::AuthFailed), Health::Unknown);
        assert_eq!(health(Reason::Busy), Health::Unknown);
        assert_eq!(health(Reason::Overloaded), Health::Unknown);
    }
}
