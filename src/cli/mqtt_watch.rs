//! `streampulse mqtt-watch`: shows what arrives at the broker.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::{EX_CONFIG, EX_UNAVAILABLE, complain, parse_duration, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Overrides};
use crate::sinks::mqtt::{Seen, watch};

/// Characters of a message that are shown on a line.
const SHOWN_CHARS: usize = 400;
/// The begin of a JPEG (ITU-T T.81, B.1.1.3).
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Arguments of `streampulse mqtt-watch`.
#[derive(Debug, clap::Args)]
pub struct MqttWatchArguments {
    /// Topics, + and # included [default: what this service publishes].
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Print one JSON object for each message.
    #[arg(long)]
    json: bool,
    /// Show long messages whole.
    #[arg(long)]
    full: bool,
    /// End after so many messages.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// End after this time, for example 30s.
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    time: Option<Duration>,
}

/// Shows what arrives until it is interrupted.
pub async fn run(file: &Path, arguments: MqttWatchArguments) -> u8 {
    let loaded = match config::load_with(file, &Overrides::from_env()) {
        Ok(loaded) => loaded,
        Err(problems) => return complain(&problems.to_string(), EX_CONFIG),
    };
    let mqtt = loaded.config.mqtt;
    if !mqtt.enabled {
        complain("mqtt.enabled is false: the service publishes nothing; what others send is shown", 0);
    }
    let mut left = arguments.count;
    let shown = |seen| {
        let is_message = matches!(seen, Seen::Message { .. });
        show(seen, &arguments);
        left = left.map(|left| left.saturating_sub(u64::from(is_message)));
        left != Some(0)
    };
    let watched = watch(&mqtt, arguments.topics.clone(), shown);
    let time = async {
        match arguments.time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = watched => match done {
            Ok(()) => 0,
            Err(failure) => {
                complain(&format!("{}: {} {}", failure.broker, failure.message, failure.next_step), EX_UNAVAILABLE)
            }
        },
        () = time => 0,
        _ = tokio::signal::ctrl_c() => 0,
    }
}

fn show(seen: Seen, arguments: &MqttWatchArguments) {
    match seen {
        Seen::Connected(broker) => _ = complain(&format!("connected to {broker}"), 0),
        Seen::Subscribed { filters, is_granted: true } => {
            complain(&format!("listening to {}; Ctrl+C ends it", filters.join(", ")), 0);
        }
        Seen::Subscribed { filters, is_granted: false } => {
            complain(&format!("the broker's access list does not let this user read {}", filters.join(", ")), 0);
        }
        Seen::Oversized => _ = complain("a message that is too long to be shown", 0),
        Seen::Message { topic, payload, retained } if arguments.json => {
            let message = json!({
                "at": SystemClock.now(),
                "topic": topic,
                "retained": retained,
                "bytes": payload.len(),
                "payload": std::str::from_utf8(&payload).ok(),
            });
            say(&without_c1(&message.to_string()));
        }
        Seen::Message { topic, payload, retained } => {
            let at = SystemClock.now().strftime("%H:%M:%S");
            let mark = if retained { " (retained)" } else { "" };
            say(&format!("{at} {}{mark} {}", harmless(&topic), shown(&payload, arguments.full)));
        }
    }
}

/// A message as a line.
fn shown(payload: &Bytes, full: bool) -> String {
    match std::str::from_utf8(payload) {
        Ok("") => "(empty: cleared)".to_owned(),
        Ok(text) if full || text.chars().count() <= SHOWN_CHARS => harmless(text),
        Ok(text) => {
            let begin: String = text.chars().take(SHOWN_CHARS).collect();
            format!("{}… ({} bytes; --full shows all)", harmless(&begin), payload.len())
        }
        Err(_) if payload.starts_with(&JPEG) => format!("(a JPEG picture, {} bytes)", payload.len()),
        Err(_) => format!("({} bytes that are no text)", payload.len()),
    }
}

/// JSON escapes the control characters below the blank only, and a terminal obeys those of Latin-1, too.
fn without_c1(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() { shown.push_str(&format!("\\u{:04x}", u32::from(c))) } else { shown.push(c) }
    }
    shown
}

/// Anybody may have sent it: nothing in it may steer the terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_harmless_line() {
        for (payload, full, expected) in [
            (&b"online"[..], false, "online"),
            (b"", false, "(empty: cleared)"),
            (b"a\x1b[2Jb\nc", false, "a\\u{1b}[2Jb\\nc"),
            (&[0xff, 0xd8, 0xff, 0xe0], false, "(a JPEG picture, 4 bytes)"),
            (&[0xff, 0], false, "(2 bytes that are no text)"),
        ] {
            assert_eq!(shown(&Bytes::copy_from_slice(payload), full), expected);
        }
        let long = Bytes::from("x".repeat(500));
        assert!(shown(&long, false).ends_with("x… (500 bytes; --full shows all)"));
        assert_eq!(shown(&long, true).len(), 500);
    }
}
