//! Opening a camera, taking one picture, saying what was found.
//!
//! The monitor sees only [`Prober`]. Behind it, [`network`] knows when this machine itself has no network, and [`pool`]
//! keeps worker processes; in each, [`worker`] runs the pipelines of [`pipeline`], the only place that knows GStreamer.

pub mod access_unit;
pub mod certificate;
pub mod classify;
pub mod coded_size;
pub mod decoders;
pub mod exchange;
pub mod look;
pub mod network;
pub mod picture;
pub mod pipeline;
pub mod pool;
pub mod protocol;
pub mod redirect;
pub mod resolve;
pub mod sandbox;
pub mod scrub;
pub mod worker;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{CameraUrl, Credentials, ProbeReport, Stream, Transport, Trust};

/// One of the two test seams: whoever can probe a camera.
pub trait Prober: Send + Sync + 'static {
    /// Probes once. It always ends, a little after `request.timeout` at the latest, and the camera's failure is in
    /// the report.
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>>;
}

/// What to probe and how.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// Under which name the pool remembers what worked and what misbehaved: the stream's id.
    pub key: String,
    /// Address without credentials.
    pub url: CameraUrl,
    /// Account on the camera.
    pub credentials: Option<Credentials>,
    /// RTP transport.
    pub transport: Transport,
    /// Deadline for the verdict.
    pub timeout: Duration,
    /// Which certificate the camera may show.
    pub trust: Trust,
    /// Larger pictures are refused before they are decoded.
    pub max_megapixels: u32,
    /// Which JPEG is wanted.
    pub snapshot: SnapshotSize,
}

impl ProbeRequest {
    /// The request that a stream's configuration asks for.
    pub fn for_stream(stream: &Stream, probe: &crate::config::Probe) -> Self {
        Self {
            key: stream.id.to_string(),
            url: stream.url.clone(),
            credentials: stream.credentials.clone(),
            transport: stream.transport,
            timeout: stream.timeout,
            trust: stream.trust.clone(),
            max_megapixels: probe.max_megapixels,
            snapshot: SnapshotSize::AtMostWidth(probe.snapshot_width_px),
        }
    }
}

/// Which JPEG a probe shall return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotSize {
    /// None at all.
    None,
    /// Scaled down by the smallest whole factor that makes it at most this wide (pixels).
    AtMostWidth(u32),
    /// As it is.
    Full,
}

/// What a probe gives back.
#[derive(Clone, Debug)]
pub struct Probed {
    /// What was found.
    pub report: ProbeReport,
    /// The picture, when there is one and it was wanted. JPEG, full-range BT.601.
    pub jpeg: Option<Bytes>,
}
