//! What may be broken about a camera.
//!
//! Each place of a conversation asks the fault one question: the listener ([`Fault::refuses_connections`],
//! [`Fault::on_accept`]), the server ([`Fault::answer`], [`Fault::audio_only`]), the media ([`Fault::media`]).
//! A new kind answers the one it is about.

use std::net::SocketAddr;
use std::time::Duration;

/// The requests of RTSP, and HTTP's one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 2326 section 10.1.
    Options,
    /// Section 10.2.
    Describe,
    /// Section 10.4.
    Setup,
    /// Section 10.5.
    Play,
    /// Section 10.6.
    Pause,
    /// Section 10.7.
    Teardown,
    /// Section 10.8.
    GetParameter,
    /// Section 10.9.
    SetParameter,
    /// HTTP.
    Get,
}

impl Method {
    /// As it is written on the wire; `None` for one that is not served.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            "GET" => Self::Get,
            _ => return None,
        })
    }
}

/// One way to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing listens on the port.
    ConnectionRefused,
    /// Accepts the connection and never says anything.
    SilentAfterAccept,
    /// Takes the first request and closes the connection.
    ClosesAfterRequest,
    /// Answers with one byte a second, for ever in the same header.
    Drips,
    /// Answers bytes that are no protocol.
    Garbage,
    /// Answers with header lines that never end, as fast as they are taken.
    EndlessHeader,
    /// Announces a body of two gigabytes, in answer to DESCRIBE or GET, and sends it as fast as it is taken.
    EndlessBody,
    /// Says nothing to this request.
    SilentTo(Method),
    /// Redirects every DESCRIBE or GET to itself.
    RedirectsToItself,
    /// Redirects every DESCRIBE or GET to the same path at this address.
    RedirectsTo(SocketAddr),
    /// Answers every DESCRIBE or GET with a status and this `Location`, whatever it is.
    Redirects {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// As it is written on the wire.
        location: &'static str,
    },
    /// Answers a web page: on an RTSP port as HTTP would, on an HTTP port as a login page.
    Html,
    /// Answers this status to DESCRIBE (RTSP) or GET (HTTP). 401 is asked again for ever, whatever the credentials.
    Status(u16),
    /// Answers this status to another request.
    StatusTo(Method, u16),
    /// The SDP offers audio only; over HTTP the content is audio.
    AudioOnly,
    /// The SDP offers a codec that nobody decodes; over HTTP the pictures are of such a type.
    UnknownCodec,
    /// Keyframes whose slices are scrambled; JPEGs that are cut in the middle.
    DamagedPictures,
    /// JPEGs of a few kilobytes that take a decoder seconds. As [`Fault::DamagedPictures`] with other codecs.
    DecoderBomb,
    /// JPEGs that say that they have 268 megapixels. As [`Fault::DamagedPictures`] with other codecs.
    HugePictures,
    /// One JPEG that does not end, as fast as it is taken. As [`Fault::NoKeyframe`] with other codecs.
    EndlessPicture,
    /// Healthy, but closes the connection when it has asked for a password.
    ClosesAfterChallenge,
    /// Accepts PLAY (or GET) and sends no media.
    NoMedia,
    /// Sends delta frames only. MJPEG has none, so it is as [`Fault::NoMedia`] there.
    NoKeyframe,
    /// Media ends this long after PLAY; the connection stays open.
    StallsAfter(Duration),
    /// The clock runs on and the picture does not: every keyframe is the same to the last bit.
    Frozen,
}

/// What a connection that was just accepted meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnAccept {
    /// A server.
    Serve,
    /// Nothing, for ever.
    Silence,
    /// A web page in answer to whatever is asked.
    Html,
    /// The end.
    Close,
    /// One byte a second.
    Drip,
    /// No protocol.
    Garbage,
    /// A header without end.
    EndlessHeader,
    /// A body without end.
    EndlessBody,
}

/// What becomes of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaFault {
    /// It flows.
    None,
    /// None at all.
    Nothing,
    /// No keyframes.
    NoKeyframe,
    /// Damaged pictures.
    Damaged,
    /// Ends after this time.
    EndsAfter(Duration),
    /// The same picture for ever.
    Frozen,
}

impl Fault {
    pub(super) fn refuses_connections(self) -> bool {
        self == Self::ConnectionRefused
    }

    pub(super) fn on_accept(fault: Option<Self>) -> OnAccept {
        match fault {
            Some(Self::SilentAfterAccept) => OnAccept::Silence,
            Some(Self::Html) => OnAccept::Html,
            Some(Self::ClosesAfterRequest) => OnAccept::Close,
            Some(Self::Drips) => OnAccept::Drip,
            Some(Self::Garbage) => OnAccept::Garbage,
            Some(Self::EndlessHeader) => OnAccept::EndlessHeader,
            Some(Self::EndlessBody) => OnAccept::EndlessBody,
            _ => OnAccept::Serve,
        }
    }

    /// The status to answer in place of serving the request.
    pub(super) fn answer(self, method: Method) -> Option<u16> {
        match self {
            Self::Status(code) if matches!(method, Method::Describe | Method::Get) => Some(code),
            Self::StatusTo(to, code) if to == method => Some(code),
            _ => None,
        }
    }

    pub(super) fn is_silent_to(self, method: Method) -> bool {
        self == Self::SilentTo(method)
    }

    /// The status and `Location` with which a camera answers; `scheme`, `own` and `path` are the camera's own.
    pub(super) fn redirects(self, method: Method, scheme: &str, own: SocketAddr, path: &str) -> Option<(u16, String)> {
        match self {
            _ if !matches!(method, Method::Describe | Method::Get) => None,
            Self::RedirectsToItself => Some((302, format!("{scheme}://{own}{path}"))),
            Self::RedirectsTo(address) => Some((302, format!("{scheme}://{address}{path}"))),
            Self::Redirects { status, location } => Some((status, location.to_owned())),
            _ => None,
        }
    }

    pub(super) fn unknown_codec(self) -> bool {
        self == Self::UnknownCodec
    }

    pub(super) fn audio_only(self) -> bool {
        self == Self::AudioOnly
    }

    pub(super) fn media(fault: Option<Self>) -> MediaFault {
        match fault {
            Some(Self::NoMedia | Self::AudioOnly) => MediaFault::Nothing,
            Some(Self::NoKeyframe | Self::EndlessPicture) => MediaFault::NoKeyframe,
            Some(Self::StallsAfter(time)) => MediaFault::EndsAfter(time),
            Some(Self::DamagedPictures | Self::DecoderBomb | Self::HugePictures) => MediaFault::Damaged,
            Some(Self::Frozen) => MediaFault::Frozen,
            _ => MediaFault::None,
        }
    }
}
