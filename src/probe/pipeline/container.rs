//! What an HTTP answer is made of, and what unpacks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gstreamer as gst;

use super::elements::{make, set_if_there};
use super::receive::add_tail;
use super::watch::{Seen, Watch};
use crate::model::Codec;
use crate::probe::classify::End;

/// Longest MIME type that is shown, in characters.
const SHOWN_CHARACTERS: usize = 40;

/// What video comes in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    /// One JPEG behind the other (`multipart/x-mixed-replace`).
    Multipart,
    /// A single JPEG.
    Jpeg,
    /// MPEG-TS (ISO/IEC 13818-1).
    TransportStream,
}

/// By the content type where it says something, else by the first bytes of the body.
fn container(content_type: &str, body: &[u8]) -> Result<Container, End> {
    match content_type {
        kind if kind.starts_with("multipart/") => return Ok(Container::Multipart),
        "image/jpeg" | "image/jpg" | "image/pjpeg" => return Ok(Container::Jpeg),
        "video/mp2t" | "video/mpegts" | "video/mp2p" => return Ok(Container::TransportStream),
        _ => {}
    }
    // Packets of 188 bytes, each with a sync byte before it; one alone may be any text with a G.
    let packets = body.chunks(188).filter(|packet| packet.first() == Some(&0x47)).count();
    match body {
        [0xff, 0xd8, 0xff, ..] => Ok(Container::Jpeg),
        [b'-', b'-', ..] => Ok(Container::Multipart),
        _ if packets > 1 && packets == body.len().div_ceil(188) => Ok(Container::TransportStream),
        _ if content_type.starts_with("image/") || content_type.starts_with("video/") => {
            Err(End::UnsupportedCodec { name: content_type.to_owned() })
        }
        _ if content_type.is_empty() => Err(End::NoVideo { found: "something without a type".to_owned() }),
        _ => Err(End::NoVideo { found: content_type.to_owned() }),
    }
}

/// Links what unpacks the answer behind `source`, a pad of `souphttpsrc`, when its first bytes are there. `content_type` is
/// told by then, in lower case and without parameters.
pub fn unpack(
    pipeline: &gst::Pipeline,
    source: &gst::Pad,
    watch: &Arc<Watch>,
    content_type: impl Fn() -> String + Send + Sync + 'static,
) {
    let (pipeline, watch) = (pipeline.downgrade(), watch.clone());
    source.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let (Some(pipeline), Some(buffer)) = (pipeline.upgrade(), info.buffer()) else {
            return gst::PadProbeReturn::Ok;
        };
        let Ok(body) = buffer.map_readable() else { return gst::PadProbeReturn::Ok };
        let linked = container(&content_type(), &body)
            .and_then(|container| link(&pipeline, pad, container, &watch).map_err(|_missing| End::Protocol));
        if let Err(end) = linked {
            watch.saw(Seen::Ended(end));
        }
        gst::PadProbeReturn::Remove
    });
}

fn link(pipeline: &gst::Pipeline, source: &gst::Pad, container: Container, watch: &Arc<Watch>) -> anyhow::Result<()> {
    let demux = match container {
        Container::Jpeg => {
            watch.has_no_clock();
            add_tail(pipeline, source, "identity", Codec::Mjpeg, watch);
            return Ok(());
        }
        Container::Multipart => make("multipartdemux")?,
        Container::TransportStream => make("tsdemux")?,
    };
    set_if_there(&demux, "single-stream", "true");
    let chosen = Arc::new(AtomicBool::new(false));
    demux.connect_pad_added({
        let (pipeline, watch, chosen) = (pipeline.downgrade(), watch.clone(), chosen.clone());
        move |_, pad| {
            let Some(pipeline) = pipeline.upgrade() else { return };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let kind = caps.structure(0).map(|structure| structure.name().as_str());
            match codec(kind.unwrap_or_default()) {
                Some(_) if chosen.swap(true, Ordering::Relaxed) => {}
                Some(codec) => add_tail(&pipeline, pad, "identity", codec, &watch),
                // The sound of a transport stream is beside its video.
                None if container == Container::TransportStream && !is_video(kind) => {}
                None => watch.saw(Seen::Ended(without_codec(kind))),
            }
        }
    });
    if container == Container::TransportStream {
        let watch = watch.clone();
        demux.connect_no_more_pads(move |_| {
            if !chosen.load(Ordering::Relaxed) {
                watch.saw(Seen::Ended(End::NoVideo { found: "a transport stream without video".to_owned() }));
            }
        });
    }
    pipeline.add(&demux)?;
    demux.sync_state_with_parent()?;
    let entry = demux.static_pad("sink").ok_or_else(|| anyhow::anyhow!("{} has no sink pad", demux.name()))?;
    source.link(&entry)?;
    Ok(())
}

fn codec(kind: &str) -> Option<Codec> {
    match kind {
        "video/x-h264" => Some(Codec::H264),
        "video/x-h265" => Some(Codec::H265),
        "image/jpeg" => Some(Codec::Mjpeg),
        _ => None,
    }
}

fn is_video(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.starts_with("image/") || kind.starts_with("video/"))
}

fn without_codec(kind: Option<&str>) -> End {
    let shown = |kind: &str| kind.chars().filter(char::is_ascii_graphic).take(SHOWN_CHARACTERS).collect();
    match kind {
        Some(name) if is_video(kind) => End::UnsupportedCodec { name: shown(name) },
        Some(found) => End::NoVideo { found: shown(found) },
        None => End::NoVideo { found: "something without a type".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_and_where_it_says_nothing_the_first_bytes_do() {
        let mut packets = vec![0; 188 * 3];
        packets.iter_mut().step_by(188).for_each(|sync| *sync = 0x47);
        let (jpeg, part) = ([0xff, 0xd8, 0xff, 0xe0], *b"--frame\r\nContent-Type: image/jpeg\r\n");
        for (kind, body, expected) in [
            ("multipart/x-mixed-replace", &jpeg[..], Container::Multipart),
            ("image/jpeg", &[], Container::Jpeg),
            ("video/mp2t", &[], Container::TransportStream),
            ("application/octet-stream", &jpeg, Container::Jpeg),
            ("", &part, Container::Multipart),
            ("application/octet-stream", &packets, Container::TransportStream),
            ("", &packets[..400], Container::TransportStream),
        ] {
            assert_eq!(container(kind, body), Ok(expected), "{kind}");
        }
        let ended = |kind| container(kind, b"GIF89a or so").expect_err(kind);
        assert_eq!(ended("image/gif"), End::UnsupportedCodec { name: "image/gif".to_owned() });
        assert_eq!(ended("application/json"), End::NoVideo { found: "application/json".to_owned() });
        assert_eq!(ended(""), End::NoVideo { found: "something without a type".to_owned() });
    }
}
