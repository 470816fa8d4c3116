//! From a file to a configuration, or to every problem of it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::environment::Overrides;
use super::problem::{Problem, Problems};
use super::reader::{Findings, Section};
use super::settings::Config;
use super::streams::Defaults;
use super::{keys, maintenance, notify, sections, streams, yaml};

/// A configuration of 20,000 streams has about half of that.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A configuration that can be used, and what is odd in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Validated, with defaults filled in.
    pub config: Config,
    /// In the order of the file; for the log and `check-config`.
    pub warnings: Vec<Problem>,
}

/// Reads and validates a file, as if no environment variable were set.
///
/// # Errors
/// Every problem of the file at once.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, &Overrides::default())
}

/// Reads and validates a file and lets the environment override it.
///
/// # Errors
/// Every problem of the file, and of the overriding variables, at once.
pub fn load_with(path: &Path, overrides: &Overrides) -> Result<Loaded, Problems> {
    match read(path) {
        Ok(bytes) => parse(path, &bytes, overrides),
        Err(problem) => Err(Problems { file: path.to_owned(), problems: vec![problem], warnings: Vec::new() }),
    }
}

/// Validates the content of a file; `path` is only named in messages.
///
/// # Errors
/// Every problem of the content, and of the overriding variables, at once.
pub fn parse(path: &Path, bytes: &[u8], overrides: &Overrides) -> Result<Loaded, Problems> {
    let findings = Findings::default();
    let config = text_of(bytes).and_then(|text| {
        let root = yaml::parse(text, &mut findings.problems.borrow_mut())?;
        let root = root.filter(|node| !node.is_null()).ok_or_else(|| {
            Problem::of_file("the file is empty; write at least `streams: []`, or take the commented default file")
        })?;
        Ok(build(&Section::new(&root, String::new(), keys::ROOT, &findings), overrides))
    });
    let mut problems = findings.problems.into_inner();
    let mut warnings = findings.warnings.into_inner();
    // Found section by section; a person reads the file from its top.
    problems.sort_by_key(|problem| problem.line);
    warnings.sort_by_key(|problem| problem.line);
    warnings.extend(overrides.warnings.iter().cloned().map(Problem::of_file));
    problems.extend(overrides.problems.iter().cloned().map(Problem::of_file));
    match config {
        Ok(mut config) if problems.is_empty() => {
            config.apply_overrides(overrides);
            Ok(Loaded { config, warnings })
        }
        Ok(_) => Err(Problems { file: path.to_owned(), problems, warnings }),
        Err(problem) => {
            problems.push(problem);
            Err(Problems { file: path.to_owned(), problems, warnings })
        }
    }
}

fn build(root: &Section<'_>, overrides: &Overrides) -> Config {
    let default = Config::default();
    let heartbeat = sections::heartbeat(root, default.heartbeat);
    let (timezone, timezone_name) =
        sections::timezone(root).unwrap_or((default.timezone.clone(), default.timezone_name.clone()));
    let (probe, timeout_given) = sections::probe(root);
    let timeout = |variable: Option<std::time::Duration>| match variable {
        Some(timeout) if !timeout_given => timeout,
        _ => probe.timeout,
    };
    let defaults = Defaults {
        heartbeat,
        rtsp_timeout: timeout(overrides.rtsp_timeout),
        http_timeout: timeout(overrides.mjpeg_timeout),
    };
    let streams = streams::streams(root, &defaults);
    Config {
        heartbeat,
        mqtt: sections::mqtt(root),
        notify: notify::notify(root),
        web: sections::web(root),
        storage: sections::storage(root),
        devices: sections::devices(root, &streams),
        maintenance: maintenance::maintenance(root, &streams, &timezone),
        metrics: sections::metrics(root),
        timezone,
        timezone_name,
        streams,
        probe,
    }
}

/// Reads a file as a whole, at most [`MAX_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: io::Error| {
        Problem::of_file(match error.kind() {
            io::ErrorKind::NotFound => {
                "no such file; create it (the commented default file is a start) or name another with --config".into()
            }
            io::ErrorKind::PermissionDenied => {
                "permission denied; run this with sudo. The service's own user needs the right to read it (chgrp streampulse, \
                 chmod 640)"
                    .into()
            }
            io::ErrorKind::IsADirectory => "is a directory; name the file in it with --config".into(),
            _ => format!("cannot be read: {error}; check the disk and the mount"),
        })
    };
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(Problem::of_file("is not a regular file; name a file with --config"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Problem::of_file("larger than 4 MB; this is hardly a configuration, check which file is named"));
    }
    Ok(bytes)
}

pub(super) fn text_of(bytes: &[u8]) -> Result<&str, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Problem::at(line, "", "not UTF-8 text; save the file with the encoding UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        return Err(Problem::at(line, "", "a zero byte; the file is damaged, perhaps by a power cut: restore it"));
    }
    Ok(text)
}

impl Config {
    /// Replaces what the environment overrides: the state directory and the address to listen on.
    pub fn apply_overrides(&mut self, overrides: &Overrides) {
        if let Some(path) = &overrides.state_dir {
            self.storage.path.clone_from(path);
        }
        if let Some(listen) = overrides.listen {
            self.web.listen = listen;
        }
    }

    /// Takes over every stream of `old` that did not change, so that consumers can compare by pointer.
    pub(super) fn share_streams(&mut self, old: &Config) {
        let known: std::collections::HashMap<&str, &Arc<_>> =
            old.streams.iter().map(|stream| (stream.id.as_str(), stream)).collect();
        for stream in &mut self.streams {
            if let Some(same) = known.get(stream.id.as_str()).filter(|same| ***same == *stream) {
                *stream = Arc::clone(same);
            }
        }
    }
}
