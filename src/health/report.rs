//! What a month came to, for whoever pays for the cameras: pure figures of state times and incidents.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Health, Incident, Member, StateTimes, StreamId};

/// Streams in [`Report::worst`].
const WORST: usize = 10;

/// The time that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// When the report is made; before `to` the period still goes on.
    pub now: Timestamp,
}

impl Period {
    /// True while it goes on: the report is only so far.
    pub fn is_so_far(&self) -> bool {
        self.now < self.to
    }

    /// The end of the part that has passed.
    pub fn until(&self) -> Timestamp {
        self.to.min(self.now).max(self.from)
    }

    /// How much of it has passed.
    pub fn passed(&self) -> Duration {
        between(self.from, self.until())
    }

    /// The part of a stretch of time that lies in what has passed; `None` when there is none. What has no end goes on.
    fn cut(&self, from: Timestamp, to: Option<Timestamp>) -> Option<Duration> {
        let until = self.until();
        let end = to.unwrap_or(until);
        // A stretch of no length is in it as well.
        let touches = from < until && (end > self.from || from >= self.from);
        touches.then(|| between(from.max(self.from), end.min(until)))
    }

    fn has_begin_of(&self, incident: &Incident) -> bool {
        (self.from..self.to).contains(&incident.opened_at)
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A stream that was watched in the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub id: StreamId,
    /// Its name for people.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// Its time in each state, within the period.
    pub times: StateTimes,
}

/// A mean of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    /// How many there were.
    pub count: u32,
    sum: Duration,
}

impl Mean {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// `None` of nothing.
    pub fn value(&self) -> Option<Duration> {
        self.sum.checked_div(self.count)
    }
}

/// What one stream, one group or all came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many streams it is of.
    pub streams: usize,
    /// Time in each state.
    pub times: StateTimes,
    /// The time that there was to watch: what has passed of the period, once for each stream.
    pub window: Duration,
    /// Incidents that were open in the period in which a stream was down, each counted once.
    pub incidents_down: u32,
    /// The same of those in which a stream was degraded.
    pub incidents_degraded: u32,
    /// Those of both that are still open.
    pub incidents_open: u32,
    /// Outages of one stream each that lie in the period, at least in part; a stream may have several in one incident.
    pub outages: u32,
    /// The longest outage of one stream, as far as it lies in the period. Unlike downtime it goes on while the stream is
    /// `unknown`.
    pub longest_outage: Option<Duration>,
    /// From the last good heartbeat to the confirmed outage, of incidents that were opened in the period.
    pub time_to_detect: Mean,
    /// From the confirmed outage to its end, of the same incidents; outages that are not over are not in it.
    pub time_to_repair: Mean,
}

impl Figures {
    fn of(streams: usize, times: StateTimes, passed: Duration) -> Self {
        let window = passed.saturating_mul(u32::try_from(streams).unwrap_or(u32::MAX));
        Self { streams, times, window, ..Self::default() }
    }

    /// Time-weighted, 0 to 1; `None` when nothing could be judged.
    pub fn availability(&self) -> Option<f64> {
        self.times.availability()
    }

    /// The share of the time there was to watch that was watched, 0 to 1.
    pub fn covered(&self) -> f64 {
        self.times.covered_share(self.window)
    }

    /// Time down.
    pub fn downtime(&self) -> Duration {
        Duration::from_millis(self.times.ms(Health::Down))
    }

    fn count(&mut self, incident: &Incident) {
        match incident.health {
            Health::Down => self.incidents_down += 1,
            _ => self.incidents_degraded += 1,
        }
        self.incidents_open += u32::from(incident.is_open());
    }

    fn add_outage(&mut self, member: &Member, incident: &Incident, period: &Period) {
        if let Some(length) = period.cut(member.joined_at, member.left_at) {
            self.outages += 1;
            self.longest_outage = self.longest_outage.max(Some(length));
        }
        if period.has_begin_of(incident) {
            self.time_to_detect.add(between(member.began_at, member.joined_at));
            if let Some(left_at) = member.left_at {
                self.time_to_repair.add(between(member.joined_at, left_at));
            }
        }
    }
}

/// One stream of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub id: StreamId,
    /// Its name for people.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// What it came to.
    pub figures: Figures,
}

/// What a period came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The period.
    pub period: Period,
    /// Every stream, in the order in which they were given.
    pub streams: Vec<Line>,
    /// Every group, by its name.
    pub groups: BTreeMap<String, Figures>,
    /// All streams together.
    pub all: Figures,
    /// The streams that were down, the least available first, at most ten: indexes of [`Self::streams`].
    pub worst: Vec<usize>,
    /// What was open in the period, in the order of opening. Those whose streams another one took over are left out.
    pub incidents: Vec<Incident>,
    /// Where in [`Self::streams`] a stream is.
    indexes: HashMap<StreamId, usize>,
}

impl Report {
    /// The name of a stream for people: its id when the report does not have it.
    pub fn name<'a>(&'a self, id: &'a StreamId) -> &'a str {
        self.indexes.get(id).map_or(id.as_str(), |index| &self.streams[*index].name)
    }

    /// How long an incident lasted, within the period and beyond it; up to now when it is still open.
    pub fn duration(&self, incident: &Incident) -> Duration {
        between(incident.opened_at, incident.closed_at.unwrap_or(self.period.now))
    }
}

/// Makes the report. `incidents` may hold some that do not belong to the period, in any order.
pub fn report(period: Period, streams: Vec<Watched>, incidents: Vec<Incident>) -> Report {
    let passed = period.passed();
    let mut groups: BTreeMap<String, (usize, StateTimes)> = BTreeMap::new();
    for stream in &streams {
        if let Some(group) = &stream.group {
            let (count, times) = groups.entry(group.clone()).or_default();
            *count += 1;
            *times += stream.times;
        }
    }
    let mut report = Report {
        period,
        indexes: streams.iter().enumerate().map(|(index, stream)| (stream.id.clone(), index)).collect(),
        all: Figures::of(streams.len(), streams.iter().map(|stream| stream.times).sum(), passed),
        groups: groups.into_iter().map(|(name, (count, times))| (name, Figures::of(count, times, passed))).collect(),
        streams: streams
            .into_iter()
            .map(|Watched { id, name, group, times }| Line { id, name, group, figures: Figures::of(1, times, passed) })
            .collect(),
        worst: Vec::new(),
        incidents: incidents
            .into_iter()
            .filter(|incident| incident.merged_into.is_none())
            .filter(|incident| period.cut(incident.opened_at, incident.closed_at).is_some())
            .collect(),
    };
    report.incidents.sort_by_key(|incident| (incident.opened_at, incident.id));
    count_incidents(&mut report);
    report.worst = worst(&report.streams);
    report
}

fn count_incidents(report: &mut Report) {
    let Report { period, streams, groups, all, incidents, indexes, .. } = report;
    for incident in incidents.iter() {
        all.count(incident);
        // A stream may be in an incident more than once: it came back and failed again while others were still down.
        let mut touched_streams = BTreeSet::new();
        let mut touched_groups = BTreeSet::new();
        for member in &incident.members {
            let index = indexes.get(&member.stream).copied();
            let group = index.and_then(|index| streams[index].group.clone());
            if incident.health == Health::Down {
                let stream = index.map(|index| &mut streams[index].figures);
                let group = group.as_ref().and_then(|group| groups.get_mut(group));
                for figures in [Some(&mut *all), group, stream].into_iter().flatten() {
                    figures.add_outage(member, incident, period);
                }
            }
            if period.cut(member.joined_at, member.left_at).is_some() {
                touched_streams.extend(index);
                touched_groups.extend(group);
            }
        }
        touched_streams.into_iter().for_each(|index| streams[index].figures.count(incident));
        groups.iter_mut().filter(|(name, _)| touched_groups.contains(*name)).for_each(|(_, of)| of.count(incident));
    }
}

/// Those that were down, the least available first.
fn worst(streams: &[Line]) -> Vec<usize> {
    let figures = |index: usize| &streams[index].figures;
    let mut worst: Vec<usize> = (0..streams.len()).filter(|index| !figures(*index).downtime().is_zero()).collect();
    worst.sort_by(|a, b| {
        let (left, right) = (figures(*a), figures(*b));
        let availability = |of: &Figures| of.availability().unwrap_or(1.0);
        availability(left)
            .total_cmp(&availability(right))
            .then(right.downtime().cmp(&left.downtime()))
            .then_with(|| streams[*a].name.cmp(&streams[*b].name))
    });
    worst.truncate(WORST);
    worst
}

#[cfg(test)]
mod tests;
