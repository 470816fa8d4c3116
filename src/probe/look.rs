//! Looking at a decoded picture: the numbers by which it is judged later, beside the stream's past. Pure.
//!
//! Everything is measured on the scaled-down picture that the numbers of [`super::picture`] come from, and where half of
//! the rows say as much as all of them, on every second one.

use super::picture::{Yuv420, laplacian_variance};
use crate::model::Look;
use crate::model::look::{GRAIN_SIDE, Samples, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH};

/// Below this variance of the coarse Laplacian there is nothing that could be sharp.
const LEAST_COARSE: f64 = 12.0;

/// Smallest picture that is looked at, pixels each way.
const LEAST_SIDE_PX: usize = 64;

/// Looks at a converted picture of known sharpness (the variance of its Laplacian); `None` when it is too small.
pub fn look(picture: &Yuv420, sharpness: f64) -> Option<Look> {
    if picture.width < LEAST_SIDE_PX || picture.height < LEAST_SIDE_PX {
        return None;
    }
    let histogram = Histogram::of(picture);
    let (cb, cb_spread) = mean_and_spread(&picture.u);
    let (cr, cr_spread) = mean_and_spread(&picture.v);
    let coarse = laplacian_variance(&halved(picture));
    Some(Look {
        luma_p5: histogram.percentile(0.05),
        luma_p50: histogram.percentile(0.50),
        luma_p95: histogram.percentile(0.95),
        luma_p98: histogram.percentile(0.98),
        white_percent: histogram.percent_from(250),
        colour: (cb - 128.0, cr - 128.0),
        colour_spread: cb_spread + cr_spread,
        detail: (coarse >= LEAST_COARSE).then(|| (sharpness / coarse) as f32),
        thumbnail: Samples::new(thumbnail(picture))?,
        grain: Samples::new(grain(picture))?,
        media_time: None,
    })
}

/// How often each luma occurs, in every second row.
struct Histogram {
    counts: [u32; 256],
    samples: u32,
}

impl Histogram {
    fn of(picture: &Yuv420) -> Self {
        // Four tables, because neighbours are often equal and would wait for one another.
        let mut tables = [[0_u32; 256]; 4];
        let mut samples = 0;
        for row in picture.y.chunks_exact(picture.width).step_by(2) {
            let quads = row.chunks_exact(4);
            samples += (row.len() / 4 * 4) as u32;
            for quad in quads {
                for (table, &luma) in tables.iter_mut().zip(quad) {
                    table[usize::from(luma)] += 1;
                }
            }
        }
        let [mut counts, rest @ ..] = tables;
        for table in rest {
            counts.iter_mut().zip(table).for_each(|(count, more)| *count += more);
        }
        Self { counts, samples }
    }

    /// The luma below which this share of the samples lies.
    fn percentile(&self, share: f64) -> u8 {
        let wanted = (f64::from(self.samples) * share) as u32;
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += count;
            below > wanted
        });
        found.unwrap_or(255) as u8
    }

    fn percent_from(&self, luma: usize) -> u8 {
        let from: u32 = self.counts[luma..].iter().sum();
        (u64::from(from) * 100 / u64::from(self.samples.max(1))) as u8
    }
}

/// Mean of a plane, and mean distance from it.
fn mean_and_spread(plane: &[u8]) -> (f32, f32) {
    let samples = plane.len().max(1) as f64;
    let sum: u64 = plane.chunks(4096).map(|part| u64::from(part.iter().map(|&s| u32::from(s)).sum::<u32>())).sum();
    let mean = sum as f64 / samples;
    let middle = mean.round() as u8;
    let distance: u64 =
        plane.chunks(4096).map(|part| u64::from(part.iter().map(|s| u32::from(s.abs_diff(middle))).sum::<u32>())).sum();
    (mean as f32, (distance as f64 / samples) as f32)
}

/// Luma at half the size.
fn halved(picture: &Yuv420) -> Yuv420 {
    let (width, height) = (picture.width / 2, picture.height / 2);
    let mut y = Vec::with_capacity(width * height);
    for rows in picture.y.chunks_exact(2 * picture.width).take(height) {
        let (upper, lower) = rows.split_at(picture.width);
        y.extend(upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(a, b)| {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            ((sum + 2) / 4) as u8
        }));
    }
    Yuv420 { width, height, y, u: Vec::new(), v: Vec::new() }
}

/// Mean luma of each block, from every second row.
fn thumbnail(picture: &Yuv420) -> Vec<u8> {
    let edge = |block: usize, blocks: usize, length: usize| block * length / blocks;
    let mut means = Vec::with_capacity(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT);
    for block_row in 0..THUMBNAIL_HEIGHT {
        let rows =
            edge(block_row, THUMBNAIL_HEIGHT, picture.height)..edge(block_row + 1, THUMBNAIL_HEIGHT, picture.height);
        let mut sums = [0_u32; THUMBNAIL_WIDTH];
        let taken = rows.clone().step_by(2).count() as u32;
        for row in rows.step_by(2) {
            let row = &picture.y[row * picture.width..(row + 1) * picture.width];
            for (block, sum) in sums.iter_mut().enumerate() {
                let columns =
                    edge(block, THUMBNAIL_WIDTH, picture.width)..edge(block + 1, THUMBNAIL_WIDTH, picture.width);
                *sum += row[columns].iter().map(|&s| u32::from(s)).sum::<u32>();
            }
        }
        for (block, sum) in sums.into_iter().enumerate() {
            let columns = edge(block + 1, THUMBNAIL_WIDTH, picture.width) - edge(block, THUMBNAIL_WIDTH, picture.width);
            means.push((sum / (taken * columns as u32).max(1)) as u8);
        }
    }
    means
}

/// Single samples in the middle of each field of a grid.
fn grain(picture: &Yuv420) -> Vec<u8> {
    let middle = |field: usize, length: usize| (2 * field + 1) * length / (2 * GRAIN_SIDE);
    let rows = (0..GRAIN_SIDE).map(|field| middle(field, picture.height) * picture.width);
    rows.flat_map(|row| (0..GRAIN_SIDE).map(move |field| picture.y[row + middle(field, picture.width)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::look::{GRAIN_SAMPLES, THUMBNAIL_SAMPLES};
    use crate::probe::picture::measure;

    fn seen(width: usize, height: usize, luma: impl Fn(usize, usize) -> u8) -> Look {
        let y = (0..height).flat_map(|row| (0..width).map(move |x| (x, row))).map(|(x, row)| luma(x, row)).collect();
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let picture = Yuv420 { width, height, y, u: vec![100; chroma], v: vec![160; chroma] };
        look(&picture, f64::from(measure(&picture).sharpness)).expect("large enough")
    }

    #[test]
    fn percentiles_colour_and_white() {
        let look = seen(400, 200, |x, _| (x / 4 * 2) as u8);
        assert_eq!((look.luma_p5, look.luma_p50, look.luma_p95, look.luma_p98), (10, 100, 190, 196));
        assert_eq!((look.luma_range(), look.white_percent), (180, 0));
        assert_eq!((look.colour, look.colour_spread), ((-28.0, 32.0), 0.0));
        let white = seen(200, 100, |x, _| if x < 150 { 255 } else { 90 });
        assert_eq!(white.white_percent, 75);
    }

    #[test]
    fn blocks_and_grain_are_where_they_belong() {
        let look = seen(323, 181, |x, row| if x < 162 && row < 91 { 200 } else { 20 });
        let at = |column: usize, row: usize| look.thumbnail.as_slice()[row * THUMBNAIL_WIDTH + column];
        assert_eq!((at(0, 0), at(22, 14), at(26, 14), at(22, 18), at(47, 31)), (200, 200, 20, 20, 20));
        assert_eq!(look.thumbnail.as_slice().len(), THUMBNAIL_SAMPLES);
        let bright = look.grain.as_slice().iter().filter(|&&s| s == 200).count();
        assert_eq!((bright, look.grain.as_slice().len()), (GRAIN_SAMPLES / 4, GRAIN_SAMPLES));
    }

    /// The same scene, sharp and out of focus: fine detail goes, coarse stays.
    #[test]
    fn detail_is_that_of_the_scale_not_of_the_contrast() {
        let texture = |x: usize, row: usize| -> f64 {
            let wave = |period: f64| (x as f64 / period).sin() * (row as f64 / period).cos();
            128.0 + 20.0 * wave(0.5) + 30.0 * wave(4.0)
        };
        let sharp = seen(480, 270, |x, row| texture(x, row) as u8);
        let pale = seen(480, 270, |x, row| (128.0 + (texture(x, row) - 128.0) * 0.6) as u8);
        let mean_of_nine = |x: usize, row: usize| (0..9).map(|n| texture(x + n % 3, row + n / 3)).sum::<f64>() / 9.0;
        let soft = seen(480, 270, |x, row| mean_of_nine(x, row) as u8);
        let detail = |look: &Look| look.detail.expect("there is some");
        assert!((detail(&sharp) / detail(&pale) - 1.0).abs() < 0.1, "{:?} {:?}", sharp.detail, pale.detail);
        assert!(detail(&soft) < 0.6 * detail(&sharp), "{:?} {:?}", soft.detail, sharp.detail);
        assert_eq!(seen(480, 270, |_, _| 77).detail, None);
    }

    #[test]
    fn a_small_picture_is_not_looked_at() {
        let picture = Yuv420 { width: 32, height: 32, y: vec![0; 1024], u: vec![128; 256], v: vec![128; 256] };
        assert_eq!(look(&picture, 0.0), None);
    }
}
