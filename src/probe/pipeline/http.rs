//! The HTTP source: `souphttpsrc`, and behind it whatever unpacks what it brings.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use gst::prelude::*;
use gstreamer as gst;

use super::challenge::credentials_for_soup;
use super::elements::make;
use super::https_relay::Relay;
use super::overheard::Ear;
use super::receive::MAX_LOCATION_CHARACTERS;
use super::watch::{Said, Seen, Watch};
use super::{container, first_boundary};
use crate::model::Stage;
use crate::probe::classify::End;
use crate::probe::protocol::Target;

/// Builds the source into the pipeline and watches and overhears it. The relay, with `https`, must live as long as the pipeline.
///
/// # Errors
/// When an element is missing, or there is no port for the relay.
pub fn build(
    pipeline: &gst::Pipeline,
    target: &Target,
    deadline: Instant,
    watch: &Arc<Watch>,
) -> anyhow::Result<(Ear, Option<Relay>)> {
    let source = make("souphttpsrc")?;
    let relay = if target.is_tls() { Some(Relay::start(target, deadline, watch)?) } else { None };
    match &relay {
        Some(relay) => {
            let (proxy, location) = relay.proxy_and_location(target);
            source.set_property("proxy", proxy);
            source.set_property("location", location);
        }
        None => source.set_property("location", &target.location),
    }
    // Where a redirect leads is not the element's to decide.
    source.set_property("automatic-redirect", false);
    if let Some((user, password)) = credentials_for_soup(target, deadline, watch.transcript()) {
        source.set_property("user-id", user);
        source.set_property("user-pw", password);
    }
    source.set_property("is-live", true);
    source.set_property("do-timestamp", true);
    // The default asks three times more, which for a camera is three sessions more.
    source.set_property("retries", 0_i32);
    source.set_property("keep-alive", false);
    source.set_property("iradio-mode", false);
    source.set_property("timeout", (target.timeout.as_secs() as u32).max(1) + 1);
    source.set_property("user-agent", concat!("StreamPulse/", env!("CARGO_PKG_VERSION")));
    pipeline.add(&source)?;
    let ear = Ear::on(&source, watch.transcript(), target.credentials.is_some());

    let bus = pipeline.bus().ok_or_else(|| anyhow::anyhow!("a pipeline without a bus"))?;
    watch.listen(&bus, {
        let (watch, hear_answer) = (watch.clone(), ear.on_answer());
        move |said| {
            let Said::Element(structure) = said else { return };
            hear_answer(structure);
            if let Some(location) = redirect(structure) {
                watch.saw(Seen::Ended(End::Moved { location }));
            }
        }
    });
    // The relay tells what it does; without it the element connects and asks in one step.
    if relay.is_none() {
        watch.saw(Seen::Begins(Stage::Request));
    }
    if let Some(pad) = source.static_pad("src") {
        let kind = watch_answer(&pad, watch);
        watch.bound_unit(&pad);
        first_boundary::insert_where_missing(&pad);
        container::unpack(pipeline, &pad, watch, move || kind.get().cloned().unwrap_or_default());
    }
    Ok((ear, relay))
}

/// The `Location` of an answer that redirects (RFC 9110 section 15.4).
fn redirect(answer: &gst::StructureRef) -> Option<String> {
    let status = answer.get::<u32>("http-status-code").ok().filter(|_| answer.name() == "http-headers")?;
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = header(&answer.get::<gst::Structure>("response-headers").ok()?, "location")?;
    Some(location.chars().take(MAX_LOCATION_CHARACTERS).collect())
}

/// The value of a header that is there once, its name being of any case (RFC 9110 section 5.1).
fn header(headers: &gst::Structure, name: &str) -> Option<String> {
    let (_, value) = headers.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(name))?;
    value.get::<String>().ok()
}

/// The head of the answer ends the stage `request`; an answer that is a page and not a stream ends the probe. Gives the
/// content type, as soon as it is there.
fn watch_answer(pad: &gst::Pad, watch: &Arc<Watch>) -> Arc<OnceLock<String>> {
    let (watch, answered) = (watch.clone(), AtomicBool::new(false));
    let told = Arc::new(OnceLock::new());
    let tell = told.clone();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::EventView::CustomDownstreamSticky(event)) = info.event().map(|e| e.view())
            && let Some(structure) = event.structure().filter(|s| s.name() == "http-headers")
        {
            let status = structure.get::<u32>("http-status-code").unwrap_or(200);
            if (200..300).contains(&status) && !answered.swap(true, Ordering::Relaxed) {
                watch.saw(Seen::Begins(Stage::FirstPacket));
                let kind = structure.get::<gst::Structure>("response-headers").ok().and_then(content_type);
                let kind = tell.get_or_init(|| kind.unwrap_or_default());
                if kind.starts_with("text/") || kind.starts_with("audio/") {
                    watch.saw(Seen::Ended(End::NoVideo { found: kind.clone() }));
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
    told
}

/// The MIME type without its parameters.
fn content_type(headers: gst::Structure) -> Option<String> {
    let text = header(&headers, "content-type")?;
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(kind.chars().filter(char::is_ascii_graphic).take(40).collect())
}
