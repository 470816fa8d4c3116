//! The elements that probing needs, by the Debian package that has them.

use anyhow::Context as _;
use gst::prelude::*;
use gstreamer as gst;

use crate::probe::protocol::MissingElement;

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const LIBAV: &str = "gstreamer1.0-libav";

/// Element and Debian package.
const NEEDED: [(&str, &str); 17] = [
    ("appsink", BASE),
    ("videoconvert", BASE),
    ("rtspsrc", GOOD),
    ("udpsrc", GOOD),
    ("rtpbin", GOOD),
    ("rtph264depay", GOOD),
    ("rtph265depay", GOOD),
    ("rtpjpegdepay", GOOD),
    ("souphttpsrc", GOOD),
    ("multipartdemux", GOOD),
    ("jpegdec", GOOD),
    ("jpegenc", GOOD),
    ("h264parse", BAD),
    ("h265parse", BAD),
    ("jpegparse", BAD),
    ("tsdemux", BAD),
    ("avdec_h264", LIBAV),
];

/// What is needed and not installed.
pub fn missing() -> Vec<MissingElement> {
    NEEDED
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .map(|(element, package)| MissingElement { element: (*element).to_owned(), package: (*package).to_owned() })
        .collect()
}

/// Makes an element and sets its properties in one go.
///
/// # Errors
/// When the element is not installed.
pub fn make(factory: &str) -> anyhow::Result<gst::Element> {
    gst::ElementFactory::make(factory).build().with_context(|| format!("GStreamer element {factory} is missing"))
}

/// Sets a property from text where the element has it; newer GStreamer versions drop and add some.
pub fn set_if_there(element: &gst::Element, name: &str, value: &str) {
    if element.has_property(name) {
        element.set_property_from_str(name, value);
    }
}
