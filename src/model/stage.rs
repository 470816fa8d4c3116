//! How far a probe came, and how long each stage took.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The stages of a probe in wire order. HTTP has `request` where RTSP has `options` to `play`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Host name to address.
    Resolve,
    /// TCP.
    Connect,
    /// TLS handshake.
    Tls,
    /// RTSP OPTIONS (RFC 2326 section 10.1).
    Options,
    /// RTSP DESCRIBE (section 10.2).
    Describe,
    /// RTSP SETUP (section 10.4).
    Setup,
    /// RTSP PLAY (section 10.5).
    Play,
    /// HTTP GET.
    Request,
    /// Until the first RTP packet or body byte.
    FirstPacket,
    /// Until the first whole keyframe.
    Keyframe,
    /// Keyframe to raw picture.
    Decode,
    /// Looking at the picture, and the JPEG.
    Picture,
}

impl Stage {
    /// Every stage, in wire order.
    pub const ALL: [Self; 12] = [
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Options,
        Self::Describe,
        Self::Setup,
        Self::Play,
        Self::Request,
        Self::FirstPacket,
        Self::Keyframe,
        Self::Decode,
        Self::Picture,
    ];

    /// The text of database, API, metrics and MQTT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Options => "options",
            Self::Describe => "describe",
            Self::Setup => "setup",
            Self::Play => "play",
            Self::Request => "request",
            Self::FirstPacket => "first_packet",
            Self::Keyframe => "keyframe",
            Self::Decode => "decode",
            Self::Picture => "picture",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long each stage took; a stage that was not reached is absent. JSON: `{"connect": 1.2, …}` in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases([Option<Duration>; Stage::ALL.len()]);

impl Phases {
    /// Adds to the time of a stage (a redirect passes some of them twice).
    pub fn add(&mut self, stage: Stage, took: Duration) {
        let slot = &mut self.0[stage as usize];
        *slot = Some(slot.unwrap_or_default() + took);
    }

    /// The time of a stage, `None` when it was not reached.
    pub fn get(&self, stage: Stage) -> Option<Duration> {
        self.0[stage as usize]
    }

    /// The same, no stage longer than this.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        Self(self.0.map(|took| took.map(|took| took.min(limit))))
    }

    /// The stages that were passed, in wire order.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, Duration)> + '_ {
        Stage::ALL.into_iter().filter_map(|stage| self.get(stage).map(|took| (stage, took)))
    }
}

/// Milliseconds with a tenth.
pub fn to_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (stage, took) in self.iter() {
            map.serialize_entry(stage.as_str(), &to_ms(took))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Phases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<Stage, f64>::deserialize(deserializer)?;
        let mut phases = Self::default();
        for (stage, ms) in map {
            phases.add(stage, Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default());
        }
        Ok(phases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_travel_as_milliseconds() {
        let mut phases = Phases::default();
        phases.add(Stage::Connect, Duration::from_micros(1_240));
        phases.add(Stage::FirstPacket, Duration::from_millis(12));
        let json = serde_json::to_string(&phases).expect("json");
        assert_eq!(json, r#"{"connect":1.2,"first_packet":12.0}"#);
        let back: Phases = serde_json::from_str(&json).expect("back");
        assert_eq!(back.get(Stage::FirstPacket), Some(Duration::from_millis(12)));
        assert_eq!(back.get(Stage::Play), None);
        let bounded = back.at_most(Duration::from_millis(5));
        assert_eq!(bounded.get(Stage::FirstPacket), Some(Duration::from_millis(5)));
        assert_eq!(bounded.get(Stage::Connect), back.get(Stage::Connect));
    }
}
