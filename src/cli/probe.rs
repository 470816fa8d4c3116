//! `streampulse probe`: one camera, now, for a person or a script.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{EX_CANTCREAT, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE, ProbeArguments, complain, say};
use crate::model::report::to_ms;
use crate::model::{CameraUrl, Outcome, ProbeReport, Transport, Trust};
use crate::probe::pool::{Pool, PoolOptions};
use crate::probe::{ProbeRequest, Prober as _, SnapshotSize};

/// Deadline when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Probes and prints. The exit code is 0 with a picture and 1 without.
pub async fn run(config: &Path, arguments: ProbeArguments) -> u8 {
    let (request, shown_url) = match request(config, &arguments) {
        Ok(request) => request,
        Err((message, code)) => return complain(&message, code),
    };
    let pool = match Pool::start(PoolOptions::new(registry()).with_workers(1)).await {
        Ok(pool) => pool,
        Err(error) => return complain(&error.to_string(), EX_UNAVAILABLE),
    };
    let probed = pool.probe(request).await;
    pool.close().await;
    if arguments.json {
        say(&to_json(&shown_url, &probed.report).to_string());
    } else {
        say(&to_text(&shown_url, &probed.report));
    }
    if let (Some(file), Some(jpeg)) = (&arguments.snapshot, &probed.jpeg)
        && let Err(error) = tokio::fs::write(file, jpeg).await
    {
        return complain(&format!("cannot write {}: {error}", file.display()), EX_CANTCREAT);
    }
    u8::from(probed.report.outcome != Outcome::Ok)
}

fn request(config: &Path, arguments: &ProbeArguments) -> Result<(ProbeRequest, String), (String, u8)> {
    let (mut request, shown_url) = if arguments.what.contains("://") {
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
        (request, shown)
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
    Ok((request, shown_url))
}

fn configured(config: &Path, what: &str) -> Result<(ProbeRequest, String), (String, u8)> {
    let loaded = crate::config::load(config).map_err(|problems| (problems.to_string(), EX_CONFIG))?;
    let stream = loaded.config.stream_by_id_or_name(what).ok_or_else(|| {
        let message = format!(
            "{what:?} is neither a URL nor a stream of {}; write a URL as rtsp://host/path or http://host/path",
            config.display()
        );
        (message, EX_USAGE)
    })?;
    Ok((ProbeRequest::for_stream(stream, &loaded.config.probe), stream.shown_url()))
}

/// The plugin registry of a person: no state directory is needed.
fn registry() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("streampulse").join("gstreamer-registry.bin")
}

/// The object of section 5 of the design.
fn to_json(shown_url: &str, report: &ProbeReport) -> serde_json::Value {
    json!({
        "url": shown_url,
        "outcome": if report.outcome == Outcome::Ok { "ok" } else { "failed" },
        "stage": report.stage(),
        "reason": report.reason(),
        "message": report.message(),
        "next_step": report.reason().next_step(),
        "latency_ms": to_ms(report.latency),
        "phases_ms": report.phases,
        "video": report.video,
        "picture": report.picture,
    })
}

fn to_text(shown_url: &str, report: &ProbeReport) -> String {
    let mut lines = vec![format!("{shown_url}")];
    match report.outcome {
        Outcome::Ok => lines.push(format!("ok: {}", report.message())),
        Outcome::Failed { stage, reason, .. } => {
            lines.push(format!("failed at {stage}: {reason}: {}", report.message()));
        }
    }
    if let Some(next_step) = report.reason().next_step() {
        lines.push(format!("next step: {next_step}"));
    }
    if let Some(video) = &report.video {
        let size =
            video.width.zip(video.height).map_or_else(String::new, |(width, height)| format!(" {width}×{height}"));
        let profile = video.profile.as_deref().map_or_else(String::new, |profile| format!(" {profile}"));
        let fps = video.fps.map_or_else(String::new, |fps| format!(", {fps} pictures/s"));
        let decoder = video.decoder.as_deref().map_or_else(String::new, |decoder| format!(", decoded by {decoder}"));
        lines.push(format!("video: {}{profile}{size}{fps}{decoder}", video.codec.as_str()));
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
