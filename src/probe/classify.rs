//! From what was seen on the wire to stage and reason. Pure: a table over recorded facts.

use std::time::Duration;

use rustix::io::Errno;

use super::certificate::TlsFault;
use crate::model::{Outcome, Reason, Stage};

/// A pause in the media longer than this, just before the deadline, is a stall.
pub const STALL: Duration = Duration::from_secs(1);

/// How the receiving part of a probe ended without a keyframe, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The deadline passed.
    Deadline {
        /// Time since the last media, `None` when there was none.
        since_media: Option<Duration>,
    },
    /// The host name does not resolve: there is no such name, or no address behind it.
    NameUnknown,
    /// Whether there is such a name is not known: no name server answered, or none that works.
    NoNameServer,
    /// The connection failed, as the operating system says.
    Connect(Errno),
    /// The handshake or the certificate failed.
    Tls(TlsFault),
    /// The camera answered with this RTSP or HTTP status.
    Status(u16),
    /// The camera does not know the request.
    NotImplemented,
    /// The camera asks for a password, and there is none.
    PasswordWanted,
    /// The camera refused the password; it was not sent again.
    PasswordRefused,
    /// The description or the answer holds no video.
    NoVideo {
        /// What there is instead, a MIME type or media kinds.
        found: String,
    },
    /// Video in a codec without decoder here.
    UnsupportedCodec {
        /// As the SDP or caps name it.
        name: String,
    },
    /// Only hardware may decode, and no hardware decoder takes this.
    HardwareOnly {
        /// The codec.
        name: String,
        /// Why none does.
        why: String,
    },
    /// Only hardware may decode, and it failed: nobody knows what software would say.
    HardwareFailed {
        /// What happened.
        what: String,
    },
    /// The camera redirects; whether it is followed is not decided yet.
    Moved {
        /// Where to, as the camera wrote it.
        location: String,
    },
    /// Redirected too often, or to where we do not follow.
    Redirect {
        /// Why it is not followed, in one clause.
        why: String,
    },
    /// The connection or the stream was closed by the camera.
    Closed {
        /// True when media had come before.
        after_media: bool,
    },
    /// Something that is not the protocol.
    Protocol,
    /// More pixels than allowed.
    TooLarge {
        /// Width and height.
        size_px: (u32, u32),
    },
    /// There was a keyframe, and it does not decode.
    Undecodable {
        /// What the decoder said, in our words.
        what: &'static str,
    },
    /// No slot or time on this machine.
    Overloaded,
    /// The monitor does not want the result any more.
    Cancelled,
}

const NO_NAME_SERVER: &str = "no name server answers";

/// Stage, reason and one clause of detail. `stage` is the one that was in progress.
pub fn classify(stage: Stage, end: &End) -> Outcome {
    let (stage, reason, detail) = match end {
        End::Deadline { since_media } => deadline(stage, *since_media),
        End::NameUnknown => (Stage::Resolve, Reason::DnsFailed, String::new()),
        End::NoNameServer => (Stage::Resolve, Reason::MonitorOffline, NO_NAME_SERVER.to_owned()),
        End::Connect(error) => {
            let (reason, detail) = connect(*error);
            (Stage::Connect, reason, detail.to_owned())
        }
        End::Tls(fault) => (Stage::Tls, Reason::TlsFailed, fault.detail()),
        End::Status(code) => (stage, status(*code), format!("status {code}")),
        End::NotImplemented => (stage, Reason::RequestRefused, "the camera does not know this request".to_owned()),
        End::PasswordWanted => {
            (stage, Reason::AuthFailed, "the camera asks for a password, and none is configured".to_owned())
        }
        End::PasswordRefused => (stage, Reason::AuthFailed, "status 401 to a request with credentials".to_owned()),
        End::NoVideo { found } if found.is_empty() => (stage, Reason::NoVideo, String::new()),
        End::NoVideo { found } => (stage, Reason::NoVideo, format!("there is only {found}")),
        End::UnsupportedCodec { name } => (stage, Reason::UnsupportedCodec, format!("codec {name}")),
        End::HardwareOnly { name, why } => {
            (Stage::Decode, Reason::UnsupportedCodec, format!("codec {name}, and probe.hardware is required: {why}"))
        }
        End::HardwareFailed { what } => {
            (Stage::Decode, Reason::Overloaded, format!("probe.hardware is required: {what}"))
        }
        End::Moved { .. } => (stage, Reason::RedirectLoop, String::new()),
        End::Redirect { why } => (stage, Reason::RedirectLoop, why.clone()),
        End::Closed { after_media } => closed(stage, *after_media),
        End::Protocol => (stage, Reason::ProtocolError, String::new()),
        End::TooLarge { size_px: (width, height) } => {
            (Stage::Keyframe, Reason::PictureTooLarge, format!("{width}×{height} pixels"))
        }
        End::Undecodable { what } => (Stage::Decode, Reason::Corrupt, (*what).to_owned()),
        End::Overloaded => (stage, Reason::Overloaded, String::new()),
        End::Cancelled => (stage, Reason::Overloaded, "the probe was cancelled".to_owned()),
    };
    Outcome::Failed { stage, reason, detail }
}

/// What was being waited for when time ran out tells what is missing.
fn deadline(stage: Stage, since_media: Option<Duration>) -> (Stage, Reason, String) {
    let reason = match stage {
        // A name that is not there is answered; silence is a name server that is not.
        Stage::Resolve => Reason::MonitorOffline,
        Stage::Connect => Reason::ConnectTimeout,
        Stage::Tls | Stage::Options | Stage::Describe | Stage::Setup | Stage::Play | Stage::Request => {
            Reason::ResponseTimeout
        }
        Stage::FirstPacket => Reason::NoData,
        Stage::Keyframe => match since_media {
            Some(pause) if pause > STALL => Reason::Stalled,
            _ => Reason::NoKeyframe,
        },
        Stage::Decode | Stage::Picture => Reason::Overloaded,
    };
    let detail = match (reason, since_media) {
        (Reason::Stalled, Some(pause)) => format!("nothing for {:.1} s", pause.as_secs_f64()),
        (Reason::MonitorOffline, _) => NO_NAME_SERVER.to_owned(),
        _ => String::new(),
    };
    (stage, reason, detail)
}

/// What connect(2) and socket(2) say: first what is this machine's own fault and tells nothing of the camera.
fn connect(error: Errno) -> (Reason, &'static str) {
    match error {
        Errno::NETUNREACH | Errno::NETDOWN => (Reason::MonitorOffline, "this machine has no route there"),
        Errno::NODEV | Errno::NXIO => (Reason::MonitorOffline, "this machine has no such network interface"),
        Errno::ACCESS | Errno::PERM => (Reason::MonitorOffline, "this machine does not let it connect there"),
        Errno::AFNOSUPPORT => (Reason::MonitorOffline, "this machine has no IPv6"),
        Errno::MFILE | Errno::NFILE => (Reason::Overloaded, "no file descriptor is left for a connection"),
        Errno::NOBUFS | Errno::NOMEM => (Reason::Overloaded, "no memory is left for a connection"),
        Errno::ADDRNOTAVAIL => (Reason::Overloaded, "no local address or port is left for a connection"),
        Errno::CONNREFUSED | Errno::CONNRESET | Errno::CONNABORTED => (Reason::ConnectionRefused, ""),
        Errno::TIMEDOUT | Errno::AGAIN => (Reason::ConnectTimeout, ""),
        // What Linux says of a link-local address without its interface.
        Errno::INVAL => (Reason::Unreachable, "a link-local address needs its interface, as in [fe80::1%eth0]"),
        _ => (Reason::Unreachable, ""),
    }
}

/// The one of two addresses' failures that tells more. What this machine lacks for any connection counts first, because
/// nobody knows then what a camera would have said; that it has no route to one of the addresses (no IPv6) counts last.
pub fn more_telling(one: End, other: End) -> End {
    let weight = |end: &End| match end {
        End::Connect(error) => match connect(*error).0 {
            Reason::Overloaded => 5,
            Reason::ConnectionRefused => 4,
            Reason::ConnectTimeout => 3,
            Reason::Unreachable => 2,
            _ => 1,
        },
        End::Deadline { .. } => 3,
        End::NameUnknown => 0,
        // It was connected, and broke later.
        _ => 6,
    };
    if weight(&other) > weight(&one) { other } else { one }
}

/// RFC 2326 section 11, RFC 9110 section 15.
fn status(code: u16) -> Reason {
    match code {
        401 | 407 => Reason::AuthFailed,
        403 => Reason::Forbidden,
        404 | 410 => Reason::NotFound,
        453 | 503 => Reason::Busy,
        454 => Reason::SessionNotFound,
        461 => Reason::UnsupportedTransport,
        300..=399 => Reason::RedirectLoop,
        400..=499 => Reason::RequestRefused,
        500..=599 => Reason::ServerError,
        _ => Reason::ProtocolError,
    }
}

fn closed(stage: Stage, after_media: bool) -> (Stage, Reason, String) {
    let reason = match stage {
        _ if after_media => Reason::Stalled,
        Stage::FirstPacket | Stage::Keyframe => Reason::NoData,
        _ => Reason::ProtocolError,
    };
    (stage, reason, "the camera closed the connection".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let silent = End::Deadline { since_media: None };
        let media = |ms| End::Deadline { since_media: Some(Duration::from_millis(ms)) };
        for (stage, end, expected_stage, expected) in [
            (Stage::Resolve, End::NameUnknown, Stage::Resolve, Reason::DnsFailed),
            (Stage::Resolve, End::NoNameServer, Stage::Resolve, Reason::MonitorOffline),
            (Stage::Resolve, silent.clone(), Stage::Resolve, Reason::MonitorOffline),
            (Stage::Connect, End::Connect(Errno::CONNREFUSED), Stage::Connect, Reason::ConnectionRefused),
            (Stage::Connect, End::Connect(Errno::HOSTUNREACH), Stage::Connect, Reason::Unreachable),
            (Stage::Connect, End::Connect(Errno::INVAL), Stage::Connect, Reason::Unreachable),
            (Stage::Connect, End::Connect(Errno::TIMEDOUT), Stage::Connect, Reason::ConnectTimeout),
            (Stage::Connect, End::Connect(Errno::NETUNREACH), Stage::Connect, Reason::MonitorOffline),
            (Stage::Connect, End::Connect(Errno::PERM), Stage::Connect, Reason::MonitorOffline),
            (Stage::Connect, End::Connect(Errno::NODEV), Stage::Connect, Reason::MonitorOffline),
            (Stage::Connect, End::Connect(Errno::MFILE), Stage::Connect, Reason::Overloaded),
            (Stage::Connect, End::Connect(Errno::NFILE), Stage::Connect, Reason::Overloaded),
            (Stage::Connect, End::Connect(Errno::NOBUFS), Stage::Connect, Reason::Overloaded),
            (Stage::Connect, End::Connect(Errno::NOMEM), Stage::Connect, Reason::Overloaded),
            (Stage::Connect, End::Connect(Errno::ADDRNOTAVAIL), Stage::Connect, Reason::Overloaded),
            (Stage::Connect, silent.clone(), Stage::Connect, Reason::ConnectTimeout),
            (Stage::Options, silent.clone(), Stage::Options, Reason::ResponseTimeout),
            (Stage::Request, silent.clone(), Stage::Request, Reason::ResponseTimeout),
            (Stage::Describe, End::Status(401), Stage::Describe, Reason::AuthFailed),
            (Stage::Describe, End::PasswordRefused, Stage::Describe, Reason::AuthFailed),
            (Stage::Describe, End::PasswordWanted, Stage::Describe, Reason::AuthFailed),
            (Stage::Play, End::NotImplemented, Stage::Play, Reason::RequestRefused),
            (Stage::Describe, End::Status(403), Stage::Describe, Reason::Forbidden),
            (Stage::Describe, End::Status(404), Stage::Describe, Reason::NotFound),
            (Stage::Setup, End::Status(453), Stage::Setup, Reason::Busy),
            (Stage::Request, End::Status(503), Stage::Request, Reason::Busy),
            (Stage::Play, End::Status(454), Stage::Play, Reason::SessionNotFound),
            (Stage::Setup, End::Status(461), Stage::Setup, Reason::UnsupportedTransport),
            (Stage::Describe, End::Status(418), Stage::Describe, Reason::RequestRefused),
            (Stage::Describe, End::Status(500), Stage::Describe, Reason::ServerError),
            (Stage::Describe, End::Status(302), Stage::Describe, Reason::RedirectLoop),
            (Stage::Tls, silent.clone(), Stage::Tls, Reason::ResponseTimeout),
            (Stage::Connect, End::Tls(TlsFault::Handshake), Stage::Tls, Reason::TlsFailed),
            (Stage::Request, End::Redirect { why: String::new() }, Stage::Request, Reason::RedirectLoop),
            (Stage::FirstPacket, silent, Stage::FirstPacket, Reason::NoData),
            (Stage::Keyframe, media(40), Stage::Keyframe, Reason::NoKeyframe),
            (Stage::Keyframe, media(1_500), Stage::Keyframe, Reason::Stalled),
            (Stage::Keyframe, End::Closed { after_media: true }, Stage::Keyframe, Reason::Stalled),
            (Stage::Describe, End::Closed { after_media: false }, Stage::Describe, Reason::ProtocolError),
            (Stage::Keyframe, End::TooLarge { size_px: (9000, 9000) }, Stage::Keyframe, Reason::PictureTooLarge),
            (Stage::Keyframe, End::Undecodable { what: "x" }, Stage::Decode, Reason::Corrupt),
            (
                Stage::Decode,
                End::HardwareOnly { name: "h265".to_owned(), why: "x".to_owned() },
                Stage::Decode,
                Reason::UnsupportedCodec,
            ),
            (Stage::Decode, End::HardwareFailed { what: "x".to_owned() }, Stage::Decode, Reason::Overloaded),
        ] {
            let Outcome::Failed { stage: got_stage, reason, .. } = classify(stage, &end) else { panic!("{end:?}") };
            assert_eq!((got_stage, reason), (expected_stage, expected), "{stage} {end:?}");
        }
    }

    #[test]
    fn of_several_addresses_the_most_telling_counts() {
        let silent = End::Deadline { since_media: None };
        let refused = End::Connect(Errno::CONNREFUSED);
        let (no_route, no_host) = (End::Connect(Errno::NETUNREACH), End::Connect(Errno::HOSTUNREACH));
        let no_file = End::Connect(Errno::MFILE);
        let in_order = [End::NameUnknown, no_route, no_host, silent, refused, no_file];
        for pair in in_order.windows(2) {
            let [less, more] = pair else { panic!("a pair") };
            assert_eq!(&more_telling(less.clone(), more.clone()), more);
            assert_eq!(&more_telling(more.clone(), less.clone()), more);
        }
    }
}
