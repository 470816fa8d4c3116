//! The RTSP source: `rtspsrc`, watched so that every stage is timed and no password is refused twice.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::authority;
use super::elements::{make, set_if_there};
use super::entrance;
use super::gate;
use super::overheard::Ear;
use super::receive::{MAX_LOCATION_CHARACTERS, add_tail};
use super::rtsp_relay::Chosen;
use super::source_log;
use super::watch::{Said, Seen, Watch};
use crate::model::{Codec, Stage, Transport};
use crate::probe::certificate::TlsFault;
use crate::probe::classify::End;
use crate::probe::protocol::Target;
use crate::probe::redirect::MAX_REDIRECTS;

/// How long hanging up may take. TEARDOWN is sent as soon as the source's thread runs, which on a busy machine is not at
/// once, and what is not sent by then is not sent at all; the rest is the wait for its answer. The verdict waits for neither.
pub const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// TEARDOWN, and once more when its nonce was stale.
const MOST_GOODBYES: u32 = 2;

/// What `rtspsrc` is doing, as far as its progress messages and signals tell.
struct Exchange {
    stage: Stage,
    /// Requests sent in this stage.
    requests: u32,
    /// How often OPTIONS began; each further time is a redirect.
    openings: u32,
    /// It began to connect.
    connected: bool,
    /// The certificate was judged and taken.
    trusted: bool,
    /// A message was held back, because it would have offered a refused password again.
    refused: bool,
    /// The next message is PAUSE, which is not sent.
    pauses: bool,
    /// Messages sent to end the session, `None` before that.
    goodbyes: Option<u32>,
}

impl Exchange {
    fn new() -> Self {
        Self {
            stage: Stage::Connect,
            requests: 0,
            openings: 0,
            connected: false,
            trusted: false,
            refused: false,
            pauses: false,
            goodbyes: None,
        }
    }

    /// True when this is news.
    fn enter(&mut self, stage: Stage) -> bool {
        let news = self.stage != stage;
        if news {
            self.stage = stage;
            self.requests = 0;
        }
        news
    }
}

/// How the camera is reached.
pub struct Way {
    /// `Tcp` or `Udp`, for the media.
    pub transport: Transport,
    /// Where the relay listens, when there is one.
    pub relay: Option<SocketAddr>,
    /// For what is chosen from the description.
    pub chosen: Arc<Chosen>,
}

/// Builds the source into the pipeline and watches and overhears it.
///
/// # Errors
/// When an element is missing.
pub fn build(pipeline: &gst::Pipeline, target: &Target, way: &Way, watch: &Arc<Watch>) -> anyhow::Result<Ear> {
    let transport = way.transport;
    let source = make("rtspsrc")?;
    source.set_property("location", &target.location);
    if let Some((user, password)) = &target.credentials {
        source.set_property("user-id", user);
        source.set_property("user-pw", password);
    }
    source.set_property("latency", 0_u32);
    if let Some(relay) = way.relay {
        source.set_property("proxy", relay.to_string());
    }
    source.set_property_from_str("protocols", if transport == Transport::Udp { "udp" } else { "tcp" });
    source.set_property("tcp-timeout", target.timeout.as_micros() as u64);
    // 0: never fall back from UDP to TCP by itself; which transport works is remembered by the pool.
    source.set_property("timeout", 0_u64);
    source.set_property("teardown-timeout", TEARDOWN_TIMEOUT.as_nanos() as u64);
    source.set_property("do-retransmission", false);
    source.set_property("user-agent", concat!("StreamPulse/", env!("CARGO_PKG_VERSION")));
    // No probation: the first packet counts, as it does for a person who looks.
    set_if_there(&source, "probation", "0");
    pipeline.add(&source)?;
    let ear = Ear::on(&source, watch.transcript(), target.credentials.is_some());

    let exchange = Arc::new(Mutex::new(Exchange::new()));
    if target.is_tls() {
        watch_certificate(&source, target, &exchange, watch);
    }
    watch_requests(&source, target, &exchange, watch);
    choose_video(&source, &way.chosen, watch);
    // The relay has a gate of its own, and over UDP packets overtake one another.
    let is_gated = transport == Transport::Tcp && way.relay.is_none();
    entrance::prepare(&source, &way.chosen, watch, is_gated);
    let bus = pipeline.bus().ok_or_else(|| anyhow::anyhow!("a pipeline without a bus"))?;
    watch.listen(&bus, {
        let (watch, source, target) = (watch.clone(), source.downgrade(), target.clone());
        move |said| match said {
            Said::Progress { code: "connect", .. } => {
                let is_first = {
                    let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
                    !std::mem::replace(&mut exchange.connected, true)
                };
                if is_first {
                    // What this thread heard in its last probe is not this camera's.
                    source_log::clear();
                } else if let Some(source) = source.upgrade() {
                    stop_at_a_redirect(&source, &target, &watch);
                }
            }
            Said::Progress { code: "close", .. } => {
                exchange.lock().unwrap_or_else(PoisonError::into_inner).goodbyes.get_or_insert(0);
            }
            // On the way down from PLAYING. TEARDOWN comes at once and would interrupt it, which inside TLS costs the connection
            // and so TEARDOWN as well.
            Said::Progress { text: "Sending PAUSE request", .. } => {
                exchange.lock().unwrap_or_else(PoisonError::into_inner).pauses = true;
            }
            Said::Progress { text, .. } => follow_progress(&exchange, &watch, text),
            Said::Element(_) => {}
        }
    });
    source.connect_pad_added({
        let pipeline = pipeline.downgrade();
        let watch = watch.clone();
        move |_, pad| {
            let Some(pipeline) = pipeline.upgrade() else { return };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            match video_codec(&caps) {
                Some(Ok(codec)) => {
                    if transport == Transport::Udp {
                        // First: what it holds back is gathered by nobody.
                        gate::close_until_keyframe(pad, codec, &watch);
                    }
                    watch.bound_unit(pad);
                    add_tail(&pipeline, pad, depayloader(codec), codec, &watch);
                }
                Some(Err(name)) => watch.saw(Seen::Ended(End::UnsupportedCodec { name })),
                None => {}
            }
        }
    });
    Ok(ear)
}

/// Follows the words of `rtspsrc`'s progress messages: fixed texts of its source, not translated and not errors.
fn follow_progress(exchange: &Mutex<Exchange>, watch: &Watch, text: &str) {
    let stage = match text {
        "Retrieving server options" => Stage::Options,
        "Retrieving media info" => Stage::Describe,
        text if text.starts_with("SETUP stream") => Stage::Setup,
        "Sending PLAY request" => Stage::Play,
        "Sent PLAY request" => Stage::FirstPacket,
        _ => return,
    };
    let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
    if !exchange.enter(stage) {
        return;
    }
    // Of the request before it, which was PLAY when media are to come.
    if source_log::not_implemented() && stage == Stage::FirstPacket {
        watch.saw(Seen::Ended(End::NotImplemented));
        return;
    }
    if stage == Stage::Options {
        watch.transcript().note("connected");
        exchange.openings += 1;
        if exchange.openings > MAX_REDIRECTS + 1 {
            let why = format!("more than {MAX_REDIRECTS} redirects to the same address");
            watch.saw(Seen::Ended(End::Redirect { why }));
            return;
        }
    }
    if stage == Stage::FirstPacket {
        watch.play_answered();
    } else {
        watch.saw(Seen::Begins(stage));
    }
}

/// Stops `rtspsrc` from offering a refused password again: it would do so eight times.
///
/// The credentials are added to a message only after this signal, so they are counted by what must have happened: a
/// request is sent without them, refused, sent with them. A third time would offer a refused password again. Once a
/// password was accepted, a later stage that is sent twice is a nonce gone stale (RFC 2617 section 3.2.1).
///
/// And nothing is said over TLS before a certificate was judged.
fn watch_requests(source: &gst::Element, target: &Target, exchange: &Arc<Mutex<Exchange>>, watch: &Arc<Watch>) {
    let (exchange, watch) = (exchange.clone(), watch.clone());
    let (has_password, target) = (target.credentials.is_some(), target.clone());
    source.connect("before-send", false, move |_| {
        let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut exchange.pauses) {
            return Some(false.to_value());
        }
        // Sent and never answered: it is the same request.
        if !source_log::reconnects() {
            exchange.requests += 1;
        }
        if target.is_tls() && !exchange.trusted {
            let judged = authority::judge_resumed(&target);
            exchange.trusted = judged.is_ok();
            if let Err(fault) = judged {
                watch.saw(Seen::Ended(End::Tls(fault)));
                return Some(false.to_value());
            }
        }
        if let Some(goodbyes) = &mut exchange.goodbyes {
            *goodbyes += 1;
            return Some((*goodbyes <= MOST_GOODBYES).to_value());
        }
        // While media come, what is sent keeps the session alive (RFC 2326 section 10.8).
        let keeps_alive = exchange.stage == Stage::FirstPacket && watch.since_media().is_some();
        if has_password && exchange.requests > 2 && !keeps_alive {
            exchange.refused = true;
            watch.saw(Seen::Ended(End::PasswordRefused));
        }
        Some((!exchange.refused).to_value())
    });
}

/// Judges the certificate in the handshake of the connection that will be used.
fn watch_certificate(source: &gst::Element, target: &Target, exchange: &Arc<Mutex<Exchange>>, watch: &Arc<Watch>) {
    authority::prepare();
    let (exchange, watch, target) = (exchange.clone(), watch.clone(), target.clone());
    source.connect("accept-certificate", false, move |values| {
        let certificate = values.get(2).and_then(|value| value.get::<gio::TlsCertificate>().ok());
        let judged = certificate.map_or(Err(TlsFault::Handshake), |seen| authority::judge(&seen, &target));
        exchange.lock().unwrap_or_else(PoisonError::into_inner).trusted = judged.is_ok();
        let taken = judged.is_ok();
        if let Err(fault) = judged {
            watch.saw(Seen::Ended(End::Tls(fault)));
        }
        Some(taken.to_value())
    });
}

/// `rtspsrc` follows a redirect by itself, wherever it leads, and says so before it connects. It is held there, in its
/// own thread, until it is told to hang up: so there is no connection that was not decided on.
fn stop_at_a_redirect(source: &gst::Element, target: &Target, watch: &Watch) {
    let location = source_log::location().or_else(|| source.property("location")).unwrap_or_default();
    source_log::clear();
    // The same address again: a redirect to itself, or a connection that the camera closed. Both are counted.
    if location != target.location {
        let end = End::Moved { location: location.chars().take(MAX_LOCATION_CHARACTERS).collect() };
        watch.end_and_wait(end, target.timeout + TEARDOWN_TIMEOUT);
    }
}

/// Sets up the first video that can be decoded and nothing else.
fn choose_video(source: &gst::Element, chosen: &Arc<Chosen>, watch: &Arc<Watch>) {
    source.connect("select-stream", false, {
        let chosen = chosen.clone();
        move |values| {
            let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
            let video = caps.and_then(|caps| Some((video_codec(&caps)?.ok()?, payload_type(&caps))));
            let is_it = video.is_some() && chosen.get().is_none();
            if is_it {
                chosen.set(video);
            }
            Some(is_it.to_value())
        }
    });
    source.connect("on-sdp", false, {
        let (watch, chosen) = (watch.clone(), chosen.clone());
        move |values| {
            chosen.set(None);
            if let Some(end) = values.get(1).and_then(judge_sdp) {
                watch.saw(Seen::Ended(end));
            }
            None
        }
    });
}

/// Says at once when there is nothing in the description that can be decoded.
fn judge_sdp(value: &glib::Value) -> Option<End> {
    let sdp = value.get::<gstreamer_sdp::SDPMessage>().ok()?;
    let mut found = Vec::new();
    let mut unknown = None;
    for media in sdp.medias() {
        let kind = media.media().unwrap_or_default().to_owned();
        if kind != "video" {
            found.push(kind);
            continue;
        }
        let formats: Vec<i32> = media.formats().filter_map(|format| format.parse().ok()).collect();
        for payload_type in formats {
            match media.caps_from_media(payload_type).and_then(|caps| video_codec(&caps)) {
                Some(Ok(_)) => return None,
                Some(Err(name)) => unknown = Some(name),
                None => {}
            }
        }
    }
    match unknown {
        Some(name) => Some(End::UnsupportedCodec { name }),
        None => {
            found.dedup();
            Some(End::NoVideo { found: found.join(" and ").chars().take(40).collect() })
        }
    }
}

/// The codec of RTP caps: `None` when they are not video, `Err` with the encoding's name when we cannot decode it.
fn video_codec(caps: &gst::Caps) -> Option<Result<Codec, String>> {
    let structure = caps.structure(0)?;
    if structure.get::<&str>("media").ok()? != "video" {
        return None;
    }
    let name = structure.get::<&str>("encoding-name").unwrap_or("unnamed");
    Some(match name {
        "H264" => Ok(Codec::H264),
        "H265" => Ok(Codec::H265),
        "JPEG" => Ok(Codec::Mjpeg),
        other => Err(other.chars().filter(|c| c.is_ascii_graphic()).take(24).collect()),
    })
}

/// The RTP payload type of RTP caps; 255, which no packet has, where there is none.
fn payload_type(caps: &gst::Caps) -> u8 {
    let number = caps.structure(0).and_then(|structure| structure.get::<i32>("payload").ok());
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX)
}

fn depayloader(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "rtph264depay",
        Codec::H265 => "rtph265depay",
        Codec::Mjpeg => "rtpjpegdepay",
    }
}
