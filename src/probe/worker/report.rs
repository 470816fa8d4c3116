//! From what was received and decoded to the report of a probe, with the evidence when it failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::decoding::Decoded;
use crate::model::{CameraUrl, Credentials, Look, Outcome, ProbeReport, Reason, Stage};
use crate::probe::classify::{End, classify};
use crate::probe::exchange::Transcript;
use crate::probe::pipeline::receive::Received;
use crate::probe::protocol::Target;
use crate::probe::scrub::Scrubber;

/// What was said in one probe, and what nobody may see of it.
pub struct Evidence {
    transcript: Arc<Transcript>,
    location: String,
    credentials: Option<Credentials>,
}

impl Evidence {
    /// Nothing yet of a probe that begins.
    pub fn new(target: &Target, started: Instant) -> Self {
        let credentials = target.credentials.as_ref().map(|(user, password)| Credentials::new(user, password));
        let location = target.location.clone();
        Self { transcript: Arc::new(Transcript::new(started)), location, credentials }
    }

    /// Where it is taken down.
    pub fn transcript(&self) -> &Arc<Transcript> {
        &self.transcript
    }

    /// What goes with this outcome: nothing, when there is a picture.
    fn of(&self, outcome: &Outcome) -> Option<Box<str>> {
        let Outcome::Failed { stage, reason, detail } = outcome else { return None };
        // Without its address nobody knows its secrets.
        let (url, _) = CameraUrl::parse(&self.location).ok()?;
        let scrubber = Scrubber::new(&url, self.credentials.as_ref());
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        self.transcript.told(&scrubber, &format!("failed at {stage}: {reason}{detail}"))
    }
}

/// A failure of which nothing else is known.
pub fn failed(stage: Stage, end: &End, latency: Duration) -> ProbeReport {
    ProbeReport { outcome: classify(stage, end), ..ProbeReport::failed(stage, Reason::Overloaded, "", latency) }
}

/// The report of a probe that got no keyframe.
pub fn failure(stage: Stage, end: &End, received: &Received, evidence: &Evidence) -> ProbeReport {
    let mut report = failed(stage, end, received.phases.iter().map(|(_, took)| took).sum());
    (report.phases, report.transport) = (received.phases, received.transport);
    report.exchange = evidence.of(&report.outcome);
    report
}

/// Puts the two halves together.
pub fn finish(
    received: Received,
    decoded: Option<Decoded>,
    started: Instant,
    evidence: &Evidence,
) -> (ProbeReport, Vec<u8>) {
    let mut phases = received.phases;
    let waiting = started.elapsed();
    let keyframe = match received.result {
        Ok(keyframe) => keyframe,
        Err((stage, ref end)) => return (failure(stage, end, &received, evidence), Vec::new()),
    };
    let mut video = keyframe.video;
    let Some(decoded) = decoded else {
        let mut report = failed(Stage::Decode, &End::Overloaded, waiting);
        (report.phases, report.video, report.transport) = (phases, Some(video), received.transport);
        report.exchange = evidence.of(&report.outcome);
        return (report, Vec::new());
    };
    phases.add(Stage::Decode, decoded.decode_took);
    (video.decoder, video.hardware) = (decoded.decoder, decoded.hardware);
    video.hardware_refused = decoded.hardware_refused;
    if let Some((width, height)) = decoded.size_px {
        (video.width, video.height) = (Some(width), Some(height));
    }
    let mut report = failed(Stage::Decode, &End::Overloaded, waiting);
    let mut jpeg = Vec::new();
    match decoded.result {
        Ok(seen) => {
            phases.add(Stage::Picture, decoded.picture_took);
            (report.outcome, report.picture) = (Outcome::Ok, Some(seen.stats));
            report.look = seen.look.map(|look| Box::new(Look { clock: keyframe.clock, ..look }));
            jpeg = seen.jpeg.map_or_else(Vec::new, |jpeg| jpeg.to_vec());
        }
        Err(end) => report.outcome = classify(Stage::Decode, &end),
    }
    report.latency = phases.iter().map(|(_, took)| took).sum();
    (report.phases, report.video, report.transport) = (phases, Some(video), received.transport);
    report.exchange = evidence.of(&report.outcome);
    (report, jpeg)
}
