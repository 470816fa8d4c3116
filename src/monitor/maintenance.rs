//! Announced work: the windows of the configuration and those that somebody announced by hand.

use std::sync::Arc;

use jiff::Timestamp;

use super::handle::goes_on;
use crate::config::Config;
use crate::health::maintenance::{next_change, until};
use crate::model::Stream;
use crate::model::maintenance::{Scope, When, Window};
use crate::store::Announced;

/// Every window that is known.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    announced: Vec<Announced>,
    configured: Vec<Window>,
    windows: Vec<Window>,
    /// The next instant at which a window begins or ends.
    next: Option<Timestamp>,
}

impl Maintenance {
    /// Takes over the windows of a configuration.
    pub(super) fn configure(&mut self, config: &Config, now: Timestamp) {
        self.configured.clone_from(&config.maintenance);
        self.rebuild(config, now);
    }

    /// Takes over what was announced by hand.
    pub(super) fn remember(&mut self, announced: Vec<Announced>) {
        self.announced = announced;
    }

    /// Somebody announced work.
    pub(super) fn announce(&mut self, work: Announced, config: &Config, now: Timestamp) {
        self.announced.push(work);
        self.rebuild(config, now);
    }

    /// Somebody ended it.
    pub(super) fn end(&mut self, id: i64, config: &Config, now: Timestamp) {
        self.announced.retain(|work| work.id != id);
        self.rebuild(config, now);
    }

    /// Looks for the next change after `now`.
    pub(super) fn rebuild(&mut self, config: &Config, now: Timestamp) {
        self.announced.retain(|work| goes_on(work, now));
        let by_hand = self.announced.iter().map(window);
        self.windows = self.configured.iter().cloned().chain(by_hand).collect();
        self.next = next_change(&self.windows, &config.streams, now);
    }

    /// Until when a stream is worked on; `None` when it is not.
    pub(super) fn until(&self, stream: &Stream, now: Timestamp) -> Option<Timestamp> {
        until(&self.windows, stream, now)
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// The streams whose state does not agree with the windows at `now`.
    pub(super) fn differing<'a>(
        &'a self,
        streams: impl Iterator<Item = (Arc<Stream>, bool)> + 'a,
        now: Timestamp,
    ) -> impl Iterator<Item = Arc<Stream>> + 'a {
        streams.filter(move |(stream, is_in)| self.until(stream, now).is_some() != *is_in).map(|(stream, _)| stream)
    }
}

fn window(work: &Announced) -> Window {
    let scope = if work.streams.is_empty() {
        Scope::All
    } else {
        Scope::Of { streams: work.streams.clone(), groups: Vec::new(), tags: Vec::new() }
    };
    Window { name: work.note.clone(), scope, when: When::Once { from: work.from, to: work.until } }
}
