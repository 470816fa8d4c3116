//! What goes to a broker, whichever connection carries it: the board of retained topics, the feed of events, and the
//! original's message.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::super::home_assistant::{self, Camera, DISCOVERY_PREFIX, Service};
use super::Parts;
use super::board::Board;
use super::failure::Failure;
use super::feed::{Feed, SINK};
use super::packet::Message;
use super::payload::{self, Essence};
use super::session::{Session, Ticket};
use super::topics::{Leaf, Topics};
use crate::config::Mqtt;
use crate::model::{Snapshot, StreamId};
use crate::monitor::{StreamStatus, status_json};
use crate::store::{Store, StoreError};

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
    pub(super) topics: Topics,
    board: Board,
    shown: HashMap<StreamId, Shown>,
    /// `None` until the store was asked how far it is.
    feed: Option<Feed>,
    /// Topics for which something may be retained, as the store knows; `None` until it was asked.
    retained: Option<HashSet<String>>,
    clearing: HashMap<Ticket, String>,
    /// Topics that were cleared and that the store is to forget.
    cleared: Vec<String>,
    events_turn: bool,
    /// The original's message, while it is on its way.
    blob: Option<Ticket>,
}

impl Outlet {
    pub(super) fn new(parts: Parts, mqtt: &Mqtt, node: &str) -> Self {
        Self {
            parts,
            mqtt: mqtt.clone(),
            node: node.to_owned(),
            topics: Topics::of(node),
            board: Board::default(),
            shown: HashMap::new(),
            feed: None,
            retained: None,
            clearing: HashMap::new(),
            cleared: Vec::new(),
            events_turn: false,
            blob: None,
        }
    }

    /// `online`, `stopped` or `offline`, retained.
    pub(super) fn status(&self, word: &'static str) -> Message {
        Message { topic: self.topics.status(), payload: Bytes::from_static(word.as_bytes()), qos: QOS, retain: true }
    }

    /// A new connection: everything goes again, to a broker that may know nothing.
    pub(super) async fn begin(&mut self) {
        self.clearing.clear();
        self.blob = None;
        match &mut self.feed {
            Some(feed) => feed.rewind(),
            None => match open_feed(self.parts.store.clone()).await {
                Ok(feed) => self.feed = Some(feed),
                Err(error) => tracing::warn!(%error, "events are not published on MQTT until the next connection"),
            },
        }
        if self.retained.is_none() {
            match self.parts.store.retained_topics().await {
                Ok(topics) => self.retained = Some(topics),
                Err(error) => tracing::warn!(%error, "topics of removed streams are not cleared yet"),
            }
        }
        self.rebuild().await;
        self.board.start_over();
    }

    /// The list of streams is another one, or the first: every topic is put, or cleared, and the store knows of each before
    /// something is retained there.
    pub(super) async fn rebuild(&mut self) {
        self.forget_cleared().await;
        let rows = self.parts.status.all();
        let is_there: HashSet<&StreamId> = rows.iter().map(|row| &row.stream.id).collect();
        self.shown.retain(|id, _| is_there.contains(id));
        // Before the states: Home Assistant subscribes to them when it knows whose they are.
        let mut wanted: HashSet<String> = [self.topics.status()].into();
        for (topic, payload) in self.discovery(&rows) {
            self.board.change(topic.clone(), payload);
            wanted.insert(topic);
        }
        for row in &rows {
            self.show(row);
            self.show_picture(row);
        }
        for row in &rows {
            wanted.extend(self.leaves().map(|leaf| self.topics.stream(&row.stream.id, leaf)));
        }
        let known = self.board.held().into_iter().map(str::to_owned).chain(self.retained.iter().flatten().cloned());
        let mut stale: Vec<String> = known.filter(|topic| !wanted.contains(topic)).collect();
        // A device goes before its topics: an entity that still listens would stumble over an empty state.
        stale.sort_by_key(|topic| !topic.starts_with(DISCOVERY_PREFIX));
        stale.into_iter().for_each(|topic| self.board.clear(topic));
        let Some(retained) = &mut self.retained else { return };
        let new: Vec<String> = wanted.difference(retained).cloned().collect();
        if !new.is_empty() {
            retained.extend(new.iter().cloned());
            if let Err(error) = self.parts.store.change_retained_topics(new, Vec::new()).await {
                tracing::warn!(%error, "MQTT topics are not noted: those of a stream that is removed may stay with the broker");
            }
        }
    }

    /// What Home Assistant is told, the service first. Streams that are switched off are no devices there.
    fn discovery(&self, rows: &[Arc<StreamStatus>]) -> Vec<(String, Bytes)> {
        if !self.mqtt.home_assistant {
            return Vec::new();
        }
        let service = Service {
            node: &self.node,
            version: env!("CARGO_PKG_VERSION"),
            configuration_url: None,
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

    /// Every state goes again, and pictures that are new.
    pub(super) fn refresh(&mut self) {
        for row in self.parts.status.all() {
            self.board.put(self.topics.stream(&row.stream.id, Leaf::State), self.state(&row));
            self.show(&row);
            self.show_picture(&row);
        }
    }

    /// A stream has a new heartbeat: its state goes when that is another one.
    pub(super) fn show(&mut self, row: &Arc<StreamStatus>) {
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

    /// The original's message with all streams.
    pub(super) fn blob(&self) -> Message {
        Message {
            topic: self.mqtt.topic.clone(),
            payload: status_json::for_others(&self.parts.status).into(),
            qos: self.mqtt.qos,
            retain: self.mqtt.retain,
        }
    }

    pub(super) fn has_blob_under_way(&self) -> bool {
        self.blob.is_some()
    }

    pub(super) fn blob_is_under_way(&mut self, ticket: Ticket) {
        self.blob = Some(ticket);
    }

    /// Hands over as much as the session takes, states and events in turn.
    ///
    /// # Errors
    /// When the broker does not take a message.
    pub(super) fn hand_over(&mut self, session: &mut Session) -> Result<(), Failure> {
        while session.has_room() {
            let has_events = self.feed.as_ref().is_some_and(Feed::has_next);
            if self.board.is_done() && !has_events {
                return Ok(());
            }
            self.events_turn = has_events && (self.board.is_done() || !self.events_turn);
            if self.events_turn { self.hand_over_event(session)? } else { self.hand_over_topic(session)? }
        }
        Ok(())
    }

    fn hand_over_event(&mut self, session: &mut Session) -> Result<(), Failure> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        let Some(queued) = feed.next() else { return Ok(()) };
        let named = |stream: &StreamId| self.parts.status.get(stream.as_str()).map(|row| row.stream.name.clone());
        let event = payload::event(&queued, named);
        match event {
            Some((stream, text)) => {
                let topic = self.topics.stream(stream, Leaf::Event);
                let ticket = session.publish(Message { topic, payload: text.into(), qos: QOS, retain: false })?;
                feed.handed_over(queued.seq, ticket);
            }
            None => feed.passed_over(queued.seq),
        }
        Ok(())
    }

    fn hand_over_topic(&mut self, session: &mut Session) -> Result<(), Failure> {
        let Some((topic, payload)) = self.board.next() else { return Ok(()) };
        let is_clearing = payload.is_empty();
        let ticket = session.publish(Message { topic: topic.clone(), payload, qos: QOS, retain: true })?;
        if is_clearing {
            self.clearing.insert(ticket, topic);
        }
        Ok(())
    }

    /// The broker has these messages.
    pub(super) fn delivered(&mut self, tickets: &[Ticket]) {
        if let Some(feed) = &mut self.feed {
            feed.delivered(tickets);
        }
        self.blob = self.blob.filter(|blob| !tickets.contains(blob));
        for topic in tickets.iter().filter_map(|ticket| self.clearing.remove(ticket)) {
            if self.board.forget_cleared(&topic) {
                self.cleared.push(topic);
            }
        }
    }

    /// What is done beside the connection, one step; for ever, when there is nothing to do. It can be broken off at any time
    /// and begun again.
    pub(super) async fn work(&mut self) {
        let Some(feed) = &mut self.feed else { return std::future::pending().await };
        feed.work().await;
    }

    /// Waits until the store knows how far the events are.
    pub(super) async fn note_arrived(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.note_arrived().await;
        }
    }

    /// The store forgets what was cleared. Before a stream of the same id may come back.
    pub(super) async fn forget_cleared(&mut self) {
        let cleared = std::mem::take(&mut self.cleared);
        if cleared.is_empty() {
            return;
        }
        if let Some(retained) = &mut self.retained {
            cleared.iter().for_each(|topic| _ = retained.remove(topic));
        }
        // What stays in the store is cleared once more at the next start.
        let _ = self.parts.store.change_retained_topics(Vec::new(), cleared).await;
    }
}

async fn open_feed(store: Store) -> Result<Feed, StoreError> {
    store.open_sink(SINK).await?;
    let backlog = store.backlog(SINK).await?.unwrap_or_default();
    Ok(Feed::new(store, backlog.delivered))
}
