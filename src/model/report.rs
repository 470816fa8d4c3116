//! What a probe found: reason, facts of the video, and what to do about it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::look::Look;
use super::picture::{PictureIssue, PictureStats};
use super::stage::{Phases, Stage, to_ms};
use super::stream::Transport;

macro_rules! reasons {
    ($($variant:ident = $code:literal $text:literal, $sentence:literal, $next:expr;)*) => {
        /// Why a probe ended as it did: a closed set, the same text in database, API, metrics and MQTT.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $(#[doc = $sentence] $variant = $code,)* }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text of database, API, metrics and MQTT.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One sentence for a person.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What to do about it; `None` when there is nothing to do.
            pub fn next_step(self) -> Option<&'static str> {
                match self { $(Self::$variant => $next,)* }
            }
        }
    };
}

// The numbers are stored: never change one, never use one again.
reasons! {
    Ok = 0 "ok", "The camera delivers a usable picture.", None;
    DnsFailed = 1 "dns_failed", "The host name does not resolve.",
        Some("Check the host name in the stream's URL and this machine's DNS server, or write the camera's address.");
    ConnectionRefused = 2 "connection_refused", "The device is there but nothing listens on this port.",
        Some("Check the port in the URL and that RTSP or HTTP is switched on in the camera's settings.");
    Unreachable = 3 "unreachable", "There is no route to the device.",
        Some("Check the camera's power and cable, its address, and the network between it and this machine.");
    ConnectTimeout = 4 "connect_timeout", "The device did not answer the connection in time.",
        Some("Check the camera's power and cable, its address, and firewalls on the way.");
    TlsFailed = 5 "tls_failed", "The encrypted connection could not be set up.",
        Some("Give the camera's certificate authority as ca_file, pin the certificate by its fingerprint as tls_fingerprint, or set tls_verify: false for this stream if you trust the network.");
    AuthFailed = 6 "auth_failed", "The camera refuses the password.",
        Some("Check user and password in the stream's URL; probing pauses so that the camera does not lock the account.");
    Forbidden = 7 "forbidden", "The camera knows the account but does not let it see this stream.",
        Some("Give the account the right to view live video in the camera's user settings.");
    NotFound = 8 "not_found", "The camera has no stream at this path.",
        Some("Check the path in the URL against the camera's manual; the stream may also be switched off in the camera.");
    Busy = 9 "busy", "The camera has no session left for another viewer.",
        Some("Close other viewers (NVR, apps), raise the camera's session limit, or set fewer sessions for this device.");
    SessionNotFound = 10 "session_not_found", "The camera forgot the session while it was being set up.",
        Some("Restart the camera; if it stays, look for a firmware update.");
    UnsupportedTransport = 11 "unsupported_transport", "The camera refuses the RTP transport.",
        Some("Set transport: udp or transport: tcp for this stream.");
    ServerError = 12 "server_error", "The camera answered with an internal error.",
        Some("Restart the camera; if it stays, look for a firmware update.");
    ProtocolError = 13 "protocol_error", "What answers there does not speak the protocol properly.",
        Some("Check that scheme and port in the URL belong together: rtsp is usually 554, http 80.");
    RedirectLoop = 14 "redirect_loop", "The camera redirects without end or to a place that is not followed.",
        Some("Write the final address into the stream's URL.");
    ResponseTimeout = 15 "response_timeout", "The device accepted the connection and then did not answer in time.",
        Some("Restart the camera; if it only happens at times, raise timeout_seconds for this stream.");
    NoVideo = 16 "no_video", "The answer holds no video.",
        Some("Check the path in the URL: it may lead to an audio stream or to a web page.");
    UnsupportedCodec = 17 "unsupported_codec", "There is no decoder for this video.",
        Some("Set the camera to H.264, H.265 or MJPEG, or install the GStreamer plugin that decodes it.");
    RequestRefused = 18 "request_refused", "The camera refused the request.",
        Some("Check the path and the parameters in the URL against the camera's manual.");
    NoData = 19 "no_data", "The camera accepted the request but sent no video.",
        Some("With UDP, check firewalls or set transport: tcp; otherwise restart the camera.");
    NoKeyframe = 20 "no_keyframe", "Video arrives but no keyframe came before the deadline.",
        Some("Shorten the keyframe interval (GOP) in the camera to 2 to 4 seconds, or raise timeout_seconds.");
    Stalled = 21 "stalled", "Video began and then stopped.",
        Some("Check the network on the way to the camera and its load.");
    Corrupt = 22 "corrupt", "The picture does not decode cleanly.",
        Some("Check the network for loss, set transport: tcp, or lower the camera's bit rate.");
    PictureTooLarge = 23 "picture_too_large", "The picture has more pixels than StreamPulse is allowed to decode.",
        Some("Lower the camera's resolution or raise probe.max_megapixels.");
    WorkerCrashed = 24 "worker_crashed", "The process that decodes this camera's video crashed.",
        Some("Other streams are not affected; report it with the camera's model if it stays.");
    WorkerTimeout = 25 "worker_timeout", "The process that probes this camera had to be stopped.",
        Some("Other streams are not affected; report it with the camera's model if it stays.");
    Overloaded = 26 "overloaded", "This machine is too busy to probe in time.",
        Some("Raise heartbeat_seconds, probe fewer streams here, or use a faster machine.");
    MonitorOffline = 27 "monitor_offline", "This machine has no network itself.",
        Some("Check this machine's network and its DNS server; the cameras may be fine.");
    ProberUnreachable = 28 "prober_unreachable", "The prober at this site does not answer.",
        Some("Check the prober's machine and its connection.");
}

impl Reason {
    /// The number that the database stores.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Reads what [`Self::code`] writes.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.code() == code)
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == text)
    }

    /// True when the fault is ours: health becomes `unknown`, never `down`.
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Self::WorkerCrashed
                | Self::WorkerTimeout
                | Self::Overloaded
                | Self::MonitorOffline
                | Self::ProberUnreachable
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a probe ended. A camera that is down is data, never an `Err`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A decoded picture.
    Ok,
    /// No usable picture.
    Failed {
        /// Where it broke.
        stage: Stage,
        /// Why.
        reason: Reason,
        /// One clause with what was seen, scrubbed of credentials and bounded in length.
        detail: String,
    },
}

/// Video codecs by the names of section 5 of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
    /// Motion JPEG.
    Mjpeg,
}

impl Codec {
    /// The text of database, API, metrics and MQTT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Mjpeg => "mjpeg",
        }
    }
}

/// Facts of the video, as far as they are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// Codec.
    pub codec: Codec,
    /// `main`, `high`, …; `None` for MJPEG.
    pub profile: Option<String>,
    /// Pixels, after cropping; `None` before the parameter sets are known.
    pub width: Option<u32>,
    /// Pixels, after cropping.
    pub height: Option<u32>,
    /// Pictures a second as the stream says; `None` when it says nothing.
    pub fps: Option<f64>,
    /// GStreamer element that decoded it.
    pub decoder: Option<String>,
    /// True for a hardware decoder.
    pub hardware: bool,
    /// Why this stream is decoded in software although there is a hardware decoder for it: element and what was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_refused: Option<String>,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// How it ended.
    pub outcome: Outcome,
    /// From the first attempt to resolve to the finished picture or the failure.
    pub latency: Duration,
    /// Time of each stage.
    pub phases: Phases,
    /// Facts, as far as known.
    pub video: Option<VideoFacts>,
    /// Numbers of the decoded picture.
    pub picture: Option<PictureStats>,
    /// The RTP transport that carried media; `None` for HTTP or before media.
    pub transport: Option<Transport>,
    /// What the picture looks like; `None` once it was judged.
    pub look: Option<Box<Look>>,
    /// What was asked and what the camera answered, line by line, scrubbed of credentials and at most 8 KiB: for a person
    /// who wants to know why. Only of a probe that failed, and not before a connection was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<str>>,
}

impl ProbeReport {
    /// A failure without further facts.
    pub fn failed(stage: Stage, reason: Reason, detail: impl Into<String>, latency: Duration) -> Self {
        Self {
            outcome: Outcome::Failed { stage, reason, detail: detail.into() },
            latency,
            phases: Phases::default(),
            video: None,
            picture: None,
            transport: None,
            look: None,
            exchange: None,
        }
    }

    /// What is wrong with the picture, the gravest first; empty without a picture.
    pub fn issues(&self) -> &[PictureIssue] {
        self.picture.as_ref().map_or(&[], |picture| &picture.issues)
    }

    /// What to do about it; `None` when there is nothing to do.
    pub fn next_step(&self) -> Option<&'static str> {
        self.reason().next_step().or_else(|| self.issues().first().map(|issue| issue.next_step()))
    }

    /// The stage it ended in: `picture` when all went well.
    pub fn stage(&self) -> Stage {
        match &self.outcome {
            Outcome::Ok => Stage::Picture,
            Outcome::Failed { stage, .. } => *stage,
        }
    }

    /// The reason, `ok` included.
    pub fn reason(&self) -> Reason {
        match &self.outcome {
            Outcome::Ok => Reason::Ok,
            Outcome::Failed { reason, .. } => *reason,
        }
    }

    /// For a person: the facts in short, or what is wrong with the picture, or the reason's sentence with what was seen.
    pub fn message(&self) -> String {
        match &self.outcome {
            Outcome::Ok if !self.issues().is_empty() => {
                self.issues().iter().map(|issue| issue.sentence()).collect::<Vec<_>>().join(" ")
            }
            Outcome::Ok => match &self.video {
                Some(video) => {
                    let size = match (video.width, video.height) {
                        (Some(width), Some(height)) => format!(" {width}×{height}"),
                        _ => String::new(),
                    };
                    format!("{}{size} decoded in {:.0} ms", video.codec.as_str(), to_ms(self.latency))
                }
                None => Reason::Ok.sentence().to_owned(),
            },
            Outcome::Failed { reason, detail, .. } if detail.is_empty() => reason.sentence().to_owned(),
            Outcome::Failed { reason, detail, .. } => format!("{} ({detail})", reason.sentence()),
        }
    }
}

/// A report as `streampulse probe --json` and `POST /api/probe` give it. `shown_url` has no password in it.
pub fn probe_json(shown_url: &str, report: &ProbeReport) -> serde_json::Value {
    serde_json::json!({
        "url": shown_url,
        "outcome": if report.outcome == Outcome::Ok { "ok" } else { "failed" },
        "stage": report.stage(),
        "reason": report.reason(),
        "message": report.message(),
        "next_step": report.next_step(),
        "latency_ms": to_ms(report.latency),
        "phases_ms": report.phases,
        "video": report.video,
        "picture": report.picture,
    })
}

/// One scheduled probe and its recorded result, as the history keeps it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heartbeat {
    /// When the probe started.
    pub at: Timestamp,
    /// The probe's own result, not the debounced health.
    pub reason: Reason,
    /// Where it ended.
    pub stage: Stage,
    /// Milliseconds to the picture or the failure.
    pub latency_ms: u32,
    /// The health after it.
    pub health: super::health::Health,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_keep_their_numbers_and_texts() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.code()), index);
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert_eq!(serde_json::to_value(reason).expect("json"), reason.as_str());
            assert_eq!(reason.next_step().is_none(), *reason == Reason::Ok);
        }
    }
}
