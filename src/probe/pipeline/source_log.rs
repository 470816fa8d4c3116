//! What `rtspsrc` says in its log and nowhere else: fixed texts of its source at the level of warnings, in the thread that
//! then asks here. Where a later version words them in another way, a verdict is less exact, as noted with each.

use std::cell::RefCell;

use gstreamer as gst;

use super::receive::MAX_LOCATION_CHARACTERS;

/// What was said since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    reconnects: bool,
    not_implemented: bool,
    location: Option<String>,
}

thread_local! {
    static SAID: RefCell<Said> = RefCell::default();
}

/// For GStreamer's log function: a line of the category `rtspsrc`.
pub fn hear(level: gst::DebugLevel, line: &str) {
    if level > gst::DebugLevel::Warning {
        return;
    }
    SAID.with_borrow_mut(|said| {
        if line == "server closed connection" {
            said.reconnects = true;
        } else if line.starts_with("got NOT IMPLEMENTED") {
            said.not_implemented = true;
        } else if let Some(rest) = line.strip_prefix("Not a valid RTSP url '") {
            // Up to the last quote: what is before it is the camera's.
            let location = rest.rsplit_once('\'').map_or(rest, |(location, _)| location);
            said.location = Some(location.chars().take(MAX_LOCATION_CHARACTERS).collect());
        }
    });
}

/// Forgets what was said: threads are used again.
pub fn clear() {
    SAID.take();
}

/// True when the camera closed its connection in place of an answer, and the request is about to be sent again over a new
/// one. Unheard, a password that was never answered would be taken for a refused one.
pub fn reconnects() -> bool {
    SAID.with_borrow_mut(|said| std::mem::take(&mut said.reconnects))
}

/// True when the camera does not know the method (405, 406, 501, 551), which `rtspsrc` takes for a success. Unheard, it is
/// `no_video` or `no_data`.
pub fn not_implemented() -> bool {
    SAID.with_borrow_mut(|said| std::mem::take(&mut said.not_implemented))
}

/// The `Location` of a redirect that `rtspsrc` cannot read: relative, or of another scheme. It then asks the same address
/// again; unheard, that is a redirect to itself.
pub fn location() -> Option<String> {
    SAID.with_borrow_mut(|said| said.location.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_heard_once() {
        let warning = gst::DebugLevel::Warning;
        hear(warning, "server closed connection");
        hear(warning, "got NOT IMPLEMENTED, disable method PLAY");
        hear(gst::DebugLevel::Error, "Not a valid RTSP url 'http://it's/x' (-1)");
        assert_eq!((reconnects(), not_implemented()), (true, true));
        assert_eq!(location().as_deref(), Some("http://it's/x"));
        assert_eq!((reconnects(), not_implemented(), location()), (false, false, None));
        hear(warning, "server closed connection");
        clear();
        hear(gst::DebugLevel::Debug, "server closed connection");
        hear(warning, "something else");
        assert!(!reconnects());
    }

    #[test]
    fn a_location_has_an_end() {
        hear(gst::DebugLevel::Error, &format!("Not a valid RTSP url '{}' (-1)", "x".repeat(100_000)));
        assert_eq!(location().map(|location| location.len()), Some(MAX_LOCATION_CHARACTERS));
    }
}
