//! The first half of a probe: open the camera, wait for one whole keyframe, hang up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::elements::make;
use super::timeline::Timeline;
use super::watch::{CUT_OFF, ErrorFacts, Seen, Watch};
use super::{http, rtsp, rtsp_relay, second_look};
use crate::model::{Codec, Phases, Stage, StreamClock, Transport, VideoFacts};
use crate::probe::access_unit::{h264_is_keyframe, h265_is_keyframe};
use crate::probe::classify::End;
use crate::probe::coded_size;
use crate::probe::exchange::Transcript;
use crate::probe::protocol::Target;
use crate::probe::resolve::resolve;

/// A longer `Location` leads nowhere.
pub const MAX_LOCATION_CHARACTERS: usize = 2_048;

/// What is tried until the deadline says by itself how it ended, a moment after it.
const GRACE: Duration = Duration::from_millis(200);

/// So many addresses of one name are told.
const SHOWN_ADDRESSES: usize = 4;

/// One access unit that needs no other, with what the parser says of it.
#[derive(Debug)]
pub struct Keyframe {
    /// Buffer and caps.
    pub sample: gst::Sample,
    /// Codec, size, profile and rate.
    pub video: VideoFacts,
    /// The clock of the stream it came by.
    pub clock: StreamClock,
}

/// What receiving found.
#[derive(Debug)]
pub struct Received {
    /// The keyframe, or the stage that was in progress and how it ended.
    pub result: Result<Keyframe, (Stage, End)>,
    /// Time of each stage up to here.
    pub phases: Phases,
    /// The RTP transport that was asked for.
    pub transport: Option<Transport>,
}

/// A running pipeline that is stopped, and so hung up, when it goes out of scope.
struct Running {
    pipeline: gst::Pipeline,
    watch: Arc<Watch>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let sources = self.pipeline.iterate_sources().into_iter().flatten();
        let rtsp_source = sources.into_iter().find(|source| source.has_property("teardown-timeout"));
        // Held in the middle of a redirect, the source has nothing to tear down and could not if it had.
        if let Some(source) = rtsp_source.as_ref().filter(|_| self.watch.is_held()) {
            source.set_property("teardown-timeout", 0_u64);
        }
        // Sends TEARDOWN where a session was set up, and waits for the answer as long as `rtsp::TEARDOWN_TIMEOUT`. From
        // here on a connection is given up before it begins.
        let _ = self.pipeline.set_state(gst::State::Ready);
        self.watch.hang_up();
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(source) = rtsp_source {
            // It is the only way to have it freed (gstrtspsrc.c, 1.22).
            source.set_property("proxy", None::<&str>);
        }
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Opens the camera and waits for a keyframe, until `deadline`; `transcript` gets what is said until media come. `on_watch` gets what can end it early. `on_keyframe`
/// is called with the result before the camera is hung up on, so that decoding need not wait for that.
pub fn receive(
    target: &Target,
    transport: Transport,
    deadline: Instant,
    transcript: &Arc<Transcript>,
    on_watch: impl FnOnce(&Arc<Watch>),
    on_keyframe: impl FnOnce(&Received),
) -> Received {
    let until_keyframe =
        |events: &Events, watch: &Watch, timeline: &mut Timeline| follow(events, watch, timeline, target, deadline);
    open(target, transport, deadline, transcript, on_watch, until_keyframe, on_keyframe)
}

/// Opens the camera, lets `follow` see what happens until it has enough, and hangs up when `on_end` has heard of it.
pub(super) fn open(
    target: &Target,
    transport: Transport,
    deadline: Instant,
    transcript: &Arc<Transcript>,
    on_watch: impl FnOnce(&Arc<Watch>),
    follow: impl FnOnce(&Events, &Watch, &mut Timeline) -> Result<Keyframe, (Stage, End)>,
    on_end: impl FnOnce(&Received),
) -> Received {
    let (watch, events) = Watch::new(transcript);
    on_watch(&watch);
    let mut timeline = Timeline::new();
    let rtsp = target.scheme.starts_with("rtsp");
    let transport = if rtsp { Some(transport) } else { None };
    // First, so that a name that does not exist is told from a device that does not answer.
    let addresses = match resolve(&target.host, target.port, deadline) {
        Ok(addresses) => addresses,
        Err(end) => {
            return Received {
                result: Err((Stage::Resolve, end)),
                phases: timeline.finish(Instant::now()),
                transport: None,
            };
        }
    };
    transcript.note(&connecting_to(&addresses, transport));
    watch.saw(Seen::Begins(Stage::Connect));
    let chosen = Arc::default();
    let relay = (transport == Some(Transport::Tcp) && !target.is_tls())
        .then(|| rtsp_relay::Relay::start(addresses, deadline, &watch, &chosen));
    let connected = match &relay {
        None => Ok(None),
        Some(Err(_)) => Err((Stage::Connect, End::Overloaded)),
        Some(Ok(_)) => follow_to_connection(&events, &watch, &mut timeline, target, deadline).map(Some),
    };
    let relay_address = match connected {
        Ok(address) => address,
        Err(failed) => {
            let received = Received { result: Err(failed), phases: timeline.finish(Instant::now()), transport };
            on_end(&received);
            return received;
        }
    };
    let running = Running { pipeline: gst::Pipeline::new(), watch: watch.clone() };
    let built = match transport {
        Some(transport) => {
            let way = rtsp::Way { transport, relay: relay_address, chosen };
            rtsp::build(&running.pipeline, target, &way, &watch).map(|ear| (ear, None))
        }
        None => http::build(&running.pipeline, target, deadline, &watch),
    };
    let playing = built.and_then(|held| {
        running.pipeline.set_state(gst::State::Playing)?;
        Ok(held)
    });
    let result = match &playing {
        Ok(_) => follow(&events, &watch, &mut timeline),
        // An element that cannot even start has posted why, or the plugin is missing, which the worker's Hello told.
        Err(_) => match events
            .try_iter()
            .find_map(|(_, seen)| if let Seen::Failed(facts) = seen { Some(facts) } else { None })
        {
            Some(facts) => Err(explain(&facts, &watch, target, Stage::Connect)),
            None => Err((Stage::Connect, End::Overloaded)),
        },
    };
    let received = Received { result, phases: timeline.finish(Instant::now()), transport };
    on_end(&received);
    drop(running);
    drop(playing);
    received
}

/// For the transcript: where to, and what for.
fn connecting_to(addresses: &[SocketAddr], transport: Option<Transport>) -> String {
    let addresses: Vec<_> = addresses.iter().take(SHOWN_ADDRESSES).map(ToString::to_string).collect();
    let what_for = match transport {
        Some(Transport::Udp) => "RTSP, media over UDP",
        Some(_) => "RTSP, media over TCP",
        None => "HTTP",
    };
    format!("connecting to {} for {what_for}", addresses.join(" or "))
}

/// What is seen, by the thread that decides.
pub(super) type Events = Receiver<(Instant, Seen)>;

/// Follows the events to the keyframe or to the end.
pub(super) fn follow(
    events: &Events,
    watch: &Watch,
    timeline: &mut Timeline,
    target: &Target,
    deadline: Instant,
) -> Result<Keyframe, (Stage, End)> {
    loop {
        let (at, seen) = match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(at_the_deadline(watch, target));
            }
        };
        match seen {
            Seen::Begins(stage) => timeline.begin(stage, at),
            Seen::Connected(_) => {}
            Seen::Keyframe(sample) => {
                let clock = watch.clock_at(sample.buffer().and_then(|buffer| buffer.pts()));
                return keyframe(sample, clock, target).map_err(|end| (Stage::Keyframe, end));
            }
            Seen::Ended(end) => return Err((timeline.current, end)),
            Seen::Failed(facts) => return Err(explain(&facts, watch, target, timeline.current)),
            Seen::EndOfStream => return Err((timeline.current, closed(watch))),
        }
    }
}

/// Follows the events until there is a connection; gives where it is to be had.
fn follow_to_connection(
    events: &Events,
    watch: &Watch,
    timeline: &mut Timeline,
    target: &Target,
    deadline: Instant,
) -> Result<SocketAddr, (Stage, End)> {
    loop {
        match events.recv_timeout((deadline + GRACE).saturating_duration_since(Instant::now())) {
            Ok((at, Seen::Begins(stage))) => timeline.begin(stage, at),
            Ok((_, Seen::Connected(address))) => return Ok(address),
            Ok((_, Seen::Ended(end))) => return Err((timeline.current, end)),
            Ok(_) => {}
            Err(_) => return Err(at_the_deadline(watch, target)),
        }
    }
}

/// What was being waited for, and what came instead.
fn at_the_deadline(watch: &Watch, target: &Target) -> (Stage, End) {
    let stage = watch.stage();
    if watch.cut_pictures() > 0 {
        return (stage, CUT_OFF);
    }
    let silence = End::Deadline { since_media: watch.since_media() };
    second_look::at_the_deadline(target, stage, watch.transcript()).unwrap_or((stage, silence))
}

/// What an element's error means, by what else is known.
pub(super) fn explain(facts: &ErrorFacts, watch: &Watch, target: &Target, current: Stage) -> (Stage, End) {
    let stage = watch.stage();
    let end = if facts.status == Some(401) && target.password_left_behind {
        // Nobody refused a password: none was sent.
        let place = format!("{}, port {}", target.host, target.port);
        End::Redirect { why: format!("a redirect to {place}, which asks for a password that is not sent there") }
    } else if facts.status == Some(401) && target.has_no_account() {
        End::PasswordWanted
    } else if let Some(code) = facts.status {
        End::Status(code)
    } else if stage == Stage::Request && target.is_tls() {
        // The relay had its handshake.
        End::Protocol
    } else if matches!(stage, Stage::Connect | Stage::Request) {
        // `souphttpsrc` connects and asks in one step.
        return second_look::at_a_failure(target, current);
    } else if stage == Stage::Setup && facts.nothing_set_up {
        End::Status(461)
    } else if facts.not_implemented {
        End::NotImplemented
    } else if watch.cut_pictures() > 0 {
        CUT_OFF
    } else if facts.malformed {
        End::Protocol
    } else if facts.wrong_type {
        if stage == Stage::Describe { End::NoVideo { found: String::new() } } else { End::Protocol }
    } else {
        closed(watch)
    };
    (current, end)
}

/// The media ended before there was a keyframe.
pub(super) fn closed(watch: &Watch) -> End {
    match watch.cut_pictures() {
        0 => End::Closed { after_media: watch.since_media().is_some() },
        _ => CUT_OFF,
    }
}

/// Takes the facts from the parser's caps.
fn keyframe(sample: gst::Sample, clock: StreamClock, target: &Target) -> Result<Keyframe, End> {
    let structure = sample.caps().and_then(|caps| caps.structure(0)).ok_or(End::Protocol)?;
    let codec = match structure.name().as_str() {
        "video/x-h264" => Codec::H264,
        "video/x-h265" => Codec::H265,
        _ => Codec::Mjpeg,
    };
    let pixels =
        |field| structure.get::<i32>(field).ok().and_then(|value| u32::try_from(value).ok()).filter(|v| *v > 0);
    let (width, height) = (pixels("width"), pixels("height"));
    may_be_decoded(&sample, codec, target)?;
    let fps = structure.get::<gst::Fraction>("framerate").ok().filter(|f| f.numer() > 0 && f.denom() > 0);
    let video = VideoFacts {
        codec,
        profile: structure.get::<String>("profile").ok(),
        width,
        height,
        fps: fps.map(|f| (f64::from(f.numer()) / f64::from(f.denom()) * 100.0).round() / 100.0),
        decoder: None,
        hardware: false,
        hardware_refused: None,
    };
    Ok(Keyframe { sample, video, clock })
}

/// Refuses a keyframe that is larger than allowed, or made to keep a decoder busy.
pub fn may_be_decoded(sample: &gst::Sample, codec: Codec, target: &Target) -> Result<(), End> {
    let map = sample.buffer().and_then(|buffer| buffer.map_readable().ok()).ok_or(End::Protocol)?;
    coded_size::check(codec, &map, u64::from(target.max_megapixels) * 1_000_000).map_err(|refusal| match refusal {
        coded_size::Refusal::TooLarge(size_px) => End::TooLarge { size_px },
        coded_size::Refusal::Bomb => End::Undecodable { what: "a picture that is made to keep a decoder busy" },
    })
}

/// Links what turns RTP or multipart parts into whole access units behind `pad`, and reports the first keyframe.
pub fn add_tail(pipeline: &gst::Pipeline, pad: &gst::Pad, depayloader: &str, codec: Codec, watch: &Arc<Watch>) {
    if let Err(_error) = try_add_tail(pipeline, pad, depayloader, codec, watch) {
        watch.saw(Seen::Ended(End::Protocol));
    }
}

fn try_add_tail(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    depayloader: &str,
    codec: Codec,
    watch: &Arc<Watch>,
) -> anyhow::Result<()> {
    let depay = make(depayloader)?;
    let (parser, caps) = match codec {
        Codec::H264 => ("h264parse", Some("video/x-h264")),
        Codec::H265 => ("h265parse", Some("video/x-h265")),
        Codec::Mjpeg => ("jpegparse", None),
    };
    let parse = make(parser)?;
    let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(2).drop(false);
    let sink = sink.build();
    if let Some(name) = caps {
        // Parameter sets before every keyframe, wherever the camera keeps them.
        parse.set_property("config-interval", -1_i32);
        let caps = gst::Caps::builder(name).field("stream-format", "byte-stream").field("alignment", "au").build();
        sink.set_caps(Some(&caps));
    }
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample({
                let watch = watch.clone();
                move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    watch.unit_ended();
                    let is_keyframe = is_keyframe(&sample, codec);
                    watch.saw_unit(&sample, codec, is_keyframe);
                    if is_keyframe {
                        watch.saw_keyframe(sample);
                    }
                    Ok(gst::FlowSuccess::Ok)
                }
            })
            .build(),
    );
    let sink: gst::Element = sink.upcast();
    watch.count_media(pad, codec);
    pipeline.add_many([&depay, &parse, &sink])?;
    gst::Element::link_many([&depay, &parse, &sink])?;
    for element in [&sink, &parse, &depay] {
        element.sync_state_with_parent()?;
    }
    let entry = depay.static_pad("sink").ok_or_else(|| anyhow::anyhow!("{depayloader} has no sink pad"))?;
    pad.link(&entry)?;
    Ok(())
}

/// The parser's flag first, because it is free; then the bytes, because parsers take a P picture with one intra slice
/// for a keyframe.
fn is_keyframe(sample: &gst::Sample, codec: Codec) -> bool {
    let Some(buffer) = sample.buffer().filter(|b| !b.flags().contains(gst::BufferFlags::DELTA_UNIT)) else {
        return false;
    };
    let Ok(map) = buffer.map_readable() else { return false };
    match codec {
        Codec::H264 => h264_is_keyframe(&map),
        Codec::H265 => h265_is_keyframe(&map),
        Codec::Mjpeg => true,
    }
}
