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
use super::broker::Broker;
use super::command::{Pace, Work};
use super::failure::Failure;
use super::handle::MqttHandle;
use super::outlet::Outlet;
use super::publisher::{End, Settings, other_settings};
use super::session::{Happened, Session, Ticket, Unsent};
use super::topics::Leaf;
use super::{Parts, Task};
use crate::config::{Config, Mqtt};
use crate::model::StreamId;
use crate::monitor::Event;
use crate::store::Announced;

/// For the last word to a broker.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Who announces work that is asked for over the broker: a name that no account can have.
const ANNOUNCED_BY: &str = "(mqtt)";
/// Between two lines of the log about commands that are not obeyed.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// A connection and what it carries.
pub(super) struct Connected<'a> {
    pub(super) session: Session,
    pub(super) outlet: &'a mut Outlet,
    pub(super) parts: &'a Parts,
    pub(super) mqtt: &'a Mqtt,
    pub(super) broker: &'a Broker,
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
    pub(super) async fn run(
        &mut self,
        config: &mut watch::Receiver<Arc<Config>>,
        settings: &Settings,
        cancel: &CancellationToken,
    ) -> End {
        match self.work(config, settings, cancel).await {
            Ok(end) => end,
            Err(failure) => End::Failed(failure),
        }
    }

    async fn work(
        &mut self,
        config: &mut watch::Receiver<Arc<Config>>,
        settings: &Settings,
        cancel: &CancellationToken,
    ) -> Result<End, Failure> {
        let mut events = self.parts.status.subscribe();
        self.outlet.begin();
        if let Err(Unsent::Refused(failure)) = self.session.publish(&self.outlet.status("online")) {
            self.outlet.refused(Ticket::NONE, failure);
        }
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
            self.outlet.hand_over(&mut self.session);
            for failure in self.outlet.take_refused() {
                self.tell(&failure);
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(End::Cancelled),
                () = other_settings(config, settings) => return Ok(End::OtherSettings),
                _ = ticks.tick() => {
                    // Everything is on its way at the beginning.
                    if !std::mem::take(&mut is_first) {
                        self.outlet.refresh();
                    }
                }
                event = events.recv() => self.hear(event, &mut events),
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

    /// The broker does not take a message, and has us all the same.
    fn tell(&self, failure: &Failure) {
        let (problem, next_step) = failure.words(self.broker);
        if self.handle.refused((problem.clone(), next_step.clone())) {
            tracing::warn!("MQTT broker {}: {problem} {next_step}", self.broker);
        }
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

    fn hear(&mut self, event: Result<Event, RecvError>, events: &mut broadcast::Receiver<Event>) {
        match event {
            Ok(Event::Heartbeat(row)) => self.outlet.show_stream(&row.stream.id),
            Ok(Event::StreamsChanged) => self.outlet.rebuild(),
            Ok(Event::Transition(_) | Event::Flapping { .. } | Event::Incident(_)) => {}
            // More happened than is kept for us: the table has it all.
            Err(RecvError::Lagged(_)) => {
                *events = self.parts.status.subscribe();
                self.outlet.rebuild();
            }
            // The table outlives us.
            Err(RecvError::Closed) => {}
        }
    }

    fn take(&mut self, happened: Happened, commands: &mut Commands) {
        match happened {
            Happened::Delivered(tickets) => {
                self.outlet.delivered(&tickets);
                self.handle.published(tickets.len(), self.parts.clock.now());
            }
            Happened::Refused { ticket, failure } => self.outlet.refused(ticket, failure),
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

    /// The last word, which stays behind as the status, and the goodbye. Where the word is not taken in time, the broker says
    /// it for us: without a goodbye it publishes our last will.
    pub(super) async fn close(mut self) {
        let said = timeout(LAST_WORD, self.say_stopped()).await;
        if said == Ok(true) {
            self.session.close().await;
        } else {
            self.session.abandon();
        }
        let _ = timeout(LAST_WORD, self.outlet.note_arrived()).await;
    }

    /// True when the broker has it, or will not have it.
    async fn say_stopped(&mut self) -> bool {
        let word = self.outlet.status("stopped");
        let mut wanted = None;
        loop {
            if wanted.is_none() {
                match self.session.publish(&word) {
                    Ok(ticket) => wanted = Some(ticket),
                    Err(Unsent::Refused(_)) => return true,
                    Err(Unsent::Full) => {}
                }
            }
            match self.session.next().await {
                Ok(Happened::Delivered(tickets)) => {
                    self.outlet.delivered(&tickets);
                    if wanted.is_some_and(|wanted| tickets.contains(&wanted)) {
                        return true;
                    }
                }
                Ok(Happened::Refused { ticket, .. }) if wanted == Some(ticket) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
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
            // One takes the place of the other, or they would pile up.
            if let Err(error) = end_announced(parts, &stream).await {
                tracing::warn!(%stream, "the work that was announced before by MQTT: {error}");
            }
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
