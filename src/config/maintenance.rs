//! Reads the maintenance windows: which streams, and when.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

use super::keys;
use super::reader::{Section, shown_text};
use super::sections;
use super::suggest::did_you_mean;
use crate::model::maintenance::{begin_at, end_at};
use crate::model::{Scope, Stream, Weekdays, When, Window};

/// Unknown names for which the nearest is looked for: each looks at every stream.
const MAX_SUGGESTIONS: usize = 20;

/// The days as they are written; the whole word is taken, too.
const DAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];

/// `maintenance:`; `zone` is that of the file.
pub(super) fn maintenance(root: &Section<'_>, streams: &[Arc<Stream>], zone: &TimeZone) -> Vec<Window> {
    let nodes = root.list("maintenance");
    if nodes.is_empty() {
        return Vec::new();
    }
    let mut names = Names::of(streams);
    let window = |(i, node)| {
        let section = Section::new(node, format!("maintenance[{i}]"), keys::MAINTENANCE, root.findings);
        let own_zone = sections::timezone(&section).map(|(zone, _)| zone);
        let scope = names.scope(&section);
        let when = when(&section, own_zone.as_ref().unwrap_or(zone))?;
        Some(Window { name: section.text("name").map(str::to_owned), scope, when })
    };
    nodes.iter().map(|node| &**node).enumerate().filter_map(window).collect()
}

/// What a window may name.
struct Names<'a> {
    streams: &'a [Arc<Stream>],
    groups: HashSet<&'a str>,
    tags: HashSet<&'a str>,
    /// Looked for so far.
    suggestions: usize,
}

impl<'a> Names<'a> {
    fn of(streams: &'a [Arc<Stream>]) -> Self {
        Self {
            streams,
            groups: streams.iter().filter_map(|stream| stream.group.as_deref()).collect(),
            tags: streams.iter().flat_map(|stream| &stream.tags).map(String::as_str).collect(),
            suggestions: 0,
        }
    }

    fn scope(&mut self, section: &Section<'_>) -> Scope {
        let keys = ["streams", "groups", "tags"];
        if !keys.into_iter().any(|key| section.has(key)) {
            return Scope::All;
        }
        let [named, groups, tags] = keys.map(|key| section.texts(key));
        if named.is_empty() && groups.is_empty() && tags.is_empty() {
            // An empty list may as well be meant as "none": nobody should lose an alarm to a guess.
            let key = keys.into_iter().find(|key| section.has(key)).unwrap_or("streams");
            section.problem(key, "names nothing; leave it out for every stream, or remove the window");
        }
        let mut ids = Vec::new();
        for name in &named {
            let by_id = self.streams.iter().find(|stream| stream.id.as_str() == name);
            match by_id.or_else(|| self.streams.iter().find(|stream| stream.name == *name)) {
                Some(stream) => ids.push(stream.id.clone()),
                None => {
                    let known = self.streams.iter().flat_map(|stream| [stream.id.as_str(), &stream.name]);
                    let near = suggestion(&mut self.suggestions, name, known);
                    section.warning("streams", format!("no stream has the id or name {}{near}", shown_text(name)));
                }
            }
        }
        for (key, texts, known, what) in [
            ("groups", &groups, &self.groups, "no stream is in the group"),
            ("tags", &tags, &self.tags, "no stream has the tag"),
        ] {
            for text in texts.iter().filter(|text| !known.contains(text.as_str())) {
                let near = suggestion(&mut self.suggestions, text, known.iter().copied());
                section.warning(key, format!("{what} {}{near}", shown_text(text)));
            }
        }
        Scope::Of { streams: ids, groups, tags }
    }
}

fn suggestion<'a>(asked: &mut usize, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    *asked += 1;
    if *asked > MAX_SUGGESTIONS { String::new() } else { did_you_mean(word, known) }
}

fn when(section: &Section<'_>, zone: &TimeZone) -> Option<When> {
    if section.has("every") {
        let days = days(section);
        let from = edge(section, "from", time_of_day);
        let midnight = |text: &str| (text == "24:00").then_some(Time::midnight());
        let to = edge(section, "to", |text| midnight(text).map_or_else(|| time_of_day(text), Ok));
        return Some(When::Recurring { days: days?, from: from?, to: to?, zone: zone.clone() });
    }
    let from = edge(section, "from", |text| instant(text, |local| begin_at(zone, local)));
    let to = edge(section, "to", |text| instant(text, |local| end_at(zone, local)));
    let (from, to) = (from?, to?);
    if to <= from {
        let [from, to] = ["from", "to"].map(|key| shown_text(section.text(key).unwrap_or_default()));
        section.problem("to", format!("{to} is not after {from}; write when the window is over"));
        return None;
    }
    Some(When::Once { from, to })
}

fn days(section: &Section<'_>) -> Option<Weekdays> {
    let mut days = Weekdays::NONE;
    let mut good = true;
    let words = section.texts("every");
    for text in &words {
        let word = text.to_lowercase();
        let day = DAYS.iter().find(|(short, long, _)| word == *short || word == *long);
        match day {
            Some((.., day)) => days = days.with(*day),
            None if word == "day" => days = Weekdays::ALL,
            None => {
                let known = || ["day"].into_iter().chain(DAYS.iter().map(|(short, ..)| *short));
                let near = did_you_mean(text, known());
                let known = known().collect::<Vec<_>>().join(", ");
                section.problem("every", format!("{} is not one of {known}{near}", shown_text(text)));
                good = false;
            }
        }
    }
    if words.is_empty() {
        section.problem("every", "names no day; write day, or days such as [mon, thu]");
    }
    (good && !days.is_empty()).then_some(days)
}

/// `from` or `to`.
fn edge<T>(section: &Section<'_>, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    let Some(text) = section.text(key) else {
        // What is no text at all was told already.
        if !section.has(key) {
            let side = if key == "from" { "begins" } else { "is over" };
            section.missing(key, &format!("write when the window {side}"));
        }
        return None;
    };
    read(text).map_err(|message| section.problem(key, format!("{} {message}", shown_text(text)))).ok()
}

fn time_of_day(text: &str) -> Result<Time, String> {
    if Pieces::parse(text).is_ok_and(|pieces| pieces.time().is_some()) {
        return Err("has a date; write the time of day alone, or leave out every for a window that comes once".into());
    }
    clock(text).ok_or_else(|| "is no time of day; write hours and minutes as \"03:15\"".to_owned())
}

/// `3:00`, `03:00` or `03:00:30`.
fn clock(text: &str) -> Option<Time> {
    let parts: Vec<i8> = text
        .split(':')
        .map(|part| {
            let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        })
        .collect::<Option<_>>()?;
    match parts[..] {
        [hour, minute] => Time::new(hour, minute, 0, 0).ok(),
        [hour, minute, second] => Time::new(hour, minute, second, 0).ok(),
        _ => None,
    }
}

/// `2026-12-01T22:00`, a local time, or with an offset or `Z`.
fn instant(text: &str, local: impl Fn(DateTime) -> Option<Timestamp>) -> Result<Timestamp, String> {
    if clock(text).is_some() || text == "24:00" {
        return Err("has no date; write it as 2026-12-01T22:00, or add every: day for a time of day".into());
    }
    let wrong = || "is no date and time; write it as 2026-12-01T22:00".to_owned();
    let pieces = Pieces::parse(text).map_err(|_| wrong())?;
    if pieces.time_zone_annotation().is_some() {
        return Err("has a zone in brackets; write it as timezone of the window".into());
    }
    let time = pieces.time().ok_or("has no time of day; write it as 2026-12-01T22:00")?;
    let written = pieces.date().to_datetime(time);
    let instant = match pieces.to_numeric_offset() {
        Some(offset) => offset.to_timestamp(written).ok(),
        None => local(written),
    };
    instant.ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
