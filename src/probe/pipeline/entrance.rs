//! The pad by which the RTP packets of `rtspsrc` come in, in front of everything that is done with them.

use std::sync::Arc;

use gst::prelude::*;
use gstreamer as gst;

use super::gate;
use super::rtsp_relay::Chosen;
use super::watch::Watch;

/// Where the caps have the sequence number that `RTP-Info` gave for the first packet (RFC 2326 section 12.33).
const ANNOUNCED: &str = "seqnum-base";

/// Prepares the pad of the video that is chosen. `is_gated` holds back what comes before its keyframe, see [`gate`].
pub fn prepare(source: &gst::Element, chosen: &Arc<Chosen>, watch: &Arc<Watch>, is_gated: bool) {
    let (chosen, watch) = (chosen.clone(), watch.clone());
    source.connect("new-manager", false, move |values| {
        let manager = values.get(1)?.get::<gst::Element>().ok()?;
        let (chosen, watch) = (chosen.clone(), watch.clone());
        manager.connect_pad_added(move |_, pad| {
            if !pad.name().starts_with("recv_rtp_sink_") {
                return;
            }
            forget_the_announced(pad);
            if let Some((codec, payload_type)) = chosen.get().filter(|_| is_gated) {
                gate::close_in_front(pad, codec, payload_type, &watch);
            }
        });
        None
    });
}

/// The jitter buffer drops what comes before the announced number, half of all numbers, and does so until they have turned
/// round. Not every camera announces what it sends, and other clients do not look: the first packet is the one that comes first.
fn forget_the_announced(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let Some(gst::PadProbeData::Event(event)) = &mut info.data else { return gst::PadProbeReturn::Ok };
        if let gst::EventView::Caps(said) = event.view()
            && said.caps().structure(0).is_some_and(|structure| structure.has_field(ANNOUNCED))
        {
            let mut caps = said.caps_owned();
            if let Some(structure) = caps.make_mut().structure_mut(0) {
                structure.remove_field(ANNOUNCED);
            }
            *event = gst::event::Caps::new(&caps);
        }
        gst::PadProbeReturn::Ok
    });
}
