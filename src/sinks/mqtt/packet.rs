//! The packets that are said and heard, whichever version of MQTT they are written in.
//!
//! Of `rumqttc` it is the codecs that are used, one for each version ([`v3`], [`v5`]).

mod v3;
mod v5;

use bytes::{Bytes, BytesMut};

use crate::config::{Mqtt, MqttProtocol};

/// What `/api/status` of 50,000 streams has.
const MAX_OUTGOING_BYTES: usize = 16 * 1024 * 1024;
/// A broker's own packets are small, and so are commands. With MQTT 5 it is told so; a longer message of another version
/// is passed over.
pub(super) const SMALL_BYTES: usize = 64 * 1024;
/// For whoever wants to see what we publish.
pub(super) const LARGE_BYTES: usize = MAX_OUTGOING_BYTES;
/// The broker takes nothing more for now (MQTT 5, 3.4.2.1), in our words.
pub(super) const QUOTA_EXCEEDED: &str = "quota exceeded";
/// A first byte's high half (MQTT 5, 2.1.2).
const PUBLISH: u8 = 3;

/// Which version of MQTT is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1.1
    V3,
    /// 5
    V5,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
}

/// What we say.
#[derive(Debug)]
pub(super) enum Outgoing<'a> {
    Connect(Connect<'a>),
    Publish {
        message: &'a Message,
        /// Not zero, but for QoS 0.
        packet_id: u16,
    },
    PubRel {
        packet_id: u16,
    },
    Subscribe {
        packet_id: u16,
        filters: &'a [String],
    },
    PingReq,
    Disconnect,
}

/// The first packet.
#[derive(Debug)]
pub(super) struct Connect<'a> {
    pub(super) client_id: &'a str,
    pub(super) keep_alive_seconds: u16,
    /// User and password. MQTT 3.1.1, 3.1.2.9: no password without a user.
    pub(super) login: Option<(&'a str, &'a str)>,
    pub(super) will: Option<&'a Message>,
    pub(super) max_incoming_bytes: usize,
}

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    ConnAck(Result<Limits, Refusal>),
    Publish {
        topic: String,
        payload: Bytes,
        retain: bool,
    },
    /// A message that is longer than was wanted: nothing of it was kept.
    Oversized,
    PubAck {
        packet_id: u16,
        refused: Option<String>,
    },
    PubRec {
        packet_id: u16,
        refused: Option<String>,
    },
    PubComp {
        packet_id: u16,
    },
    SubAck {
        packet_id: u16,
        is_granted: bool,
    },
    PingResp,
    /// MQTT 5: it hangs up, and why.
    Disconnect {
        why: String,
    },
    /// What a broker does not say to a client like us.
    Other,
}

/// What a broker allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Messages that may wait for their acknowledgement.
    pub(super) in_flight: u16,
    pub(super) max_qos: u8,
    pub(super) may_retain: bool,
    pub(super) max_packet_bytes: usize,
    /// It gives us up after one and a half times this, whatever we said.
    pub(super) keep_alive_seconds: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: u16::MAX,
            max_qos: 2,
            may_retain: true,
            max_packet_bytes: MAX_OUTGOING_BYTES,
            keep_alive_seconds: None,
        }
    }
}

/// Why a broker does not let us in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Version,
    ClientId,
    Unavailable,
    /// User, password or both; what of the two is sent differs between brokers.
    Login,
}

/// Why there is no packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not whole yet.
    Incomplete,
    /// It is no MQTT.
    Garbage,
}

/// It would be larger than MQTT, or we, or the broker, allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge(pub(super) usize);

impl Version {
    /// The one that the settings name.
    pub(super) fn of(mqtt: &Mqtt) -> Self {
        match mqtt.protocol {
            MqttProtocol::V3_1_1 => Self::V3,
            MqttProtocol::V5 => Self::V5,
        }
    }

    /// Writes a packet behind what is there.
    ///
    /// # Errors
    /// When it is too large; then nothing of it is written.
    pub(super) fn write(self, packet: &Outgoing<'_>, max_bytes: usize, to: &mut BytesMut) -> Result<(), TooLarge> {
        let before = to.len();
        let max_bytes = max_bytes.min(MAX_OUTGOING_BYTES);
        let written = match self {
            Self::V3 => v3::write(packet, to),
            Self::V5 => v5::write(packet, to),
        };
        let size = to.len() - before;
        if written && size <= max_bytes {
            return Ok(());
        }
        to.truncate(before);
        let payload = if let Outgoing::Publish { message, .. } = packet { message.payload.len() } else { 0 };
        Err(TooLarge(size.max(payload)))
    }

    /// Takes a packet from the front.
    ///
    /// # Errors
    /// [`Unread`].
    pub(super) fn read(self, max_bytes: usize, from: &mut BytesMut) -> Result<Incoming, Unread> {
        match self {
            Self::V3 => v3::read(max_bytes, from),
            Self::V5 => v5::read(max_bytes, from),
        }
    }
}

/// The length of the packet at the front, header included, when it is a message that is too long to be kept.
pub(super) fn oversized(bytes: &[u8], max_bytes: usize) -> Option<usize> {
    if bytes.first()? >> 4 != PUBLISH {
        return None;
    }
    // MQTT 5, 1.5.5: seven bits a byte, the lowest first, at most four bytes.
    let mut length = 0;
    for (i, byte) in bytes[1..].iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return (length > max_bytes).then_some(length + i + 2);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Version; 2] = [Version::V3, Version::V5];

    fn message() -> Message {
        Message { topic: "a/b".to_owned(), payload: Bytes::from_static(b"{}"), qos: 1, retain: true }
    }

    #[test]
    fn what_is_too_large_leaves_nothing() {
        for version in BOTH {
            let message = Message { payload: Bytes::from(vec![b'x'; 1_000]), ..message() };
            let mut bytes = BytesMut::from(&b"before"[..]);
            let packet = Outgoing::Publish { message: &message, packet_id: 1 };
            assert!(version.write(&packet, 500, &mut bytes).is_err());
            assert_eq!(&bytes[..], b"before");
            version.write(&packet, 5_000, &mut bytes).unwrap();
            assert!(bytes.len() > 1_000);
        }
    }

    #[test]
    fn a_message_comes_as_it_went() {
        for version in BOTH {
            let mut bytes = BytesMut::new();
            version.write(&Outgoing::Publish { message: &message(), packet_id: 7 }, 1_000, &mut bytes).unwrap();
            let whole = bytes.clone();
            for cut in 0..whole.len() {
                let mut part = BytesMut::from(&whole[..cut]);
                assert_eq!(version.read(SMALL_BYTES, &mut part), Err(Unread::Incomplete), "{cut}");
            }
            let expected =
                Incoming::Publish { topic: "a/b".to_owned(), payload: Bytes::from_static(b"{}"), retain: true };
            assert_eq!(version.read(SMALL_BYTES, &mut bytes), Ok(expected));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn acknowledgements_of_both_versions_are_understood() {
        for (version, bytes, expected) in [
            (Version::V3, &[0x40, 2, 0, 7][..], Incoming::PubAck { packet_id: 7, refused: None }),
            (Version::V5, &[0x40, 2, 0, 7], Incoming::PubAck { packet_id: 7, refused: None }),
            (Version::V5, &[0x40, 3, 0, 7, 0x10], Incoming::PubAck { packet_id: 7, refused: None }),
            (
                Version::V5,
                &[0x40, 4, 0, 7, 0x87, 0],
                Incoming::PubAck { packet_id: 7, refused: Some("not authorised".to_owned()) },
            ),
            (Version::V3, &[0x90, 3, 0, 7, 0x80], Incoming::SubAck { packet_id: 7, is_granted: false }),
            (Version::V5, &[0x90, 4, 0, 7, 0, 0], Incoming::SubAck { packet_id: 7, is_granted: true }),
            (Version::V5, &[0x90, 4, 0, 7, 0, 0x87], Incoming::SubAck { packet_id: 7, is_granted: false }),
            (Version::V5, &[0xe0, 0], Incoming::Disconnect { why: "it ends the connection".to_owned() }),
            (Version::V5, &[0xe0, 2, 0x8e, 0], Incoming::Disconnect { why: "session taken over".to_owned() }),
            // As Mosquitto writes it, and as a broker answers that speaks 3.1.1 only.
            (Version::V5, &[0xe0, 1, 0x8e], Incoming::Disconnect { why: "session taken over".to_owned() }),
            (Version::V5, &[0x20, 2, 0, 1], Incoming::ConnAck(Err(Refusal::Version))),
            (Version::V3, &[0x20, 2, 0, 5], Incoming::ConnAck(Err(Refusal::Login))),
            (Version::V5, &[0x20, 3, 0, 0x86, 0], Incoming::ConnAck(Err(Refusal::Login))),
            (Version::V5, &[0x20, 3, 0, 0x84, 0], Incoming::ConnAck(Err(Refusal::Version))),
            (Version::V5, &[0x20, 6, 0, 0, 3, 0x21, 0, 20], {
                Incoming::ConnAck(Ok(Limits { in_flight: 20, ..Limits::default() }))
            }),
        ] {
            let mut bytes = BytesMut::from(bytes);
            assert_eq!(version.read(SMALL_BYTES, &mut bytes), Ok(expected));
        }
    }

    #[test]
    fn only_a_long_message_is_oversized() {
        assert_eq!(oversized(&[], SMALL_BYTES), None);
        assert_eq!(oversized(&[0x30], SMALL_BYTES), None);
        assert_eq!(oversized(&[0x30, 0xff], SMALL_BYTES), None, "its length is not there yet");
        assert_eq!(oversized(&[0x32, 0x80, 0x80, 0x04, 0], SMALL_BYTES), None, "65,536 bytes just fit");
        assert_eq!(oversized(&[0x32, 0x81, 0x80, 0x04, 0], SMALL_BYTES), Some(65_537 + 4));
        assert_eq!(oversized(&[0x30, 0xff, 0xff, 0xff, 0x7f], SMALL_BYTES), Some(268_435_455 + 5));
        assert_eq!(oversized(&[0x20, 0xff, 0xff, 0xff, 0x7f], SMALL_BYTES), None, "no message");
    }
}
