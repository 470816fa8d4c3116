use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::message::{Kind, Message, Status};
use super::super::plan::{Reminded, Situation, due, plan, reminders};
use super::*;
use crate::config::{Config, Overrides, parse};
use crate::model::{Acknowledgement, Cause, Member, Stage};

const NOON_S: i64 = 1_764_244_800;

/// Streams `a` to `z`, of which `a` and `b` are in the group Outside, and this target.
fn config(target: &str) -> Config {
    let mut text = format!(
        "timezone: Europe/Berlin\nnotify:\n  dashboard_url: https://cams.example/\n  targets:\n    - {{name: t, url: \"https://h.example/x\", {target}}}\nstreams:\n"
    );
    for c in 'a'..='z' {
        let group = if c <= 'b' { "Outside" } else { "Inside" };
        text.push_str(&format!("  - {{name: Cam {c}, id: {c}, url: \"rtsp://192.0.2.1/{c}\", group: {group}}}\n"));
    }
    parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()).unwrap().config
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOON_S + seconds).unwrap()
}

fn id(text: &str) -> StreamId {
    StreamId::new(text).unwrap()
}

fn incident(number: i64, streams: &str, closed: Option<i64>) -> Incident {
    let member = |c: char| Member {
        stream: id(&c.to_string()),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        began_at: at(-5),
        joined_at: at(0),
        left_at: closed.map(at),
    };
    Incident {
        id: number,
        health: Health::Down,
        cause: Cause::Stream,
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: String::new(),
        opened_at: at(0),
        closed_at: closed.map(at),
        merged_into: None,
        members: streams.chars().map(member).collect(),
        acknowledged: None,
        note: None,
        action: None,
    }
}

fn opened(number: i64) -> Notice {
    Notice::IncidentOpened { incident: number, at: at(number) }
}

fn closed(number: i64) -> Notice {
    Notice::IncidentClosed { incident: number, at: at(100 + number) }
}

fn change(stream: &str, from: Health, to: Health, announced: bool) -> Notice {
    let (stream, message) = (id(stream), "no answer from rtsp://192.0.2.1/x".to_owned());
    let (reason, issues) = (Reason::Unreachable, Vec::new());
    Notice::Transition { stream, at: at(0), from, to, reason, issues, message, announced }
}

struct Case {
    config: Config,
    incidents: HashMap<i64, Incident>,
    queued: Vec<Queued>,
}

impl Case {
    fn new(target: &str, incidents: Vec<Incident>, notices: Vec<Notice>) -> Self {
        let queued = notices.into_iter().zip(1..).map(|(notice, seq)| Queued { seq, id: format!("q-{seq}"), notice });
        let incidents = incidents.into_iter().map(|incident| (incident.id, incident)).collect();
        Self { config: config(target), incidents, queued: queued.collect() }
    }

    fn target(&self) -> Arc<Target> {
        self.config.notify.targets[0].clone()
    }

    fn with_context<T>(&self, then: impl FnOnce(&Target, &Context<'_>) -> T) -> T {
        let target = self.target();
        let context = Context { config: &self.config, groups: &target.groups, host: "pi", now: at(300) };
        then(&target, &context)
    }

    fn told(&self) -> Vec<Told> {
        self.with_context(|target, context| told(&self.queued, &self.incidents, target, context))
    }

    /// Title, id and where the cursor goes then.
    fn planned(&self, situation: Situation) -> Vec<(Message, i64)> {
        let end = self.queued.len() as i64;
        let told = self.told();
        self.with_context(|_, context| {
            let planned = plan(&told, Situation { end, ..situation }, context);
            planned.into_iter().map(|planned| (planned.message, planned.then)).collect()
        })
    }

    fn titles(&self) -> Vec<String> {
        self.planned(Situation::default()).into_iter().map(|(message, _)| message.title).collect()
    }
}

#[test]
fn an_incident_that_opens_and_closes_is_one_message_and_the_cursor_passes_none() {
    let incidents = vec![incident(1, "a", Some(40)), incident(2, "b", None)];
    let case = Case::new("wait_seconds: 0", incidents, vec![opened(1), opened(2), closed(1)]);
    let planned = case.planned(Situation::default());
    let shown: Vec<_> =
        planned.iter().map(|(message, then)| (message.title.as_str(), message.id.as_str(), *then)).collect();
    // The second is delivered first, and the cursor waits for the first notice of the other.
    assert_eq!(shown, [("Cam b is down", "q-2", 0), ("Cam a is no longer down", "q-3", 3)]);
    assert_eq!((planned[0].0.status, planned[1].0.status), (Status::Firing, Status::Resolved));
    assert!(planned[1].0.text.starts_with("It lasted 40 s, from 2025-11-27 13:00:00 CET to"), "{}", planned[1].0.text);
    assert_eq!(planned[0].0.url.as_deref(), Some("https://cams.example/#/incidents/2"));
}

#[test]
fn severities_groups_and_events_are_filters() {
    let mut degraded = incident(2, "c", None);
    degraded.health = Health::Degraded;
    let incidents = || vec![incident(1, "ax", None), degraded.clone(), incident(3, "x", None)];
    let notices = || {
        let flapping =
            Notice::Flapping { stream: id("a"), at: at(0), active: true, from: Health::Up, to: Health::Down };
        vec![
            opened(1),
            opened(2),
            opened(3),
            change("a", Health::Up, Health::Down, true),
            change("a", Health::Up, Health::Down, false),
            change("x", Health::Degraded, Health::Up, true),
            change("x", Health::Up, Health::Maintenance, true),
            flapping,
        ]
    };
    let titles = |target: &str| Case::new(target, incidents(), notices()).titles();
    assert_eq!(titles(""), ["2 streams are down", "Cam c is degraded", "Cam x is down"]);
    assert_eq!(titles("severities: [degraded]"), ["Cam c is degraded"]);
    assert_eq!(titles("groups: [Outside]"), ["Cam a is down"], "the other stream is not named");
    assert_eq!(titles("events: [transitions]"), ["Cam a: up → down", "Cam x: degraded → up", "Cam a comes and goes"]);
    assert_eq!(
        titles("events: [transitions], severities: [degraded]"),
        ["Cam x: degraded → up", "Cam a comes and goes"]
    );
    assert_eq!(titles("events: [transitions], groups: [Nobody]"), [""; 0]);
    let text = &Case::new("events: [transitions]", incidents(), notices()).planned(Situation::default())[0].0.text;
    assert!(!text.contains("://"), "{text}");
}

#[test]
fn of_another_group_nothing_is_told_beside() {
    let mut shared = incident(1, "xa", None);
    shared.cause = Cause::Parent(id("x"));
    shared.detail = "192.0.2.77 says nothing".to_owned();
    let case = Case::new("groups: [Outside]", vec![shared], vec![opened(1)]);
    let message = case.planned(Situation::default()).remove(0).0;
    let told = serde_json::to_string(&message).unwrap();
    assert_eq!(message.title, "Cam a is down");
    assert!(!told.contains("192.0.2.77") && !told.contains("Cam x") && !told.contains("\"x\""), "{told}");
}

#[test]
fn one_that_was_merged_is_told_only_to_whom_keeps_a_state() {
    let mut merged = incident(1, "a", Some(10));
    merged.merged_into = Some(2);
    let mut parent = incident(2, "ba", None);
    parent.cause = Cause::Parent(id("b"));
    let notices = vec![opened(1), opened(2), closed(1)];
    let case = Case::new("", vec![merged.clone(), parent.clone()], notices.clone());
    assert_eq!(case.titles(), ["2 streams are down (parent Cam b)"]);
    let case = Case::new("template: alertmanager", vec![merged, parent], notices);
    let situation = Situation { keeps_state: true, after_outage: true, ..Situation::default() };
    let planned = case.planned(situation);
    let told: Vec<_> = planned[0].0.incidents.iter().map(|facts| (facts.id, facts.open)).collect();
    assert_eq!((planned.len(), told), (1, vec![(2, true), (1, false)]));
}

#[test]
fn many_after_an_outage_are_one_digest_and_so_are_very_many_at_once() {
    let case = |count: i64| {
        let incidents = (1..=count).map(|number| incident(number, "a", (number % 2 == 0).then_some(60))).collect();
        Case::new("", incidents, (1..=count).map(opened).collect())
    };
    let after_outage = Situation { after_outage: true, ..Situation::default() };
    assert_eq!(case(5).planned(after_outage).len(), 5);
    assert_eq!(case(10).planned(Situation::default()).len(), 10);
    let digest = |count: i64, situation: Situation| {
        let planned = case(count).planned(situation);
        assert_eq!(planned.len(), 1);
        assert_eq!(
            (planned[0].0.kind, planned[0].0.id.clone(), planned[0].1),
            (Kind::Digest, format!("q-{count}"), count)
        );
        planned.into_iter().next().unwrap().0
    };
    let message = digest(6, after_outage);
    assert_eq!(message.title, "6 incidents (3 open, 3 over)");
    assert!(
        message.text.starts_with("From 2025-11-27 13:00:01 CET to 2025-11-27 13:00:06 CET:\n- "),
        "{}",
        message.text
    );
    assert_eq!(message.status, Status::Firing);
    let message = digest(30, Situation { dropped: 7, ..Situation::default() });
    let facts = message.digest.unwrap();
    assert_eq!((facts.lines.len(), facts.more, facts.dropped), (20, 10, 7));
    assert!(facts.lines[..15].iter().all(|line| line.contains("is down, for")), "open ones come first");
    assert!(message.text.ends_with("- and 10 more\n7 older notices were dropped: they waited too long."));
    // Drops alone make one, too: else nobody would hear of them.
    digest(1, Situation { dropped: 1, ..Situation::default() });
}

#[test]
fn a_reminder_says_for_how_long_and_many_are_one() {
    let case = Case::new("remind_minutes: 1", Vec::new(), Vec::new());
    let mut one = incident(7, "a", None);
    one.acknowledged = Some(Acknowledgement { by: "anna".to_owned(), at: at(1) });
    case.with_context(|_, context| {
        let messages = reminders(&[(5, &one)], false, context);
        assert_eq!((messages[0].id.as_str(), messages[0].kind), ("reminder-7-5", Kind::Reminder));
        assert_eq!(messages[0].title, "Cam a is still down (for 5 min)");
        assert!(messages[0].text.contains("Acknowledged by anna."));
        let many: Vec<(u64, &Incident)> = vec![(5, &one); 30];
        let messages = reminders(&many, false, context);
        assert_eq!((messages.len(), messages[0].title.as_str()), (1, "30 incidents are still open"));
        assert!(messages[0].text.ends_with("- and 10 more"));
    });
}

#[test]
fn an_incident_is_told_again_at_every_interval_until_it_is_acknowledged() {
    let case = Case::new("groups: [Outside]", Vec::new(), Vec::new());
    let mut seen = incident(2, "a", None);
    seen.acknowledged = Some(Acknowledgement { by: "anna".to_owned(), at: at(1) });
    let open = [incident(1, "a", None), seen, incident(3, "x", None)];
    // It is 300 s after they opened.
    let told = |every_s: u64, since_s: i64, rounds: &[(i64, u64)]| {
        let rounds = rounds.iter().copied().collect();
        let reminded = Reminded { every: Duration::from_secs(every_s), since: at(since_s), rounds: &rounds };
        case.with_context(|target, context| {
            due(&open, &reminded, target, context)
                .into_iter()
                .map(|(round, incident)| (incident.id, round))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(told(60, -10, &[]), [(1, 5)]);
    assert!(told(60, -10, &[(1, 5)]).is_empty(), "this round was told");
    assert_eq!(told(60, -10, &[(1, 4)]), [(1, 5)]);
    assert_eq!(told(60, 299, &[]), [(1, 5)], "the last round fell due since the start");
    assert!(told(60, 300, &[]).is_empty(), "after a restart it waits for the next round");
    assert!(told(301, -10, &[]).is_empty());
}
