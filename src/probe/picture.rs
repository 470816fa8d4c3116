//! Looking at a decoded picture: scale, convert to what JPEG means, measure. Pure: planes in, planes and numbers out.
//!
//! JPEG (JFIF) is full-range BT.601 whatever the stream was, so luma and chroma pass through one 3×3 matrix that goes
//! from the stream's own colorimetry to that. Scaling is by a whole factor and averages, which needs no filter.

use crate::model::PictureStats;

/// Width at which pictures are measured, so that the numbers of one stream stay comparable whatever JPEG was asked for.
pub const MEASURED_WIDTH_PX: u32 = 960;

/// One plane of 8-bit samples.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Samples, row by row.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride_bytes: usize,
    /// Bytes from one sample to the next in a row: 2 in an interleaved chroma plane.
    pub step_bytes: usize,
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// The matrix of the stream's Y'CbCr (ITU-T H.273 table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// BT.601, also what JPEG uses.
    Bt601,
    /// BT.709.
    Bt709,
    /// BT.2020, non-constant luminance.
    Bt2020,
}

/// A decoded picture as the decoder left it.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Luma.
    pub luma: Plane<'a>,
    /// Cb and Cr, at any subsampling; `None` for grey.
    pub chroma: Option<(Plane<'a>, Plane<'a>)>,
    /// The stream's matrix.
    pub matrix: Matrix,
    /// True: 0–255; false: 16–235 (luma) and 16–240 (chroma).
    pub full_range: bool,
}

/// A full-range BT.601 picture with 4:2:0 chroma, rows without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yuv420 {
    /// Luma samples in a row.
    pub width: usize,
    /// Luma rows.
    pub height: usize,
    /// Luma.
    pub y: Vec<u8>,
    /// Cb, `width.div_ceil(2)` × `height.div_ceil(2)`.
    pub u: Vec<u8>,
    /// Cr, like Cb.
    pub v: Vec<u8>,
}

/// The smallest whole factor that makes `width_px` at most `limit_px`.
pub fn scale_factor(width_px: u32, limit_px: u32) -> usize {
    width_px.div_ceil(limit_px.max(1)).max(1) as usize
}

/// Scales by a whole factor and converts to full-range BT.601.
pub fn convert(decoded: &Decoded<'_>, factor: usize) -> Yuv420 {
    let width = (decoded.luma.width / factor).max(1);
    let height = (decoded.luma.height / factor).max(1);
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut y = average(&decoded.luma, width, height, factor, factor);
    let (mut u, mut v) = match &decoded.chroma {
        Some((u, v)) => {
            // How many chroma samples one output sample covers: twice the factor, less what is subsampled already.
            let across = (2 * factor * u.width / decoded.luma.width.max(1)).max(1);
            let down = (2 * factor * u.height / decoded.luma.height.max(1)).max(1);
            let shrink = |plane| average(plane, chroma_width, chroma_height, across, down);
            (shrink(u), shrink(v))
        }
        None => (vec![128; chroma_width * chroma_height], vec![128; chroma_width * chroma_height]),
    };
    let identity = decoded.full_range && (decoded.matrix == Matrix::Bt601 || decoded.chroma.is_none());
    if !identity {
        let matrix = FixedMatrix::to_jpeg(decoded.matrix, decoded.full_range);
        matrix.apply(&mut y, &mut u, &mut v, width, height);
    }
    Yuv420 { width, height, y, u, v }
}

/// Measures a converted picture by every second of its rows. `issues` stays empty: judging needs the stream's past.
pub fn measure(picture: &Yuv420) -> PictureStats {
    let (mut luma, mut edges) = (Moments::default(), Moments::default());
    for row in picture.y.chunks_exact(picture.width.max(1)).step_by(2) {
        luma.add(row.iter().map(|&luma| i16::from(luma)));
    }
    let mut laplacian = vec![0; picture.width.saturating_sub(2)];
    for row in (1..picture.height.saturating_sub(1)).step_by(2) {
        laplacian_of_row(picture, row, &mut laplacian);
        edges.add(laplacian.iter().copied());
    }
    PictureStats {
        luma_mean: round_tenth(luma.mean()),
        luma_stddev: round_tenth(luma.variance().sqrt()),
        // Pech-Pacheco et al., 2000: the usual measure of focus.
        sharpness: round_tenth(edges.variance()),
        issues: Vec::new(),
    }
}

/// Sums of samples and of their squares.
#[derive(Default)]
struct Moments {
    samples: usize,
    sum: i64,
    squares: u64,
}

impl Moments {
    /// Adds a row of at most 4,096 samples between -1,020 and 1,020: so many squares fit into 32 bits, which vector code
    /// adds up four times as fast as 64.
    fn add(&mut self, row: impl ExactSizeIterator<Item = i16> + Clone) {
        self.samples += row.len();
        self.sum += i64::from(row.clone().map(i32::from).sum::<i32>());
        self.squares += u64::from(row.map(square).sum::<u32>());
    }

    fn mean(&self) -> f64 {
        self.sum as f64 / self.samples.max(1) as f64
    }

    fn variance(&self) -> f64 {
        (self.squares as f64 / self.samples.max(1) as f64 - self.mean().powi(2)).max(0.0)
    }
}

fn round_tenth(value: f64) -> f32 {
    ((value * 10.0).round() / 10.0) as f32
}

/// The 4-neighbour Laplacian of luma in a row that has neighbours, without the row's ends: between -1,020 and 1,020.
pub fn laplacian_of_row(picture: &Yuv420, row: usize, out: &mut [i16]) {
    let line = |row: usize| &picture.y[row * picture.width..(row + 1) * picture.width];
    let (above, here, below) = (line(row - 1), line(row), line(row + 1));
    let beside = here.iter().zip(here.iter().skip(2));
    let around = above.iter().skip(1).zip(below.iter().skip(1)).zip(beside).zip(here.iter().skip(1));
    for (value, (((a, b), (l, r)), h)) in out.iter_mut().zip(around) {
        let [a, b, l, r, h] = [a, b, l, r, h].map(|&sample| i16::from(sample));
        *value = a + b + l + r - 4 * h;
    }
}

/// The square of a luma or of a Laplacian.
pub fn square(value: i16) -> u32 {
    (i32::from(value) * i32::from(value)) as u32
}

/// Averages boxes of `across` × `down` samples; a box that reaches over the edge is cut there.
fn average(plane: &Plane<'_>, width: usize, height: usize, across: usize, down: usize) -> Vec<u8> {
    let row_bytes = (plane.width - 1) * plane.step_bytes + 1;
    let mut out = vec![0; width * height];
    let mut sums = Sums { columns: vec![0; row_bytes], boxes: vec![0; width] };
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let first = (row * down).min(plane.height.saturating_sub(1));
        let rows = down.min(plane.height - first).max(1);
        let source = |row: usize| &plane.data[(first + row) * plane.stride_bytes..][..row_bytes];
        if across == 1 && rows == 1 && plane.step_bytes == 1 && plane.width >= width {
            out.copy_from_slice(&source(0)[..width]);
        } else if across == 2 && rows == 2 && plane.step_bytes == 1 && plane.width >= 2 * width {
            halve(out, source(0), source(1));
        } else {
            sums.of((0..rows).map(source), plane.step_bytes, across);
            // Boxes that are whole, and then those at the edge.
            let whole = (plane.width / across).min(width);
            divide(&mut out[..whole], &sums.boxes[..whole], across * rows);
            for x in whole..width {
                let divisor = (plane.width.saturating_sub(x * across) * rows) as u32;
                let before = if x == 0 { 128 } else { out[x - 1] };
                out[x] = (sums.boxes[x] + divisor / 2).checked_div(divisor).map_or(before, |value| value as u8);
            }
        }
    }
    out
}

/// Boxes of 2 × 2, which most cameras need. Written, as what follows, so that the compiler makes vector code of it: two
/// samples of a row are read as one number of 16 bits.
fn halve(out: &mut [u8], above: &[u8], below: &[u8]) {
    let sum = |pair: &[u8; 2]| {
        let pair = u16::from_le_bytes(*pair);
        (pair & 0xff) + (pair >> 8)
    };
    let pairs = above.as_chunks().0.iter().zip(below.as_chunks().0);
    for (out, (above, below)) in out.iter_mut().zip(pairs) {
        *out = ((sum(above) + sum(below) + 2) >> 2) as u8;
    }
}

/// Sums of the columns of a few rows, and of boxes.
struct Sums {
    columns: Vec<u16>,
    boxes: Vec<u32>,
}

impl Sums {
    /// First down, where neighbours do not depend on each other, and then across.
    fn of<'a>(&mut self, rows: impl Iterator<Item = &'a [u8]>, step_bytes: usize, across: usize) {
        self.boxes.fill(0);
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            self.columns.fill(0);
            // So many samples fit into 16 bits.
            for row in rows.by_ref().take(256) {
                self.columns.iter_mut().zip(row).for_each(|(sum, &sample)| *sum += u16::from(sample));
            }
            let boxes = self.columns.chunks(across * step_bytes);
            for (sum, columns) in self.boxes.iter_mut().zip(boxes) {
                *sum += columns.iter().step_by(step_bytes).map(|&column| u32::from(column)).sum::<u32>();
            }
        }
    }
}

/// Sums of `count` samples as their rounded mean.
fn divide(out: &mut [u8], sums: &[u32], count: usize) {
    // 255.5 × 256 × 255 < 2²⁴ < 2³² / 255.5: multiplied by the reciprocal it is exact up to here.
    const BITS: u32 = 24;
    const MOST: usize = 256;
    let half = count as u32 / 2;
    if count <= MOST {
        let reciprocal = (1_u32 << BITS).div_ceil(count as u32);
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (((sum + half) * reciprocal) >> BITS) as u8);
    } else {
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = ((sum + half) / count as u32) as u8);
    }
}

/// A Y'CbCr → Y'CbCr matrix in 14-bit fixed point, none of whose factors reaches 2.
#[derive(Debug)]
struct FixedMatrix {
    rows: [[i16; 3]; 3],
    luma_base: i32,
}

const FIXED_BITS: i32 = 14;

/// Luma is made in 7-bit fixed point, of which a number of 16 bits holds 512 levels. The error is a tenth of a level.
const LUMA_BITS: i32 = 7;

/// What colour takes from luma, at most 64 levels, is added as a number without a sign.
const LUMA_BIAS: u16 = 64 << LUMA_BITS;

impl FixedMatrix {
    /// From a stream's colorimetry to full-range BT.601.
    fn to_jpeg(matrix: Matrix, full_range: bool) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let (luma_gain, chroma_gain, luma_base) =
            if full_range { (1.0, 1.0, 0) } else { (255.0 / 219.0, 255.0 / 224.0, 16) };
        let kg = 1.0 - kr - kb;
        // Cb and Cr to R'G'B', with Y' = 0, for the source.
        let red = [0.0, 2.0 * (1.0 - kr)];
        let green = [-2.0 * (1.0 - kb) * kb / kg, -2.0 * (1.0 - kr) * kr / kg];
        let blue = [2.0 * (1.0 - kb), 0.0];
        // R'G'B' to Y'CbCr for JPEG.
        let target = |weights: [f64; 3], column: usize| {
            weights[0] * red[column] + weights[1] * green[column] + weights[2] * blue[column]
        };
        let luma = [0.299, 0.587, 0.114];
        let cb = [-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772];
        let cr = [0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402];
        let fixed = |value: f64| (value * f64::from(1 << FIXED_BITS)).round() as i16;
        let row = |weights: [f64; 3], y: f64| {
            [fixed(y * luma_gain), fixed(target(weights, 0) * chroma_gain), fixed(target(weights, 1) * chroma_gain)]
        };
        Self { rows: [row(luma, 1.0), row(cb, 0.0), row(cr, 0.0)], luma_base }
    }

    fn apply(&self, y: &mut [u8], u: &mut [u8], v: &mut [u8], width: usize, height: usize) {
        let chroma_width = width.div_ceil(2);
        let [[gain, luma_cb, luma_cr], [_, cb_cb, cb_cr], [_, cr_cb, cr_cr]] = self.rows;
        // Factors of 16 bits, whose product of 32 a processor makes at once.
        let product = |(factor_cb, factor_cr): (i16, i16), cb: i16, cr: i16, bits: i32| {
            let product = i32::from(factor_cb) * i32::from(cb) + i32::from(factor_cr) * i32::from(cr);
            (product + (1 << (bits - 1))) >> bits
        };
        let luma_shift = FIXED_BITS - LUMA_BITS;
        let gain = ((i32::from(gain) + (1 << (luma_shift - 1))) >> luma_shift) as u16;
        let base = i32::from(LUMA_BIAS) + (1 << (LUMA_BITS - 1)) - i32::from(gain) * self.luma_base;
        // What is added to luma, of each chroma sample and of each luma sample.
        let (mut offsets, mut wide) = (vec![0_u16; chroma_width], vec![0_u16; 2 * chroma_width]);
        for chroma_row in 0..height.div_ceil(2) {
            let span = chroma_row * chroma_width..(chroma_row + 1) * chroma_width;
            for ((offset, cb), cr) in offsets.iter_mut().zip(&mut u[span.clone()]).zip(&mut v[span]) {
                let (blue, red) = (i16::from(*cb) - 128, i16::from(*cr) - 128);
                *offset = (product((luma_cb, luma_cr), blue, red, luma_shift) + base) as u16;
                *cb = (product((cb_cb, cb_cr), blue, red, FIXED_BITS) as i16 + 128).clamp(0, 255) as u8;
                *cr = (product((cr_cb, cr_cr), blue, red, FIXED_BITS) as i16 + 128).clamp(0, 255) as u8;
            }
            for (pair, offset) in wide.as_chunks_mut().0.iter_mut().zip(&offsets) {
                *pair = [*offset; 2];
            }
            for row in (2 * chroma_row)..(2 * chroma_row + 2).min(height) {
                for (sample, offset) in y[row * width..(row + 1) * width].iter_mut().zip(&wide) {
                    let level = (u16::from(*sample) * gain + offset).saturating_sub(LUMA_BIAS) >> LUMA_BITS;
                    *sample = level.min(255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(data: &[u8], width: usize) -> Plane<'_> {
        Plane { data, stride_bytes: width, step_bytes: 1, width, height: data.len() / width }
    }

    /// One flat colour through the converter, as Y, Cb, Cr.
    fn flat(y: u8, u: u8, v: u8, matrix: Matrix, full_range: bool) -> (u8, u8, u8) {
        let (luma, cb, cr) = (vec![y; 16], vec![u; 4], vec![v; 4]);
        let decoded =
            Decoded { luma: plane(&luma, 4), chroma: Some((plane(&cb, 2), plane(&cr, 2))), matrix, full_range };
        let out = convert(&decoded, 1);
        (out.y[5], out.u[3], out.v[0])
    }

    #[test]
    fn limited_range_becomes_full_range() {
        assert_eq!(flat(16, 128, 128, Matrix::Bt601, false), (0, 128, 128));
        assert_eq!(flat(235, 128, 128, Matrix::Bt709, false), (255, 128, 128));
        assert_eq!(flat(77, 99, 200, Matrix::Bt601, true), (77, 99, 200));
    }

    /// The primaries at full amplitude: what BT.709 encodes must come out as what JFIF encodes.
    #[test]
    fn bt709_becomes_bt601() {
        // Limited-range BT.709 codes of 100 % red, green and blue, and their JFIF codes.
        for ((y, u, v), expected) in
            [((63, 102, 240), (76, 85, 255)), ((173, 42, 26), (150, 44, 21)), ((32, 240, 118), (29, 255, 107))]
        {
            let got = flat(y, u, v, Matrix::Bt709, false);
            let near = |a: u8, b: u8| a.abs_diff(b) <= 1;
            assert!(
                near(got.0, expected.0) && near(got.1, expected.1) && near(got.2, expected.2),
                "{got:?} {expected:?}"
            );
        }
    }

    #[test]
    fn scaling_averages_boxes_and_survives_odd_sizes() {
        let luma: Vec<u8> = (0..35).map(|i| i * 7).collect();
        let chroma = vec![100; 4 * 3];
        let decoded = Decoded {
            luma: plane(&luma, 7),
            chroma: Some((plane(&chroma, 4), plane(&chroma, 4))),
            matrix: Matrix::Bt601,
            full_range: true,
        };
        let half = convert(&decoded, 2);
        assert_eq!((half.width, half.height, half.u.len()), (3, 2, 2));
        let mean = [0_u32, 7, 49, 56].iter().sum::<u32>();
        assert_eq!(u32::from(half.y[0]), (mean + 2) / 4);
        let whole = convert(&decoded, 1);
        assert_eq!((whole.y.as_slice(), whole.u.len()), (luma.as_slice(), 12));
        assert!(whole.u.iter().all(|&u| u == 100));
    }

    #[test]
    fn interleaved_and_unsubsampled_chroma_give_the_same() {
        let luma = vec![90; 64];
        let interleaved: Vec<u8> = (0..16).flat_map(|i| [i * 10, 255 - i * 10]).collect();
        let (u, v): (Vec<u8>, Vec<u8>) = interleaved.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        let base = Decoded { luma: plane(&luma, 8), chroma: None, matrix: Matrix::Bt709, full_range: false };
        let planar = Decoded { chroma: Some((plane(&u, 4), plane(&v, 4))), ..base };
        let part =
            |offset: usize| Plane { data: &interleaved[offset..], stride_bytes: 8, step_bytes: 2, width: 4, height: 4 };
        let nv12 = Decoded { chroma: Some((part(0), part(1))), ..base };
        let wide = |samples: &[u8]| -> Vec<u8> {
            samples
                .chunks(4)
                .flat_map(|row| {
                    let r: Vec<u8> = row.iter().flat_map(|&s| [s, s]).collect();
                    [r.clone(), r].concat()
                })
                .collect()
        };
        let (wide_u, wide_v) = (wide(&u), wide(&v));
        let yuv444 = Decoded { chroma: Some((plane(&wide_u, 8), plane(&wide_v, 8))), ..base };
        assert_eq!(convert(&planar, 1), convert(&nv12, 1));
        assert_eq!(convert(&planar, 2), convert(&nv12, 2));
        assert_eq!(convert(&planar, 1), convert(&yuv444, 1));
        let grey = convert(&base, 1);
        assert!(grey.u.iter().chain(&grey.v).all(|&s| s == 128) && grey.y[0] == 86);
    }

    #[test]
    fn numbers_of_known_pictures() {
        let flat = Yuv420 { width: 8, height: 8, y: vec![120; 64], u: vec![128; 16], v: vec![128; 16] };
        assert_eq!(measure(&flat), PictureStats { luma_mean: 120.0, luma_stddev: 0.0, sharpness: 0.0, issues: vec![] });
        let board: Vec<u8> = (0..64).map(|i| if (i / 8 + i % 8) % 2 == 0 { 0 } else { 200 }).collect();
        let stats = measure(&Yuv420 { y: board, ..flat });
        assert_eq!((stats.luma_mean, stats.luma_stddev, stats.sharpness), (100.0, 100.0, 640_000.0));
    }

    #[test]
    fn factors() {
        assert_eq!(
            [scale_factor(960, 960), scale_factor(961, 960), scale_factor(1920, 960), scale_factor(3840, 960)],
            [1, 2, 2, 4]
        );
    }

    #[test]
    fn no_factor_of_a_matrix_is_cut_off() {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for full_range in [false, true] {
                let FixedMatrix { rows, .. } = FixedMatrix::to_jpeg(matrix, full_range);
                let ends = |factor: &i16| matches!(*factor, i16::MIN | i16::MAX);
                assert!(!rows.iter().flatten().any(ends), "{matrix:?} {rows:?}");
            }
        }
    }

    /// Every corner of what a decoder may give, against the same with real numbers.
    #[test]
    fn no_sample_overflows_on_its_way() {
        let levels = [0, 1, 16, 77, 128, 180, 235, 240, 254, 255];
        for (matrix, kr, kb) in
            [(Matrix::Bt601, 0.299, 0.114), (Matrix::Bt709, 0.2126, 0.0722), (Matrix::Bt2020, 0.2627, 0.0593)]
        {
            for full_range in [false, true] {
                for (y, u, v) in levels
                    .iter()
                    .flat_map(|y| levels.iter().map(move |u| (y, u)))
                    .flat_map(|(y, u)| levels.iter().map(move |v| (*y, *u, *v)))
                {
                    let (luma_gain, chroma_gain, base) =
                        if full_range { (1.0, 1.0, 0.0) } else { (255.0 / 219.0, 255.0 / 224.0, 16.0) };
                    let luma = (f64::from(y) - base) * luma_gain;
                    let [cb, cr] = [u, v].map(|sample| (f64::from(sample) - 128.0) * chroma_gain);
                    let (red, blue) = (luma + 2.0 * (1.0 - kr) * cr, luma + 2.0 * (1.0 - kb) * cb);
                    let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
                    let jpeg = 0.299 * red + 0.587 * green + 0.114 * blue;
                    let expected = [jpeg, (blue - jpeg) / 1.772 + 128.0, (red - jpeg) / 1.402 + 128.0];
                    let (y_out, u_out, v_out) = flat(y, u, v, matrix, full_range);
                    for (sample, expected) in [y_out, u_out, v_out].into_iter().zip(expected) {
                        let expected = expected.clamp(0.0, 255.0);
                        assert!(
                            (f64::from(sample) - expected).abs() <= 1.0,
                            "{matrix:?} {full_range} {y} {u} {v}: {sample}, {expected}"
                        );
                    }
                }
            }
        }
    }

    /// Samples without an order, the same each time.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let step = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        std::iter::repeat_with(step).take(length).collect()
    }

    #[test]
    fn every_box_has_its_mean() {
        for (width, height, step_bytes) in [(64, 48, 1), (67, 45, 1), (33, 50, 2), (1, 1, 1), (7, 3, 1)] {
            let data = noise(width * height * step_bytes);
            let plane = Plane { data: &data, stride_bytes: width * step_bytes, step_bytes, width, height };
            for (across, down) in [(1, 1), (2, 2), (2, 1), (3, 3), (4, 4), (5, 2), (17, 17)] {
                let size: (usize, usize) = (width.div_ceil(across), height.div_ceil(down));
                let mean = |x: usize, row: usize| {
                    let rows = row * down..((row + 1) * down).min(height);
                    let samples: Vec<u32> = rows
                        .flat_map(|row| (x * across..((x + 1) * across).min(width)).map(move |x| (x, row)))
                        .map(|(x, row)| u32::from(data[(row * width + x) * step_bytes]))
                        .collect();
                    let count = samples.len() as u32;
                    ((samples.iter().sum::<u32>() + count / 2) / count) as u8
                };
                let expected: Vec<u8> = (0..size.1)
                    .flat_map(|row| (0..size.0).map(move |x| (x, row)))
                    .map(|(x, row)| mean(x, row))
                    .collect();
                assert_eq!(
                    average(&plane, size.0, size.1, across, down),
                    expected,
                    "{width}×{height} by {across}×{down}"
                );
            }
        }
    }

    #[test]
    fn a_mean_is_exact_for_every_sum() {
        for count in [1, 2, 3, 7, 9, 16, 25, 255, 256, 257, 300] {
            let sums: Vec<u32> = (0..=255 * count as u32).collect();
            let mut means = vec![0; sums.len()];
            divide(&mut means, &sums, count);
            let expected = sums.iter().map(|sum| ((sum + count as u32 / 2) / count as u32) as u8);
            assert!(means.iter().copied().eq(expected), "{count}");
        }
    }

    #[test]
    fn numbers_of_the_widest_and_hardest_picture() {
        let (width, height) = (4_096, 5);
        let y: Vec<u8> = noise(width * height).iter().map(|sample| if *sample < 128 { 0 } else { 255 }).collect();
        let at = |x: usize, row: usize| f64::from(y[row * width + x]);
        let laplacian =
            |x: usize, row: usize| at(x - 1, row) + at(x + 1, row) + at(x, row - 1) + at(x, row + 1) - 4.0 * at(x, row);
        let variance = |values: Vec<f64>| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
        };
        let inner = [1, 3].into_iter().flat_map(|row| (1..width - 1).map(move |x| (x, row)));
        let (_, sharpness) = variance(inner.map(|(x, row)| laplacian(x, row)).collect());
        let measured = [0, 2, 4].into_iter().flat_map(|row| (0..width).map(move |x| (x, row)));
        let (mean, spread) = variance(measured.map(|(x, row)| at(x, row)).collect());
        let stats = measure(&Yuv420 { width, height, y, u: Vec::new(), v: Vec::new() });
        let near = |measured: f32, exact: f64| (f64::from(measured) - exact).abs() < 0.051 + exact * 1e-6;
        assert!(
            near(stats.luma_mean, mean) && near(stats.luma_stddev, spread.sqrt()) && near(stats.sharpness, sharpness)
        );
    }
}
