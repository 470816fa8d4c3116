//! A broker that lets us in: messages to it, their acknowledgements, what it sends us, pings, and the goodbye.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::broker::Broker;
use super::dial::{Dialled, dial, of_broken, of_closed};
use super::failure::{Failure, Fault, Stage};
use super::in_flight::InFlight;
use super::packet::{Connect, Incoming, Limits, Message, Outgoing, QUOTA_EXCEEDED, Refusal, SMALL_BYTES};
use super::tls::OwnCertificate;
use super::wire::{Lost, Wire};
use crate::config::Mqtt;

/// What the broker is told; it gives a client up after one and a half times that.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For a message to go, and for its acknowledgement to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that may wait to go before the next message is taken.
const MAX_UNSENT_BYTES: usize = 128 * 1024;
/// For the goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A message that was taken, to know it again when it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) u64);

impl Ticket {
    /// Of no message.
    pub(super) const NONE: Self = Self(u64::MAX);
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The broker has these.
    Delivered(Vec<Ticket>),
    /// The broker does not take this one; the connection goes on.
    Refused { ticket: Ticket, failure: Failure },
    /// Somebody wrote to a topic that was subscribed to.
    Message { topic: String, payload: Bytes, retain: bool },
    /// Somebody wrote more than anybody has to say there.
    Oversized,
    /// The broker answered the subscription.
    Subscribed { is_granted: bool },
}

/// Why a message was not taken.
#[derive(Debug)]
pub(super) enum Unsent {
    /// Too much is on its way.
    Full,
    /// It is larger, or of another kind, than the broker takes.
    Refused(Failure),
}

/// A connection to a broker that let us in.
pub(super) struct Session {
    wire: Wire,
    in_flight: InFlight,
    own_certificate: Option<Arc<OwnCertificate>>,
    own_authority: bool,
    limits: Limits,
    next_ticket: u64,
    /// Messages of QoS 0 that are to go.
    unsent: Vec<Ticket>,
    /// Until when what is to go must have gone.
    flush_until: Option<Instant>,
    /// A ping that is not answered until the next one: the broker is gone.
    ping_every: Duration,
    ping_at: Instant,
    awaits_pong: bool,
}

impl Session {
    /// Dials and signs in, all of it before the deadline. The broker publishes `will` when it loses us without a goodbye.
    ///
    /// # Errors
    /// The stage that failed, and how.
    pub(super) async fn open(
        mqtt: &Mqtt,
        broker: &Broker,
        client_id: &str,
        will: Option<&Message>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        Self::open_for(mqtt, broker, client_id, will, SMALL_BYTES, deadline).await
    }

    /// As [`Self::open`], for messages up to this length.
    pub(super) async fn open_for(
        mqtt: &Mqtt,
        broker: &Broker,
        client_id: &str,
        will: Option<&Message>,
        max_incoming_bytes: usize,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let Dialled { mut wire, own_certificate, own_authority } = dial(mqtt, broker, deadline).await?;
        wire.keep(max_incoming_bytes);
        let mut session = Self {
            wire,
            in_flight: InFlight::default(),
            own_certificate,
            own_authority,
            limits: Limits::default(),
            next_ticket: 0,
            unsent: Vec::new(),
            flush_until: None,
            ping_every: KEEP_ALIVE / 2,
            ping_at: Instant::now() + KEEP_ALIVE / 2,
            awaits_pong: false,
        };
        let answer = timeout_at(deadline, session.sign_in(mqtt, client_id, will, max_incoming_bytes)).await;
        let answer = answer.unwrap_or_else(|_| Err(Failure::at(Stage::Login, Fault::Late)))?;
        let refused = match answer {
            Ok(limits) => {
                session.respect(limits);
                return Ok(session);
            }
            Err(Refusal::Version) => Fault::VersionRefused,
            Err(Refusal::ClientId) => Fault::ClientIdRefused(client_id.to_owned()),
            Err(Refusal::Unavailable) => Fault::Unavailable,
            Err(Refusal::Login) => Fault::LoginRefused { with_user: mqtt.username.is_some() },
        };
        Err(Failure::at(Stage::Login, refused))
    }

    async fn sign_in(
        &mut self,
        mqtt: &Mqtt,
        client_id: &str,
        will: Option<&Message>,
        max_incoming_bytes: usize,
    ) -> Result<Result<Limits, Refusal>, Failure> {
        let login = mqtt.username.as_deref().map(|username| {
            let password = mqtt.password.as_ref().map(|password| password.expose()).unwrap_or_default();
            (username, password)
        });
        let keep_alive_seconds = KEEP_ALIVE.as_secs() as u16;
        let answered = async {
            let connect = Connect { client_id, keep_alive_seconds, login, will, max_incoming_bytes };
            self.wire.put(&Outgoing::Connect(connect))?;
            self.wire.flush().await?;
            self.wire.read().await
        };
        match answered.await {
            Ok(Incoming::ConnAck(answer)) => Ok(answer),
            // Not shown: some other server may have said back what we sent.
            Ok(_) => Err(Failure::at(Stage::Login, Fault::NotMqtt)),
            Err(lost) => Err(self.lost(Stage::Login, lost)),
        }
    }

    fn respect(&mut self, limits: Limits) {
        self.limits = limits;
        self.wire.limit(limits.max_packet_bytes);
        self.in_flight.limit(limits.in_flight);
        if let Some(seconds) = limits.keep_alive_seconds.filter(|seconds| *seconds > 0) {
            self.ping_every = self.ping_every.min(Duration::from_secs(seconds.into()) / 2);
            self.ping_at = Instant::now() + self.ping_every;
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
        self.unsent.is_empty() && self.in_flight.is_empty()
    }

    /// Whether the next message of QoS 1 or 2 should be taken. What waits to go is bounded, so that a slow link gets it away
    /// in time.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.has_room() && self.wire.unsent_bytes() < MAX_UNSENT_BYTES
    }

    /// Takes a message; [`Self::next`] sends it. It never waits.
    ///
    /// # Errors
    /// [`Unsent`]; the connection goes on.
    pub(super) fn publish(&mut self, message: &Message) -> Result<Ticket, Unsent> {
        let refused = if message.qos > self.limits.max_qos {
            Some(Fault::QosRefused(message.qos))
        } else if message.retain && !self.limits.may_retain {
            Some(Fault::NoRetain)
        } else {
            None
        };
        if let Some(fault) = refused {
            return Err(Unsent::Refused(Failure::at(Stage::Publish, fault)));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if message.qos == 0 {
            self.put(&Outgoing::Publish { message, packet_id: 0 }).map_err(Unsent::Refused)?;
            self.unsent.push(ticket);
        } else {
            let until = Instant::now() + PATIENCE;
            let packet_id = self.in_flight.begin(ticket, &message.topic, until).ok_or(Unsent::Full)?;
            if let Err(failure) = self.put(&Outgoing::Publish { message, packet_id }) {
                self.in_flight.acknowledge(packet_id);
                return Err(Unsent::Refused(failure));
            }
        }
        Ok(ticket)
    }

    /// Asks for what is written to these topics from now on; [`Happened::Subscribed`] is the answer.
    ///
    /// # Errors
    /// When the packet is too large, or too much is not acknowledged.
    pub(super) fn subscribe(&mut self, filters: &[String]) -> Result<(), Failure> {
        let stuck = || Failure::at(Stage::Publish, Fault::NotAcknowledged);
        let packet_id = self.in_flight.begin_subscription(Instant::now() + PATIENCE).ok_or_else(stuck)?;
        self.put(&Outgoing::Subscribe { packet_id, filters })
    }

    fn put(&mut self, packet: &Outgoing<'_>) -> Result<(), Failure> {
        self.flush_until.get_or_insert_with(|| Instant::now() + PATIENCE);
        self.wire.put(packet).map_err(|lost| self.lost(Stage::Publish, lost))
    }

    /// Keeps the connection going until something happens. It can be broken off at any time and begun again.
    ///
    /// # Errors
    /// When the connection is lost, or the broker does not take a message.
    pub(super) async fn next(&mut self) -> Result<Happened, Failure> {
        loop {
            if let Some(until) = self.flush_until {
                let before = self.wire.unsent_bytes();
                match timeout_at(until, self.wire.flush()).await {
                    Ok(flushed) => flushed.map_err(|lost| self.lost(Stage::Publish, lost))?,
                    // A slow link is no dead one.
                    Err(_) if self.wire.unsent_bytes() < before => {
                        self.flush_until = Some(Instant::now() + PATIENCE);
                        continue;
                    }
                    Err(_) => return Err(Failure::at(Stage::Publish, Fault::Silent)),
                }
                self.flush_until = None;
                if !self.unsent.is_empty() {
                    return Ok(Happened::Delivered(std::mem::take(&mut self.unsent)));
                }
            }
            let patience = self.in_flight.oldest();
            let wake = patience.unwrap_or(self.ping_at).min(self.ping_at);
            let packet = tokio::select! {
                // What is there by now is no silence, however late we look.
                biased;
                packet = self.wire.read() => Some(packet),
                () = sleep_until(wake) => None,
            };
            match packet {
                Some(packet) => {
                    let packet = packet.map_err(|lost| self.lost(Stage::Publish, lost))?;
                    if let Some(happened) = self.take(packet)? {
                        return Ok(happened);
                    }
                }
                None if patience.is_some_and(|until| until <= Instant::now()) => {
                    return Err(Failure::at(Stage::Publish, Fault::NotAcknowledged));
                }
                None if self.awaits_pong => return Err(Failure::at(Stage::Publish, Fault::Silent)),
                None => {
                    self.ping_at = Instant::now() + self.ping_every;
                    self.awaits_pong = true;
                    self.put(&Outgoing::PingReq)?;
                }
            }
        }
    }

    fn take(&mut self, packet: Incoming) -> Result<Option<Happened>, Failure> {
        let violated = || Failure::at(Stage::Publish, Fault::NotMqtt);
        match packet {
            Incoming::PubAck { packet_id, refused } => {
                let (ticket, topic) = self.in_flight.acknowledge(packet_id).ok_or_else(violated)?;
                taken(ticket, topic, refused).map(Some)
            }
            // MQTT 3.1.1, 4.3.3: it is the receiver's now; the id is free when it has forgotten it.
            Incoming::PubRec { packet_id, refused } => {
                if refused.is_some() {
                    let (ticket, topic) = self.in_flight.acknowledge(packet_id).ok_or_else(violated)?;
                    return taken(ticket, topic, refused).map(Some);
                }
                self.in_flight.has(packet_id).then_some(()).ok_or_else(violated)?;
                self.put(&Outgoing::PubRel { packet_id })?;
                Ok(None)
            }
            Incoming::PubComp { packet_id } => {
                let (ticket, _) = self.in_flight.acknowledge(packet_id).ok_or_else(violated)?;
                Ok(Some(Happened::Delivered(vec![ticket])))
            }
            Incoming::SubAck { packet_id, is_granted } => {
                self.in_flight.subscribed(packet_id).then_some(()).ok_or_else(violated)?;
                Ok(Some(Happened::Subscribed { is_granted }))
            }
            Incoming::Publish { topic, payload, retain } => Ok(Some(Happened::Message { topic, payload, retain })),
            Incoming::Oversized => Ok(Some(Happened::Oversized)),
            Incoming::PingResp => {
                self.awaits_pong = false;
                Ok(None)
            }
            Incoming::Disconnect { why } => Err(Failure::at(Stage::Publish, Fault::Dismissed(why))),
            Incoming::ConnAck(_) | Incoming::Other => Err(violated()),
        }
    }

    /// Ends without a goodbye: the broker publishes our last will.
    pub(super) fn abandon(self) {}

    /// Says goodbye, so that the broker knows that nothing went wrong. What was taken before still goes.
    pub(super) async fn close(mut self) {
        if self.wire.put(&Outgoing::Disconnect).is_ok() {
            let _ = timeout(GOODBYE, self.wire.close()).await;
        }
    }
}

fn taken(ticket: Ticket, topic: String, refused: Option<String>) -> Result<Happened, Failure> {
    let Some(why) = refused else { return Ok(Happened::Delivered(vec![ticket])) };
    let is_quota = why == QUOTA_EXCEEDED;
    let failure = Failure::at(Stage::Publish, Fault::NotTaken { topic, why });
    // Too much of everything: later it may be taken.
    if is_quota { Err(failure) } else { Ok(Happened::Refused { ticket, failure }) }
}
