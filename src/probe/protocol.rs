//! What monitor and worker say to each other: frames of a JSON head and a binary body over a socket pair.
//!
//! A frame is `head length: u32 BE, body length: u32 BE, head, body`. The worker has parsed hostile bytes, so the
//! monitor believes no length and no field of it: both lengths are bounded before anything is allocated.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::decoders::Decoder;
use super::{ProbeRequest, SnapshotSize};
use crate::model::{CameraUrl, ProbeReport, Secret, Transport, Trust};

/// Longest JSON head.
pub const MAX_HEAD_BYTES: usize = 256 * 1024;
/// Longest body: a full-size JPEG.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// From the monitor to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// Probe this, and answer with [`FromWorker::Report`] of the same number.
    Probe {
        /// Number of the probe, never used twice in one worker.
        id: u64,
        /// What to probe.
        target: Box<Target>,
    },
    /// Show this live: [`FromWorker::Picture`]s of this number until it is cancelled or ends, then a
    /// [`FromWorker::Report`] when the camera was hung up on.
    Preview {
        /// Its number, one of the same row as those of probes.
        id: u64,
        /// What to show; its timeout is that for the first picture, and for silence later.
        target: Box<Target>,
        /// When it ends at the latest.
        longest: Duration,
        /// So many pictures a second at most.
        pictures_per_second: u32,
    },
    /// Nobody waits for this probe or preview any more: hang up politely. A probe makes no report then.
    Cancel {
        /// Its number.
        id: u64,
    },
    /// Say [`FromWorker::Pong`].
    Ping {
        /// Given back.
        number: u64,
    },
}

/// From a worker to the monitor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// Once at the start.
    Hello {
        /// What is needed and not installed; empty when all is well.
        missing: Vec<MissingElement>,
        /// Decoder per codec, for people.
        decoders: Vec<String>,
        /// Sandbox layers that are active.
        sandbox: Vec<String>,
        /// Hardware decoders, those that are not used included.
        hardware: Vec<Decoder>,
    },
    /// A hardware decoder is used from now on, or not used any more; the list as in the hello.
    Hardware {
        /// All of them.
        decoders: Vec<Decoder>,
    },
    /// The answer to a ping.
    Pong {
        /// As in the ping.
        number: u64,
    },
    /// This probe has its keyframe, which waits for a decoder from now on.
    Queued {
        /// Its number.
        id: u64,
    },
    /// This probe's keyframe is in a decoder from now on: a suspect when the worker dies.
    Decoding {
        /// Its number.
        id: u64,
    },
    /// The decoder is done with this probe's keyframe, while the probe still hangs up.
    Decoded {
        /// Its number.
        id: u64,
    },
    /// What a probe without a picture found, while it still hangs up; [`FromWorker::Report`] follows when it has.
    Verdict {
        /// Its number.
        id: u64,
        /// What was found.
        report: Box<ProbeReport>,
    },
    /// A picture of a preview, the body, is the newest. One that comes while the one before is still being written is
    /// dropped in the worker.
    Picture {
        /// Its number.
        id: u64,
    },
    /// A probe or a preview ended; the body is the JPEG of a probe, when there is one.
    Report {
        /// Its number.
        id: u64,
        /// What was found.
        report: Box<ProbeReport>,
    },
}

/// A GStreamer element that is not installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingElement {
    /// Name of the element.
    pub element: String,
    /// Debian package that has it.
    pub package: String,
}

/// What a worker needs to know of a stream. Holds the password in the clear: it never leaves the two processes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    /// Address without credentials.
    pub location: String,
    /// `rtsp`, `rtsps`, `http` or `https`.
    pub scheme: String,
    /// Host without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// There is an account, and a redirect led to where it is not taken along.
    pub password_left_behind: bool,
    /// RTP transport.
    pub transport: Transport,
    /// Deadline from the moment the worker starts.
    pub timeout: Duration,
    /// Which certificate the camera may show.
    pub trust: Trust,
    /// Larger pictures are refused before they are decoded.
    pub max_megapixels: u32,
    /// Which JPEG is wanted.
    pub snapshot: SnapshotSize,
    /// Whether a hardware decoder may have the keyframe.
    pub hardware: HardwareUse,
}

/// What a probe may use of the hardware decoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HardwareUse {
    /// None: decode in software.
    Never,
    /// One that takes it, else software.
    IfPossible,
    /// Nothing else, for H.264 and H.265.
    Only,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Target {
    /// What the worker is told for a request; `transport` and `hardware` are what the pool remembers to work.
    pub fn new(request: &ProbeRequest, transport: Transport, hardware: HardwareUse) -> Self {
        let credentials = request.credentials.as_ref();
        Self {
            location: request.url.to_string(),
            scheme: request.url.scheme().as_str().to_owned(),
            host: request.url.host().to_owned(),
            port: request.url.port(),
            credentials: credentials.map(|c| (c.username.clone(), Secret::expose(&c.password).to_owned())),
            password_left_behind: false,
            transport,
            timeout: request.timeout,
            trust: request.trust.clone(),
            max_megapixels: request.max_megapixels,
            snapshot: request.snapshot,
            hardware,
        }
    }

    /// The same camera at another address: where it redirected us to.
    #[must_use]
    pub fn moved(&self, url: &CameraUrl, with_credentials: bool) -> Self {
        Self {
            location: url.to_string(),
            scheme: url.scheme().as_str().to_owned(),
            host: url.host().to_owned(),
            port: url.port(),
            credentials: self.credentials.clone().filter(|_| with_credentials),
            password_left_behind: self.password_left_behind || self.credentials.is_some() && !with_credentials,
            ..self.clone()
        }
    }

    /// The host without the interface that a link-local address has behind it: what a certificate and a `Host` header
    /// hold (RFC 6874 section 4).
    pub fn host_without_zone(&self) -> &str {
        self.host.split('%').next().unwrap_or(&self.host)
    }

    /// True when no password goes along, neither as credentials nor in the address.
    pub fn has_no_account(&self) -> bool {
        let in_address = CameraUrl::parse(&self.location).is_ok_and(|(url, _)| url.account().is_some());
        self.credentials.is_none() && !in_address
    }

    /// True when TLS is spoken to it.
    pub fn is_tls(&self) -> bool {
        self.scheme.ends_with('s')
    }
}

/// One frame as bytes, ready to be written.
///
/// # Errors
/// When the message does not serialize or is longer than the other side takes.
pub fn encode<T: Serialize>(head: &T, body: &[u8]) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(head)?;
    if head.len() > MAX_HEAD_BYTES || body.len() > MAX_BODY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    let mut frame = Vec::with_capacity(8 + head.len() + body.len());
    frame.extend_from_slice(&(head.len() as u32).to_be_bytes());
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(body);
    Ok(frame)
}

fn lengths(prefix: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let head = u32::from_be_bytes([a, b, c, d]) as usize;
    let body = u32::from_be_bytes([e, f, g, h]) as usize;
    if head > MAX_HEAD_BYTES || body > MAX_BODY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok((head, body))
}

/// Writes one frame (worker side).
///
/// # Errors
/// When the socket is closed or the frame is too long.
pub fn write_frame<T: Serialize>(writer: &mut impl Write, head: &T, body: &[u8]) -> io::Result<()> {
    writer.write_all(&encode(head, body)?)
}

/// Reads one frame (worker side); `None` at the end of the connection.
///
/// # Errors
/// When the frame is cut short, too long or not understood.
pub fn read_frame<T: DeserializeOwned>(reader: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut prefix = [0; 8];
    match reader.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (head_length, body_length) = lengths(prefix)?;
    let mut head = vec![0; head_length];
    reader.read_exact(&mut head)?;
    let mut body = vec![0; body_length];
    reader.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

/// Reads one frame (monitor side); `None` at the end of the connection.
///
/// # Errors
/// When the frame is cut short, too long or not understood.
pub async fn read_frame_async<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut prefix = [0; 8];
    match reader.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let (head_length, body_length) = lengths(prefix)?;
    let mut head = vec![0; head_length];
    reader.read_exact(&mut head).await?;
    let mut body = vec![0; body_length];
    reader.read_exact(&mut body).await?;
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_way() {
        let frame = encode(&ToWorker::Ping { number: 7 }, b"body").expect("encode");
        let mut wire = frame.as_slice();
        let (head, body) = read_frame::<ToWorker>(&mut wire).expect("read").expect("frame");
        assert!(matches!(head, ToWorker::Ping { number: 7 }) && body == b"body");
        assert!(read_frame::<ToWorker>(&mut wire).expect("end").is_none());
    }

    #[test]
    fn lengths_are_not_believed() {
        let huge = [0xff; 8];
        let error = read_frame::<FromWorker>(&mut huge.as_slice()).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let cut = encode(&ToWorker::Ping { number: 7 }, b"body").expect("encode");
        assert!(read_frame::<ToWorker>(&mut &cut[..cut.len() - 1]).is_err());
        let not_json = [0, 0, 0, 1, 0, 0, 0, 0, b'{'];
        assert!(read_frame::<ToWorker>(&mut not_json.as_slice()).is_err());
    }
}
