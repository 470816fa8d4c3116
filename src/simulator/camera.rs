//! What a simulated camera is, as a builder.

use std::net::IpAddr;
use std::sync::Arc;

use super::auth::Auth;
use super::clip::Clip;
use super::fault::{Fault, Method};
use super::packetise::PAYLOAD_TYPE;
use super::reply::Reply;
use super::wire::Identity;
use crate::model::{Codec, Credentials};

/// How a camera is asked for its video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RTSP (RFC 2326) with RTP.
    Rtsp,
    /// Motion JPEG as `multipart/x-mixed-replace` over HTTP.
    HttpMjpeg,
}

/// Where the parameter sets (SPS, PPS, with H.265 VPS) are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParameterSets {
    /// In the SDP and before every keyframe.
    #[default]
    Both,
    /// Only in the SDP (`sprop-parameter-sets`).
    SdpOnly,
    /// Only before every keyframe.
    InBandOnly,
}

/// With which picture a session begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Wherever the camera's clock is, as with a real camera.
    #[default]
    Live,
    /// With a keyframe, at once.
    KeyframeFirst,
}

/// Which RTP transports a camera grants; it answers 461 to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transports {
    /// Interleaved in the RTSP connection, and UDP.
    #[default]
    Both,
    /// Interleaved only.
    TcpOnly,
    /// UDP only.
    UdpOnly,
}

/// One camera (or one stream of a device with several).
#[derive(Clone, Debug)]
pub struct SimulatedCamera {
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) protocol: Protocol,
    pub(super) clip: Arc<Clip>,
    pub(super) device: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) auth: Auth,
    pub(super) tls: Option<Identity>,
    pub(super) told: Option<Credentials>,
    pub(super) session_limit: Option<usize>,
    pub(super) parameter_sets: ParameterSets,
    pub(super) start: Start,
    pub(super) gop_loops: u32,
    pub(super) transports: Transports,
    pub(super) fault: Option<Fault>,
    pub(super) replies: Vec<Reply>,
    pub(super) video_track: Option<String>,
    pub(super) payload_type: u8,
    pub(super) announced_ahead: u16,
}

impl SimulatedCamera {
    /// A healthy RTSP camera without a password, at `/stream1` of an address and port of its own.
    pub fn rtsp(name: impl Into<String>, clip: Arc<Clip>) -> Self {
        Self::new(name.into(), Protocol::Rtsp, clip, "/stream1")
    }

    /// A healthy MJPEG camera without a password, at `/video.mjpg` of an address and port of its own.
    pub fn mjpeg(name: impl Into<String>, clip: Arc<Clip>) -> Self {
        Self::new(name.into(), Protocol::HttpMjpeg, clip, "/video.mjpg")
    }

    fn new(name: String, protocol: Protocol, clip: Arc<Clip>, path: &str) -> Self {
        Self {
            name,
            group: None,
            protocol,
            clip,
            device: None,
            address: None,
            port: 0,
            path: path.to_owned(),
            auth: Auth::none(),
            tls: None,
            told: None,
            session_limit: None,
            parameter_sets: ParameterSets::default(),
            start: Start::default(),
            gop_loops: 1,
            transports: Transports::default(),
            fault: None,
            replies: Vec::new(),
            video_track: None,
            payload_type: PAYLOAD_TYPE,
            announced_ahead: 0,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its clip.
    pub fn clip(&self) -> &Arc<Clip> {
        &self.clip
    }

    /// Which group it is in, for a configuration that is made of it.
    pub fn group_name(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Puts it into a group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Makes it one of several streams of a device: they share the address, the sessions and, when they also ask for
    /// the same port, the socket. Each needs a path of its own. Without this each camera is a device.
    #[must_use]
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = Some(name.into());
        self
    }

    /// Its loopback address (127.0.0.0/8 or ::1); without this one of its own is chosen.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpAddr>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Its port; 0, the default: the system chooses.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Path and query of its URL, with the leading slash.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Makes it speak TLS (`rtsps`, `https`) with this certificate chain, its own certificate first, and this private
    /// key, both PEM. Cameras that share a port share the certificate, too.
    #[must_use]
    pub fn tls(mut self, chain_pem: impl Into<String>, key_pem: impl Into<String>) -> Self {
        self.tls = Some(Identity { chain: chain_pem.into(), key: key_pem.into() });
        self
    }

    /// The account it asks for.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// The credentials its clients are told, when they are not those of its account: a wrong password.
    #[must_use]
    pub fn told(mut self, username: &str, password: &str) -> Self {
        self.told = Some(Credentials::new(username, password));
        self
    }

    /// How many sessions its device serves at once; more are answered 453 (503 over HTTP). The lowest of the device's
    /// cameras counts.
    #[must_use]
    pub fn session_limit(mut self, sessions: usize) -> Self {
        self.session_limit = Some(sessions);
        self
    }

    /// Where the parameter sets are.
    #[must_use]
    pub fn parameter_sets(mut self, place: ParameterSets) -> Self {
        self.parameter_sets = place;
        self
    }

    /// With which picture a session begins.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// A keyframe only every `loops` passes of the clip: the delta frames of the other passes follow without one.
    /// H.264 stays decodable throughout when the encoder used the shortest `frame_num` (x264's default).
    #[must_use]
    pub fn gop_loops(mut self, loops: u32) -> Self {
        self.gop_loops = loops.max(1);
        self
    }

    /// Which RTP transports it grants.
    #[must_use]
    pub fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// What is broken about it from the start.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Gives this answer, as it is written, wherever it would answer this request with the same status on its own: with
    /// 401 a challenge, with 200 another SDP. In it `{cseq}`, `{host}` (address and port), `{path}`, `{nonce}`, `{level}`
    /// and `{sps}`, `{pps}`, `{vps}` (Base64) are filled in, `{length}` is the length of the body, and a line `{own}`
    /// stands for the header lines of its own answer. In a reply to GET all behind the head is one part, and `{jpeg}`
    /// its picture.
    #[must_use]
    pub fn reply(mut self, method: Method, text: impl Into<String>) -> Self {
        self.replies.push(Reply::new(method, text.into()));
        self
    }

    /// Which tracks can be set up: those with this in their URL. Others are answered 404.
    #[must_use]
    pub fn video_track(mut self, control: impl Into<String>) -> Self {
        self.video_track = Some(control.into());
        self
    }

    /// The RTP payload type of its video; 96 without this.
    #[must_use]
    pub fn payload_type(mut self, payload_type: u8) -> Self {
        self.payload_type = payload_type & 0x7f;
        self
    }

    /// What `RTP-Info` says is the sequence number of the first packet, over what it is, modulo 2^16.
    #[must_use]
    pub fn announced_ahead(mut self, numbers: u16) -> Self {
        self.announced_ahead = numbers;
        self
    }

    pub(super) fn device_name(&self) -> &str {
        self.device.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn scheme(&self) -> &'static str {
        match (self.protocol, &self.tls) {
            (Protocol::Rtsp, None) => "rtsp",
            (Protocol::Rtsp, Some(_)) => "rtsps",
            (Protocol::HttpMjpeg, None) => "http",
            (Protocol::HttpMjpeg, Some(_)) => "https",
        }
    }

    pub(super) fn told_credentials(&self) -> Option<&Credentials> {
        self.told.as_ref().or(self.auth.credentials.as_ref())
    }

    pub(super) fn clip_fits(&self) -> bool {
        (self.clip.codec() == Codec::Mjpeg) == (self.protocol == Protocol::HttpMjpeg)
    }
}
