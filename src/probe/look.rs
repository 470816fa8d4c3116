//! Looking at a decoded picture: the numbers by which it is judged later, beside the stream's past. Pure.
//!
//! Everything but the grain is measured on the scaled-down picture that the numbers of [`super::picture`] come from, and
//! where half of the rows say as much as all of them, on every second one. The grain is that of the sensor: scaling down
//! averages it away.

use super::picture::{Plane, Yuv420, laplacian_of_row, square};
use crate::model::look::{GRAIN_SIDE, Samples, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH};
use crate::model::{Look, StreamClock};

/// When the busiest tiles have less variance of luma than this, there is nothing in the picture that could be sharp.
const LEAST_VARIANCE: f32 = 6.0;

/// Keeps what little there is in a calm tile from being taken for much.
const SOFT_VARIANCE: f32 = 25.0;

/// Tiles whose sharpness is compared, each way.
const TILE_PX: usize = 16;

/// Smallest picture that is looked at, pixels each way.
const LEAST_SIDE_PX: usize = 64;

/// A sample has a colour when its Cb and Cr are together further than this from the mean: coding errors are less, and at dusk
/// colours are not much more.
const COLOURED: u8 = 3;

/// Looks at a converted picture and at the luma that it was converted from; `None` when it is too small. The clock is left
/// for whoever received it.
pub fn look(picture: &Yuv420, decoded: &Plane<'_>) -> Option<Look> {
    if picture.width < LEAST_SIDE_PX || picture.height < LEAST_SIDE_PX {
        return None;
    }
    let histogram = Histogram::of(picture);
    let (cb, cb_spread) = mean_and_spread(&picture.u);
    let (cr, cr_spread) = mean_and_spread(&picture.v);
    Some(Look {
        luma_p5: histogram.percentile(0.05),
        luma_p50: histogram.percentile(0.50),
        luma_p95: histogram.percentile(0.95),
        luma_p98: histogram.percentile(0.98),
        white_percent: histogram.percent_from(250),
        colour: (cb - 128.0, cr - 128.0),
        colour_spread: cb_spread + cr_spread,
        coloured_percent: coloured_percent(picture, cb.round() as u8, cr.round() as u8),
        detail: detail(picture),
        thumbnail: Samples::new(thumbnail(picture))?,
        grain: Samples::new(grain(decoded))?,
        clock: StreamClock::None,
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

/// Share of samples that are coloured otherwise than the mean.
fn coloured_percent(picture: &Yuv420, cb: u8, cr: u8) -> u8 {
    let is_coloured = |(u, v): (&u8, &u8)| u.abs_diff(cb).saturating_add(v.abs_diff(cr)) > COLOURED;
    // Parts short enough for the counter of each to be as narrow as the samples.
    let parts = picture.u.chunks(255).zip(picture.v.chunks(255));
    let coloured: u64 =
        parts.map(|(u, v)| u64::from(u.iter().zip(v).map(|pair| u8::from(is_coloured(pair))).sum::<u8>())).sum();
    (coloured * 100 / (picture.u.len() as u64).max(1)) as u8
}

/// How much of the variance of luma around its edges is fine detail. Noise is everywhere and edges are not: the energy (mean
/// square of the Laplacian) of the calmest tenth of the picture's tiles is that of the noise, and the busiest tenth has the
/// edges. Each is held against its own variance, so that a shadow over a part of the picture changes nothing.
fn detail(picture: &Yuv420) -> Option<f32> {
    let mut tiles = tiles(picture);
    tiles.sort_unstable_by(|a, b| a.energy.total_cmp(&b.energy));
    let noise = tiles.get(tiles.len() / 10)?.energy;
    let busiest = &tiles[tiles.len() * 9 / 10..];
    let middle = |mut values: Vec<f32>| {
        values.sort_unstable_by(f32::total_cmp);
        values[values.len() / 2]
    };
    if middle(busiest.iter().map(|tile| tile.variance).collect()) < LEAST_VARIANCE {
        return None;
    }
    // Where there is nothing but noise, some tiles have more of it than others.
    let edges = |tile: &Tile| (tile.energy - 1.3 * noise).max(0.0) / (tile.variance + SOFT_VARIANCE);
    Some(middle(busiest.iter().map(edges).collect()))
}

/// Mean square of the Laplacian, and variance of luma.
struct Tile {
    energy: f32,
    variance: f32,
}

/// The picture's tiles, each from every second of its rows.
fn tiles(picture: &Yuv420) -> Vec<Tile> {
    let columns = (picture.width - 2) / TILE_PX;
    let samples = (TILE_PX * TILE_PX / 2) as f32;
    let mut tiles = Vec::with_capacity(columns * (picture.height / TILE_PX));
    let mut laplacian = vec![0_i16; picture.width - 2];
    // One of each column, so that the compiler makes vector code of it.
    let mut energy = vec![0_u32; columns * TILE_PX];
    let mut sum = vec![0_u16; columns * TILE_PX];
    let mut squares = vec![0_u32; columns * TILE_PX];
    for top in (1..picture.height - TILE_PX).step_by(TILE_PX) {
        energy.fill(0);
        sum.fill(0);
        squares.fill(0);
        for row in (top..top + TILE_PX).step_by(2) {
            laplacian_of_row(picture, row, &mut laplacian);
            energy.iter_mut().zip(&laplacian).for_each(|(energy, &value)| *energy += square(value));
            let luma = &picture.y[row * picture.width + 1..(row + 1) * picture.width];
            for ((sum, squares), &luma) in sum.iter_mut().zip(&mut squares).zip(luma) {
                *sum += u16::from(luma);
                *squares += square(i16::from(luma));
            }
        }
        let columns = energy
            .as_chunks::<TILE_PX>()
            .0
            .iter()
            .zip(squares.as_chunks::<TILE_PX>().0)
            .zip(sum.as_chunks::<TILE_PX>().0);
        tiles.extend(columns.map(|((energy, squares), sum)| {
            let mean = sum.iter().map(|&sum| u32::from(sum)).sum::<u32>() as f32 / samples;
            Tile {
                energy: energy.iter().sum::<u32>() as f32 / samples,
                variance: squares.iter().sum::<u32>() as f32 / samples - mean.powi(2),
            }
        }));
    }
    tiles
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
fn grain(luma: &Plane<'_>) -> Vec<u8> {
    let middle = |field: usize, length: usize| (2 * field + 1) * length / (2 * GRAIN_SIDE);
    let rows = (0..GRAIN_SIDE).map(|field| middle(field, luma.height) * luma.stride_bytes);
    let at = |row: usize, field: usize| row + middle(field, luma.width) * luma.step_bytes;
    rows.flat_map(|row| (0..GRAIN_SIDE).map(move |field| luma.data.get(at(row, field)).copied().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::picture::{Decoded, Matrix, convert};
    use super::*;
    use crate::model::Light;
    use crate::model::look::{GRAIN_SAMPLES, THUMBNAIL_SAMPLES};

    fn seen(width: usize, height: usize, luma: impl Fn(usize, usize) -> u8) -> Look {
        let y = (0..height).flat_map(|row| (0..width).map(move |x| (x, row))).map(|(x, row)| luma(x, row)).collect();
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let picture = Yuv420 { width, height, y, u: vec![100; chroma], v: vec![160; chroma] };
        look(&picture, &plane(&picture.y, width)).expect("large enough")
    }

    fn plane(data: &[u8], width: usize) -> Plane<'_> {
        Plane { data, stride_bytes: width, step_bytes: 1, width, height: data.len() / width }
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

    /// A still wall at 4K, with the noise of a sensor.
    #[test]
    fn grain_is_that_of_the_sensor_not_of_what_was_scaled_down() {
        let (width, height) = (3840, 2160);
        let noise = |seed: usize| {
            let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed as u64 | 1);
            let step = move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // -2 to 2, standard deviation 1.
                100 + (state.to_be_bytes()[..4].iter().map(|byte| byte & 1).sum::<u8>())
            };
            std::iter::repeat_with(step).take(width * height).collect::<Vec<u8>>()
        };
        let seen = |luma: &[u8]| {
            let chroma = vec![128; width * height / 4];
            let half =
                |data| Plane { data, stride_bytes: width / 2, step_bytes: 1, width: width / 2, height: height / 2 };
            let decoded = Decoded {
                luma: plane(luma, width),
                chroma: Some((half(&chroma[..]), half(&chroma[..]))),
                matrix: Matrix::Bt709,
                full_range: false,
            };
            look(&convert(&decoded, 4), &decoded.luma).expect("large enough")
        };
        let (before, now) = (seen(&noise(1)), seen(&noise(2)));
        let moved = |(a, b): &(&u8, &u8)| a.abs_diff(**b) >= 2;
        let moved = before.grain.as_slice().iter().zip(now.grain.as_slice()).filter(moved).count();
        assert!(moved > GRAIN_SAMPLES / 8, "{moved}");
    }

    #[test]
    fn what_is_written_over_an_infrared_picture_does_not_make_it_day() {
        let (width, height) = (480, 270);
        let seen = |chroma: &dyn Fn(usize) -> (u8, u8)| {
            let y = (0..width * height).map(|n| (n % width / 2) as u8).collect();
            let (u, v) = (0..width / 2 * height / 2).map(chroma).unzip();
            let picture = Yuv420 { width, height, y, u, v };
            look(&picture, &plane(&picture.y, width)).expect("large enough").light()
        };
        let samples = width / 2 * height / 2;
        let written =
            move |share: usize| move |n: usize| if n * 100 < samples * share { (20, 145) } else { (128, 129) };
        assert_eq!(seen(&|_| (128, 128)), Light::Infrared);
        assert_eq!(seen(&written(1)), Light::Infrared);
        assert_eq!(seen(&written(3)), Light::Infrared);
        assert_eq!(seen(&|n| (125 + (n % 3) as u8, 133)), Light::Infrared, "a slight tint");
        assert_eq!(seen(&written(12)), Light::Day);
        assert_eq!(seen(&|n| (118 + (n % 20) as u8, 128)), Light::Day);
    }

    /// A scene of flat walls and edges, sharp, pale, noisy and out of focus.
    #[test]
    fn detail_is_that_of_the_edges_not_of_contrast_and_noise() {
        let wall = |x: usize, row: usize| if (x / 60 + row / 54).is_multiple_of(2) { 60.0 } else { 180.0 };
        let noise = |x: usize, row: usize| ((x * 7919 + row * 104_729 + x * row) % 13) as f64 - 6.0;
        let soft = |x: usize, row: usize| (0..49).map(|n| wall(x + n % 7, row + n / 7)).sum::<f64>() / 49.0;
        let sharp = seen(480, 270, |x, row| wall(x, row) as u8);
        let pale = seen(480, 270, |x, row| (128.0 + (wall(x, row) - 128.0) * 0.4) as u8);
        let noisy = seen(480, 270, |x, row| (wall(x, row) + noise(x, row)) as u8);
        let shadowed = seen(480, 270, |x, row| (wall(x, row) * if x < 300 { 0.5 } else { 1.0 }) as u8);
        let soft_and_noisy = seen(480, 270, |x, row| (soft(x, row) + noise(x, row)) as u8);
        let detail = |look: &Look| look.detail.expect("there is some");
        let beside = |look: &Look| detail(look) / detail(&sharp);
        assert!((0.8..1.2).contains(&beside(&pale)), "{:?} {:?}", sharp.detail, pale.detail);
        assert!((0.65..1.35).contains(&beside(&noisy)), "{:?} {:?}", sharp.detail, noisy.detail);
        assert!((0.65..1.35).contains(&beside(&shadowed)), "{:?} {:?}", sharp.detail, shadowed.detail);
        assert!(beside(&soft_and_noisy) < 0.2, "{:?} {:?}", sharp.detail, soft_and_noisy.detail);
        assert_eq!(seen(480, 270, |_, _| 77).detail, None);
    }

    #[test]
    fn a_small_picture_is_not_looked_at() {
        let picture = Yuv420 { width: 32, height: 32, y: vec![0; 1024], u: vec![128; 256], v: vec![128; 256] };
        assert_eq!(look(&picture, &plane(&picture.y, 32)), None);
    }
}
