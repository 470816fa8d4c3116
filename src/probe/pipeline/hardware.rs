//! Which decoder decodes which codec.
//!
//! Software only: a hardware decoder needs its devices open for writing, which the sandbox of this worker will not
//! allow; it belongs into a worker of its own.

use gstreamer as gst;

use crate::model::Codec;

/// GStreamer's software decoder for a codec. `avdec_*` is libav, `jpegdec` is libjpeg-turbo.
pub fn software_decoder(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "avdec_h264",
        Codec::H265 => "avdec_h265",
        Codec::Mjpeg => "jpegdec",
    }
}

/// `codec: element` for each codec that can be decoded here, for people.
pub fn overview() -> Vec<String> {
    [Codec::H264, Codec::H265, Codec::Mjpeg]
        .into_iter()
        .filter(|codec| gst::ElementFactory::find(software_decoder(*codec)).is_some())
        .map(|codec| format!("{}: {}", codec.as_str(), software_decoder(codec)))
        .collect()
}
