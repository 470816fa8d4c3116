//! MQTT 3.1.1.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, LastWill, Login, Packet, PubRel, Publish, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use rumqttc::mqttbytes::{Error, QoS};

use super::{Incoming, Limits, MAX_OUTGOING_BYTES, Outgoing, Refusal, Unread};

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
            let mut connect = Connect::new(said.client_id);
            connect.keep_alive = said.keep_alive_seconds;
            connect.login = said.login.map(|(username, password)| Login::new(username, password));
            connect.last_will = said.will.map(|will| LastWill {
                topic: will.topic.clone(),
                message: will.payload.clone(),
                qos: qos(will.qos),
                retain: will.retain,
            });
            Packet::Connect(connect)
        }
        Outgoing::Publish { message, packet_id } => {
            let payload = message.payload.clone();
            let mut publish = Publish::from_bytes(message.topic.clone(), qos(message.qos), payload);
            (publish.retain, publish.pkid) = (message.retain, *packet_id);
            Packet::Publish(publish)
        }
        Outgoing::PubRel { packet_id } => Packet::PubRel(PubRel::new(*packet_id)),
        Outgoing::Subscribe { packet_id, filters } => {
            let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtMostOnce));
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = *packet_id;
            Packet::Subscribe(subscribe)
        }
        Outgoing::PingReq => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    };
    packet.write(to, MAX_OUTGOING_BYTES).is_ok()
}

pub(super) fn read(max_bytes: usize, from: &mut BytesMut) -> Result<Incoming, Unread> {
    let packet = Packet::read(from, max_bytes).map_err(|error| match error {
        Error::InsufficientBytes(_) => Unread::Incomplete,
        _ => Unread::Garbage,
    })?;
    Ok(match packet {
        Packet::ConnAck(answer) => Incoming::ConnAck(match answer.code {
            ConnectReturnCode::Success => Ok(Limits::default()),
            ConnectReturnCode::RefusedProtocolVersion => Err(Refusal::Version),
            ConnectReturnCode::BadClientId => Err(Refusal::ClientId),
            ConnectReturnCode::ServiceUnavailable => Err(Refusal::Unavailable),
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => Err(Refusal::Login),
        }),
        Packet::Publish(publish) => {
            Incoming::Publish { topic: publish.topic, payload: publish.payload, retain: publish.retain }
        }
        Packet::PubAck(ack) => Incoming::PubAck { packet_id: ack.pkid, refused: None },
        Packet::PubRec(ack) => Incoming::PubRec { packet_id: ack.pkid, refused: None },
        Packet::PubComp(ack) => Incoming::PubComp { packet_id: ack.pkid },
        Packet::SubAck(ack) => {
            let is_granted = ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_)));
            Incoming::SubAck { packet_id: ack.pkid, is_granted }
        }
        Packet::PingResp => Incoming::PingResp,
        _ => Incoming::Other,
    })
}
