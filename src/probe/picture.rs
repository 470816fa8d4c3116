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

/// Measures a converted picture. `issues` stays empty: judging needs the stream's past.
pub fn measure(picture: &Yuv420) -> PictureStats {
    let samples = picture.y.len().max(1) as f64;
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for row in picture.y.chunks_exact(picture.width) {
        let (row_sum, row_squares) = row.iter().fold((0_u32, 0_u64), |(sum, squares), &y| {
            (sum + u32::from(y), squares + u64::from(u32::from(y) * u32::from(y)))
        });
        sum += u64::from(row_sum);
        squares += row_squares;
    }
    let mean = sum as f64 / samples;
    let variance = (squares as f64 / samples - mean * mean).max(0.0);
    PictureStats {
        luma_mean: round_tenth(mean),
        luma_stddev: round_tenth(variance.sqrt()),
        sharpness: round_tenth(laplacian_variance(picture)),
        issues: Vec::new(),
    }
}

fn round_tenth(value: f64) -> f32 {
    ((value * 10.0).round() / 10.0) as f32
}

/// Variance of the 4-neighbour Laplacian (Pech-Pacheco et al., 2000), the usual measure of focus.
fn laplacian_variance(picture: &Yuv420) -> f64 {
    let (width, height) = (picture.width, picture.height);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let (mut sum, mut squares) = (0_i64, 0_i64);
    for row in 1..height - 1 {
        let above = &picture.y[(row - 1) * width..row * width];
        let here = &picture.y[row * width..(row + 1) * width];
        let below = &picture.y[(row + 1) * width..(row + 2) * width];
        let (mut row_sum, mut row_squares) = (0_i32, 0_i64);
        for x in 1..width - 1 {
            let value = i32::from(above[x]) + i32::from(below[x]) + i32::from(here[x - 1]) + i32::from(here[x + 1])
                - 4 * i32::from(here[x]);
            row_sum += value;
            row_squares += i64::from(value * value);
        }
        sum += i64::from(row_sum);
        squares += row_squares;
    }
    let samples = ((width - 2) * (height - 2)) as f64;
    let mean = sum as f64 / samples;
    squares as f64 / samples - mean * mean
}

/// Averages boxes of `across` × `down` samples; a box that reaches over the edge is cut there.
fn average(plane: &Plane<'_>, width: usize, height: usize, across: usize, down: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height);
    let mut sums = vec![0_u32; width];
    for row in 0..height {
        let first = (row * down).min(plane.height.saturating_sub(1));
        let rows = down.min(plane.height - first).max(1);
        if across == 1 && rows == 1 && plane.step_bytes == 1 && plane.width >= width {
            let start = first * plane.stride_bytes;
            out.extend_from_slice(&plane.data[start..start + width]);
            continue;
        }
        sums.fill(0);
        for source_row in first..first + rows {
            let start = source_row * plane.stride_bytes;
            let source = &plane.data[start..start + (plane.width - 1) * plane.step_bytes + 1];
            add_row(&mut sums, source, plane.step_bytes, across);
        }
        let full = (across * rows) as u32;
        for (x, sum) in sums.iter().enumerate() {
            let columns = across.min(plane.width.saturating_sub(x * across));
            let divisor = if columns == across { full } else { (columns * rows) as u32 };
            let before = out.last().copied().unwrap_or(128);
            out.push((sum + divisor / 2).checked_div(divisor).map_or(before, |value| value as u8));
        }
    }
    out
}

fn add_row(sums: &mut [u32], source: &[u8], step_bytes: usize, across: usize) {
    // The two common cases are written so that the compiler turns them into vector code.
    if step_bytes == 1 && across == 2 && source.len() >= sums.len() * 2 {
        for (sum, pair) in sums.iter_mut().zip(source.chunks_exact(2)) {
            *sum += u32::from(pair[0]) + u32::from(pair[1]);
        }
    } else if step_bytes == 1 {
        for (sum, samples) in sums.iter_mut().zip(source.chunks(across)) {
            *sum += samples.iter().map(|&s| u32::from(s)).sum::<u32>();
        }
    } else {
        for (sum, samples) in sums.iter_mut().zip(source.chunks(across * step_bytes)) {
            *sum += samples.iter().step_by(step_bytes).map(|&s| u32::from(s)).sum::<u32>();
        }
    }
}

/// A Y'CbCr → Y'CbCr matrix in 14-bit fixed point.
#[derive(Debug)]
struct FixedMatrix {
    rows: [[i32; 3]; 3],
    luma_base: i32,
}

const FIXED_BITS: i32 = 14;

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
        let fixed = |value: f64| (value * f64::from(1 << FIXED_BITS)).round() as i32;
        let row = |weights: [f64; 3], y: f64| {
            [fixed(y * luma_gain), fixed(target(weights, 0) * chroma_gain), fixed(target(weights, 1) * chroma_gain)]
        };
        Self { rows: [row(luma, 1.0), row(cb, 0.0), row(cr, 0.0)], luma_base }
    }

    fn apply(&self, y: &mut [u8], u: &mut [u8], v: &mut [u8], width: usize, height: usize) {
        let chroma_width = width.div_ceil(2);
        let half = 1 << (FIXED_BITS - 1);
        let [gain, from_cb, from_cr] = self.rows[0];
        let mut offsets = vec![0_i32; chroma_width];
        for chroma_row in 0..height.div_ceil(2) {
            let span = chroma_row * chroma_width..(chroma_row + 1) * chroma_width;
            for ((offset, cb), cr) in offsets.iter_mut().zip(&mut u[span.clone()]).zip(&mut v[span]) {
                let (blue, red) = (i32::from(*cb) - 128, i32::from(*cr) - 128);
                *offset = from_cb * blue + from_cr * red - gain * self.luma_base + half;
                *cb = clamp(((self.rows[1][1] * blue + self.rows[1][2] * red + half) >> FIXED_BITS) + 128);
                *cr = clamp(((self.rows[2][1] * blue + self.rows[2][2] * red + half) >> FIXED_BITS) + 128);
            }
            for row in (2 * chroma_row)..(2 * chroma_row + 2).min(height) {
                let luma = &mut y[row * width..(row + 1) * width];
                for (pair, offset) in luma.chunks_mut(2).zip(&offsets) {
                    for sample in pair {
                        *sample = clamp((gain * i32::from(*sample) + offset) >> FIXED_BITS);
                    }
                }
            }
        }
    }
}

fn clamp(value: i32) -> u8 {
    value.clamp(0, 255) as u8
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
}
