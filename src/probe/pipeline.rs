//! The pipelines of a probe, and the only place that names GStreamer.
//!
//! [`receive`] opens the camera and ends at the first whole keyframe: `rtsp` or `http` build the source, `watch` sees
//! what happens, `overheard` takes down what is said, `entrance` is where packets come in, `gate` holds back what comes before
//! a keyframe. `authority` judges certificates, `https_relay` is the TLS of `http`, `rtsp_relay` the connection of `rtsp`, with
//! its `sieve`. [`decode`] turns that keyframe into a picture in a slot that is kept warm, [`jpeg`] encodes it. [`preview`]
//! stays for more than one. [`hardware`] finds decoders, [`self_test`] says what they are worth.

mod authority;
mod challenge;
mod connect;
mod container;
pub mod decode;
mod dial;
pub mod elements;
mod entrance;
mod first_boundary;
mod fragments;
mod gate;
pub mod hardware;
mod http;
mod https_relay;
pub mod jpeg;
mod overheard;
pub mod preview;
pub mod receive;
mod rtsp;
mod rtsp_relay;
mod second_look;
pub mod self_test;
mod sieve;
mod source_log;
mod timeline;
mod watch;

pub use watch::{Seen, Tap, Watch};

use gstreamer as gst;

/// An access unit with its caps.
pub type Sample = gst::Sample;

/// Starts GStreamer in this process and listens to what its elements say in their logs only.
///
/// # Errors
/// When GStreamer does not start.
pub fn init() -> anyhow::Result<()> {
    gst::init()?;
    gst::log::remove_default_log_function();
    gst::log::set_active(true);
    // By name, because a category is only made when its plugin is loaded.
    gst::log::set_threshold_from_string(&format!("libav:INFO,{}", overheard::LEVELS), false);
    gst::log::add_log_function(|category, level, _, function, _, object, message| match category.name() {
        "libav" => decode::hear_libav(level, message.get().as_deref().unwrap_or_default()),
        "rtspsrc" if level <= gst::DebugLevel::Warning => {
            source_log::hear(level, message.get().as_deref().unwrap_or_default());
        }
        category => overheard::hear(category, function, object, message),
    });
    Ok(())
}
