//! Which decoders there are: software by name, hardware by GStreamer's class and the device behind the element.

use anyhow::Context as _;
use gst::prelude::*;
use gstreamer as gst;

use super::decode::Slot;
use super::elements::make;
use crate::model::Codec;
use crate::probe::decoders::{Decoder, Device, Found, NotUsed};

/// More than any machine has; what comes after is not looked at.
const MOST_DECODERS: usize = 32;

/// Properties in which decoders name their device: `v4l2h264dec`, `vah264dec`, `v4l2slh265dec` (GStreamer
/// documentation of the plugins video4linux2, va and v4l2codecs).
const DEVICE_PROPERTIES: [&str; 3] = ["device", "device-path", "video-device"];

/// Where the elements of gstreamer-vaapi, which name no device, find theirs.
const DRI: &str = "/dev/dri";

/// GStreamer's software decoder for a codec. `avdec_*` is libav, `jpegdec` is libjpeg-turbo.
pub fn software_decoder(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "avdec_h264",
        Codec::H265 => "avdec_h265",
        Codec::Mjpeg => "jpegdec",
    }
}

/// `codec: element` for each codec that can be decoded here in software, for people.
pub fn overview() -> Vec<String> {
    [Codec::H264, Codec::H265, Codec::Mjpeg]
        .into_iter()
        .filter(|codec| gst::ElementFactory::find(software_decoder(*codec)).is_some())
        .map(|codec| format!("{}: {}", codec.as_str(), software_decoder(codec)))
        .collect()
}

/// The hardware decoders that GStreamer's registry lists, without their devices: nothing is loaded for it.
pub fn listed() -> Vec<Found> {
    let factories = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DECODER, gst::Rank::NONE);
    let of_hardware = factories.iter().filter(|factory| {
        factory.metadata("klass").is_some_and(|class| class.split('/').any(|part| part == "Hardware"))
    });
    let found = of_hardware.filter_map(|factory| {
        let codec = codec_of(factory)?;
        let rank = u32::try_from(i32::from(factory.rank())).unwrap_or(0);
        Some(Found { element: factory.name().to_string(), codec, rank, device: None })
    });
    found.take(MOST_DECODERS).collect()
}

/// The same as decoders that nobody has tried.
pub fn not_tried() -> Vec<Decoder> {
    listed().iter().map(|found| Decoder::new(found, NotUsed::NotTried)).collect()
}

/// The same with their devices, for which the elements have to be made.
pub fn found() -> Vec<Found> {
    listed().into_iter().map(|found| Found { device: device_of(&found.element), ..found }).collect()
}

/// Makes a decoder and opens its device.
///
/// # Errors
/// When the device does not open.
pub fn open(found: &Found) -> anyhow::Result<Slot> {
    Slot::open(found.codec, make(&found.element)?).with_context(|| format!("{} does not open", found.element))
}

/// The one of our codecs that this decoder takes in whole access units.
fn codec_of(factory: &gst::ElementFactory) -> Option<Codec> {
    let takes = |name: &str| factory.can_sink_any_caps(&gst::Caps::builder(name).build());
    [("video/x-h264", Codec::H264), ("video/x-h265", Codec::H265), ("image/jpeg", Codec::Mjpeg)]
        .into_iter()
        .find_map(|(name, codec)| takes(name).then_some(codec))
}

fn device_of(element: &str) -> Option<Device> {
    let element = make(element).ok()?;
    let named = DEVICE_PROPERTIES.iter().find_map(|name| {
        let is_text = element.find_property(name).is_some_and(|spec| spec.value_type() == gst::glib::Type::STRING);
        let text = if is_text { element.property::<Option<String>>(name) } else { None };
        text.filter(|path| path.starts_with('/'))
    });
    let is_vaapi = element.factory().is_some_and(|factory| factory.name().starts_with("vaapi"));
    let path = named.or_else(|| if is_vaapi { first_render_node() } else { None })?;
    Some(Device { exists: std::fs::exists(&path).unwrap_or(false), path })
}

/// `/dev/dri/renderD128`, or the next that there is.
fn first_render_node() -> Option<String> {
    let entries = std::fs::read_dir(DRI).ok()?;
    let mut nodes: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("renderD"))
        .collect();
    nodes.sort_unstable();
    nodes.first().map(|node| format!("{DRI}/{node}"))
}
