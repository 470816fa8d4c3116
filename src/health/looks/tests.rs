use std::time::Duration;

use super::*;
use crate::model::look::{GRAIN_SAMPLES, Samples, THUMBNAIL_HEIGHT, THUMBNAIL_SAMPLES, THUMBNAIL_WIDTH};
use crate::model::{Codec, StreamClock, StreamId};
use crate::schedule::plan::tests::stream;

fn gate() -> Stream {
    Stream {
        id: StreamId::from_name("gate"),
        heartbeat: Duration::from_secs(15),
        ..stream("gate", "rtsp://192.0.2.10/s")
    }
}

fn checking(checks: PictureChecks) -> Stream {
    Stream { checks, ..gate() }
}

/// Samples of a made-up scene; `seed` chooses it.
fn texture(seed: usize) -> Vec<u8> {
    let sample = |n: usize| {
        let (x, y) = ((n % THUMBNAIL_WIDTH) as f64, (n / THUMBNAIL_WIDTH) as f64);
        let s = seed as f64;
        (128.0 + 60.0 * (x * (0.5 + 0.13 * s) + s).sin() * (y * (0.4 + 0.11 * s) + 2.0 * s).cos()) as u8
    };
    (0..THUMBNAIL_HEIGHT * THUMBNAIL_WIDTH).map(sample).collect()
}

/// A sound picture of a scene; `noise` is the sensor's, different in each picture.
fn scene(seed: usize, noise: usize) -> Look {
    let grain = (0..GRAIN_SAMPLES).map(|n| 100 + ((n * 7 + noise * (n % 13 + 1) * 5) % 32) as u8).collect();
    Look {
        luma_p5: 20,
        luma_p50: 110,
        luma_p95: 220,
        luma_p98: 235,
        white_percent: 0,
        colour: (-3.0, 5.0),
        colour_spread: 12.0,
        coloured_percent: 60,
        detail: Some(0.9),
        thumbnail: Samples::new(texture(seed)).expect("as many as that"),
        grain: Samples::new(grain).expect("as many as that"),
        clock: StreamClock::Running,
    }
}

/// As the same place looks under infrared light.
fn infrared(seed: usize, noise: usize) -> Look {
    Look { colour: (0.0, 0.0), colour_spread: 0.4, coloured_percent: 0, ..scene(seed, noise) }
}

/// As it looks after dusk, in colour still.
fn dark(seed: usize, noise: usize) -> Look {
    Look { luma_p5: 4, luma_p50: 24, luma_p95: 90, luma_p98: 140, ..scene(seed, noise) }
}

fn none_of(issues: &[Vec<PictureIssue>]) {
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
}

fn video(codec: Codec, width: u32) -> VideoFacts {
    VideoFacts {
        codec,
        profile: None,
        width: Some(width),
        height: Some(720),
        fps: None,
        decoder: None,
        hardware: false,
        hardware_refused: None,
    }
}

/// Judges one picture after the other.
fn judge(past: &mut Past, stream: &Stream, looks: impl IntoIterator<Item = Look>) -> Vec<Vec<PictureIssue>> {
    let video = video(Codec::H264, 1280);
    looks.into_iter().map(|look| past.judge(&look, Some(&video), stream)).collect()
}

fn learned(stream: &Stream) -> Past {
    let mut past = Past::default();
    let issues = judge(&mut past, stream, (0..20).map(|n| scene(1, n)));
    none_of(&issues);
    past
}

#[test]
fn one_picture_alone() {
    let checks = PictureChecks::DEFAULT;
    let good = scene(1, 0);
    assert_eq!(at_first_sight(&good, &checks), []);
    let dark = Look { luma_p5: 2, luma_p50: 8, luma_p95: 12, luma_p98: 14, ..good.clone() };
    assert_eq!(at_first_sight(&dark, &checks), [PictureIssue::Black]);
    let night = Look { luma_p98: 90, ..dark.clone() };
    assert_eq!(at_first_sight(&night, &checks), [], "a dark night scene is no fault");
    let white = Look { white_percent: 90, luma_p5: 230, luma_p95: 255, ..good.clone() };
    assert_eq!(at_first_sight(&white, &checks), [PictureIssue::Overexposed]);
    let fog = Look { luma_p5: 140, luma_p95: 160, ..good.clone() };
    assert_eq!(at_first_sight(&fog, &checks), [PictureIssue::LowContrast]);
    let pink = Look { colour: (10.0, 40.0), colour_spread: 5.0, ..good.clone() };
    assert_eq!(at_first_sight(&pink, &checks), [PictureIssue::ColourCast]);
    let sunset = Look { colour: (-30.0, 35.0), colour_spread: 25.0, ..good };
    assert_eq!(at_first_sight(&sunset, &checks), [], "colourful is not tinted");
    let off = PictureChecks { black: None, low_contrast: None, colour_cast: None, ..checks };
    for look in [dark, fog, pink] {
        assert_eq!(at_first_sight(&look, &off), []);
    }
}

#[test]
fn an_issue_of_one_picture_counts_when_it_was_seen_twice_and_goes_at_once() {
    let stream = gate();
    let mut past = learned(&stream);
    let fog = Look { luma_p5: 140, luma_p95: 160, ..scene(1, 50) };
    let issues = judge(
        &mut past,
        &stream,
        [fog.clone(), scene(1, 51), fog.clone(), Look { luma_p50: 150, ..fog }, scene(1, 52)],
    );
    assert_eq!(issues, [vec![], vec![], vec![], vec![PictureIssue::LowContrast], vec![]]);
}

#[test]
fn less_sharp_than_it_used_to_be() {
    let stream = gate();
    let mut past = learned(&stream);
    let soft = |n| Look { detail: Some(0.2), ..scene(1, n) };
    let issues = judge(&mut past, &stream, (100..103).map(soft));
    assert_eq!(issues, [vec![], vec![], vec![PictureIssue::Blurred]]);
    // A camera that was always like that is not blurred.
    let mut other = Past::default();
    let issues = judge(&mut other, &stream, (0..40).map(soft));
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
}

#[test]
fn moved_or_covered_until_somebody_says_it_was_meant() {
    let stream = gate();
    let mut past = learned(&stream);
    let issues = judge(&mut past, &stream, (100..104).map(|n| scene(2, n)));
    assert_eq!(issues[..2], [vec![], vec![]]);
    assert_eq!(issues[2..], [vec![PictureIssue::SceneChanged], vec![PictureIssue::SceneChanged]]);
    let back = judge(&mut past, &stream, [scene(1, 200), scene(1, 201)]);
    assert_eq!(back[1], [], "it is moved back");
    judge(&mut past, &stream, (300..310).map(|n| scene(2, n)));
    past.forget();
    none_of(&judge(&mut past, &stream, (400..430).map(|n| scene(2, n))));
    let issues = judge(&mut past, &stream, (500..503).map(|n| scene(1, n)));
    assert_eq!(issues[2], [PictureIssue::SceneChanged], "the new one is the reference now");
}

#[test]
fn the_light_may_change_and_night_has_a_reference_of_its_own() {
    let stream = gate();
    let mut past = learned(&stream);
    let dim = |n: usize| {
        let look = scene(1, n);
        let thumbnail = look.thumbnail.as_slice().iter().map(|luma| luma / 3 + 10).collect();
        Look { thumbnail: Samples::new(thumbnail).expect("as many"), ..look }
    };
    let night = (200..230).map(|n| infrared(3, n));
    let day_and_night = (100..110).map(dim).chain(night).chain((300..310).map(|n| scene(1, n)));
    none_of(&judge(&mut past, &stream, day_and_night));
    let moved_at_night = (400..403).map(|n| infrared(2, n));
    assert_eq!(judge(&mut past, &stream, moved_at_night)[2], [PictureIssue::SceneChanged]);
}

#[test]
fn a_dusk_in_colour_is_not_the_reference_of_infrared_light() {
    let stream = gate();
    let mut past = learned(&stream);
    // The lamps of a street, then the camera's own light: two scenes.
    none_of(&judge(&mut past, &stream, (100..120).map(|n| dark(3, n))));
    none_of(&judge(&mut past, &stream, (200..230).map(|n| infrared(4, n))));
    assert_eq!(past.known_scenes(), 3);
    assert_eq!(judge(&mut past, &stream, (300..303).map(|n| dark(4, n)))[2], [PictureIssue::SceneChanged]);
}

#[test]
fn what_shows_nothing_is_neither_compared_nor_learned_from() {
    for (checks, empty) in [
        // An unlit yard.
        (
            PictureChecks { black: None, ..PictureChecks::DEFAULT },
            Look { luma_p5: 0, luma_p50: 2, luma_p95: 4, luma_p98: 6, ..scene(2, 0) },
        ),
        (
            PictureChecks { overexposed: None, ..PictureChecks::DEFAULT },
            Look { white_percent: 90, luma_p5: 200, luma_p50: 255, luma_p95: 255, ..scene(2, 0) },
        ),
        (
            PictureChecks { low_contrast: None, ..PictureChecks::DEFAULT },
            Look { luma_p5: 120, luma_p50: 128, luma_p95: 135, ..scene(2, 0) },
        ),
    ] {
        let stream = checking(checks);
        let mut past = learned(&stream);
        let empty = |n| Look { colour: (40.0, 0.0), detail: Some(0.01), grain: scene(1, n).grain, ..empty.clone() };
        // Twice as far from grey is a tint in itself.
        let stream = checking(PictureChecks { colour_cast: Some(25), ..checks });
        none_of(&judge(&mut past, &stream, (100..120).map(empty)));
        assert_eq!(past.known_scenes(), 1);
        none_of(&judge(&mut past, &stream, (200..210).map(|n| scene(1, n))));
    }
}

#[test]
fn a_camera_that_turns_is_compared_only_where_it_was_learned() {
    let stream = checking(PictureChecks { scene_changed: None, ..PictureChecks::DEFAULT });
    let mut past = learned(&stream);
    let elsewhere = |n| Look { detail: Some(0.1), colour: (15.0, 25.0), ..scene(2, n) };
    none_of(&judge(&mut past, &stream, (100..110).map(elsewhere)));
    let soft = |n| Look { detail: Some(0.1), ..scene(1, n) };
    assert_eq!(judge(&mut past, &stream, (200..203).map(soft))[2], [PictureIssue::Blurred]);
}

#[test]
fn an_issue_that_wavers_about_its_threshold_stays() {
    let stream = gate();
    let mut past = learned(&stream);
    let soft = |n| Look { detail: Some(0.1), ..scene(1, n) };
    judge(&mut past, &stream, (100..103).map(soft));
    let issues = judge(&mut past, &stream, [scene(1, 200), soft(201), scene(1, 202), scene(1, 203)]);
    let blurred = || vec![PictureIssue::Blurred];
    assert_eq!(issues, [blurred(), blurred(), blurred(), vec![]]);
    // Before it counts, one good picture is enough.
    let issues = judge(&mut past, &stream, [soft(300), soft(301), scene(1, 302), soft(303), soft(304)]);
    none_of(&issues);
    assert_eq!(judge(&mut past, &stream, [soft(305)]), [blurred()]);
    past.forget();
    assert_eq!(judge(&mut past, &stream, [soft(306)]), [vec![]], "an operator's word counts at once");
}

#[test]
fn what_is_usual_takes_time_not_pictures() {
    let soft = |n| Look { detail: Some(0.3), ..scene(1, n) };
    for (heartbeat_s, lorry) in [(2, 120), (15, 16), (60, 4)] {
        // A lorry with sharp edges stands there for four minutes.
        let stream = Stream { heartbeat: Duration::from_secs(heartbeat_s), ..gate() };
        let mut past = Past::default();
        none_of(&judge(&mut past, &stream, (0..20).map(soft)));
        none_of(&judge(&mut past, &stream, (100..100 + lorry).map(|n| Look { detail: Some(0.9), ..scene(1, n) })));
        none_of(&judge(&mut past, &stream, (400..410).map(soft)));
    }
    // A lens that gets dirty over a day, at a heartbeat of a minute.
    let stream = Stream { heartbeat: Duration::from_secs(60), ..gate() };
    let mut past = learned(&stream);
    let dirtier = |n: usize| Look { detail: Some(0.9 * (-(n as f32) / 1_000.0).exp()), ..scene(1, n) };
    let issues = judge(&mut past, &stream, (0..1_440).map(dirtier));
    assert_eq!(issues.last(), Some(&vec![PictureIssue::Blurred]));
}

#[test]
fn less_light_has_less_colour_and_that_is_no_cast() {
    let stream = gate();
    let mut past = Past::default();
    let coloured = |cb: f32, cr: f32| move |n| Look { colour: (cb, cr), colour_spread: 30.0, ..scene(1, n) };
    none_of(&judge(&mut past, &stream, (0..20).map(coloured(-30.0, 20.0))));
    none_of(&judge(&mut past, &stream, (30..40).map(coloured(-13.0, 9.0))));
    assert_eq!(judge(&mut past, &stream, (50..53).map(coloured(15.0, -5.0)))[2], [PictureIssue::ColourCast]);
}

#[test]
fn the_tint_of_a_lamp_is_usual_when_an_operator_says_so() {
    let stream = gate();
    let mut past = Past::default();
    let sodium = |n| Look { colour: (-38.0, 22.0), colour_spread: 9.0, ..scene(1, n) };
    let issues = judge(&mut past, &stream, (0..4).map(sodium));
    assert_eq!(issues[3], [PictureIssue::ColourCast]);
    past.forget();
    none_of(&judge(&mut past, &stream, (10..30).map(sodium)));
    let pink = |n| Look { colour: (10.0, 40.0), colour_spread: 9.0, ..scene(1, n) };
    assert_eq!(judge(&mut past, &stream, (40..43).map(pink))[2], [PictureIssue::ColourCast]);
}

#[test]
fn frozen_is_the_same_picture_and_not_a_still_scene() {
    let stream = gate();
    let mut past = learned(&stream);
    let frozen = scene(1, 77);
    let issues = judge(&mut past, &stream, (0..9).map(|_| frozen.clone()));
    assert!(issues[..7].iter().all(Vec::is_empty), "{issues:?}");
    assert_eq!(issues[7..], [vec![PictureIssue::Frozen], vec![PictureIssue::Frozen]]);
    assert_eq!(judge(&mut past, &stream, [scene(1, 78)]), [vec![]], "noise: it lives");
    // The clock in the corner of a frozen picture runs on.
    let with_clock = |n: u8| {
        let mut grain = frozen.grain.as_slice().to_vec();
        grain[3..12].fill(n * 20);
        Look { grain: Samples::new(grain).expect("as many"), ..frozen.clone() }
    };
    let issues = judge(&mut past, &stream, (0..9).map(with_clock));
    assert_eq!(issues[8], [PictureIssue::Frozen]);
    let off = checking(PictureChecks { frozen: None, ..PictureChecks::DEFAULT });
    none_of(&judge(&mut past, &off, (0..20).map(|_| frozen.clone())));
}

#[test]
fn a_picture_that_is_kept_for_whoever_joins_is_not_frozen() {
    let stream = gate();
    let mut past = learned(&stream);
    // With its own time, until the next one comes.
    let kept = |_| Look { clock: StreamClock::Rtp(4_711), ..scene(1, 90) };
    none_of(&judge(&mut past, &stream, (0..30).map(kept)));
    // With another time for each session: 20 seconds of it at a heartbeat of 2.
    let often = Stream { heartbeat: Duration::from_secs(2), ..gate() };
    let rebased = |n: u32| Look { clock: StreamClock::Rtp(n * 7_919), ..scene(1, 100 + n as usize / 10) };
    none_of(&judge(&mut past, &often, (0..60).map(rebased)));
    let stuck = |n: u32| Look { clock: StreamClock::Rtp(n * 7_919), ..scene(1, 300) };
    let issues = judge(&mut past, &often, (0..32).map(stuck));
    none_of(&issues[..30]);
    assert_eq!(issues[31], [PictureIssue::Frozen], "it has stood for a minute");
}

#[test]
fn a_time_that_begins_anew_with_each_session_does_not_hide_that_the_picture_lives() {
    let stream = gate();
    let mut past = learned(&stream);
    let frozen = |n: u32| Look { clock: StreamClock::Rtp(n), ..scene(1, 90) };
    assert_eq!(judge(&mut past, &stream, (1..10).map(frozen)).last(), Some(&vec![PictureIssue::Frozen]));
    // It lives again, and each of its sessions begins at the number that the last one had.
    let alive = |n| Look { clock: StreamClock::Rtp(9), ..scene(1, n) };
    none_of(&judge(&mut past, &stream, (91..95).map(alive)));
}

#[test]
fn a_single_picture_has_no_clock_and_is_never_frozen() {
    let stream = gate();
    let mut past = learned(&stream);
    let renewed = |n: usize| Look { clock: StreamClock::None, ..scene(1, n / 20) };
    none_of(&judge(&mut past, &stream, (0..100).map(renewed)));
}

#[test]
fn codec_and_size_change_silently_or_are_not_those_expected() {
    let stream = gate();
    let mut past = learned(&stream);
    let mut noise = 1_000;
    let mut judged = |past: &mut Past, stream: &Stream, codec, width| {
        noise += 1;
        past.judge(&scene(1, noise), Some(&video(codec, width)), stream)
    };
    assert_eq!(judged(&mut past, &stream, Codec::H265, 1280), []);
    assert_eq!(judged(&mut past, &stream, Codec::H265, 1280), [PictureIssue::FactsChanged]);
    assert_eq!(judged(&mut past, &stream, Codec::H264, 1280), []);
    let expect = Expect { codec: None, width_px: Some(1920), height_px: None };
    let expecting = Stream { expect, ..gate() };
    assert_eq!(judged(&mut past, &expecting, Codec::H264, 1280), []);
    assert_eq!(judged(&mut past, &expecting, Codec::H264, 1280), [PictureIssue::FactsChanged]);
    assert_eq!(judged(&mut past, &expecting, Codec::H265, 1920), []);
}

#[test]
fn the_past_outlives_a_restart_and_not_another_address() {
    let at_gate = gate();
    let mut past = learned(&at_gate);
    judge(&mut past, &at_gate, (100..103).map(|n| scene(2, n)));
    let text = serde_json::to_string(&past).expect("text");
    assert!(text.len() < 4_000, "{} bytes with one scene", text.len());
    let mut read: Past = serde_json::from_str(&text).expect("read");
    assert_eq!(judge(&mut read, &at_gate, [scene(2, 104)]), [vec![PictureIssue::SceneChanged]]);
    let elsewhere = Stream { url: stream("gate", "rtsp://192.0.2.11/s").url, ..gate() };
    assert_eq!(judge(&mut read, &elsewhere, [scene(2, 105)]), [vec![]]);
    assert_eq!(texture(1).len(), THUMBNAIL_SAMPLES);
}
