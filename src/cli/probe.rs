//! `streampulse probe`: one camera, now, for a person or a script.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{EX_CANTCREAT, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE, ProbeArguments, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Hardware, Overrides};
use crate::health::looks::judge_at_first_sight;
use crate::model::report::probe_json;
use crate::model::stage::to_ms;
use crate::model::{CameraAccount, CameraUrl, Outcome, PictureChecks, ProbeReport, Stream, Transport, Trust};
use crate::probe::pool::{Pool, PoolMeasures, PoolOptions};
use crate::probe::{ProbeRequest, Prober as _, SnapshotSize};
use crate::schedule::guard::{left_alone_for, not_asked};
use crate::store::look_for_refusals;

/// Deadline when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Probes and prints. The exit code is 0 with a picture and 1 without, also where the lock-out guard keeps it from asking.
pub async fn run(config: &Path, arguments: ProbeArguments) -> u8 {
    let Wanted { request, shown_url, hardware, checks, guarded } = match wanted(config, &arguments) {
        Ok(wanted) => wanted,
        Err((message, code)) => return complain(&message, code),
    };
    let now = SystemClock.now();
    if let Some((stream, left)) = guarded.filter(|_| !arguments.force).and_then(|guarded| guarded.left_alone(now)) {
        if arguments.json {
            say(&to_json(&shown_url, &not_asked(&stream, now, left), None).to_string());
        }
        let (name, minutes) = (&stream.name, left.as_secs().div_ceil(60));
        let message = format!(
            "the camera refuses the password of {name}, and so that it does not lock the account it is asked again only \
             in {minutes} min; correct the password and the service asks at once, or ask all the same with --force"
        );
        return complain(&message, 1);
    }
    let options = PoolOptions { hardware, ..PoolOptions::new(registry()).with_workers(1) };
    let pool = match Pool::start(options).await {
        Ok(pool) => pool,
        Err(error) => return complain(&error.to_string(), EX_UNAVAILABLE),
    };
    let mut probed = pool.probe(request).await;
    let decoders = arguments.verbose.then(|| pool.measures());
    pool.close().await;
    judge_at_first_sight(&mut probed.report, &checks);
    if arguments.json {
        say(&to_json(&shown_url, &probed.report, decoders.as_ref()).to_string());
    } else {
        say(&to_text(&shown_url, &probed.report));
        if let Some(exchange) = probed.report.exchange.as_deref().filter(|_| arguments.verbose) {
            say(&format!("what was said:\n{exchange}"));
        }
        if let Some(measures) = &decoders {
            say(&decoders_text(measures));
        }
    }
    if let (Some(file), Some(jpeg)) = (&arguments.snapshot, &probed.jpeg)
        && let Err(error) = tokio::fs::write(file, jpeg).await
    {
        return complain(&format!("cannot write {}: {error}", file.display()), EX_CANTCREAT);
    }
    u8::from(probed.report.outcome != Outcome::Ok)
}

/// What to probe and how.
struct Wanted {
    request: ProbeRequest,
    shown_url: String,
    hardware: Hardware,
    /// What to look for in its picture.
    checks: PictureChecks,
    /// `None` for a URL, which has no state.
    guarded: Option<Guarded>,
}

/// A configured stream, whose camera the service may leave alone.
struct Guarded {
    stream: Arc<Stream>,
    state_dir: PathBuf,
}

impl Guarded {
    /// The stream, and how long it is still left alone. What cannot be read holds nobody up.
    fn left_alone(self, now: Timestamp) -> Option<(Arc<Stream>, Duration)> {
        let account = CameraAccount::of(&self.stream)?;
        let left = left_alone_for(&account, look_for_refusals(&self.state_dir)?, now)?;
        Some((self.stream, left))
    }
}

fn wanted(config: &Path, arguments: &ProbeArguments) -> Result<Wanted, (String, u8)> {
    let Wanted { mut request, shown_url, hardware, checks, guarded } = if arguments.what.contains("://") {
        let (url, credentials) =
            CameraUrl::parse(&arguments.what).map_err(|error| (format!("the URL: {error}"), EX_USAGE))?;
        let shown = url.redacted(credentials.as_ref());
        let request = ProbeRequest {
            key: "probe".to_owned(),
            url,
            credentials,
            transport: Transport::Auto,
            timeout: TIMEOUT,
            trust: Trust::default(),
            max_megapixels: 40,
            snapshot: SnapshotSize::None,
        };
        let (hardware, checks) = (Hardware::Auto, PictureChecks::DEFAULT);
        Wanted { request, shown_url: shown, hardware, checks, guarded: None }
    } else {
        configured(config, &arguments.what)?
    };
    if let Some(timeout) = arguments.timeout {
        request.timeout = timeout;
    }
    if let Some(transport) = arguments.transport {
        request.transport = transport.into();
    }
    if let Some(file) = &arguments.ca_file {
        let authorities =
            crate::config::read_ca_file(file).map_err(|error| (format!("--ca-file: {error}"), EX_USAGE))?;
        request.trust.authorities = Some(authorities);
    }
    if let Some(fingerprint) = arguments.tls_fingerprint {
        request.trust.pinned = Some(fingerprint);
    }
    if arguments.insecure {
        request.trust = Trust { verify: false, pinned: None, ..request.trust };
    }
    request.snapshot = if arguments.snapshot.is_some() { SnapshotSize::Full } else { SnapshotSize::None };
    Ok(Wanted { request, shown_url, hardware: arguments.hardware.unwrap_or(hardware), checks, guarded })
}

fn configured(config: &Path, what: &str) -> Result<Wanted, (String, u8)> {
    let loaded = crate::config::load(config).map_err(|problems| (problems.to_string(), EX_CONFIG))?;
    let stream = loaded.config.stream_by_id_or_name(what).ok_or_else(|| {
        let message = format!(
            "{what:?} is neither a URL nor a stream of {}; write a URL as rtsp://host/path or http://host/path",
            config.display()
        );
        (message, EX_USAGE)
    })?;
    let probe = &loaded.config.probe;
    let request = ProbeRequest::for_stream(stream, probe);
    // As the service does.
    let state_dir = Overrides::from_env().state_dir.unwrap_or_else(|| loaded.config.storage.path.clone());
    let guarded = Guarded { stream: stream.clone(), state_dir };
    Ok(Wanted {
        request,
        shown_url: stream.shown_url(),
        hardware: probe.hardware,
        checks: stream.checks,
        guarded: Some(guarded),
    })
}

/// The plugin registry of a person: no state directory is needed.
fn registry() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("streampulse").join("gstreamer-registry.bin")
}

/// The object that `--json` prints; with the decoders when they are wanted.
fn to_json(shown_url: &str, report: &ProbeReport, decoders: Option<&PoolMeasures>) -> serde_json::Value {
    let mut object = probe_json(shown_url, report);
    if let Some(measures) = decoders {
        object["decoders"] = json!(measures.decoders);
        object["hardware_decoders"] = measures.hardware.iter().map(ToString::to_string).collect();
    }
    object
}

/// Which decoders there are, and why one is not used.
fn decoders_text(measures: &PoolMeasures) -> String {
    let mut lines = vec![format!("software decoders: {}", measures.decoders.join(", "))];
    if measures.hardware.is_empty() {
        lines.push("hardware decoders: none found".to_owned());
    }
    lines.extend(measures.hardware.iter().map(|decoder| format!("hardware decoder: {decoder}")));
    lines.join("\n")
}

fn to_text(shown_url: &str, report: &ProbeReport) -> String {
    let mut lines = vec![format!("{shown_url}")];
    match report.outcome {
        Outcome::Ok => lines.push(format!("ok: {}", report.message())),
        Outcome::Failed { stage, reason, .. } => {
            lines.push(format!("failed at {stage}: {reason}: {}", report.message()));
        }
    }
    if let Some(next_step) = report.next_step() {
        lines.push(format!("next step: {next_step}"));
    }
    if let Some(video) = &report.video {
        let size =
            video.width.zip(video.height).map_or_else(String::new, |(width, height)| format!(" {width}×{height}"));
        let profile = video.profile.as_deref().map_or_else(String::new, |profile| format!(" {profile}"));
        let fps = video.fps.map_or_else(String::new, |fps| format!(", {fps} pictures/s"));
        let decoder = video.decoder.as_deref().map_or_else(String::new, |decoder| format!(", decoded by {decoder}"));
        lines.push(format!("video: {}{profile}{size}{fps}{decoder}", video.codec.as_str()));
        if let Some(why) = &video.hardware_refused {
            lines.push(format!("not decoded by hardware: {why}"));
        }
    }
    if let Some(picture) = &report.picture {
        lines.push(format!(
            "picture: mean luma {}, standard deviation {}, sharpness {}",
            picture.luma_mean, picture.luma_stddev, picture.sharpness
        ));
    }
    let phases: Vec<_> = report.phases.iter().map(|(stage, took)| format!("{stage} {}", to_ms(took))).collect();
    lines.push(format!("time: {} ms ({})", to_ms(report.latency), phases.join(", ")));
    lines.join("\n")
}
