use std::time::Duration;

use super::*;
use crate::model::look::Samples;
use crate::model::{Look, Outcome, PictureStats, Reason, Stage, StreamClock};
use crate::schedule::plan::tests::stream;

/// A report with a sound picture; `noise` is the sensor's.
pub(in crate::monitor) fn report(noise: usize) -> ProbeReport {
    let samples = |length: usize, step: usize| (0..length).map(|n| (n * step % 200) as u8 + 20).collect::<Vec<u8>>();
    let look = Look {
        luma_p5: 20,
        luma_p50: 110,
        luma_p95: 220,
        luma_p98: 235,
        white_percent: 0,
        colour: (-3.0, 5.0),
        colour_spread: 12.0,
        coloured_percent: 60,
        detail: Some(0.9),
        thumbnail: Samples::new(samples(48 * 32, 37)).expect("as many"),
        grain: Samples::new(samples(32 * 32, noise + 3)).expect("as many"),
        clock: StreamClock::Running,
    };
    ProbeReport {
        outcome: Outcome::Ok,
        picture: Some(PictureStats::default()),
        look: Some(Box::new(look)),
        ..ProbeReport::failed(Stage::Picture, Reason::NoData, "", Duration::from_millis(40))
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

/// Probes of one stream, one every `heartbeat_s`, from `first`; the numbers of those with which it was stored.
fn stored(looks: &mut Looks, name: &str, first: i64, probes: i64, heartbeat_s: i64) -> Vec<i64> {
    let stream = stream(name, "rtsp://192.0.2.10/s");
    let mut judge = |n: &i64| looks.judge(&stream, &mut report(*n as usize), at(n * heartbeat_s)).is_some();
    (first..first + probes).filter(|n| judge(n)).collect()
}

#[test]
fn a_past_is_stored_when_its_scene_is_known_and_every_hour() {
    let mut looks = Looks::default();
    let turns = stored(&mut looks, "gate", 0, 5 * 240, 15);
    assert_eq!(turns[0], 7, "the eighth picture makes it known");
    assert_eq!(turns.len(), 6, "{turns:?}");
    assert!(turns[1] <= 247 && turns[1..].windows(2).all(|pair| pair[1] - pair[0] == 240), "{turns:?}");
    // Others have their turn at another moment.
    let mut moments: Vec<i64> =
        (0..20).map(|n| stored(&mut Looks::default(), &format!("camera {n}"), 0, 250, 15)[1]).collect();
    moments.sort_unstable();
    moments.dedup();
    assert!(moments.len() > 15, "{moments:?}");
}

#[test]
fn after_a_restart_nothing_is_written_before_its_turn() {
    let mut looks = Looks::default();
    let stream = stream("gate", "rtsp://192.0.2.10/s");
    let texts: Vec<String> = (0..8).filter_map(|n| looks.judge(&stream, &mut report(n), at(n as i64))).collect();
    let mut restarted = Looks::default();
    restarted.remember(HashMap::from([(stream.id.clone(), texts[0].clone())]));
    assert_eq!(restarted.unwritten(), []);
    assert_eq!(restarted.judge(&stream, &mut report(9), at(9)), None);
    assert_eq!(restarted.unwritten().len(), 1);
}

#[test]
fn what_was_forgotten_is_stored_with_the_next_heartbeat_whatever_it_brings() {
    let mut looks = Looks::default();
    let stream = stream("gate", "rtsp://192.0.2.10/s");
    stored(&mut looks, "gate", 0, 10, 15);
    looks.forget(&stream.id);
    let mut failed = ProbeReport::failed(Stage::Connect, Reason::ConnectionRefused, "", Duration::ZERO);
    let text = looks.judge(&stream, &mut failed, at(200)).expect("stored");
    assert_eq!(serde_json::from_str::<Past>(&text).expect("a past").known_scenes(), 0);
    assert_eq!(stored(&mut looks, "gate", 20, 10, 15), [27], "and when the new scene is known");
}
