//! The pipelines of a probe, and the only place that names GStreamer.
//!
//! [`receive`] opens the camera and ends at the first whole keyframe: `rtsp` or `http` build the source, `watch` sees
//! what happens. `authority` judges certificates, `relay` is the TLS of `http`. [`decode`] turns that keyframe into a
//! picture in a slot that is kept warm, [`jpeg`] encodes it. [`hardware`] finds decoders, [`self_test`] says what they are
//! worth.

mod authority;
mod challenge;
mod container;
pub mod decode;
mod dial;
pub mod elements;
mod first_boundary;
pub mod hardware;
mod http;
pub mod jpeg;
pub mod receive;
mod relay;
mod rtsp;
mod second_look;
pub mod self_test;
mod watch;

pub use watch::Seen;

use gstreamer as gst;

/// An access unit with its caps.
pub type Sample = gst::Sample;

/// Starts GStreamer in this process and lets libav's complaints be counted.
///
/// # Errors
/// When GStreamer does not start.
pub fn init() -> anyhow::Result<()> {
    gst::init()?;
    decode::watch_libav();
    Ok(())
}
