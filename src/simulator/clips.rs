//! The compiled-in clips. `tests/fixtures/make-clips.sh` makes them, and the reference picture of each.

use std::sync::{Arc, LazyLock};

use super::clip::Clip;
use crate::model::Codec;

macro_rules! clips {
    ($($(#[$doc:meta])* $name:ident = $codec:ident $file:literal $fps:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> Arc<Clip> {
            static CLIP: LazyLock<Arc<Clip>> = LazyLock::new(|| {
                clips!(@read $codec include_bytes!(concat!("clips/", $file)).as_slice(), $fps)
                    .expect("a compiled-in clip is sound")
            });
            Arc::clone(&CLIP)
        }
    )*
        #[cfg(test)]
        fn all() -> Vec<(&'static str, Arc<Clip>)> {
            vec![$(($file, $name()),)*]
        }
    };
    (@read Mjpeg $bytes:expr, $fps:literal) => { Clip::from_jpegs($bytes, $fps) };
    (@read $codec:ident $bytes:expr, $fps:literal) => { Clip::from_annex_b(Codec::$codec, $bytes, $fps) };
}

clips! {
    /// H.264 main profile, 1280×720, 25 pictures a second, keyframe every 2 s, 1 Mbit/s, BT.709: a moving test pattern.
    /// Reference picture: `pattern-720p-h264.png`.
    pattern_h264 = H264 "pattern-720p.h264" 25;
    /// H.265 main profile, 1280×720, 25 pictures a second, keyframe every 2 s, 600 kbit/s, BT.709: the same pattern.
    /// Reference picture: `pattern-720p-h265.png`.
    pattern_h265 = H265 "pattern-720p.h265" 25;
    /// Motion JPEG, 640×360, 10 pictures a second: a pool in a garden. Reference picture: `pool.png`.
    pool_mjpeg = Mjpeg "pool.mjpeg" 10;
    /// H.264, 640×360, 25 pictures a second, keyframe every 2 s, 360 kbit/s: a drive with a gate. Reference: `gate.png`.
    gate = H264 "gate.h264" 25;
    /// As [`gate`]: an aisle between racks. Reference picture: `warehouse.png`.
    warehouse = H264 "warehouse.h264" 25;
    /// As [`gate`]: a reception hall. Reference picture: `lobby.png`.
    lobby = H264 "lobby.h264" 25;
    /// As [`gate`]: a crossing at dusk. Reference picture: `street.png`.
    street = H264 "street.h264" 25;
    /// As [`gate`]: a car park by night, under infrared light. Reference picture: `night.png`.
    night = H264 "night.h264" 25;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clip_is_one_group_of_two_seconds() {
        for (file, clip) in all() {
            assert_eq!(clip.len() as u32, 2 * clip.fps(), "{file}");
            let keyframes = clip.pictures().iter().filter(|p| p.keyframe).count();
            let expected = if clip.codec() == Codec::Mjpeg { clip.len() } else { 1 };
            assert_eq!(keyframes, expected, "{file}");
            // Without other takes a heartbeat would see a frozen camera.
            let takes = if clip.codec() == Codec::Mjpeg { 0 } else { 8 };
            assert_eq!(clip.packets().takes.len(), takes.max(1), "{file}");
            let sets = match clip.codec() {
                Codec::H264 => 2,
                Codec::H265 => 3,
                Codec::Mjpeg => 0,
            };
            assert_eq!((0..64).map(|kind| clip.parameter_sets(kind).count()).sum::<usize>(), sets, "{file}");
        }
    }
}
