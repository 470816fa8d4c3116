//! The JPEG of a picture: `jpegenc` (libjpeg-turbo) between two pads of ours, run in the calling thread.

use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context as _;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::elements::make;
use crate::probe::picture::Yuv420;

/// libjpeg's scale, 0–100: at 92 no detail that the camera sent is lost to the eye.
const QUALITY: i32 = 92;

/// A warm encoder.
pub struct Encoder {
    element: gst::Element,
    input: gst::Pad,
    /// Kept here because a link holds no reference to its pads.
    taker: gst::Pad,
    encoded: Receiver<gst::Buffer>,
    size: Option<(usize, usize)>,
    /// Of the last picture; its memory is used again for one of the same size.
    buffer: Option<gst::Buffer>,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.input.set_active(false);
        let _ = self.taker.set_active(false);
        let _ = self.element.set_state(gst::State::Null);
    }
}

impl Encoder {
    /// Makes and starts an encoder.
    ///
    /// # Errors
    /// When `jpegenc` is missing.
    pub fn new() -> anyhow::Result<Self> {
        let element = make("jpegenc")?;
        element.set_property("quality", QUALITY);
        // One picture in, one JPEG out; a second one would not be ours and is dropped.
        let (sender, encoded) = sync_channel(1);
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        // A pad without a template answers that it takes what it has taken before: pictures of that size and no other.
        let any = gst::Caps::builder("image/jpeg").build();
        let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any)?;
        let taker = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let _ = sender.try_send(buffer);
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(|_, _, _| true)
            .build();
        element.set_state(gst::State::Playing)?;
        input.link(&element.static_pad("sink").context("jpegenc has no sink pad")?)?;
        element.static_pad("src").context("jpegenc has no source pad")?.link(&taker)?;
        taker.set_active(true)?;
        input.set_active(true)?;
        input.push_event(gst::event::StreamStart::new("picture"));
        Ok(Self { element, input, taker, encoded, size: None, buffer: None })
    }

    /// Encodes one picture. After an error the encoder must not be used again.
    ///
    /// # Errors
    /// When the encoder refuses the picture.
    pub fn encode(&mut self, picture: &Yuv420) -> anyhow::Result<Bytes> {
        let (width, height) = (u32::try_from(picture.width)?, u32::try_from(picture.height)?);
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
            .fps(gst::Fraction::new(0, 1))
            .build()?;
        if self.size != Some((picture.width, picture.height)) {
            self.input.push_event(gst::event::Caps::new(&info.to_caps()?));
            self.input.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            self.size = Some((picture.width, picture.height));
        }
        // One that the element still holds is left to it.
        let mut buffer = match self.buffer.take() {
            Some(buffer) if buffer.size() == info.size() && buffer.is_writable() => buffer,
            _ => gst::Buffer::with_size(info.size()).context("no memory for a picture")?,
        };
        {
            let mut map = buffer.make_mut().map_writable()?;
            let chroma_width = picture.width.div_ceil(2);
            for (plane, (samples, row_length)) in
                [(&picture.y, picture.width), (&picture.u, chroma_width), (&picture.v, chroma_width)]
                    .into_iter()
                    .enumerate()
            {
                let stride = usize::try_from(info.stride()[plane])?;
                let target = &mut map[info.offset()[plane]..];
                for (row, target) in samples.chunks_exact(row_length).zip(target.chunks_mut(stride)) {
                    target[..row_length].copy_from_slice(row);
                }
            }
        }
        buffer.make_mut().set_pts(gst::ClockTime::ZERO);
        self.input.push(buffer.clone())?;
        self.buffer = Some(buffer);
        let encoded = self.encoded.try_recv().context("the encoder gave no JPEG")?;
        let map = encoded.map_readable()?;
        Ok(Bytes::copy_from_slice(&map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_any_size_one_after_the_other() {
        crate::probe::pipeline::init().unwrap();
        let mut encoder = Encoder::new().unwrap();
        for (width, height) in [(640_usize, 360_usize), (1280, 720), (321, 181), (1280, 720), (640, 360)] {
            let chroma = vec![128; width.div_ceil(2) * height.div_ceil(2)];
            let picture = Yuv420 { width, height, y: vec![90; width * height], u: chroma.clone(), v: chroma };
            let jpeg = encoder.encode(&picture).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8]), "{width}×{height}");
        }
    }

    #[test]
    fn memory_that_is_used_again_holds_the_new_picture() {
        crate::probe::pipeline::init().unwrap();
        let grey = |luma| Yuv420 { width: 64, height: 48, y: vec![luma; 3_072], u: vec![128; 768], v: vec![128; 768] };
        let mut encoder = Encoder::new().unwrap();
        let [dark, light, dark_again] = [20, 200, 20].map(|luma| encoder.encode(&grey(luma)).unwrap());
        assert_ne!(dark, light);
        assert_eq!(dark, dark_again);
    }
}
