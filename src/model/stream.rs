//! A configured stream and its stable id.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::checks::PictureChecks;
use super::secret::Credentials;
use super::trust::Trust;
use super::url::CameraUrl;

/// The stable name of a stream in the database, API, metrics and MQTT: `[a-z0-9_-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// Longest id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Takes an id as it is written. `None` when it does not match `[a-z0-9_-]{1,64}`.
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= Self::MAX_LENGTH
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        fits.then(|| Self(text.into()))
    }

    /// Makes an id from a name: transliterated, lower case, every other run of characters one `-`.
    pub fn from_name(name: &str) -> Self {
        let mut slug = String::new();
        for c in deunicode::deunicode(name).to_ascii_lowercase().chars() {
            if c.is_ascii_alphanumeric() || c == '_' {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(Self::MAX_LENGTH);
        let slug = slug.trim_end_matches('-');
        Self(if slug.is_empty() { "stream" } else { slug }.into())
    }

    /// The same id with a number behind it, for a name that collides with an earlier one: `gate-2`.
    pub fn numbered(&self, number: usize) -> Self {
        let suffix = format!("-{number}");
        let kept = self.0.len().min(Self::MAX_LENGTH - suffix.len());
        Self(format!("{}{suffix}", &self.0[..kept]).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom("no id of a stream"))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for StreamId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// How RTP reaches us (RFC 2326 section 12.39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP first, UDP when the camera refuses it; what worked is remembered.
    #[default]
    Auto,
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP unicast.
    Udp,
}

impl Transport {
    /// Every value, as written in the configuration.
    pub const NAMES: [&'static str; 3] = ["auto", "tcp", "udp"];

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Tcp, Self::Udp].into_iter().find(|t| t.as_str() == text)
    }
}

/// What the owner says the camera sends; anything else is `facts_changed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// `h264`, `h265` or `mjpeg`.
    pub codec: Option<String>,
    /// Pixels.
    pub width_px: Option<u32>,
    /// Pixels.
    pub height_px: Option<u32>,
}

/// A configured stream: everything that decides how it is probed and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Stable id.
    pub id: StreamId,
    /// Unique name for people.
    pub name: String,
    /// Address without credentials.
    pub url: CameraUrl,
    /// Account on the camera.
    pub credentials: Option<Credentials>,
    /// False: kept in the list, not probed.
    pub enabled: bool,
    /// Interval between scheduled probes.
    pub heartbeat: Duration,
    /// Deadline of one probe.
    pub timeout: Duration,
    /// RTP transport; no meaning for HTTP.
    pub transport: Transport,
    /// One group, for people.
    pub group: Option<String>,
    /// Free labels, for people.
    pub tags: Vec<String>,
    /// Which certificate the camera may show (`rtsps`, `https`).
    pub trust: Trust,
    /// The stream whose failure explains this one's.
    pub parent: Option<StreamId>,
    /// Looks at the picture.
    pub checks: PictureChecks,
    /// What it should be.
    pub expect: Expect,
}

impl Stream {
    /// The device behind the stream: its host, without the dot that may end a name. Streams of one device share its
    /// sessions.
    pub fn device(&self) -> &str {
        self.url.host().trim_end_matches('.')
    }

    /// True when the same is asked of the same camera in the same way: what was seen of one says something of the other.
    pub fn is_asked_like(&self, other: &Self) -> bool {
        self.url == other.url
            && self.credentials == other.credentials
            && self.transport == other.transport
            && self.trust == other.trust
    }

    /// The address for a person, password masked.
    pub fn shown_url(&self) -> String {
        self.url.redacted(self.credentials.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_from_names() {
        for (name, id) in [
            ("GateCamera", "gatecamera"),
            ("Hof / Süd – Tor 2", "hof-sud-tor-2"),
            ("  Lab_Cam 1!", "lab_cam-1"),
            ("カメラ", "kamera"),
            ("!!!", "stream"),
        ] {
            assert_eq!(StreamId::from_name(name).as_str(), id, "{name}");
        }
        let long = StreamId::from_name(&"x".repeat(80));
        assert_eq!(long.as_str().len(), 64);
        assert_eq!(long.numbered(12).as_str().len(), 64);
        assert_eq!(StreamId::from_name("gate").numbered(2).as_str(), "gate-2");
    }

    #[test]
    fn given_ids_are_checked() {
        assert!(StreamId::new("gate_1-a").is_some());
        for bad in ["", "Gate", "a b", &"x".repeat(65), "ä"] {
            assert!(StreamId::new(bad).is_none(), "{bad}");
        }
    }
}
