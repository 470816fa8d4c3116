//! The clock of a camera and the media of one RTSP session: one timer, one picture a tick.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::camera::{ParameterSets, Start};
use super::clip::Clip;
use super::connection::Connection;
use super::device::{CameraState, random_u64};
use super::fault::{Fault, MediaFault};
use super::packetise::{Stamp, damage, packets};
use crate::model::Codec;

/// RTP clock of video (RFC 6184 section 8.2.1).
const RTP_HZ: u64 = 90_000;
/// A client that is this far behind loses pictures, as with a real camera.
const MAX_BACKLOG_BYTES: usize = 512 * 1024;
/// Time between sender reports.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Which picture of a clip comes when.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    clip: Arc<Clip>,
    /// When picture 0 was taken.
    origin: Instant,
    gop_loops: u64,
}

impl Timeline {
    /// The timeline of a camera and the number of the picture a session begins with.
    pub(super) fn join(camera: &CameraState) -> (Self, u64) {
        let clip = Arc::clone(&camera.description.clip);
        let gop_loops = u64::from(camera.description.gop_loops);
        match camera.description.start {
            Start::KeyframeFirst => (Self { clip, origin: Instant::now(), gop_loops }, 0),
            Start::Live => {
                let timeline = Self { clip, origin: camera.epoch, gop_loops };
                let next = timeline.origin.elapsed().as_micros() * u128::from(timeline.clip.fps()) / 1_000_000 + 1;
                (timeline, u64::try_from(next).unwrap_or_default())
            }
        }
    }

    /// When a picture is taken.
    pub(super) fn due(&self, number: u64) -> Instant {
        self.origin + Duration::from_micros(number * 1_000_000 / u64::from(self.clip.fps()))
    }

    /// The place in the clip of a picture.
    pub(super) fn index(&self, number: u64) -> usize {
        let (deltas, repeated) = self.deltas();
        if self.clip.codec() == Codec::Mjpeg {
            // Every picture is whole, so a pass may begin with any of them: a heartbeat of so many passes would meet the
            // same one each time, which is a frozen camera. The first pass is the clip as it is.
            let (length, pass) = (1 + deltas, number / (1 + deltas));
            let begins = if pass == 0 { 0 } else { scattered(pass) % length };
            return usize::try_from((number + begins) % length).unwrap_or_default();
        }
        let before_last = repeated * (self.gop_loops - 1);
        let index = match number % (1 + before_last + deltas) {
            0 => 0,
            n if n <= before_last => 1 + (n - 1) % repeated,
            n => n - before_last,
        };
        usize::try_from(index).unwrap_or_default()
    }

    /// Delta frames of the clip, and how many of them can be repeated without a gap.
    fn deltas(&self) -> (u64, u64) {
        let deltas = self.clip.len() as u64 - 1;
        // x264 counts frame_num modulo 16: after a multiple of 16 delta frames the first one follows without a gap.
        let repeated = if self.clip.codec() == Codec::H264 && deltas >= 16 { deltas / 16 * 16 } else { deltas };
        (deltas, repeated)
    }

    /// Which of so many takes of its first picture a pass of the clip begins with: scattered, so that no heartbeat meets
    /// the same one again and again.
    pub(super) fn take(&self, number: u64, takes: usize) -> usize {
        let (deltas, repeated) = self.deltas();
        let pass = number / (1 + repeated * (self.gop_loops - 1) + deltas);
        // A session that begins with a keyframe begins with the clip as it is.
        if pass == 0 {
            return 0;
        }
        usize::try_from(scattered(pass) % takes.max(1) as u64).unwrap_or_default()
    }
}

/// The finalizer of SplitMix64 (Steele et al., 2014): neighbours lead to numbers that are far apart.
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where packets go.
#[derive(Debug)]
pub(super) enum Route {
    /// Into the RTSP connection; RTCP on the channel after this one.
    Interleaved { channel: u8 },
    /// To the client's ports.
    Udp { rtp: UdpSocket, rtcp: UdpSocket },
}

/// The media of a session that plays.
#[derive(Debug)]
pub(super) struct Media {
    timeline: Timeline,
    /// Number of the next picture.
    next: u64,
    stamp: Stamp,
    /// RTP time of picture 0.
    rtp_base: u64,
    sets_in_band: bool,
    fault: MediaFault,
    started: Instant,
    reported: Option<Instant>,
    /// Packets of one picture, for UDP.
    scratch: Vec<u8>,
}

impl Media {
    /// Begins now, where the camera's clock is.
    pub(super) fn start(camera: &CameraState, route: &Route) -> Self {
        let (timeline, next) = Timeline::join(camera);
        let [s0, s1, s2, s3, q0, q1, ..] = random_u64().to_be_bytes();
        Self {
            timeline,
            next,
            stamp: Stamp {
                payload_type: camera.description.payload_type,
                channel: if let Route::Interleaved { channel } = route { *channel } else { 0 },
                sequence: u16::from_be_bytes([q0, q1]),
                ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
                packets_sent: 0,
                payload_bytes_sent: 0,
            },
            rtp_base: random_u64() >> 32,
            sets_in_band: camera.description.parameter_sets != ParameterSets::SdpOnly,
            fault: Fault::media(camera.fault()),
            started: Instant::now(),
            reported: None,
            scratch: Vec::new(),
        }
    }

    /// For the `RTP-Info` header (RFC 2326 section 12.33): sequence number and RTP time of the first packet.
    pub(super) fn rtp_info(&self) -> (u16, u32) {
        (self.stamp.sequence, self.rtp_time())
    }

    /// Truncated to 32 bits, as RTP has it.
    fn rtp_time(&self) -> u32 {
        (self.rtp_base + self.next * RTP_HZ / u64::from(self.timeline.clip.fps())) as u32
    }

    /// When the next picture is to be sent; `None` when none is.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.timeline.due(self.next);
        match self.fault {
            MediaFault::Nothing => None,
            MediaFault::EndsAfter(time) if due > self.started + time => None,
            _ => Some(due),
        }
    }

    /// Sends the picture that is due.
    pub(super) async fn send(&mut self, route: &Route, connection: &mut Connection) -> io::Result<()> {
        let clip = Arc::clone(&self.timeline.clip);
        let index = self.timeline.index(self.next);
        let rtp_time = self.rtp_time();
        self.next += 1;
        if self.fault == MediaFault::NoKeyframe && clip.pictures()[index].keyframe {
            return Ok(());
        }
        let all = clip.packets();
        let frozen = self.fault == MediaFault::Frozen;
        let take = |takes: usize| if frozen { 0 } else { self.timeline.take(self.next - 1, takes) };
        let frame = match index {
            0 if self.sets_in_band => &all.takes_with_sets[take(all.takes_with_sets.len())],
            0 => &all.takes[take(all.takes.len())],
            _ => &all.bare[index],
        };
        let report = self.report(rtp_time);
        let damaged = self.fault == MediaFault::Damaged;
        match route {
            Route::Interleaved { channel } => {
                if connection.backlog_bytes() > MAX_BACKLOG_BYTES {
                    return Ok(());
                }
                if let Some(report) = report {
                    connection.outbox.extend_from_slice(&[b'$', channel + 1, 0, report.len() as u8]);
                    connection.outbox.extend_from_slice(&report);
                }
                let begins = connection.outbox.len();
                self.stamp.stamp(frame, rtp_time, &mut connection.outbox);
                if damaged {
                    damage(&mut connection.outbox[begins..]);
                }
            }
            Route::Udp { rtp, rtcp } => {
                self.scratch.clear();
                self.stamp.stamp(frame, rtp_time, &mut self.scratch);
                if damaged {
                    damage(&mut self.scratch);
                }
                // A client that has closed its ports is told so by the end of the RTSP session, not here.
                if let Some(report) = report {
                    let _unreachable = rtcp.send(&report).await;
                }
                for packet in packets(&self.scratch) {
                    let _unreachable = rtp.send(packet).await;
                }
            }
        }
        Ok(())
    }

    /// A sender report with a source description (RFC 3550 sections 6.4.1 and 6.5) when one is due.
    fn report(&mut self, rtp_time: u32) -> Option<Vec<u8>> {
        let now = Instant::now();
        if self.reported.is_some_and(|at| now < at + REPORT_EVERY) {
            return None;
        }
        self.reported = Some(now);
        // Seconds and a 32-bit fraction. A sender may count from its own start (RFC 3550 section 4), as cameras do whose
        // clock was never set.
        let up = now.saturating_duration_since(self.timeline.origin);
        let ntp = (up.as_secs() << 32) | ((u64::from(up.subsec_nanos()) << 32) / 1_000_000_000);
        let ssrc = self.stamp.ssrc.to_be_bytes();
        let mut report = vec![0x80, 200, 0, 6];
        report.extend_from_slice(&ssrc);
        report.extend_from_slice(&ntp.to_be_bytes());
        report.extend_from_slice(&rtp_time.to_be_bytes());
        report.extend_from_slice(&self.stamp.packets_sent.to_be_bytes());
        report.extend_from_slice(&self.stamp.payload_bytes_sent.to_be_bytes());
        report.extend_from_slice(&[0x81, 202, 0, 4]);
        report.extend_from_slice(&ssrc);
        report.extend_from_slice(b"\x01\x06camera\0\0\0\0");
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_take_comes_and_none_for_long() {
        let timeline = timeline(3, 1);
        assert_eq!(timeline.take(2, 8), 0);
        for heartbeat_pictures in [3, 6, 15, 24, 30, 3_000] {
            let met: Vec<usize> = (0..2_000).map(|beat| timeline.take(beat * heartbeat_pictures, 8)).collect();
            assert!((0..8).all(|take| met.contains(&take)), "{heartbeat_pictures}");
            let longest = met.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
            assert!(longest < Some(8), "{heartbeat_pictures}: {longest:?}");
        }
        assert_eq!(timeline.take(7, 1), 0);
    }

    fn timeline(pictures: usize, gop_loops: u64) -> Timeline {
        let mut stream = vec![0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88];
        for _ in 1..pictures {
            stream.extend_from_slice(&[0, 0, 1, 0x41, 0x9a]);
        }
        let clip = Clip::from_annex_b(Codec::H264, stream, 25).expect("clip");
        Timeline { clip, origin: Instant::now(), gop_loops }
    }

    #[test]
    fn a_clip_repeats_and_a_long_group_repeats_its_delta_frames() {
        let short = timeline(3, 1);
        assert_eq!((0..7).map(|n| short.index(n)).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
        let long = timeline(20, 3);
        let indices: Vec<usize> = (0..=52).map(|n| long.index(n)).collect();
        let expected: Vec<usize> = std::iter::once(0).chain(1..=16).chain(1..=16).chain(1..=19).chain([0]).collect();
        assert_eq!(indices, expected);
    }

    #[test]
    fn no_heartbeat_meets_one_picture_of_mjpeg_only() {
        let clip = crate::simulator::clips::pool_mjpeg();
        let (length, origin) = (clip.len() as u64, Instant::now());
        let timeline = Timeline { clip, origin, gop_loops: 1 };
        assert!((0..length).all(|number| timeline.index(number) as u64 == number), "the first pass");
        let met: Vec<usize> = (1..50).map(|beat| timeline.index(beat * 3 * length)).collect();
        assert!(met.chunk_by(|a, b| a == b).all(|same| same.len() < 3), "{met:?}");
    }

    #[test]
    fn pictures_are_due_at_the_rate_of_the_clip() {
        let timeline = timeline(3, 1);
        assert_eq!(timeline.due(26) - timeline.due(1), Duration::from_secs(1));
    }
}
