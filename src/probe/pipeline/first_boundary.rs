//! Web cameras of small boards begin with the first picture's headers and send a boundary only behind each picture
//! (Tasmota, ESP32). `multipartdemux` gives up on that: it gets the missing line.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

/// Puts the boundary line of the answer's `Content-Type` before the first bytes that come out of this pad of
/// `souphttpsrc`, when these are the headers of a part.
pub fn insert_where_missing(pad: &gst::Pad) {
    let boundary: Mutex<Option<String>> = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER, move |_, info| {
        let mut boundary = boundary.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => {
                if let Some(structure) = event.structure().filter(|s| s.name() == "http-headers") {
                    *boundary = content_type(structure).as_deref().and_then(boundary_of);
                }
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if let Some(boundary) = boundary.take()
                    && let Some(prefixed) = prefixed(buffer, &boundary)
                {
                    *buffer = prefixed;
                }
                gst::PadProbeReturn::Remove
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

fn content_type(structure: &gst::StructureRef) -> Option<String> {
    let headers = structure.get::<gst::Structure>("response-headers").ok()?;
    let (_, value) = headers.iter().find(|(name, _)| name.as_str().eq_ignore_ascii_case("content-type"))?;
    value.get::<String>().ok()
}

/// The boundary without the two hyphens that many cameras already write into the parameter (RFC 2046 section 5.1.1).
fn boundary_of(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let (_, value) =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"').trim_start_matches("--");
    (!value.is_empty() && value.len() <= 70 && value.bytes().all(|b| b.is_ascii_graphic())).then(|| value.to_owned())
}

fn prefixed(buffer: &gst::Buffer, boundary: &str) -> Option<gst::Buffer> {
    let map = buffer.map_readable().ok()?;
    let text = map.as_slice().trim_ascii_start();
    if !text.get(..8)?.eq_ignore_ascii_case(b"content-") {
        return None;
    }
    let mut whole = format!("--{boundary}\r\n").into_bytes();
    whole.extend_from_slice(text);
    let mut whole = gst::Buffer::from_mut_slice(whole);
    let writable = whole.get_mut()?;
    writable.set_pts(buffer.pts());
    writable.set_dts(buffer.dts());
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_found_however_it_is_written() {
        for (text, boundary) in [
            ("multipart/x-mixed-replace;boundary=e8b8", Some("e8b8")),
            ("Multipart/X-Mixed-Replace; charset=x; BOUNDARY = \"--my=b\"", Some("my=b")),
            ("multipart/x-mixed-replace; boundary=", None),
            ("multipart/x-mixed-replace; boundary=a b", None),
            ("text/html; boundary=x", None),
            ("", None),
        ] {
            assert_eq!(boundary_of(text).as_deref(), boundary, "{text}");
        }
    }
}
