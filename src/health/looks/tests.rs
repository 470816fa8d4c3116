use super::*;
use crate::model::look::{THUMBNAIL_HEIGHT, THUMBNAIL_SAMPLES, THUMBNAIL_WIDTH};
use crate::model::{Codec, StreamId};
use crate::schedule::plan::tests::stream;

fn gate() -> Stream {
    Stream { id: StreamId::from_name("gate"), ..stream("gate", "rtsp://192.0.2.10/s") }
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
        detail: Some(0.9),
        thumbnail: Samples::new(texture(seed)).expect("as many as that"),
        grain: Samples::new(grain).expect("as many as that"),
        media_time: None,
    }
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
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
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
fn an_issue_counts_when_it_was_seen_twice_and_goes_at_once() {
    let stream = gate();
    let mut past = learned(&stream);
    let fog = Look { luma_p5: 140, luma_p95: 160, ..scene(1, 50) };
    let issues = judge(
        &mut past,
        &stream,
        [fog.clone(), scene(1, 51), fog.clone(), Look { media_time: Some(1), ..fog }, scene(1, 52)],
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
    let back = judge(&mut past, &stream, [scene(1, 200)]);
    assert_eq!(back, [vec![]], "it is moved back");
    judge(&mut past, &stream, (300..310).map(|n| scene(2, n)));
    past.forget();
    let issues = judge(&mut past, &stream, (400..430).map(|n| scene(2, n)));
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
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
    let infrared = |n| Look { colour: (0.0, 0.0), colour_spread: 0.4, ..scene(3, n) };
    let day_and_night = (100..110).map(dim).chain((200..230).map(infrared)).chain((300..310).map(|n| scene(1, n)));
    let issues = judge(&mut past, &stream, day_and_night);
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
    let moved_at_night = |n| Look { colour: (0.0, 0.0), colour_spread: 0.4, ..scene(2, n) };
    assert_eq!(judge(&mut past, &stream, (400..403).map(moved_at_night))[2], [PictureIssue::SceneChanged]);
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
    // One keyframe that is kept for whoever joins is the same at every heartbeat until the next one comes.
    let kept = |_| Look { media_time: Some(4_711), ..scene(1, 90) };
    let issues = judge(&mut past, &stream, (0..30).map(kept));
    assert!(issues.iter().all(Vec::is_empty), "{issues:?}");
    let off = Stream { checks: PictureChecks { frozen: None, ..PictureChecks::DEFAULT }, ..gate() };
    assert!(judge(&mut past, &off, (0..20).map(|_| frozen.clone())).iter().all(Vec::is_empty));
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
    assert!(text.len() < 8_000, "{} bytes", text.len());
    let mut read: Past = serde_json::from_str(&text).expect("read");
    assert_eq!(judge(&mut read, &at_gate, [scene(2, 104)]), [vec![PictureIssue::SceneChanged]]);
    let elsewhere = Stream { url: stream("gate", "rtsp://192.0.2.11/s").url, ..gate() };
    assert_eq!(judge(&mut read, &elsewhere, [scene(2, 105)]), [vec![]]);
    assert_eq!(texture(1).len(), THUMBNAIL_SAMPLES);
}
