//! A broker that lets us in: messages to it, their acknowledgements, pings, and the goodbye.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Login, Packet, PingReq, Publish};
use rumqttc::{MqttState, Request, StateError};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::broker::Broker;
use super::dial::{Dialled, dial, of_broken, of_closed};
use super::failure::{Failure, Fault, Stage};
use super::tls::OwnCertificate;
use super::wire::{Lost, Wire};
use crate::config::Mqtt;

/// What the broker is told; it gives a client up after one and a half times that.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A ping that is not answered until the next one: the broker is gone.
const PING_EVERY: Duration = Duration::from_secs(15);
/// For a message to go, and for its acknowledgement to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// For the goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Messages that may wait for their acknowledgement at once; the next one is not taken.
const MAX_IN_FLIGHT: u16 = 64;

/// One message.
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
}

/// A connection to a broker that let us in.
pub(super) struct Session {
    wire: Wire,
    /// Packet ids, and the exchanges of QoS 2.
    state: MqttState,
    own_certificate: Option<Arc<OwnCertificate>>,
    own_authority: bool,
    /// Messages of QoS 0 that are to go.
    unsent: usize,
    /// Packet ids of those that are not acknowledged, and until when they must be, oldest first.
    unacknowledged: VecDeque<(u16, Instant)>,
    /// Until when what is to go must have gone.
    flush_until: Option<Instant>,
    ping_at: Instant,
}

impl Session {
    /// Dials and signs in, all of it before the deadline.
    ///
    /// # Errors
    /// The stage that failed, and how.
    pub(super) async fn open(
        mqtt: &Mqtt,
        broker: &Broker,
        client_id: &str,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let Dialled { wire, own_certificate, own_authority } = dial(mqtt, broker, deadline).await?;
        let mut session = Self {
            wire,
            state: MqttState::new(MAX_IN_FLIGHT, false),
            own_certificate,
            own_authority,
            unsent: 0,
            unacknowledged: VecDeque::new(),
            flush_until: None,
            ping_at: Instant::now() + PING_EVERY,
        };
        let answer = timeout_at(deadline, session.sign_in(mqtt, client_id)).await;
        let ConnAck { code, .. } = answer.unwrap_or_else(|_| Err(Failure::at(Stage::Login, Fault::Late)))?;
        let refused = match code {
            ConnectReturnCode::Success => return Ok(session),
            ConnectReturnCode::RefusedProtocolVersion => Fault::VersionRefused,
            ConnectReturnCode::BadClientId => Fault::ClientIdRefused(client_id.to_owned()),
            ConnectReturnCode::ServiceUnavailable => Fault::Unavailable,
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                Fault::LoginRefused { with_user: mqtt.username.is_some() }
            }
        };
        Err(Failure::at(Stage::Login, refused))
    }

    async fn sign_in(&mut self, mqtt: &Mqtt, client_id: &str) -> Result<ConnAck, Failure> {
        let mut connect = Connect::new(client_id);
        connect.keep_alive = KEEP_ALIVE.as_secs() as u16;
        // MQTT 3.1.1, 3.1.2.9: no password without a user.
        connect.login = mqtt.username.as_deref().map(|username| {
            let password = mqtt.password.as_ref().map(|password| password.expose()).unwrap_or_default();
            Login::new(username, password)
        });
        let answered = async {
            self.wire.put(&Packet::Connect(connect))?;
            self.wire.flush().await?;
            self.wire.read().await
        };
        match answered.await {
            Ok(Packet::ConnAck(answer)) => Ok(answer),
            // Not shown: some other server may have said back what we sent.
            Ok(_) => Err(Failure::at(Stage::Login, Fault::NotMqtt)),
            Err(lost) => Err(self.lost(Stage::Login, lost)),
        }
    }

    /// What it means that the connection is lost.
    fn lost(&self, stage: Stage, lost: Lost) -> Failure {
        let own = self.own_certificate.as_ref().filter(|_| stage == Stage::Login);
        let fault = match lost {
            Lost::Closed => of_closed(own),
            Lost::Broken(error) => of_broken(error, self.own_certificate.as_ref(), self.own_authority),
            Lost::Http => Fault::SpeaksHttp,
            Lost::Tls => Fault::SpeaksTls,
            Lost::Garbage => Fault::NotMqtt,
            Lost::TooLarge(bytes) => Fault::TooLarge(bytes),
        };
        let of_handshake = matches!(fault, Fault::CertificateWanted | Fault::CertificateRefused);
        Failure::at(if of_handshake { Stage::Tls } else { stage }, fault)
    }

    /// True while nothing waits to go or to be acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.unsent == 0 && self.unacknowledged.is_empty()
    }

    /// Takes a message; [`Self::next`] sends it. It never waits.
    ///
    /// # Errors
    /// When the message is too large, or too many are not acknowledged.
    pub(super) fn publish(&mut self, message: Message) -> Result<(), Failure> {
        if self.unacknowledged.len() >= usize::from(MAX_IN_FLIGHT) {
            return Err(Failure::at(Stage::Publish, Fault::NotAcknowledged));
        }
        let qos = match message.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        let mut publish = Publish::new(message.topic, qos, message.payload);
        publish.retain = message.retain;
        self.request(Request::Publish(publish))
    }

    fn request(&mut self, request: Request) -> Result<(), Failure> {
        let made = self.state.handle_outgoing_packet(request);
        // Of its own notes on what happens, none is needed here.
        self.state.events.clear();
        // A packet id that is in use: the broker acknowledges out of order, and not that one.
        let stuck = || Failure::at(Stage::Publish, Fault::NotAcknowledged);
        let packet = made.map_err(|error| self.violated(error))?.ok_or_else(stuck)?;
        match &packet {
            Packet::Publish(publish) if publish.qos == QoS::AtMostOnce => self.unsent += 1,
            Packet::Publish(publish) => self.unacknowledged.push_back((publish.pkid, Instant::now() + PATIENCE)),
            _ => {}
        }
        self.put(&packet)
    }

    fn put(&mut self, packet: &Packet) -> Result<(), Failure> {
        self.flush_until.get_or_insert_with(|| Instant::now() + PATIENCE);
        self.wire.put(packet).map_err(|lost| self.lost(Stage::Publish, lost))
    }

    fn violated(&self, error: StateError) -> Failure {
        let fault = if matches!(error, StateError::AwaitPingResp) { Fault::Silent } else { Fault::NotMqtt };
        Failure::at(Stage::Publish, fault)
    }

    /// Keeps the connection going until messages are with the broker: how many. It can be broken off at any time and
    /// begun again.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn next(&mut self) -> Result<usize, Failure> {
        loop {
            if let Some(until) = self.flush_until {
                let flushed = timeout_at(until, self.wire.flush()).await;
                let flushed = flushed.map_err(|_| Failure::at(Stage::Publish, Fault::Silent))?;
                flushed.map_err(|lost| self.lost(Stage::Publish, lost))?;
                self.flush_until = None;
                if self.unsent > 0 {
                    return Ok(std::mem::take(&mut self.unsent));
                }
            }
            let patience = self.unacknowledged.front().map(|(_, until)| *until);
            let wake = patience.unwrap_or(self.ping_at).min(self.ping_at);
            let packet = tokio::select! {
                packet = self.wire.read() => Some(packet),
                () = sleep_until(wake) => None,
            };
            match packet {
                Some(packet) => {
                    let packet = packet.map_err(|lost| self.lost(Stage::Publish, lost))?;
                    let acknowledged = self.take(packet)?;
                    if acknowledged > 0 {
                        return Ok(acknowledged);
                    }
                }
                None if patience.is_some_and(|until| until <= Instant::now()) => {
                    return Err(Failure::at(Stage::Publish, Fault::NotAcknowledged));
                }
                None => {
                    self.ping_at = Instant::now() + PING_EVERY;
                    self.request(Request::PingReq(PingReq))?;
                }
            }
        }
    }

    /// Takes what the broker sent; how many messages it acknowledges.
    fn take(&mut self, packet: Packet) -> Result<usize, Failure> {
        let done = match &packet {
            Packet::PubAck(ack) => Some(ack.pkid),
            Packet::PubComp(done) => Some(done.pkid),
            _ => None,
        };
        let answer = self.state.handle_incoming_packet(packet);
        self.state.events.clear();
        if let Some(answer) = answer.map_err(|error| self.violated(error))? {
            self.put(&answer)?;
        }
        let before = self.unacknowledged.len();
        self.unacknowledged.retain(|(packet_id, _)| Some(*packet_id) != done);
        Ok(before - self.unacknowledged.len())
    }

    /// Says goodbye, so that the broker knows that nothing went wrong.
    pub(super) async fn close(mut self) {
        // What is to go has its time, too: it is on the way.
        if self.wire.put(&Packet::Disconnect).is_ok() {
            let _ = timeout(GOODBYE, self.wire.close()).await;
        }
    }
}
