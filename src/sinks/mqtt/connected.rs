//! While a broker has us: what changes goes there, and what is asked of us is done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::super::home_assistant::{BIRTH_PAYLOAD, BIRTH_TOPIC, RESEND_WITHIN};
use super::command::{Pace, Work};
use super::failure::Failure;
use super::handle::MqttHandle;
use super::outlet::Outlet;
use super::publisher::{End, other_settings};
use super::session::{Happened, Session};
use super::topics::Leaf;
use super::{Parts, Task};
use crate::config::{Config, Mqtt};
use crate::model::StreamId;
use crate::monitor::Event;
use crate::store::Announced;

/// For the last word to a broker.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Who announces work that is asked for over the broker.
const ANNOUNCED_BY: &str = "mqtt";
/// Between two lines of the log about commands that are not obeyed.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// A connection and what it carries.
pub(super) struct Connected<'a> {
    pub(super) session: Session,
    pub(super) outlet: &'a mut Outlet,
    pub(super) parts: &'a Parts,
    pub(super) mqtt: &'a Mqtt,
    pub(super) handle: &'a MqttHandle,
}

/// What is asked of us, under way.
struct Commands {
    /// The topics that are listened to.
    filters: Vec<String>,
    pace: Pace,
    tasks: FuturesUnordered<Task>,
    complained_at: Option<Instant>,
    /// When Home Assistant is told everything once more.
    announce_at: Option<Instant>,
}

impl Connected<'_> {
    /// Until the connection is lost, `cancel` or other settings.
    pub(super) async fn run(&mut self, config: &mut watch::Receiver<Arc<Config>>, cancel: &CancellationToken) -> End {
        match self.work(config, cancel).await {
            Ok(end) => end,
            Err(failure) => End::Failed(failure),
        }
    }

    async fn work(
        &mut self,
        config: &mut watch::Receiver<Arc<Config>>,
        cancel: &CancellationToken,
    ) -> Result<End, Failure> {
        let mut events = self.parts.status.subscribe();
        self.outlet.begin().await;
        self.session.publish(self.outlet.status("online"))?;
        let filters = self.subscribe()?;
        let mut commands = Commands {
            filters,
            pace: Pace::new(Instant::now()),
            tasks: FuturesUnordered::new(),
            complained_at: None,
            announce_at: None,
        };
        let mut ticks = interval(self.mqtt.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_first = true;
        loop {
            self.outlet.hand_over(&mut self.session)?;
            tokio::select! {
                () = cancel.cancelled() => return Ok(End::Cancelled),
                () = other_settings(config, self.mqtt) => return Ok(End::OtherSettings),
                _ = ticks.tick() => {
                    // Everything is on its way at the beginning.
                    if !std::mem::take(&mut is_first) {
                        self.outlet.refresh();
                    }
                    self.publish_blob()?;
                }
                event = events.recv() => self.hear(event, &mut events).await,
                () = self.outlet.work() => {}
                happened = self.session.next() => self.take(happened?, &mut commands),
                Some(()) = commands.tasks.next() => {}
                () = sleep_until(commands.announce_at.unwrap_or_else(Instant::now)), if commands.announce_at.is_some() => {
                    commands.announce_at = None;
                    self.outlet.announce();
                }
            }
        }
    }

    /// The original's message. Each is followed by a newer one, so none is sent while the last is on its way.
    fn publish_blob(&mut self) -> Result<(), Failure> {
        if self.outlet.has_blob_under_way() || !self.session.has_room() {
            return Ok(());
        }
        let ticket = self.session.publish(self.outlet.blob())?;
        self.outlet.blob_is_under_way(ticket);
        Ok(())
    }

    fn subscribe(&mut self) -> Result<Vec<String>, Failure> {
        let mut filters = Vec::new();
        if self.mqtt.commands {
            filters.extend([Leaf::Probe, Leaf::Maintenance].map(|leaf| self.outlet.topics.commands(leaf)));
        }
        if self.mqtt.home_assistant {
            filters.push(BIRTH_TOPIC.to_owned());
        }
        if !filters.is_empty() {
            self.session.subscribe(&filters)?;
        }
        Ok(filters)
    }

    async fn hear(&mut self, event: Result<Event, RecvError>, events: &mut broadcast::Receiver<Event>) {
        match event {
            Ok(Event::Heartbeat(row)) => self.outlet.show(&row),
            Ok(Event::StreamsChanged) => self.outlet.rebuild().await,
            Ok(Event::Transition(_) | Event::Flapping { .. } | Event::Incident(_)) => {}
            // More happened than is kept for us: the table has it all.
            Err(RecvError::Lagged(_)) => {
                *events = self.parts.status.subscribe();
                self.outlet.rebuild().await;
            }
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    fn take(&mut self, happened: Happened, commands: &mut Commands) {
        match happened {
            Happened::Delivered(tickets) => {
                self.outlet.delivered(&tickets);
                self.handle.published(tickets.len(), self.parts.clock.now());
            }
            Happened::Subscribed { is_granted: true } => {}
            Happened::Subscribed { is_granted: false } => tracing::warn!(
                "the MQTT broker does not let us read {}; let its access list allow it, or set mqtt.commands and \
                 mqtt.home_assistant to false",
                commands.filters.join(", ")
            ),
            Happened::Oversized => commands.complain("a message is larger than a command ever is"),
            Happened::Message { topic, payload, retain } if topic == BIRTH_TOPIC => {
                // One that is retained is from before this connection, at whose beginning everything went.
                if payload == BIRTH_PAYLOAD && !retain {
                    let share = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
                    commands.announce_at = Some(Instant::now() + RESEND_WITHIN.mul_f64(share));
                }
            }
            // What is retained was asked once, perhaps long ago, and would be asked again at every connection.
            Happened::Message { retain: true, .. } => commands.complain("a command is retained; send it without"),
            Happened::Message { topic, payload, .. } => self.obey(&topic, &payload, commands),
        }
    }

    fn obey(&self, topic: &str, payload: &[u8], commands: &mut Commands) {
        let Some((stream, leaf)) = self.outlet.topics.command(topic) else { return };
        if self.parts.status.get(stream.as_str()).is_none_or(|row| !row.stream.enabled) {
            return commands.complain("a command is for a stream that is not watched");
        }
        let work = match leaf {
            Leaf::Maintenance => match Work::read(payload, self.parts.clock.now()) {
                Ok(work) => Some(work),
                Err(problem) => return commands.complain(&format!("announced work {problem}")),
            },
            _ => None,
        };
        if !commands.pace.allows(&stream, Instant::now()) {
            return commands.complain("commands come faster than they are obeyed");
        }
        let parts = self.parts.clone();
        commands.tasks.push(Box::pin(async move {
            match work {
                None => probe(&parts, &stream).await,
                Some(work) => announce(&parts, stream, work).await,
            }
        }));
    }

    /// The last word, and the goodbye. `word` is what stays behind as the status, when it is to be another one.
    pub(super) async fn close(mut self, word: Option<&'static str>) {
        let last = async {
            if let Some(word) = word
                && self.session.publish(self.outlet.status(word)).is_ok()
            {
                while !self.session.is_idle() {
                    match self.session.next().await {
                        Ok(Happened::Delivered(tickets)) => self.outlet.delivered(&tickets),
                        Ok(_) => {}
                        Err(_) => return,
                    }
                }
            }
            self.outlet.note_arrived().await;
        };
        let _ = timeout(LAST_WORD, last).await;
        self.session.close().await;
    }
}

impl Commands {
    /// A line of the log, not one for each of a flood of them.
    fn complain(&mut self, what: &str) {
        if self.complained_at.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained_at = Some(Instant::now());
            tracing::warn!("an MQTT command is not obeyed: {what}");
        }
    }
}

async fn probe(parts: &Parts, stream: &StreamId) {
    tracing::info!(%stream, "a probe is asked for by MQTT");
    if let Err(error) = parts.scheduler.probe_now(stream).await {
        tracing::warn!(%stream, "the probe that was asked for by MQTT: {error}");
    }
}

async fn announce(parts: &Parts, stream: StreamId, work: Work) {
    let now = parts.clock.now();
    let done = match work {
        Work::Begins { until, note } => {
            tracing::info!(%stream, %until, "work is announced by MQTT");
            let by = ANNOUNCED_BY.to_owned();
            let work = Announced { id: 0, streams: vec![stream.clone()], from: now, until, by, note };
            parts.monitor.announce(work).await.map(drop).map_err(|error| error.to_string())
        }
        Work::Ends => {
            tracing::info!(%stream, "announced work is ended by MQTT");
            end_announced(parts, &stream).await
        }
    };
    if let Err(error) = done {
        tracing::warn!(%stream, "the work that was announced by MQTT: {error}");
    }
}

/// Ends what was announced over the broker for this stream; what people announced is theirs.
async fn end_announced(parts: &Parts, stream: &StreamId) -> Result<(), String> {
    let announced = parts.store.announced(parts.clock.now()).await.map_err(|error| error.to_string())?;
    for work in announced {
        if work.by == ANNOUNCED_BY && work.streams == [stream.clone()] {
            parts.monitor.end_announced(work.id).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
