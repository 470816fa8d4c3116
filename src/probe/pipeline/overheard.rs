//! What the sources say and hear on the wire, from their own logs: neither lets anybody see its messages in another way.
//!
//! `rtspsrc` writes each message at the level LOG, a line for each part of it, in its own thread and with itself as the
//! object. `souphttpsrc` has libsoup's logger do it, in the thread of its session, with an object that nobody else knows;
//! so that thread is remembered when it says that it begins. The logger tells of an answer only when its body has ended,
//! which that of a stream never does: so the element's own message about its head goes before. A line is only put together where it is wanted. Where a later
//! version words them in another way, less is told and nothing else changes.
//!
//! Interleaved packets are not among these messages.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gst::prelude::*;
use gstreamer as gst;

use crate::probe::exchange::{Transcript, Who};

/// Levels at which the sources say what is wanted here.
pub const LEVELS: &str = "rtspsrc:LOG,souphttpsrc:DEBUG,souputils:TRACE";

/// A longer body is no description that a person would read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Headers that may stand in several lines and mean the same in one (RFC 9110 section 5.3); `rtspsrc` takes them apart.
const LISTS: [&str; 2] = ["Public", "Allow"];

/// Sources that are listened to, by the address of the element, which is never followed.
static SOURCES: Mutex<Option<HashMap<usize, Arc<Source>>>> = Mutex::new(None);

thread_local! {
    /// Whose session this thread runs.
    static SESSION: RefCell<Weak<Source>> = const { RefCell::new(Weak::new()) };
}

fn sources() -> MutexGuard<'static, Option<HashMap<usize, Arc<Source>>>> {
    SOURCES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to one element for as long as it lives.
pub struct Ear {
    element: usize,
    source: Arc<Source>,
}

impl Ear {
    /// Takes down what the element says and hears. `has_password`: once asked for it, it sends credentials along.
    pub fn on(element: &gst::Element, transcript: &Arc<Transcript>, has_password: bool) -> Self {
        let source = Source { transcript: transcript.clone(), has_password, heard: Mutex::default() };
        let (element, source) = (element.as_ptr().addr(), Arc::new(source));
        sources().get_or_insert_default().insert(element, source.clone());
        Self { element, source }
    }

    /// What takes down the head of an answer, as `souphttpsrc` tells it in a message.
    pub fn on_answer(&self) -> impl Fn(&gst::StructureRef) + Send + Sync + 'static {
        let source = self.source.clone();
        move |structure| source.hear_answer(structure)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        sources().get_or_insert_default().remove(&self.element);
    }
}

/// For GStreamer's log function: a line of one of the categories of [`LEVELS`].
pub fn hear(category: &str, function: &str, object: Option<&gst::log::LoggedObject>, message: &gst::log::DebugMessage) {
    let source = || object.and_then(|object| sources().as_ref()?.get(&object.as_ptr().addr()).cloned());
    match (category, function) {
        ("rtspsrc", "dump_key_value") => {
            if let Some(source) = source().filter(|source| source.transcript.has_room()) {
                source.hear_header(&text_of(message));
            }
        }
        ("rtspsrc", "gst_rtspsrc_print_rtsp_message") => {
            if let Some(source) = source().filter(|source| source.transcript.is_open()) {
                source.hear_rtsp(|| text_of(message));
            }
        }
        ("souphttpsrc", "thread_func" | "_session_ready_cb") => {
            if let Some(source) = source() {
                SESSION.set(Arc::downgrade(&source));
            }
        }
        ("souputils", "gst_soup_util_log_printer_cb") => {
            if let Some(source) = SESSION.with_borrow(Weak::upgrade).filter(|source| source.transcript.is_open()) {
                source.hear_http(&text_of(message));
            }
        }
        _ => {}
    }
}

fn text_of(message: &gst::log::DebugMessage) -> String {
    message.get().map(|text| text.to_string()).unwrap_or_default()
}

struct Source {
    transcript: Arc<Transcript>,
    has_password: bool,
    heard: Mutex<Heard>,
}

/// How far into a message it is.
#[derive(Default)]
struct Heard {
    kind: Kind,
    /// Method and address, or status.
    first: String,
    /// Name of the header that came last.
    header: String,
    /// The next line is a body of so many bytes.
    body_bytes: Option<usize>,
    /// It was asked for a password.
    challenged: bool,
    /// Lines of a message have come, and not its last.
    within: bool,
    /// The request has its answer.
    answered: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    Request,
    Response,
}

impl Source {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `   key: 'CSeq', value: '2'`
    fn hear_header(&self, line: &str) {
        let mut heard = self.heard();
        let parts = line.trim_start().strip_prefix("key: '").and_then(|rest| rest.split_once("', value: '"));
        let Some((name, value)) = parts.filter(|_| heard.kind != Kind::Other) else { return };
        let value = value.strip_suffix('\'').unwrap_or(value);
        if heard.header == name && LISTS.contains(&name) {
            self.transcript.go_on(&format!(", {value}"));
        } else {
            self.transcript.lines(&one(&format!("{name}: {value}")));
            name.clone_into(&mut heard.header);
        }
    }

    /// The other lines of a message.
    fn hear_rtsp(&self, text: impl FnOnce() -> String) {
        let mut heard = self.heard();
        if let Some(bytes) = heard.body_bytes.take() {
            self.hear_body(bytes, heard.kind, text);
            return;
        }
        let line = text();
        let line = line.trim_start();
        let quoted = |name: &str| {
            let value = line.strip_prefix(name)?.trim_start().strip_prefix('\'')?;
            Some(one(value.strip_suffix('\'').unwrap_or(value)))
        };
        if let Some(of) = line.strip_prefix("RTSP ") {
            let kind = match of.split(' ').next() {
                Some("request") => Kind::Request,
                Some("response") => Kind::Response,
                _ => Kind::Other,
            };
            *heard = Heard { kind, challenged: heard.challenged, ..Heard::default() };
        } else if let Some(method) = quoted("method:") {
            heard.first = method;
        } else if let Some(word) = quoted("uri:").or_else(|| quoted("reason:")) {
            heard.first = format!("{} {word}", heard.first);
        } else if let Some(code) = quoted("code:") {
            heard.challenged |= code == "401";
            heard.first = code;
        } else if let Some(version) = quoted("version:") {
            match heard.kind {
                Kind::Request => self.transcript.begin(Who::We, &format!("{} RTSP/{version}", heard.first)),
                Kind::Response => self.transcript.begin(Who::Camera, &format!("RTSP/{version} {}", heard.first)),
                Kind::Other => {}
            }
        } else if line == "body:" && heard.kind == Kind::Request && heard.challenged && self.has_password {
            // It is added to the message after this line, to each from the first challenge on.
            self.transcript.lines("Authorization: ***");
        } else if let Some(bytes) = line.strip_prefix("body: length ") {
            heard.body_bytes = bytes.trim().parse().ok().filter(|bytes| *bytes > 0);
        }
    }

    /// ` v=0…(311)`
    fn hear_body(&self, bytes: usize, kind: Kind, text: impl FnOnce() -> String) {
        if kind != Kind::Response || !self.transcript.has_room() {
            return;
        }
        if bytes > MAX_BODY_BYTES {
            self.transcript.lines(&format!("({bytes} bytes)"));
            return;
        }
        let line = text();
        let body = line.strip_prefix(' ').unwrap_or(&line);
        let body = body.strip_suffix(&format!("({bytes})")).unwrap_or(body);
        self.transcript.lines(&format!("\n{body}"));
    }

    /// `HTTP_SESSION(H): > Host: 192.0.2.1`, and an empty line behind each message.
    fn hear_http(&self, line: &str) {
        let mut heard = self.heard();
        let Some((direction, line)) = line.split_once("): ").and_then(|(_, said)| said.split_at_checked(1)) else {
            return;
        };
        let line = one(line.trim());
        let who = match direction {
            ">" => Who::We,
            "<" => Who::Camera,
            _ => {
                heard.within = false;
                return;
            }
        };
        if !std::mem::replace(&mut heard.within, true) {
            let known = std::mem::replace(&mut heard.answered, who == Who::Camera) && who == Who::Camera;
            heard.kind = if known { Kind::Other } else { Kind::Response };
            if !known {
                self.transcript.begin(who, &line);
            }
        } else if heard.kind == Kind::Other {
            // Told before.
        } else if !line.starts_with("Soup-") {
            self.transcript.lines(&line);
        }
    }

    /// The structure has every header, and of the first line the status only.
    fn hear_answer(&self, structure: &gst::StructureRef) {
        let Some(status) = structure.get::<u32>("http-status-code").ok().filter(|_| structure.name() == "http-headers")
        else {
            return;
        };
        let mut heard = self.heard();
        if std::mem::replace(&mut heard.answered, true) {
            return;
        }
        self.transcript.begin(Who::Camera, &format!("HTTP {status}"));
        let Ok(headers) = structure.get::<gst::Structure>("response-headers") else { return };
        for (name, value) in headers.iter() {
            let values = match value.get::<gst::Array>() {
                Ok(several) => several.iter().filter_map(|value| value.get::<String>().ok()).collect(),
                Err(_) => value.get::<String>().into_iter().collect::<Vec<_>>(),
            };
            values.iter().for_each(|value| self.transcript.lines(&one(&format!("{name}: {value}"))));
        }
    }
}

/// What is one part of a message stays one line.
fn one(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
