//! What goes to a broker, whichever connection carries it: the board of retained topics, the feed of events, and the
//! original's message. Nothing here waits but [`Outlet::work`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::super::home_assistant::{self, Camera, DISCOVERY_PREFIX, Service};
use super::Parts;
use super::board::Board;
use super::failure::Failure;
use super::feed::Feed;
use super::ledger::{Ledger, Told};
use super::packet::Message;
use super::payload::{self, Essence};
use super::session::{Session, Ticket, Unsent};
use super::topics::{Leaf, Topics};
use crate::config::Mqtt;
use crate::model::{Snapshot, StreamId};
use crate::monitor::{StreamStatus, status_json};

/// Retained messages and events: they must arrive.
const QOS: u8 = 1;

/// What of a stream is on the board.
struct Shown {
    essence: Essence,
    picture: Option<Snapshot>,
}

/// See the module.
pub(super) struct Outlet {
    parts: Parts,
    mqtt: Mqtt,
    node: String,
    dashboard_url: Option<String>,
    pub(super) topics: Topics,
    board: Board,
    shown: HashMap<StreamId, Shown>,
    ledger: Ledger,
    /// `None` until the store has said how far it is.
    feed: Option<Feed>,
    clearing: HashMap<Ticket, String>,
    events_turn: bool,
    blob: Blob,
    /// Messages that the broker did not take over this connection, and what it said; told once each.
    refused: Vec<Failure>,
}

/// The original's message. Each is followed by a newer one, so none is sent while the last is on its way.
#[derive(Default)]
struct Blob {
    is_due: bool,
    under_way: Option<Ticket>,
}

impl Outlet {
    /// `dashboard_url`: where people reach the dashboard, for Home Assistant.
    pub(super) fn new(parts: Parts, mqtt: &Mqtt, node: &str, broker: String, dashboard_url: Option<String>) -> Self {
        Self {
            ledger: Ledger::new(parts.store.clone(), broker),
            parts,
            mqtt: mqtt.clone(),
            node: node.to_owned(),
            dashboard_url,
            topics: Topics::of(node),
            board: Board::default(),
            shown: HashMap::new(),
            feed: None,
            clearing: HashMap::new(),
            events_turn: false,
            blob: Blob::default(),
            refused: Vec::new(),
        }
    }

    /// `online`, `stopped` or `offline`, retained.
    pub(super) fn status(&self, word: &'static str) -> Message {
        Message { topic: self.topics.status(), payload: Bytes::from_static(word.as_bytes()), qos: QOS, retain: true }
    }

    /// A new connection: everything goes again, to a broker that may know nothing.
    pub(super) fn begin(&mut self) {
        self.clearing.clear();
        self.refused.clear();
        self.blob = Blob { is_due: true, under_way: None };
        if let Some(feed) = &mut self.feed {
            feed.rewind();
        }
        self.rebuild();
        self.refresh();
        self.board.start_over(rank);
    }

    /// The list of streams is another one, or the first: every topic is put, or cleared, and held until the store knows of it.
    pub(super) fn rebuild(&mut self) {
        let rows = self.parts.status.all();
        let is_there: HashSet<&StreamId> = rows.iter().map(|row| &row.stream.id).collect();
        self.shown.retain(|id, _| is_there.contains(id));
        // Before the states: Home Assistant subscribes to them when it knows whose they are.
        let discovery = self.discovery(&rows);
        let mut wanted: Vec<String> = vec![self.topics.status()];
        wanted.extend(self.mqtt.retain.then(|| self.mqtt.topic.clone()));
        wanted.extend(discovery.iter().map(|(topic, _)| topic.clone()));
        for row in &rows {
            wanted.extend(self.leaves().map(|leaf| self.topics.stream(&row.stream.id, leaf)));
        }
        for topic in &wanted {
            if !self.ledger.note(topic) {
                self.board.hold(topic);
            }
        }
        discovery.into_iter().for_each(|(topic, payload)| self.board.change(topic, payload));
        for row in &rows {
            self.show(row);
            self.show_picture(row);
        }
        let wanted: HashSet<String> = wanted.into_iter().collect();
        let known = self.board.held().into_iter().map(str::to_owned).chain(self.ledger.topics().cloned());
        let mut stale: Vec<String> = known.filter(|topic| !wanted.contains(topic)).collect();
        stale.sort_by_key(|topic| rank(topic, true));
        stale.into_iter().for_each(|topic| self.board.clear(topic));
    }

    /// What Home Assistant is told, the service first. Streams that are switched off are no devices there.
    fn discovery(&self, rows: &[Arc<StreamStatus>]) -> Vec<(String, Bytes)> {
        if !self.mqtt.home_assistant {
            return Vec::new();
        }
        let service = Service {
            node: &self.node,
            version: env!("CARGO_PKG_VERSION"),
            configuration_url: self.dashboard_url.as_deref(),
            has_commands: self.mqtt.commands,
        };
        let service_device = home_assistant::service_device(&service, &self.topics);
        let mut devices = vec![(home_assistant::topic_of_service(&self.node), service_device.to_string().into())];
        devices.extend(rows.iter().map(|row| &row.stream).filter(|stream| stream.enabled).map(|stream| {
            let camera = Camera { id: &stream.id, name: &stream.name, has_image: self.mqtt.images };
            let device = home_assistant::camera_device(&service, &camera, &self.topics);
            (home_assistant::topic_of_stream(&self.node, &stream.id), device.to_string().into())
        }));
        devices
    }

    /// Home Assistant has started: it is told everything once more.
    pub(super) fn announce(&mut self) {
        let rows = self.parts.status.all();
        self.discovery(&rows).into_iter().for_each(|(topic, payload)| self.board.put(topic, payload));
    }

    /// The retained topics of a stream.
    fn leaves(&self) -> impl Iterator<Item = Leaf> + use<> {
        let image = self.mqtt.images.then_some(Leaf::Image);
        [Leaf::State, Leaf::Attributes].into_iter().chain(image)
    }

    /// Every state goes again, pictures that are new, and the original's message.
    pub(super) fn refresh(&mut self) {
        for row in self.parts.status.all() {
            self.show(&row);
            self.board.put(self.topics.stream(&row.stream.id, Leaf::State), self.state(&row));
            self.show_picture(&row);
        }
        self.blob.is_due = true;
    }

    /// A stream may have changed: its state goes when that is another one.
    pub(super) fn show_stream(&mut self, id: &StreamId) {
        // The row of now: what is told of may be older than what went already.
        if let Some(row) = self.parts.status.get(id.as_str()) {
            self.show(&row);
        }
    }

    fn show(&mut self, row: &StreamStatus) {
        let id = &row.stream.id;
        let essence = Essence::of(row);
        if self.shown.get(id).is_none_or(|shown| shown.essence != essence) {
            self.board.put(self.topics.stream(id, Leaf::State), self.state(row));
            let picture = self.shown.remove(id).and_then(|shown| shown.picture);
            self.shown.insert(id.clone(), Shown { essence, picture });
        }
        self.board.change(self.topics.stream(id, Leaf::Attributes), payload::attributes(row).into());
    }

    fn show_picture(&mut self, row: &StreamStatus) {
        if !self.mqtt.images {
            return;
        }
        let (Some(shown), Some(snapshot)) = (self.shown.get_mut(&row.stream.id), &row.snapshot) else { return };
        if shown.picture.as_ref().is_none_or(|old| old.taken_at != snapshot.taken_at) {
            self.board.put(self.topics.stream(&row.stream.id, Leaf::Image), snapshot.jpeg.clone());
            shown.picture = Some(snapshot.clone());
        }
    }

    fn state(&self, row: &StreamStatus) -> Bytes {
        let availability = self.parts.status.availability();
        let ratio = availability.window("30d").and_then(|window| window.of(&row.stream.id).availability());
        payload::state(row, ratio).into()
    }

    /// Hands over as much as the session takes, states and events in turn.
    pub(super) fn hand_over(&mut self, session: &mut Session) {
        self.hand_over_blob(session);
        while session.has_room() {
            let has_events = self.feed.as_ref().is_some_and(Feed::has_next);
            if self.board.is_done() && !has_events {
                return;
            }
            self.events_turn = has_events && (self.board.is_done() || !self.events_turn);
            if self.events_turn {
                self.hand_over_event(session);
            } else {
                self.hand_over_topic(session);
            }
        }
    }

    fn hand_over_blob(&mut self, session: &mut Session) {
        if !self.blob.is_due || self.blob.under_way.is_some() {
            return;
        }
        let message = Message {
            topic: self.mqtt.topic.clone(),
            payload: status_json::for_others(&self.parts.status).into(),
            qos: self.mqtt.qos,
            retain: self.mqtt.retain,
        };
        match session.publish(&message) {
            Ok(ticket) => self.blob = Blob { is_due: false, under_way: Some(ticket) },
            Err(Unsent::Full) => {}
            Err(Unsent::Refused(failure)) => {
                self.blob.is_due = false;
                self.refused.push(failure);
            }
        }
    }

    fn hand_over_event(&mut self, session: &mut Session) {
        let Some(feed) = &mut self.feed else { return };
        let Some(queued) = feed.next() else { return };
        let named = |stream: &StreamId| self.parts.status.get(stream.as_str()).map(|row| row.stream.name.clone());
        let message = payload::event(&queued, named).map(|(stream, text)| {
            let topic = self.topics.stream(stream, Leaf::Event);
            Message { topic, payload: text.into(), qos: QOS, retain: false }
        });
        match message.map(|message| session.publish(&message)) {
            None => feed.passed_over(queued.seq),
            Some(Ok(ticket)) => feed.handed_over(queued.seq, ticket),
            Some(Err(Unsent::Full)) => feed.give_back(queued),
            Some(Err(Unsent::Refused(failure))) => {
                feed.passed_over(queued.seq);
                self.refused.push(failure);
            }
        }
    }

    fn hand_over_topic(&mut self, session: &mut Session) {
        let Some((topic, payload)) = self.board.next() else { return };
        let message = Message { topic, payload, qos: QOS, retain: true };
        match session.publish(&message) {
            Ok(ticket) if message.payload.is_empty() => _ = self.clearing.insert(ticket, message.topic),
            Ok(_) => {}
            Err(Unsent::Full) => self.board.give_back(message.topic),
            // It goes again when there is something new, or at the next connection.
            Err(Unsent::Refused(failure)) => self.refused.push(failure),
        }
    }

    /// What the broker did not take since the last time that this was asked.
    pub(super) fn take_refused(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.refused)
    }

    /// The broker has these messages.
    pub(super) fn delivered(&mut self, tickets: &[Ticket]) {
        if let Some(feed) = &mut self.feed {
            feed.delivered(tickets);
        }
        self.blob.under_way = self.blob.under_way.filter(|blob| !tickets.contains(blob));
        for topic in tickets.iter().filter_map(|ticket| self.clearing.remove(ticket)) {
            if self.board.forget_cleared(&topic) {
                self.ledger.forget(topic);
            }
        }
    }

    /// The broker does not take this message. An event is passed over: those behind it shall not wait for ever.
    pub(super) fn refused(&mut self, ticket: Ticket, failure: Failure) {
        if let Some(feed) = &mut self.feed {
            feed.delivered(&[ticket]);
        }
        self.clearing.remove(&ticket);
        self.blob.under_way = self.blob.under_way.filter(|blob| *blob != ticket);
        self.refused.push(failure);
    }

    /// What is done beside the connection, one step; for ever, when there is nothing to do. It can be broken off at any time
    /// and begun again.
    pub(super) async fn work(&mut self) {
        let feed = async {
            match &mut self.feed {
                Some(feed) => feed.work().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            () = feed => return,
            told = self.ledger.work() => told,
        };
        match told {
            Told::Opened(delivered) => {
                self.feed = Some(Feed::new(self.parts.store.clone(), delivered));
                // Now it is known what there is to clear, and to note.
                self.rebuild();
            }
            Told::Noted(topics) => topics.iter().for_each(|topic| self.board.release(topic)),
            // A state that cannot be noted is better than none.
            Told::Failed => self.board.release_all(),
        }
    }

    /// Waits until the store knows how far the events are.
    pub(super) async fn note_arrived(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.note_arrived().await;
        }
    }
}

/// A device goes before its topics: an entity of Home Assistant that still listens would stumble over an empty state. And it
/// comes before them.
fn rank(topic: &str, is_cleared: bool) -> u8 {
    match (topic.starts_with(DISCOVERY_PREFIX), is_cleared) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    }
}
