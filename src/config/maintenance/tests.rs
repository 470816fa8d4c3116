use std::path::Path;

use super::super::{Config, Loaded, Overrides, Problems, parse};
use super::*;

const STREAMS: &str = "timezone: Europe/Berlin
streams:
  - {name: Gate, url: rtsp://a/1, group: Outside, tags: [north, night]}
  - {name: Yard, url: rtsp://b/1, id: hof, group: Outside}
  - {name: Hall, url: rtsp://c/1, tags: night}
maintenance:
";

fn read(windows: &str) -> Result<Loaded, Problems> {
    parse(Path::new("config.yaml"), format!("{STREAMS}{windows}\n").as_bytes(), &Overrides::default())
}

fn good(windows: &str) -> Config {
    let loaded = read(windows).unwrap_or_else(|problems| panic!("{problems}\n{windows}"));
    assert_eq!(loaded.warnings, [], "{windows}");
    loaded.config
}

fn problems(windows: &str) -> Vec<String> {
    let problems = read(windows).map(|_| ()).expect_err(windows);
    problems.problems.iter().map(ToString::to_string).collect()
}

/// The one window's streams.
fn covered(windows: &str) -> Vec<String> {
    let config = good(windows);
    let scope = &config.maintenance[0].scope;
    config.streams.iter().filter(|stream| scope.covers(stream)).map(|stream| stream.name.clone()).collect()
}

#[test]
fn a_window_names_streams_groups_and_tags() {
    let daily = |scope: &str| covered(&format!("  - {{every: day, from: 3:00, to: 3:15{scope}}}"));
    assert_eq!(daily(""), ["Gate", "Yard", "Hall"]);
    assert_eq!(daily(", streams: hof"), ["Yard"]);
    assert_eq!(daily(", streams: [Yard, gate]"), ["Gate", "Yard"]);
    assert_eq!(daily(", groups: [Outside]"), ["Gate", "Yard"]);
    assert_eq!(daily(", tags: night"), ["Gate", "Hall"]);
    assert_eq!(daily(", tags: [north], streams: [hof]"), ["Gate", "Yard"]);
    // Nothing behind a colon is "not set" here as everywhere.
    assert_eq!(daily(", tags: null"), ["Gate", "Yard", "Hall"]);
}

#[test]
fn unknown_names_are_warned_of_and_cover_nothing() {
    let text = "  - {every: day, from: 3:00, to: 3:15, streams: [gaet, Nowhere], groups: outside, tags: nigth}";
    let loaded = read(text).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "line 7: maintenance[0].streams: no stream has the id or name \"gaet\"; did you mean gate?",
            "line 7: maintenance[0].streams: no stream has the id or name \"Nowhere\"",
            "line 7: maintenance[0].groups: no stream is in the group \"outside\"; did you mean Outside?",
            "line 7: maintenance[0].tags: no stream has the tag \"nigth\"; did you mean night?",
        ]
    );
    let window = &loaded.config.maintenance[0];
    assert!(!loaded.config.streams.iter().any(|stream| window.scope.covers(stream)), "{window:?}");
}

#[test]
fn times_of_day() {
    let recurring = |text: &str| match good(&format!("  - {{{text}}}")).maintenance.remove(0).when {
        When::Recurring { days, from, to, zone } => {
            (days, from.to_string(), to.to_string(), zone.iana_name().map(str::to_owned))
        }
        once => panic!("{once:?}"),
    };
    let berlin = || Some("Europe/Berlin".to_owned());
    let both = [Weekday::Monday, Weekday::Thursday].into_iter().collect();
    for (text, days, from, to, zone) in [
        ("every: day, from: \"03:00\", to: \"03:15\"", Weekdays::ALL, "03:00:00", "03:15:00", berlin()),
        // YAML 1.1 reads the first as the number 180 and the second as text; here both are what they look like.
        ("every: [mon, thu], from: 3:00, to: 03:15:30", both, "03:00:00", "03:15:30", berlin()),
        ("every: [Monday, THU, thursday], from: 22:00, to: 2:00", both, "22:00:00", "02:00:00", berlin()),
        ("every: [mon, day], from: 0:00, to: 24:00", Weekdays::ALL, "00:00:00", "00:00:00", berlin()),
        (
            "every: day, from: 1:00, to: 2:00, timezone: Asia/Calcutta",
            Weekdays::ALL,
            "01:00:00",
            "02:00:00",
            Some("Asia/Calcutta".to_owned()),
        ),
    ] {
        assert_eq!(recurring(text), (days, from.to_owned(), to.to_owned(), zone), "{text}");
    }
}

#[test]
fn windows_that_come_once() {
    let once = |text: &str| match good(&format!("  - {{name: New switch, {text}}}")).maintenance.remove(0) {
        Window { name, when: When::Once { from, to }, .. } if name.as_deref() == Some("New switch") => {
            format!("{from} {to}")
        }
        other => panic!("{other:?}"),
    };
    for (text, expected) in [
        ("from: 2026-12-01T22:00, to: 2026-12-02T02:00", "2026-12-01T21:00:00Z 2026-12-02T01:00:00Z"),
        ("from: 2026-12-01 22:00:30, to: '2026-12-02 02:00'", "2026-12-01T21:00:30Z 2026-12-02T01:00:00Z"),
        ("from: 2026-12-01T22:00Z, to: 2026-12-02T02:00-05:00", "2026-12-01T22:00:00Z 2026-12-02T07:00:00Z"),
        (
            "from: 2026-12-01T22:00, to: 2026-12-02T02:00, timezone: Asia/Kolkata",
            "2026-12-01T16:30:00Z 2026-12-01T20:30:00Z",
        ),
        // The hour that is there twice: from its first to its second half past.
        ("from: 2026-10-25T02:30, to: 2026-10-25T02:30", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z"),
    ] {
        assert_eq!(once(text), expected, "{text}");
    }
}

#[test]
fn bad_windows() {
    for (text, expected) in [
        (
            "{every: day, from: 3am, to: 25:00}",
            &[
                "from: \"3am\" is no time of day; write hours and minutes as \"03:15\"",
                "to: \"25:00\" is no time of day; write hours and minutes as \"03:15\"",
            ][..],
        ),
        (
            "{every: day, from: 24:00, to: 1:5:0:0}",
            &[
                "from: \"24:00\" is no time of day; write hours and minutes as \"03:15\"",
                "to: \"1:5:0:0\" is no time of day; write hours and minutes as \"03:15\"",
            ],
        ),
        (
            "{every: mon, from: 2026-12-01T22:00, to: 3:00}",
            &["from: \"2026-12-01T22:00\" has a date; write the time of day alone, or leave out every for a window \
                 that comes once"],
        ),
        (
            "{every: [mon, tues], from: [1], to: 3:00}",
            &[
                "every: \"tues\" is not one of day, mon, tue, wed, thu, fri, sat, sun; did you mean tue?",
                "from: must be text, not a list",
            ],
        ),
        ("{every: [], from: 1:00, to: 3:00}", &["every: names no day; write day, or days such as [mon, thu]"]),
        (
            "{every: day}",
            &["from: missing; write when the window begins", "to: missing; write when the window is over"],
        ),
        (
            "{from: 3:00, to: 2026-12-01}",
            &[
                "from: \"3:00\" has no date; write it as 2026-12-01T22:00, or add every: day for a time of day",
                "to: \"2026-12-01\" has no time of day; write it as 2026-12-01T22:00",
            ],
        ),
        (
            "{from: 2026-02-30T10:00, to: '2026-12-01T22:00[Europe/Berlin]'}",
            &[
                "from: \"2026-02-30T10:00\" is no date and time; write it as 2026-12-01T22:00",
                "to: \"2026-12-01T22:00[Europe/Berlin]\" has a zone in brackets; write it as timezone of the window",
            ],
        ),
        (
            "{from: 2026-12-01T22:00, to: 2026-12-01T22:00}",
            &["to: \"2026-12-01T22:00\" is not after \"2026-12-01T22:00\"; write when the window is over"],
        ),
        // The whole hour is missing on that day.
        (
            "{from: 2026-03-29T02:00, to: 2026-03-29T02:45}",
            &["to: \"2026-03-29T02:45\" is not after \"2026-03-29T02:00\"; write when the window is over"],
        ),
        (
            "{every: day, from: 1:00, to: 2:00, streams: []}",
            &["streams: names nothing; leave it out for every stream, or remove the window"],
        ),
        (
            "{every: day, from: 1:00, to: 2:00, timezone: Berlin}",
            &["timezone: unknown time zone \"Berlin\"; did you mean Europe/Berlin?"],
        ),
    ] {
        let expected: Vec<String> = expected.iter().map(|text| format!("line 7: maintenance[0].{text}")).collect();
        assert_eq!(problems(&format!("  - {text}")), expected, "{text}");
    }
    assert_eq!(problems("  - 3"), ["line 7: maintenance[0]: must hold keys and values like `name: …`"]);
}

#[test]
fn the_nearest_names_of_a_thousand_mistakes_are_not_all_looked_for() {
    let names = (0..1000).map(|i| format!("gat{i}")).collect::<Vec<_>>().join(", ");
    let loaded = read(&format!("  - {{every: day, from: 1:00, to: 2:00, streams: [{names}]}}")).unwrap();
    assert_eq!(loaded.warnings.len(), 1000);
    let suggested = loaded.warnings.iter().filter(|warning| warning.message.contains("did you mean")).count();
    assert!((1..=MAX_SUGGESTIONS).contains(&suggested), "{suggested}");
}
