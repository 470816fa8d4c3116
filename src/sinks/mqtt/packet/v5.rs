//! MQTT 5.

use bytes::{Buf as _, Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, LastWill, Login, Packet,
    PingReq, PubAckReason, PubRecReason, PubRel, Publish, Subscribe, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::{Incoming, Limits, MAX_OUTGOING_BYTES, Outgoing, Refusal, Unread};

/// DISCONNECT without a reason (MQTT 5, 3.14.2.1: then it is 0), and with nothing but one. The codec takes neither.
const BARE_DISCONNECT: [u8; 2] = [0xe0, 0];
const SHORT_DISCONNECT: [u8; 2] = [0xe0, 1];
/// CONNACK without properties: of a broker that speaks 3.1.1 only.
const OLD_CONNACK: [u8; 2] = [0x20, 2];

fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// False when it is too large.
pub(super) fn write(packet: &Outgoing<'_>, to: &mut BytesMut) -> bool {
    let packet = match packet {
        Outgoing::Connect(said) => {
            let properties = ConnectProperties {
                max_packet_size: u32::try_from(said.max_incoming_bytes).ok(),
                topic_alias_max: Some(0),
                ..ConnectProperties::new()
            };
            let connect = Connect {
                keep_alive: said.keep_alive_seconds,
                client_id: said.client_id.to_owned(),
                clean_start: true,
                properties: Some(properties),
            };
            let will = said.will.map(|will| LastWill {
                topic: Bytes::copy_from_slice(will.topic.as_bytes()),
                message: will.payload.clone(),
                qos: qos(will.qos),
                retain: will.retain,
                properties: None,
            });
            Packet::Connect(connect, will, said.login.map(|(username, password)| Login::new(username, password)))
        }
        Outgoing::Publish { message, packet_id } => {
            let mut publish = Publish::new(message.topic.clone(), qos(message.qos), message.payload.clone(), None);
            (publish.retain, publish.pkid) = (message.retain, *packet_id);
            Packet::Publish(publish)
        }
        Outgoing::PubRel { packet_id } => Packet::PubRel(PubRel::new(*packet_id, None)),
        Outgoing::Subscribe { packet_id, filters } => {
            let filters = filters.iter().map(|filter| Filter::new(filter.clone(), QoS::AtMostOnce));
            let mut subscribe = Subscribe::new_many(filters, None);
            subscribe.pkid = *packet_id;
            Packet::Subscribe(subscribe)
        }
        Outgoing::PingReq => Packet::PingReq(PingReq),
        Outgoing::Disconnect => Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)),
    };
    packet.write(to, u32::try_from(MAX_OUTGOING_BYTES).ok()).is_ok()
}

pub(super) fn read(max_bytes: usize, from: &mut BytesMut) -> Result<Incoming, Unread> {
    if from.starts_with(&BARE_DISCONNECT) {
        from.advance(BARE_DISCONNECT.len());
        return Ok(Incoming::Disconnect { why: "it ends the connection".to_owned() });
    }
    if from.starts_with(&OLD_CONNACK) && from.len() >= 4 {
        from.advance(4);
        return Ok(Incoming::ConnAck(Err(Refusal::Version)));
    }
    if from.starts_with(&SHORT_DISCONNECT) && from.len() >= 3 {
        // The same with no properties.
        let whole = [0xe0, 2, from[2], 0];
        from.advance(3);
        return read(max_bytes, &mut BytesMut::from(&whole[..]));
    }
    let before = from.len();
    let packet = Packet::read(from, u32::try_from(max_bytes).ok()).map_err(|error| match error {
        // Taken off, and shorter inside than it says.
        Error::InsufficientBytes(_) if from.len() == before => Unread::Incomplete,
        _ => Unread::Garbage,
    })?;
    Ok(match packet {
        Packet::ConnAck(answer) => {
            let usual = Limits::default();
            let limits = answer.properties.map_or(usual, |said| Limits {
                in_flight: said.receive_max.unwrap_or(usual.in_flight).max(1),
                max_qos: said.max_qos.unwrap_or(usual.max_qos),
                may_retain: said.retain_available != Some(0),
                max_packet_bytes: said.max_packet_size.map_or(usual.max_packet_bytes, |bytes| bytes as usize),
                keep_alive_seconds: said.server_keep_alive,
            });
            Incoming::ConnAck(match answer.code {
                ConnectReturnCode::Success => Ok(limits),
                code => Err(refusal(code)),
            })
        }
        Packet::Publish(publish) => Incoming::Publish {
            topic: String::from_utf8(publish.topic.to_vec()).map_err(|_| Unread::Garbage)?,
            payload: publish.payload,
            retain: publish.retain,
        },
        Packet::PubAck(ack) => {
            let refused = match ack.reason {
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
                reason => Some(words(&format!("{reason:?}"))),
            };
            Incoming::PubAck { packet_id: ack.pkid, refused }
        }
        Packet::PubRec(ack) => {
            let refused = match ack.reason {
                PubRecReason::Success | PubRecReason::NoMatchingSubscribers => None,
                reason => Some(words(&format!("{reason:?}"))),
            };
            Incoming::PubRec { packet_id: ack.pkid, refused }
        }
        Packet::PubComp(ack) => Incoming::PubComp { packet_id: ack.pkid },
        Packet::SubAck(ack) => {
            let is_granted = ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_)));
            Incoming::SubAck { packet_id: ack.pkid, is_granted }
        }
        Packet::PingResp(_) => Incoming::PingResp,
        Packet::Disconnect(said) => Incoming::Disconnect { why: words(&format!("{:?}", said.reason_code)) },
        _ => Incoming::Other,
    })
}

fn refusal(code: ConnectReturnCode) -> Refusal {
    use ConnectReturnCode::{
        BadAuthenticationMethod, BadClientId, BadUserNamePassword, Banned, ClientIdentifierNotValid, NotAuthorized,
        RefusedProtocolVersion, UnsupportedProtocolVersion,
    };
    match code {
        RefusedProtocolVersion | UnsupportedProtocolVersion => Refusal::Version,
        BadClientId | ClientIdentifierNotValid => Refusal::ClientId,
        BadUserNamePassword | NotAuthorized | Banned | BadAuthenticationMethod => Refusal::Login,
        _ => Refusal::Unavailable,
    }
}

/// The name of a reason as words of a sentence: `NotAuthorized`, "not authorised".
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words.replace("authorized", "authorised").replace("qo s", "QoS")
}
