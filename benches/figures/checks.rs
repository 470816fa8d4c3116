//! How often a picture check is right: real photographs under made faults, by day and by night, with noise.
//!
//! Thresholds are fixed on the even photographs and reported on the odd ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use streampulse::health::looks::{Past, at_first_sight};
use streampulse::model::{Light, PictureChecks, PictureIssue, Stream};
use streampulse::probe::look::look;
use streampulse::probe::picture::{Decoded, Matrix, Plane, convert, measure};

use crate::machine::median;
use crate::photographs::{Photo, Planes, Random, Sensor, corpus, read_whole, seen};

/// Heartbeats before the fault, and with it.
const USUAL: usize = 16;
const FAULTY: usize = 4;

/// Pictures of a still scene: as many as `frozen` takes, and two more.
const STILL: usize = 10;

/// Noise of a sensor, and the step of the encoder behind it; of a sensor that stands still only the encoder's noise remains.
const SENSOR: [(f32, f32); 3] = [(0.7, 0.0), (1.2, 0.0), (1.2, 16.0)];
const ENCODER: f32 = 0.2;

/// How often an issue was found where it was made, and where it was not.
#[derive(Clone, Copy, Default)]
struct Score {
    hits: usize,
    faulty: usize,
    alarms: usize,
    sound: usize,
}

impl Score {
    fn add(&mut self, found: bool, is_there: bool) {
        if is_there {
            self.faulty += 1;
            self.hits += usize::from(found);
        } else {
            self.sound += 1;
            self.alarms += usize::from(found);
        }
    }
}

/// What a fault does to a photograph, and what must be said of it.
type Case = (&'static str, Option<PictureIssue>, Box<dyn Fn(&Photo, &Photo, &mut Random) -> Photo>);

/// Pictures that are judged alone.
fn single() -> Vec<Case> {
    use PictureIssue::{Black, LowContrast, Overexposed};
    vec![
        ("as it is", None, Box::new(|p, _, _| p.clone())),
        ("noise", None, Box::new(|p, _, r| p.noisy(4.0, r))),
        ("infrared night", None, Box::new(|p, _, r| p.infrared().noisy(3.0, r))),
        ("dusk", None, Box::new(|p, _, r| p.map(|_, _, c| c.map(|v| v * 0.35 + 4.0)).noisy(3.0, r))),
        ("lens cap", Some(Black), Box::new(|p, _, r| p.map(|_, _, c| c.map(|v| v * 0.02 + 2.0)).noisy(1.5, r))),
        ("no light", Some(Black), Box::new(|p, _, r| p.map(|_, _, c| c.map(|v| v * 0.05)).noisy(2.0, r))),
        (
            "exposure stuck open",
            Some(Overexposed),
            Box::new(|p, _, r| p.map(|_, _, c| c.map(|v| v * 5.0 + 90.0)).noisy(2.0, r)),
        ),
        (
            "thick fog",
            Some(LowContrast),
            Box::new(|p, _, r| p.map(|_, _, c| c.map(|v| v * 0.10 + 150.0)).noisy(1.0, r)),
        ),
        (
            "dirt on the dome",
            Some(LowContrast),
            Box::new(|p, _, r| p.blurred(12).map(|_, _, c| c.map(|v| v * 0.10 + 70.0)).noisy(1.0, r)),
        ),
    ]
}

/// What a still camera sees after it has seen its scene for a while.
fn lasting() -> Vec<Case> {
    use PictureIssue::{Blurred, ColourCast, SceneChanged};
    let through = |p: &Photo| (p.width / 3..p.width * 7 / 12, p.height / 4..p.height);
    vec![
        ("as before", None, Box::new(|p, _, _| p.clone())),
        (
            "a shadow over half of it",
            None,
            Box::new(|p, _, _| p.map(|x, _, c| c.map(|v| if x * 2 < p.width { v * 0.5 } else { v }))),
        ),
        ("dusk", None, Box::new(|p, _, _| p.map(|_, _, c| c.map(|v| v * 0.45 + 5.0)))),
        ("sun", None, Box::new(|p, _, _| p.map(|_, _, c| c.map(|v| v * 1.4 + 10.0)))),
        ("mist", None, Box::new(|p, _, _| p.map(|_, _, c| c.map(|v| v * 0.6 + 70.0)))),
        (
            "a van before a fifth of it",
            None,
            Box::new(move |p, other, _| {
                let (columns, rows) = through(p);
                p.map(|x, y, c| {
                    if columns.contains(&x) && rows.contains(&y) {
                        other.rgb[(y % other.height) * other.width + x % other.width]
                    } else {
                        c
                    }
                })
            }),
        ),
        ("wind at the mast, 1 %", None, Box::new(|p, _, _| p.shifted(p.width / 100, 0))),
        ("out of focus, a little", Some(Blurred), Box::new(|p, _, _| p.blurred(2))),
        ("out of focus, much", Some(Blurred), Box::new(|p, _, _| p.blurred(4))),
        (
            "water on the lens",
            Some(Blurred),
            Box::new(|p, _, _| p.blurred(3).map(|_, _, c| c.map(|v| v * 0.85 + 20.0))),
        ),
        (
            "infrared filter stuck open",
            Some(ColourCast),
            Box::new(|p, _, r| {
                p.map(|_, _, [red, g, b]| {
                    let luma = 0.299 * red + 0.587 * g + 0.114 * b;
                    // Infrared reaches all three colours, most of all red.
                    [luma * 0.75 + red * 0.25 + 45.0, luma * 0.7 + g * 0.1, luma * 0.75 + b * 0.2 + 22.0]
                })
                .noisy(1.0, r)
            }),
        ),
        (
            "white balance stuck",
            Some(ColourCast),
            Box::new(|p, _, r| {
                p.map(|_, _, [red, g, b]| [red * 0.45, g * 0.85, b * 0.6 + 95.0].map(|c: f32| c.min(255.0)))
                    .noisy(1.0, r)
            }),
        ),
        ("moved by a tenth", Some(SceneChanged), Box::new(|p, _, _| p.shifted(p.width / 10, p.height / 20))),
        ("moved by a quarter", Some(SceneChanged), Box::new(|p, _, _| p.shifted(p.width / 4, 0))),
        ("turned away", Some(SceneChanged), Box::new(|_, other, _| other.clone())),
        (
            "covered but for an edge",
            Some(SceneChanged),
            Box::new(|p, _, _| p.map(|x, y, c| if x * 8 > p.width || y * 8 < p.height { [62.0; 3] } else { c })),
        ),
    ]
}

fn a_stream() -> Arc<Stream> {
    let text = "streams: [{name: a, url: rtsp://192.0.2.1/s}]";
    let loaded = streampulse::config::parse(Path::new("config.yaml"), text.as_bytes(), &Default::default()).unwrap();
    loaded.config.streams[0].clone()
}

/// Prints the table of hits and false alarms.
pub fn table() {
    cost();
    let Some((photos, sequences)) = corpus() else {
        println!("no photographs: run scripts/photographs first\n");
        return;
    };
    let verbose = std::env::var_os("VERBOSE").is_some();
    let stream = a_stream();
    let night = photos.iter().filter(|photo| photo.night).count();
    println!("picture checks on {} photographs, {night} of them dark", photos.len());
    for (half, title) in [(0, "thresholds were fixed on this half"), (1, "the other half")] {
        let mut scores = vec![Score::default(); PictureIssue::ALL.len()];
        let mut rows: Vec<(String, usize, usize)> = Vec::new();
        let mut lights = (0, 0);
        for (number, photo) in photos.iter().enumerate().filter(|(number, _)| number % 2 == half) {
            let light = photo.look().light();
            let others = photos.iter().cycle().skip(number + 2 * 17).step_by(2).take(photos.len());
            let Some(other) =
                others.filter(|other| other.look().light() == light).find(|other| other.name != photo.name)
            else {
                continue;
            };
            let mut random = Random(0x9e37_79b9 + number as u64);
            let mut told = |what: &str, wanted: Option<PictureIssue>, found: &[PictureIssue]| {
                // What covers a lens has little contrast, and is told as that.
                let flat = what.starts_with("covered") && found.contains(&PictureIssue::LowContrast);
                for (score, issue) in scores.iter_mut().zip(PictureIssue::ALL) {
                    // A fault may bring a second one with it: dirt is low contrast, and a moved camera too.
                    // Only a camera that stands still for long enough can be taken for frozen.
                    let is_still =
                        *issue != PictureIssue::Frozen || what.starts_with("still") || what.starts_with("frozen");
                    if is_still && (wanted.is_none() || wanted == Some(*issue)) {
                        let is_there = wanted == Some(*issue);
                        score.add(found.contains(issue) || (is_there && flat), is_there);
                    }
                }
                let right = flat || wanted.map_or(found.is_empty(), |wanted| found.contains(&wanted));
                if !right && verbose {
                    println!("    {what}: {} gave {found:?}", photo.name);
                }
                match rows.iter_mut().find(|(row, ..)| row == what) {
                    Some((_, rights, all)) => (*rights, *all) = (*rights + usize::from(right), *all + 1),
                    None => rows.push((what.to_owned(), usize::from(right), 1)),
                }
            };
            for (what, wanted, make) in single() {
                let look = make(photo, other, &mut random).look();
                told(what, wanted, &at_first_sight(&look, &PictureChecks::DEFAULT));
            }
            for by_night in [false, true] {
                let lit = |photo: &Photo| if by_night { photo.infrared() } else { photo.clone() };
                let (photo, other) = (lit(photo), lit(other));
                let usual = usual(&stream, &photo, &mut random);
                for (what, wanted, make) in lasting() {
                    // Infrared light has no colour.
                    if by_night && wanted == Some(PictureIssue::ColourCast) {
                        continue;
                    }
                    let made = make(&photo, &other, &mut random);
                    let found = after(&stream, usual.clone(), &made, &mut random);
                    told(&format!("{what}{}", if by_night { ", infrared" } else { "" }), wanted, &found);
                }
            }
            let whole = read_whole(&photo.file, photo.name.clone(), photo.night);
            for by_night in [false, true] {
                let scene = if by_night { whole.infrared() } else { whole.clone() }.planes();
                let infrared = if by_night { ", infrared" } else { "" };
                for (sigma, step) in SENSOR {
                    let found = still(&stream, &scene, &Sensor { sigma, step }, &mut random);
                    let coded = if step > 0.0 { ", coded coarsely" } else { "" };
                    told(&format!("still, noise of {sigma:.1}{coded}{infrared}"), None, &found);
                }
                let stuck = Sensor { sigma: SENSOR[1].0, step: 0.0 }.sees(&scene, &mut random);
                let found = still(&stream, &stuck, &Sensor { sigma: ENCODER, step: 0.0 }, &mut random);
                told(&format!("frozen{infrared}"), Some(PictureIssue::Frozen), &found);
            }
            for (made, is_infrared) in [
                (photo.clone(), false),
                (photo.map(|_, _, c| c.map(|v| v * 0.35 + 4.0)).noisy(3.0, &mut random), false),
                (photo.infrared().noisy(3.0, &mut random), true),
                (photo.infrared().noisy(3.0, &mut random).written_on(), true),
            ]
            .into_iter()
            .filter(|_| light != Light::Infrared)
            {
                let told_so = made.look().light() == Light::Infrared;
                lights.0 += usize::from(told_so == is_infrared);
                lights.1 += 1;
                if told_so != is_infrared && verbose {
                    println!("    infrared {is_infrared}: {} {:?}", photo.name, made.look());
                }
            }
        }
        println!("\n  {title}\n  {:38} {:>12}", "what was done", "judged right");
        for (what, right, all) in rows {
            println!("  {what:38} {right:5} of {all:3}");
        }
        println!("  {:38} {:5} of {:3}", "infrared or in colour", lights.0, lights.1);
        println!("\n  {:16} {:>16} {:>16}", "check", "hits", "false alarms");
        for (issue, score) in PictureIssue::ALL.iter().zip(&scores) {
            let share = |part: usize, of: usize| {
                if of == 0 { "–".to_owned() } else { format!("{part}/{of} {:.1} %", 100.0 * part as f64 / of as f64) }
            };
            println!("  {issue:16} {:>16} {:>16}", share(score.hits, score.faulty), share(score.alarms, score.sound));
        }
    }
    println!("\n  sequences as they are, a second or so from picture to picture");
    for (name, pictures) in sequences {
        let mut past = Past::default();
        let issues: Vec<Vec<PictureIssue>> =
            pictures.iter().map(|picture| past.judge(&picture.look(), None, &stream)).collect();
        let alarms = issues.iter().filter(|issues| !issues.is_empty()).count();
        let kinds: std::collections::BTreeSet<_> = issues.into_iter().flatten().collect();
        println!("  {name:24} {alarms:3} of {:3} {kinds:?}", pictures.len());
    }
}

/// A camera looks at a scene for a while, with noise and small changes of exposure.
fn usual(stream: &Stream, photo: &Photo, random: &mut Random) -> Past {
    let mut past = Past::default();
    (0..USUAL).for_each(|_| _ = heartbeat(&mut past, stream, photo, random));
    past
}

/// Then it looks at what was made of it.
fn after(stream: &Stream, mut past: Past, made: &Photo, random: &mut Random) -> Vec<PictureIssue> {
    (0..FAULTY).map(|_| heartbeat(&mut past, stream, made, random)).last().unwrap()
}

fn heartbeat(past: &mut Past, stream: &Stream, scene: &Photo, random: &mut Random) -> Vec<PictureIssue> {
    let gain = 0.92 + 0.16 * random.next();
    let picture = scene.map(|_, _, c| c.map(|v| v * gain)).noisy(2.0, random);
    past.judge(&picture.look(), None, stream)
}

/// A camera that does not move looks at a scene in which nothing does, in a light that stays.
fn still(stream: &Stream, scene: &Planes, sensor: &Sensor, random: &mut Random) -> Vec<PictureIssue> {
    let mut past = Past::default();
    (0..STILL).map(|_| past.judge(&seen(&sensor.sees(scene, random)), None, stream)).last().unwrap()
}

/// What looking costs, at 1080p.
fn cost() {
    let (width, height) = (1920, 1080);
    let mut random = Random(7);
    let y: Vec<u8> = (0..width * height).map(|_| (random.next() * 255.0) as u8).collect();
    let chroma = vec![120; width * height / 4];
    let part = |data, width, height| Plane { data, stride_bytes: width, step_bytes: 1, width, height };
    let luma = part(&y[..], width, height);
    let chroma = (part(&chroma[..], width / 2, height / 2), part(&chroma[..], width / 2, height / 2));
    let decoded = Decoded { luma, chroma: Some(chroma), matrix: Matrix::Bt709, full_range: false };
    let small = convert(&decoded, 2);
    let timed = |work: &dyn Fn()| {
        median(
            (0..101)
                .map(|_| {
                    let started = Instant::now();
                    work();
                    started.elapsed().as_secs_f64() * 1e3
                })
                .collect(),
        )
    };
    let measuring = timed(&|| _ = std::hint::black_box(measure(&small)));
    let looking = timed(&|| _ = std::hint::black_box(look(&small, &luma)));
    let stream = a_stream();
    let seen = look(&small, &luma).unwrap();
    let past = std::cell::RefCell::new(Past::default());
    (0..20).for_each(|_| _ = past.borrow_mut().judge(&seen, None, &stream));
    let judging = timed(&|| _ = std::hint::black_box(past.borrow_mut().judge(&seen, None, &stream)));
    println!(
        "looking at a 1080p picture: measuring {measuring:.2} ms, looking {looking:.2} ms, judging {judging:.3} ms (median of 101)\n"
    );
}
