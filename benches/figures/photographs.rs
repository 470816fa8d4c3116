//! Photographs, what may be done to them, and how a camera would see them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use streampulse::model::look::GRAIN_SIDE;
use streampulse::model::{Look, StreamClock};
use streampulse::probe::look::look;
use streampulse::probe::picture::{Decoded, MEASURED_WIDTH_PX, Matrix, Plane, Yuv420, convert, scale_factor};

/// A colour picture, 0–255 in each channel.
#[derive(Clone)]
pub(super) struct Photo {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<[f32; 3]>,
    pub(super) night: bool,
}

/// A clip: its name and its pictures.
pub(super) type Sequence = (String, Vec<Photo>);

/// The photographs and sequences of `scripts/photographs`.
pub(super) fn corpus() -> Option<(Vec<Photo>, Vec<Sequence>)> {
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

/// Repeatable noise (xorshift, Marsaglia 2003).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// About a normal distribution of standard deviation 1.
    pub(super) fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.next()).sum::<f32>() * std::f32::consts::SQRT_2 - 3.0 * std::f32::consts::SQRT_2
    }

    /// The same from the eight bytes of one number, for every sample of a large picture.
    pub(super) fn quick_normal(&mut self) -> f32 {
        self.next();
        let sum: u16 = self.0.to_le_bytes().into_iter().map(u16::from).sum();
        // Each byte has a mean of 127.5 and a variance of (256² - 1) / 12.
        (f32::from(sum) - 1020.0) / 209.02
    }
}

impl Photo {
    pub(super) fn map(&self, change: impl Fn(usize, usize, [f32; 3]) -> [f32; 3]) -> Self {
        let rgb = self.rgb.iter().enumerate().map(|(n, p)| change(n % self.width, n / self.width, *p)).collect();
        Self { rgb, ..self.clone_without_pixels() }
    }

    pub(super) fn clone_without_pixels(&self) -> Self {
        Self { rgb: Vec::new(), name: self.name.clone(), file: self.file.clone(), ..*self }
    }

    pub(super) fn noisy(&self, sigma: f32, random: &mut Random) -> Self {
        let rgb = self.rgb.iter().map(|p| {
            let n = random.normal() * sigma;
            p.map(|c| c + n)
        });
        Self { rgb: rgb.collect(), ..self.clone_without_pixels() }
    }

    /// Moved by so many pixels; what is beyond the edge is mirrored.
    pub(super) fn shifted(&self, dx: usize, dy: usize) -> Self {
        let mirror = |at: usize, length: usize| if at < length { at } else { 2 * length - 1 - at.min(2 * length - 1) };
        self.map(|x, y, _| self.rgb[mirror(y + dy, self.height) * self.width + mirror(x + dx, self.width)])
    }

    /// Three box blurs of this radius: close to a Gaussian of that standard deviation, as a lens out of focus gives.
    pub(super) fn blurred(&self, radius: usize) -> Self {
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
    pub(super) fn infrared(&self) -> Self {
        self.map(|x, y, [r, g, b]| {
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            // The lamp lights the middle.
            let (dx, dy) = (x as f32 / self.width as f32 - 0.5, y as f32 / self.height as f32 - 0.5);
            let lit = 1.0 - 1.2 * (dx * dx + dy * dy);
            [(luma / 255.0).powf(1.3) * 190.0 * lit + 6.0; 3]
        })
    }

    /// With a yellow time stamp on two percent of it, and all of it a little green.
    pub(super) fn written_on(&self) -> Self {
        let (width, height) = (self.width / 5, self.height / 10);
        self.map(|x, y, [r, g, b]| if x < width && y < height { [255.0, 240.0, 0.0] } else { [r, g + 4.0, b] })
    }

    pub(super) fn look(&self) -> Look {
        seen(&self.planes())
    }

    /// As the decoder would leave it: luma, Cb, Cr.
    pub(super) fn planes(&self) -> Planes {
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
        Planes { width: self.width, height: self.height, data: [y, u, v] }
    }
}

/// A picture as a decoder leaves it, without subsampling.
pub(super) struct Planes {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: [Vec<u8>; 3],
}

/// As the worker looks at it.
pub(super) fn seen(planes: &Planes) -> Look {
    let (width, height) = (planes.width, planes.height);
    let [luma, u, v] =
        planes.data.each_ref().map(|data| Plane { data, stride_bytes: width, step_bytes: 1, width, height });
    let decoded = Decoded { luma, chroma: Some((u, v)), matrix: Matrix::Bt601, full_range: true };
    let small: Yuv420 = convert(&decoded, scale_factor(width as u32, MEASURED_WIDTH_PX));
    Look { clock: StreamClock::Running, ..look(&small, &decoded.luma).unwrap() }
}

/// What a still camera does to its luma from picture to picture.
pub(super) struct Sensor {
    pub(super) sigma: f32,
    /// Step of the quantizer behind an 8×8 cosine transform, as a thrifty encoder has it. 0: none.
    pub(super) step: f32,
}

impl Sensor {
    pub(super) fn sees(&self, scene: &Planes, random: &mut Random) -> Planes {
        let noisy = |luma: &u8| (f32::from(*luma) + random.quick_normal() * self.sigma).round().clamp(0.0, 255.0) as u8;
        let mut luma: Vec<u8> = scene.data[0].iter().map(noisy).collect();
        if self.step > 0.0 {
            self.encode(&mut luma, scene.width, scene.height);
        }
        let [_, u, v] = &scene.data;
        Planes { data: [luma, u.clone(), v.clone()], ..*scene }
    }

    /// Codes the rows that the grain is taken from; the others take long and would change nothing.
    pub(super) fn encode(&self, luma: &mut [u8], width: usize, height: usize) {
        let basis: [[f32; 8]; 8] = std::array::from_fn(|k| {
            let scale = if k == 0 { 0.125_f32.sqrt() } else { 0.5 };
            std::array::from_fn(|n| scale * (std::f32::consts::PI * (2 * n + 1) as f32 * k as f32 / 16.0).cos())
        });
        type Block = [[f32; 8]; 8];
        let product = |a: &Block, b: &Block| -> Block {
            std::array::from_fn(|i| std::array::from_fn(|j| (0..8).map(|k| a[i][k] * b[k][j]).sum()))
        };
        let turned = |a: &Block| -> Block { std::array::from_fn(|i| std::array::from_fn(|j| a[j][i])) };
        let transposed = turned(&basis);
        for row in (0..GRAIN_SIDE).map(|field| (2 * field + 1) * height / (2 * GRAIN_SIDE) / 8 * 8) {
            for left in (0..width / 8 * 8).step_by(8).filter(|_| row + 8 <= height) {
                let at = |i: usize, j: usize| (row + i) * width + left + j;
                let block: Block = std::array::from_fn(|i| std::array::from_fn(|j| f32::from(luma[at(i, j)])));
                let coefficients = product(&product(&basis, &block), &transposed);
                // Rounded down from a third on, as encoders do (H.264 reference software, intra).
                let quantized = |c: f32| ((c.abs() / self.step + 1.0 / 3.0).floor() * self.step).copysign(c);
                let decoded = product(&product(&transposed, &coefficients.map(|line| line.map(quantized))), &basis);
                for (i, line) in decoded.iter().enumerate() {
                    for (j, value) in line.iter().enumerate() {
                        luma[at(i, j)] = value.round().clamp(0.0, 255.0) as u8;
                    }
                }
            }
        }
    }
}

/// As large as it is.
pub(super) fn read_whole(file: &Path, name: String, night: bool) -> Photo {
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
    Photo { name, file: file.to_owned(), width, height, rgb: pixels.collect(), night }
}

/// As a substream has it, which keeps 200 photographs to a minute or two.
pub(super) fn read(file: &Path, name: String, night: bool) -> Photo {
    let whole = read_whole(file, name, night);
    let (width, height, rgb) = (whole.width, whole.height, &whole.rgb);
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
    Photo { width: small_width, height: small_height, rgb: small.collect(), ..whole.clone_without_pixels() }
}
