use super::*;
use crate::model::CameraUrl;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn stream(name: &str, host: &str, parent: Option<&str>) -> Stream {
    let (url, credentials) = CameraUrl::parse(&format!("rtsp://{host}/s")).unwrap();
    Stream {
        id: id(name),
        name: name.to_owned(),
        url,
        credentials,
        enabled: true,
        heartbeat: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        transport: crate::model::Transport::Auto,
        group: None,
        tags: Vec::new(),
        trust: crate::model::Trust::default(),
        parent: parent.map(id),
        checks: crate::model::PictureChecks::DEFAULT,
        expect: crate::model::Expect::default(),
    }
}

/// The register, and every incident by number as it was given last.
#[derive(Default)]
struct Book {
    register: Register,
    seen: std::collections::BTreeMap<i64, Incident>,
}

impl Book {
    fn change(&mut self, stream: &Stream, health: Health, reason: Reason, second: i64) {
        let is_flapping = false;
        self.change_flapping(stream, health, reason, second, is_flapping);
    }

    fn change_flapping(&mut self, stream: &Stream, health: Health, reason: Reason, second: i64, is_flapping: bool) {
        let change = Change {
            stream,
            health,
            reason,
            stage: Stage::Connect,
            detail: "",
            began_at: at(second - 10),
            at: at(second),
            is_flapping,
        };
        for incident in self.register.change(&change) {
            self.seen.insert(incident.id, incident);
        }
        let open = self.seen.values().filter(|incident| incident.is_open()).count();
        assert_eq!(open, self.register.open().count(), "the store knows what is open");
    }

    /// `number:health:cause:members[:closed]` of each.
    fn shown(&self) -> Vec<String> {
        let members = |incident: &Incident| {
            let names = incident.members.iter().map(|m| {
                let left = if m.left_at.is_some() { "-" } else { "" };
                format!("{}{left}", m.stream)
            });
            names.collect::<Vec<_>>().join("+")
        };
        let line = |i: &Incident| {
            let cause = format!("{}{}", i.cause.kind(), i.cause.name().map(|n| format!("({n})")).unwrap_or_default());
            let closed = if i.is_open() { "" } else { " closed" };
            format!("{} {} {cause} {}{closed}", i.id, i.health.as_str(), members(i))
        };
        self.seen.values().map(line).collect()
    }
}

use Health::{Degraded, Down, Maintenance, Unknown, Up};

#[test]
fn an_incident_goes_from_down_to_recovery() {
    let gate = stream("gate", "192.0.2.7", None);
    let mut book = Book::default();
    book.change(&gate, Down, Reason::NoData, 0);
    // Nothing is known: it goes on.
    book.change(&gate, Unknown, Reason::MonitorOffline, 10);
    book.change(&gate, Down, Reason::NoData, 20);
    assert_eq!(book.shown(), ["0 down stream gate"]);
    book.change(&gate, Degraded, Reason::Ok, 30);
    assert_eq!(book.shown(), ["0 down stream gate- closed", "1 degraded stream gate"]);
    book.change(&gate, Up, Reason::Ok, 40);
    book.change(&gate, Down, Reason::NoData, 50);
    book.change(&gate, Maintenance, Reason::NoData, 60);
    let shown = ["0 down stream gate- closed", "1 degraded stream gate- closed", "2 down stream gate- closed"];
    assert_eq!(book.shown(), shown);
    let first = &book.seen[&0];
    assert_eq!((first.opened_at, first.closed_at), (at(0), Some(at(30))));
    assert_eq!((first.members[0].began_at, first.members[0].joined_at), (at(-10), at(0)));
}

#[test]
fn streams_of_one_device_are_one_incident() {
    let (main, sub) = (stream("main", "192.0.2.7", None), stream("sub", "192.0.2.7:8554", None));
    let late = stream("late", "192.0.2.7", None);
    let mut book = Book::default();
    book.change(&main, Down, Reason::NoData, 0);
    book.change(&sub, Down, Reason::NotFound, 20);
    assert_eq!(book.shown(), ["0 down device(192.0.2.7) main+sub"]);
    // Long after the others: another cause.
    book.change(&late, Down, Reason::NoData, 500);
    assert_eq!(book.shown()[1], "1 down stream late");
    book.change(&main, Up, Reason::Ok, 510);
    assert_eq!(book.shown()[0], "0 down device(192.0.2.7) main-+sub");
    book.change(&sub, Up, Reason::Ok, 520);
    assert_eq!(book.seen[&0].closed_at, Some(at(520)));
}

#[test]
fn devices_of_one_subnet_that_cannot_be_reached_are_one_incident() {
    let cameras: Vec<_> = (1..5).map(|n| stream(&format!("c{n}"), &format!("192.0.2.{n}"), None)).collect();
    let elsewhere = stream("elsewhere", "198.51.100.1", None);
    let v6: Vec<_> = (1..3).map(|n| stream(&format!("v{n}"), &format!("[2001:db8::{n}]"), None)).collect();
    let mut book = Book::default();
    book.change(&cameras[0], Down, Reason::Unreachable, 0);
    book.change(&elsewhere, Down, Reason::Unreachable, 1);
    // It answers: no cable explains that.
    book.change(&cameras[1], Down, Reason::AuthFailed, 2);
    book.change(&cameras[2], Down, Reason::ConnectTimeout, 3);
    // Chains reach as far as they are unbroken.
    book.change(&cameras[3], Down, Reason::ConnectTimeout, 45);
    book.change(&v6[0], Down, Reason::Unreachable, 46);
    book.change(&v6[1], Down, Reason::Unreachable, 47);
    let shown = [
        "0 down subnet(192.0.2.0/24) c1+c3+c4",
        "1 down stream elsewhere",
        "2 down stream c2",
        "3 down subnet(2001:db8::/64) v1+v2",
    ];
    assert_eq!(book.shown(), shown);
    // A picture with something wrong is never the network's fault.
    let mut book = Book::default();
    book.change(&cameras[0], Degraded, Reason::Ok, 0);
    book.change(&cameras[1], Degraded, Reason::Ok, 1);
    assert_eq!(book.seen.len(), 2);
}

#[test]
fn a_parent_explains_its_children() {
    let switch = stream("switch", "192.0.2.1", None);
    let (a, b) = (stream("a", "198.51.100.1", Some("switch")), stream("b", "cam-b", Some("switch")));
    let mut book = Book::default();
    // The parent first, however long ago.
    book.change(&switch, Down, Reason::NoData, 0);
    book.change(&a, Down, Reason::NotFound, 5_000);
    assert_eq!(book.shown(), ["0 down parent(switch) switch+a"]);
    // A child first: its incident becomes part of the parent's.
    let mut book = Book::default();
    book.change(&b, Down, Reason::DnsFailed, 0);
    book.change(&a, Down, Reason::NoData, 1);
    book.change(&switch, Down, Reason::NoData, 20);
    let shown = ["0 down stream b- closed", "1 down stream a- closed", "2 down parent(switch) switch+a+b"];
    let seen: Vec<_> = book.shown().iter().map(|line| line.replace("switch+b+a", "switch+a+b")).collect();
    assert_eq!(seen, shown);
    assert_eq!(book.seen[&0].merged_into, Some(2));
    // Only the parent recovers.
    book.change(&switch, Up, Reason::Ok, 30);
    assert!(book.seen[&2].is_open());
}

#[test]
fn a_flapping_stream_has_one_incident() {
    let gate = stream("gate", "192.0.2.7", None);
    let mut book = Book::default();
    book.change(&gate, Down, Reason::NoData, 0);
    for second in 1..5 {
        book.change_flapping(&gate, Up, Reason::Ok, second * 10, true);
        book.change_flapping(&gate, Down, Reason::NoData, second * 10 + 5, true);
    }
    book.change_flapping(&gate, Up, Reason::Ok, 100, true);
    assert_eq!(book.shown(), ["0 down stream gate"]);
    // A picture with something wrong now and then is no other incident, either.
    book.change_flapping(&gate, Degraded, Reason::Ok, 110, true);
    assert_eq!(book.shown(), ["0 down stream gate"]);
    // It calms down while it is up.
    book.change(&gate, Up, Reason::Ok, 200);
    assert_eq!(book.seen[&0].closed_at, Some(at(200)));
    // What gets worse is another one; announced work ends it.
    book.change_flapping(&gate, Degraded, Reason::Ok, 300, true);
    book.change_flapping(&gate, Down, Reason::NoData, 310, true);
    book.change_flapping(&gate, Maintenance, Reason::NoData, 320, true);
    let shown = book.shown();
    assert_eq!(shown[1..], ["1 degraded stream gate- closed", "2 down stream gate- closed"]);
}

#[test]
fn open_incidents_go_on_after_a_restart() {
    let (main, sub) = (stream("main", "192.0.2.7", None), stream("sub", "192.0.2.7", None));
    let mut book = Book::default();
    book.change(&main, Down, Reason::NoData, 0);
    let open = book.register.open().cloned().collect();
    book.register = Register::restore(open, 7, |id| (*id == main.id).then_some(&main));
    book.change(&sub, Down, Reason::NoData, 20);
    assert_eq!(book.shown(), ["0 down device(192.0.2.7) main+sub"]);
    let (other, last) = (stream("other", "host", None), stream("last", "[::1]", None));
    book.change(&other, Down, Reason::NoData, 21);
    assert_eq!(book.register.of(&other.id).unwrap().id, 7);
    // Removed from the configuration: what it was in ends for it.
    for incident in book.register.leave(&other.id, at(30)) {
        assert_eq!(incident.closed_at, Some(at(30)));
    }
    assert!(book.register.leave(&last.id, at(30)).is_empty());
    assert_eq!(book.register.count(Down), 1);
}

#[test]
fn what_was_said_of_an_incident_goes_on_with_it() {
    let mut book = Book::default();
    let gate = stream("gate", "10.0.0.1", None);
    book.change(&gate, Health::Down, Reason::NotFound, 0);
    let mut said = book.register.of(&gate.id).unwrap().clone();
    said.note = Some("the path?".to_owned());
    said.acknowledged = Some(crate::model::Acknowledgement { by: "ann".to_owned(), at: at(5) });
    assert_eq!(book.register.remark(&said).as_ref(), Some(&said));
    book.change(&gate, Health::Up, Reason::Ok, 60);
    let closed = &book.seen[&said.id];
    assert_eq!((&closed.note, &closed.acknowledged), (&said.note, &said.acknowledged));
    // One that is over already is not opened by it.
    assert_eq!(book.register.remark(&said), None);
    assert_eq!(book.register.open().count(), 0);
}
