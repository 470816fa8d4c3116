//! What happens in a receive pipeline, as a timed list of events for the one thread that decides.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;

use super::source_log;
use crate::model::{Codec, Stage, StreamClock};
use crate::probe::classify::End;
use crate::probe::exchange::Transcript;

/// Something that was seen, by any thread of the pipeline.
#[derive(Debug)]
pub enum Seen {
    /// This stage begins; the one before has ended.
    Begins(Stage),
    /// There is a connection to the camera, by this address of ours.
    Connected(SocketAddr),
    /// The first whole keyframe.
    Keyframe(gst::Sample),
    /// It is over, for this reason.
    Ended(End),
    /// An element reported an error; what it means depends on what else was seen.
    Failed(ErrorFacts),
    /// The source ran dry.
    EndOfStream,
}

/// The facts of an error message. Its text is not among them: it is never parsed.
#[derive(Clone, Debug, Default)]
pub struct ErrorFacts {
    /// Status of the RTSP or HTTP answer.
    pub status: Option<u16>,
    /// The answer was of a kind that the element does not take.
    pub wrong_type: bool,
    /// No stream could be set up, with every answer taken.
    pub nothing_set_up: bool,
    /// The camera does not know the method.
    pub not_implemented: bool,
    /// What came cannot be unpacked.
    pub malformed: bool,
}

impl ErrorFacts {
    fn new(message: &gst::message::Error) -> Self {
        let details = message.details();
        let status = ["rtsp-status-code", "http-status-code"].iter().find_map(|field| {
            let value = details?.get::<u32>(*field).ok()?;
            u16::try_from(value).ok().filter(|code| *code >= 300)
        });
        let error = message.error();
        Self {
            status: status
                .or_else(|| error.matches(gst::ResourceError::NotAuthorized).then_some(401))
                .or_else(|| message.debug().and_then(|text| refused_setup(&text))),
            // `rtspsrc` takes a 461 as a hint to try its next transport; when there is none it ends with this code.
            nothing_set_up: error.matches(gst::StreamError::CodecNotFound),
            wrong_type: error.matches(gst::ResourceError::Settings) || error.matches(gst::StreamError::WrongType),
            // Another element's thread may have been a source's before, and remember what that one heard.
            not_implemented: message.src().is_some_and(|source| source.type_().name() == "GstRTSPSrc")
                && source_log::not_implemented(),
            malformed: error.matches(gst::StreamError::Demux) || error.matches(gst::StreamError::Format),
        }
    }
}

/// `rtspsrc` puts the status of a refused SETUP nowhere but into a line of its own making, `Error (453): …`; what the
/// camera says comes after it, so the first such line is never the camera's.
fn refused_setup(debug: &str) -> Option<u16> {
    let (_, line) = debug.split_once("\nError (")?;
    let (code, _) = line.split_once("): ")?;
    code.parse().ok().filter(|code| (300..1000).contains(code))
}

/// So many JPEGs without an end, and there will be no whole one.
const CUT_PICTURES: u64 = 3;

/// What is said of them.
pub const CUT_OFF: End = End::Undecodable { what: "pictures that are cut off" };

/// True when it begins as a JPEG and its end-of-image marker (ITU T.81 section B.1.1.3) is missing; cameras may pad it.
fn is_cut_jpeg(buffer: &gst::BufferRef) -> bool {
    const TAIL_BYTES: usize = 256;
    let Ok(map) = buffer.map_readable() else { return false };
    let tail = &map[map.len().saturating_sub(TAIL_BYTES)..];
    map.starts_with(&[0xff, 0xd8]) && !tail.windows(2).any(|marker| marker == [0xff, 0xd9])
}

/// An access unit or JPEG that has not ended after so many bytes has no end: 40 megapixels at 3 bits each are 15 MB.
/// GStreamer gathers any amount, and holds it more than once.
const MAX_UNIT_BYTES: u64 = 16 * 1024 * 1024;

/// Pictures that may lie between a packet and the access unit the parser makes of it.
const RTP_TIMES: usize = 8;

/// The time stamp of an RTP packet (RFC 3550 section 5.1), `None` when it is none.
pub(super) fn rtp_time(packet: &[u8]) -> Option<u32> {
    let header: &[u8; 12] = packet.first_chunk()?;
    let [first, _, _, _, a, b, c, d, ..] = *header;
    (first >> 6 == 2).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// True for the stages of RTSP that end with an answer.
fn awaits_answer(stage: Stage) -> bool {
    (Stage::Options..=Stage::Play).contains(&stage)
}

/// What an element says while it works.
pub enum Said<'a> {
    /// A progress message.
    Progress {
        /// Which part of the work.
        code: &'a str,
        /// What of it.
        text: &'a str,
    },
    /// Whatever it has to say of itself.
    Element(&'a gst::StructureRef),
}

/// Gets every whole access unit as it comes, in the thread that brings it, and whether it needs no other.
pub type Tap = Box<dyn Fn(&Watch, gst::Sample, Codec, bool) + Send + Sync>;

/// Where the threads of a pipeline report, and what they count.
pub struct Watch {
    /// Holds 64 events; a probe makes about twelve. When it is full, further ones are of no use and are dropped.
    events: SyncSender<(Instant, Seen)>,
    /// What is said on the way.
    transcript: Arc<Transcript>,
    started: Instant,
    /// Milliseconds from `started` to the newest media, 0 before any.
    last_media_ms: AtomicU64,
    keyframe_sent: AtomicBool,
    cut_pictures: AtomicU64,
    /// Bytes that came since the last whole access unit.
    unit_bytes: AtomicU64,
    single_picture: AtomicBool,
    stage: Mutex<Stage>,
    /// Running time and RTP time of the newest pictures, at most [`RTP_TIMES`].
    rtp_times: Mutex<VecDeque<(gst::ClockTime, u32)>>,
    /// True from the moment at which the source can open no further connection.
    hung_up: Mutex<bool>,
    hanging_up: Condvar,
    /// The source waits for that.
    held: AtomicBool,
    /// For whoever wants more than the first keyframe.
    tap: OnceLock<Tap>,
}

impl Watch {
    /// A watch, and where its events come out.
    pub fn new(transcript: &Arc<Transcript>) -> (Arc<Self>, Receiver<(Instant, Seen)>) {
        let (events, receiver) = sync_channel(64);
        let watch = Self {
            events,
            transcript: transcript.clone(),
            started: Instant::now(),
            last_media_ms: AtomicU64::new(0),
            keyframe_sent: AtomicBool::new(false),
            cut_pictures: AtomicU64::new(0),
            unit_bytes: AtomicU64::new(0),
            single_picture: AtomicBool::new(false),
            stage: Mutex::new(Stage::Resolve),
            rtp_times: Mutex::default(),
            hung_up: Mutex::new(false),
            hanging_up: Condvar::new(),
            held: AtomicBool::new(false),
            tap: OnceLock::new(),
        };
        (Arc::new(watch), receiver)
    }

    /// Reports an event.
    pub fn saw(&self, event: Seen) {
        self.tell(&mut self.lock_stage(), event);
    }

    /// With the stage locked: what two threads see at once is told in one order.
    fn tell(&self, stage: &mut Stage, event: Seen) {
        if let Seen::Begins(next) = &event {
            *stage = *next;
        }
        match self.events.try_send((Instant::now(), event)) {
            // A dropped event is one nobody would have acted on, see `events`.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Where what is said is taken down.
    pub fn transcript(&self) -> &Arc<Transcript> {
        &self.transcript
    }

    /// Lets go whoever waits in [`Self::end_and_wait`].
    pub fn hang_up(&self) {
        *self.hung_up.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.hanging_up.notify_all();
    }

    /// True from the moment [`Self::end_and_wait`] reports, for the thread of the source has nothing to tear down.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Reports an end and holds the calling thread of the source until [`Self::hang_up`], at most for `patience`.
    pub fn end_and_wait(&self, end: End, patience: Duration) {
        // First: whoever hears of the end asks at once whether there is anything to wait for.
        self.held.store(true, Ordering::SeqCst);
        self.saw(Seen::Ended(end));
        let hung_up = self.hung_up.lock().unwrap_or_else(PoisonError::into_inner);
        let _unused = self.hanging_up.wait_timeout_while(hung_up, patience, |hung_up| !*hung_up);
    }

    fn lock_stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stage that is in progress: the one that began last, unless media have overtaken it.
    pub fn stage(&self) -> Stage {
        let stage = *self.lock_stage();
        if awaits_answer(stage) && self.since_media().is_some() { Stage::Keyframe } else { stage }
    }

    /// Time since the newest media, `None` when there was none.
    pub fn since_media(&self) -> Option<Duration> {
        match self.last_media_ms.load(Ordering::Relaxed) {
            0 => None,
            at_ms => Some(self.started.elapsed().saturating_sub(Duration::from_millis(at_ms))),
        }
    }

    /// How many JPEGs came without an end.
    pub fn cut_pictures(&self) -> u64 {
        self.cut_pictures.load(Ordering::Relaxed)
    }

    /// Ends the probe when what comes through this pad does not become an access unit.
    pub fn bound_unit(self: &Arc<Self>, pad: &gst::Pad) {
        let watch = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            let list_bytes = info.buffer_list().map(|list| list.iter().map(gst::BufferRef::size).sum());
            let bytes = info.buffer().map(|buffer| buffer.size()).or(list_bytes).unwrap_or_default() as u64;
            if watch.unit_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= MAX_UNIT_BYTES {
                return gst::PadProbeReturn::Ok;
            }
            watch.saw(Seen::Ended(End::Protocol));
            // Not `Drop`, see `gate`.
            gst::PadProbeReturn::Handled
        });
    }

    /// An access unit is whole.
    pub fn unit_ended(&self) {
        self.unit_bytes.store(0, Ordering::Relaxed);
    }

    /// Passes every access unit on from now on. Only the first tap counts.
    pub fn tap(&self, tap: Tap) {
        let _ = self.tap.set(tap);
    }

    /// A whole access unit came.
    pub fn saw_unit(&self, sample: &gst::Sample, codec: Codec, is_keyframe: bool) {
        if let Some(tap) = self.tap.get() {
            tap(self, sample.clone(), codec, is_keyframe);
        }
    }

    /// Counts media that passes this pad; the first of it begins the stage `keyframe`.
    pub fn count_media(self: &Arc<Self>, pad: &gst::Pad, codec: Codec) {
        let watch = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            // The parser waits for the end of a JPEG and says nothing of one that has none.
            if codec == Codec::Mjpeg && info.buffer().is_some_and(|buffer| is_cut_jpeg(buffer)) {
                let before = watch.cut_pictures.fetch_add(1, Ordering::Relaxed);
                if before + 1 == CUT_PICTURES {
                    watch.saw(Seen::Ended(CUT_OFF));
                }
            }
            watch.note_rtp_time(info);
            watch.saw_media();
            gst::PadProbeReturn::Ok
        });
    }

    /// Media came, whatever becomes of it.
    pub fn saw_media(&self) {
        let now_ms = self.started.elapsed().as_millis() as u64;
        if self.last_media_ms.swap(now_ms.max(1), Ordering::Relaxed) == 0 {
            let mut stage = self.lock_stage();
            // Otherwise the answer to PLAY is still to come, or on its way to whoever reads it.
            if !awaits_answer(*stage) && *stage != Stage::Keyframe {
                self.media_begin(&mut stage);
            }
        }
    }

    /// PLAY is answered, which media may overtake.
    pub fn play_answered(&self) {
        let mut stage = self.lock_stage();
        self.tell(&mut stage, Seen::Begins(Stage::FirstPacket));
        if self.since_media().is_some() {
            self.media_begin(&mut stage);
        }
    }

    fn media_begin(&self, stage: &mut Stage) {
        self.transcript.note("media arrive");
        self.transcript.close();
        self.tell(stage, Seen::Begins(Stage::Keyframe));
    }

    /// Remembers the RTP time of the picture that a packet belongs to. HTTP has no RTP packets, and nothing happens.
    fn note_rtp_time(&self, info: &gst::PadProbeInfo<'_>) {
        let first_of_list = || info.buffer_list().and_then(|list| list.get(0));
        let Some(buffer) = info.buffer().map(AsRef::as_ref).or_else(first_of_list) else { return };
        let mut times = self.rtp_times.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pts) = buffer.pts().filter(|pts| times.back().is_none_or(|(last, _)| last != pts)) else { return };
        let Some(time) = buffer.map_readable().ok().and_then(|map| rtp_time(&map)) else { return };
        if times.len() >= RTP_TIMES {
            times.pop_front();
        }
        times.push_back((pts, time));
    }

    /// What comes is a single picture.
    pub fn has_no_clock(&self) {
        self.single_picture.store(true, Ordering::Relaxed);
    }

    /// The stream's clock at the picture with this running time: its RTP time, when it is one of the newest.
    pub fn clock_at(&self, pts: Option<gst::ClockTime>) -> StreamClock {
        if self.single_picture.load(Ordering::Relaxed) {
            return StreamClock::None;
        }
        let times = self.rtp_times.lock().unwrap_or_else(PoisonError::into_inner);
        let time = times.iter().find(|(of, _)| Some(*of) == pts);
        time.map_or(StreamClock::Running, |(_, time)| StreamClock::Rtp(*time))
    }

    /// Reports the first keyframe only.
    pub fn saw_keyframe(&self, sample: gst::Sample) {
        if !self.keyframe_sent.swap(true, Ordering::Relaxed) {
            self.saw(Seen::Keyframe(sample));
        }
    }

    /// Listens to the pipeline's messages in the threads that post them; `progress` is told what the source is doing:
    /// the code and the text of its progress messages, or what it says of itself.
    pub fn listen(self: &Arc<Self>, bus: &gst::Bus, progress: impl Fn(Said<'_>) + Send + Sync + 'static) {
        let watch = self.clone();
        bus.set_sync_handler(move |_, message| {
            match message.view() {
                gst::MessageView::Progress(message) => match message.structure().and_then(progress_of) {
                    // START says what was asked for, which may be long before it is done; CONTINUE and COMPLETE say what is.
                    None | Some((gst::ProgressType::Start, ..)) => {}
                    // The error message came before it. Where there was none, an answer lacks what it must have.
                    Some((gst::ProgressType::Error, ..)) => watch.saw(Seen::Ended(End::Protocol)),
                    Some((_, code, text)) => progress(Said::Progress { code, text }),
                },
                gst::MessageView::Element(message) => {
                    if let Some(structure) = message.structure() {
                        progress(Said::Element(structure));
                    }
                }
                gst::MessageView::Error(message) => watch.saw(Seen::Failed(ErrorFacts::new(message))),
                gst::MessageView::Eos(_) => watch.saw(Seen::EndOfStream),
                _ => {}
            }
            gst::BusSyncReply::Drop
        });
    }
}

/// Type, code and text of a progress message (`gst_message_new_progress`), as they stand in it: the binding has copies made
/// of both strings each time that it is asked for one of the three, and frees none (gstreamer-rs 0.25).
fn progress_of(structure: &gst::StructureRef) -> Option<(gst::ProgressType, &str, &str)> {
    Some((structure.get("type").ok()?, structure.get("code").ok()?, structure.get("text").ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_that_overtake_the_answer_to_play_wait_for_it() {
        let begun = |events: &Receiver<(Instant, Seen)>| {
            let stage = |(_, seen)| if let Seen::Begins(stage) = seen { Some(stage) } else { None };
            events.try_iter().filter_map(stage).collect::<Vec<_>>()
        };
        let transcript = Arc::new(Transcript::new(Instant::now()));
        let (watch, events) = Watch::new(&transcript);
        watch.saw(Seen::Begins(Stage::Play));
        assert_eq!(watch.stage(), Stage::Play);
        watch.saw_media();
        assert!(transcript.is_open(), "for the answer");
        assert_eq!(watch.stage(), Stage::Keyframe, "should it never come");
        watch.play_answered();
        watch.saw_media();
        assert_eq!(begun(&events), [Stage::Play, Stage::FirstPacket, Stage::Keyframe]);
        assert!(!transcript.is_open());
        let (watch, events) = Watch::new(&transcript);
        watch.saw(Seen::Begins(Stage::Play));
        watch.play_answered();
        assert_eq!(watch.stage(), Stage::FirstPacket);
        watch.saw_media();
        watch.saw_media();
        assert_eq!(begun(&events), [Stage::Play, Stage::FirstPacket, Stage::Keyframe]);
    }

    #[test]
    fn a_single_picture_has_no_clock_and_every_stream_has_one() {
        let (watch, _events) = Watch::new(&Arc::new(Transcript::new(Instant::now())));
        assert_eq!(watch.clock_at(None), StreamClock::Running);
        let at = gst::ClockTime::from_seconds(3);
        watch.rtp_times.lock().unwrap().push_back((at, 4_711));
        assert_eq!(watch.clock_at(Some(at)), StreamClock::Rtp(4_711));
        watch.has_no_clock();
        assert_eq!(watch.clock_at(Some(at)), StreamClock::None);
    }

    #[test]
    fn whoever_hears_of_an_end_knows_that_the_source_is_held() {
        for _ in 0..200 {
            let (watch, events) = Watch::new(&Arc::new(Transcript::new(Instant::now())));
            std::thread::scope(|scope| {
                scope.spawn(|| watch.end_and_wait(CUT_OFF, Duration::from_secs(60)));
                assert!(matches!(events.recv(), Ok((_, Seen::Ended(CUT_OFF)))));
                assert!(watch.is_held());
                watch.hang_up();
            });
        }
    }

    #[test]
    fn the_status_of_a_refused_setup() {
        let debug =
            |line: &str| format!("../gst/rtsp/gstrtspsrc.c(7841): setup (): /GstPipeline:p/GstRTSPSrc:s:\n{line}");
        assert_eq!(refused_setup(&debug("Error (453): Not Enough Bandwidth")), Some(453));
        assert_eq!(refused_setup(&debug("Error (454): x\nError (200): y")), Some(454));
        assert_eq!(refused_setup(&debug("Could not receive message.")), None);
        assert_eq!(refused_setup(&debug("Error (99999): x")), None);
    }
}
