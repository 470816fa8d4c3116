//! How often a picture check is right: real photographs under made faults, by day and by night, with noise.
//!
//! Thresholds are fixed on the even photographs and reported on the odd ones.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use streampulse::health::looks::{Past, at_first_sight};
use streampulse::model::{Look, PictureChecks, PictureIssue, Stream};
use streampulse::probe::look::look;
use streampulse::probe::picture::{Decoded, MEASURED_WIDTH_PX, Matrix, Plane, Yuv420, convert, measure, scale_factor};

use crate::machine::median;

/// Heartbeats before the fault, and with it.
const USUAL: usize = 16;
const FAULTY: usize = 4;

/// A colour picture, 0–255 in each channel.
#[derive(Clone)]
struct Photo {
    name: String,
    width: usize,
    height: usize,
    rgb: Vec<[f32; 3]>,
    night: bool,
}

/// Repeatable noise (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// About a normal distribution of standard deviation 1.
    fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.next()).sum::<f32>() * std::f32::consts::SQRT_2 - 3.0 * std::f32::consts::SQRT_2
    }
}

impl Photo {
    fn map(&self, change: impl Fn(usize, usize, [f32; 3]) -> [f32; 3]) -> Self {
        let rgb = self.rgb.iter().enumerate().map(|(n, p)| change(n % self.width, n / self.width, *p)).collect();
        Self { rgb, ..self.clone_without_pixels() }
    }

    fn clone_without_pixels(&self) -> Self {
        Self { rgb: Vec::new(), name: self.name.clone(), ..*self }
    }

    fn noisy(&self, sigma: f32, random: &mut Random) -> Self {
        let rgb = self.rgb.iter().map(|p| {
            let n = random.normal() * sigma;
            p.map(|c| c + n)
        });
        Self { rgb: rgb.collect(), ..self.clone_without_pixels() }
    }

    /// Moved by so many pixels; what is beyond the edge is mirrored.
    fn shifted(&self, dx: usize, dy: usize) -> Self {
        let mirror = |at: usize, length: usize| if at < length { at } else { 2 * length - 1 - at.min(2 * length - 1) };
        self.map(|x, y, _| self.rgb[mirror(y + dy, self.height) * self.width + mirror(x + dx, self.width)])
    }

    /// Three box blurs of this radius: close to a Gaussian of that standard deviation, as a lens out of focus gives.
    fn blurred(&self, radius: usize) -> Self {
        let mut rgb = self.rgb.clone();
        for _ in 0..3 {
            for (stride, length, lines, step) in
                [(1, self.width, self.height, self.width), (self.width, self.height, self.width, 1)]
            {
                for line in 0..lines {
                    let at = |n: usize| line * step + n * stride;
                    let source: Vec<[f32; 3]> = (0..length).map(|n| rgb[at(n)]).collect();
                    for n in 0..length {
                        let (from, to) = (n.saturating_sub(radius), (n + radius + 1).min(length));
                        let mut sum = [0.0; 3];
                        for p in &source[from..to] {
                            (0..3).for_each(|c| sum[c] += p[c]);
                        }
                        rgb[at(n)] = sum.map(|c| c / (to - from) as f32);
                    }
                }
            }
        }
        Self { rgb, ..self.clone_without_pixels() }
    }

    /// As under infrared light: grey, darker, flatter.
    fn infrared(&self) -> Self {
        self.map(|x, y, [r, g, b]| {
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            // The lamp lights the middle.
            let (dx, dy) = (x as f32 / self.width as f32 - 0.5, y as f32 / self.height as f32 - 0.5);
            let lit = 1.0 - 1.2 * (dx * dx + dy * dy);
            [(luma / 255.0).powf(1.3) * 190.0 * lit + 6.0; 3]
        })
    }

    fn look(&self) -> Look {
        let picture = self.yuv();
        look(&picture).unwrap()
    }

    /// As the decoder would leave it, then as the worker converts it.
    fn yuv(&self) -> Yuv420 {
        let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let plane = |weights: [f32; 3], base: f32| -> Vec<u8> {
            self.rgb
                .iter()
                .map(|p| {
                    let [r, g, b] = p.map(|c| c.clamp(0.0, 255.0));
                    byte(weights[0] * r + weights[1] * g + weights[2] * b + base)
                })
                .collect()
        };
        let y = plane([0.299, 0.587, 0.114], 0.0);
        let u = plane([-0.168_736, -0.331_264, 0.5], 128.0);
        let v = plane([0.5, -0.418_688, -0.081_312], 128.0);
        let part =
            |data| Plane { data, stride_bytes: self.width, step_bytes: 1, width: self.width, height: self.height };
        let decoded =
            Decoded { luma: part(&y), chroma: Some((part(&u), part(&v))), matrix: Matrix::Bt601, full_range: true };
        convert(&decoded, scale_factor(self.width as u32, MEASURED_WIDTH_PX))
    }
}

fn read(file: &Path, name: String, night: bool) -> Photo {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(file).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let channels = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    let pixels = bytes[..width * height * channels].chunks_exact(channels).map(|p| match p {
        [grey] | [grey, _] => [f32::from(*grey); 3],
        [r, g, b, ..] => [f32::from(*r), f32::from(*g), f32::from(*b)],
        [] => [0.0; 3],
    });
    let rgb: Vec<[f32; 3]> = pixels.collect();
    // What a substream has, and what 200 photographs take a minute with.
    let factor = width.div_ceil(480).max(1);
    let (small_width, small_height) = (width / factor, height / factor);
    let at = |n: usize| (n / small_width * factor) * width + n % small_width * factor;
    let small = (0..small_width * small_height).map(|n| {
        let mut sum = [0.0; 3];
        for offset in 0..factor * factor {
            let p = rgb[at(n) + offset / factor * width + offset % factor];
            (0..3).for_each(|c| sum[c] += p[c]);
        }
        sum.map(|c| c / (factor * factor) as f32)
    });
    Photo { name, width: small_width, height: small_height, rgb: small.collect(), night }
}

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

/// A clip: its name and its pictures.
type Sequence = (String, Vec<Photo>);

/// The photographs and sequences of `scripts/photographs`.
fn corpus() -> Option<(Vec<Photo>, Vec<Sequence>)> {
    let directory = std::env::var_os("PHOTOGRAPHS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/photographs"), PathBuf::from);
    let index = std::fs::read_to_string(directory.join("INDEX.tsv")).ok()?;
    let (mut photos, mut sequences): (Vec<Photo>, Vec<Sequence>) = Default::default();
    for line in index.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, _, _, kind, light] = fields[..] else { continue };
        let photo = read(&directory.join(file), file.to_owned(), light == "night");
        if kind == "photo" {
            photos.push(photo);
            continue;
        }
        let name = Path::new(file).parent().unwrap().display().to_string();
        match sequences.last_mut().filter(|(last, _)| *last == name) {
            Some((_, pictures)) => pictures.push(photo),
            None => sequences.push((name, vec![photo])),
        }
    }
    Some((photos, sequences))
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
        for (number, photo) in photos.iter().enumerate().filter(|(number, _)| number % 2 == half) {
            let as_dark = |other: &&Photo| other.look().is_night() == photo.look().is_night();
            let others = photos.iter().cycle().skip(number + 2 * 17).step_by(2).take(photos.len());
            let Some(other) = others.filter(as_dark).find(|other| other.name != photo.name) else { continue };
            let mut random = Random(0x9e37_79b9 + number as u64);
            let mut told = |what: &str, wanted: Option<PictureIssue>, found: &[PictureIssue]| {
                // What covers a lens has little contrast, and is told as that.
                let flat = what.starts_with("covered") && found.contains(&PictureIssue::LowContrast);
                for (score, issue) in scores.iter_mut().zip(PictureIssue::ALL) {
                    // A fault may bring a second one with it: dirt is low contrast, and a moved camera too.
                    if wanted.is_none() || wanted == Some(*issue) {
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
                let found = frozen(&stream, usual.clone(), &photo, &mut random);
                told(if by_night { "frozen, infrared" } else { "frozen" }, Some(PictureIssue::Frozen), &found);
            }
        }
        println!("\n  {title}\n  {:38} {:>12}", "what was done", "judged right");
        for (what, right, all) in rows {
            println!("  {what:38} {right:5} of {all:3}");
        }
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

/// The sensor stands still; the encoder does not give the same bits each time.
fn frozen(stream: &Stream, mut past: Past, photo: &Photo, random: &mut Random) -> Vec<PictureIssue> {
    let stuck = photo.noisy(2.0, random);
    (0..10).map(|_| past.judge(&stuck.noisy(0.2, random).look(), None, stream)).last().unwrap()
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
    let looking = timed(&|| _ = std::hint::black_box(look(&small)));
    let stream = a_stream();
    let seen = look(&small).unwrap();
    let past = std::cell::RefCell::new(Past::default());
    (0..20).for_each(|_| _ = past.borrow_mut().judge(&seen, None, &stream));
    let judging = timed(&|| _ = std::hint::black_box(past.borrow_mut().judge(&seen, None, &stream)));
    println!(
        "looking at a 1080p picture: measuring {measuring:.2} ms, looking {looking:.2} ms, judging {judging:.3} ms (median of 101)\n"
    );
}
