//! Environment variables that override the file, and those of the original.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::shown_text;
use super::sections::parse_listen;

/// What the environment says. `default()` is an empty environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `STREAMPULSE_CONFIG`, else the original's `CFG_PATH`: for the command line, when it names no file.
    pub config_path: Option<PathBuf>,
    /// `STREAMPULSE_STATE_DIR`, in place of `storage.path`.
    pub state_dir: Option<PathBuf>,
    /// `STREAMPULSE_LISTEN`, in place of `web.listen`.
    pub listen: Option<SocketAddr>,
    /// The original's `RTSP_TIMEOUT`: RTSP streams that have no timeout in the file.
    pub rtsp_timeout: Option<Duration>,
    /// The original's `MJPEG_TIMEOUT`: HTTP streams that have no timeout in the file.
    pub mjpeg_timeout: Option<Duration>,
    /// Clauses for the operator; loading a file adds them to its warnings.
    pub warnings: Vec<String>,
    /// Clauses for the operator; loading a file adds them to its problems.
    pub problems: Vec<String>,
}

impl Overrides {
    /// Reads the process's environment.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads an environment given as a function from name to value. An empty value counts as not set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut overrides = Self { state_dir: get("STREAMPULSE_STATE_DIR").map(PathBuf::from), ..Self::default() };
        overrides.config_path = get("STREAMPULSE_CONFIG").map(PathBuf::from);
        if let Some(path) = get("CFG_PATH") {
            if overrides.config_path.is_none() {
                overrides.config_path = Some(PathBuf::from(path));
                overrides.warn("CFG_PATH still works; its new name is STREAMPULSE_CONFIG");
            } else {
                overrides.warn("CFG_PATH is ignored because STREAMPULSE_CONFIG is set");
            }
        }
        if let Some(text) = get("STREAMPULSE_LISTEN") {
            match parse_listen(&text) {
                Ok(address) => overrides.listen = Some(address),
                Err(message) => overrides.problems.push(format!("STREAMPULSE_LISTEN: {message}")),
            }
        }
        if get("DB_PATH").is_some() {
            overrides.warn(
                "DB_PATH is ignored: the database lives in storage.path (or STREAMPULSE_STATE_DIR); bring the old \
                 history over with `streampulse import <old streams.db>`",
            );
        }
        overrides.rtsp_timeout = overrides.timeout("RTSP_TIMEOUT", get("RTSP_TIMEOUT"));
        overrides.mjpeg_timeout = overrides.timeout("MJPEG_TIMEOUT", get("MJPEG_TIMEOUT"));
        overrides
    }

    fn warn(&mut self, message: &str) {
        self.warnings.push(message.to_owned());
    }

    /// Seconds, as `float()` read them in the original, where they held for each step and not for the whole probe.
    fn timeout(&mut self, name: &str, value: Option<String>) -> Option<Duration> {
        let text = value?;
        let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()) else {
            self.warnings.push(format!("{name}: {} is not a number of seconds; it is ignored", shown_text(&text)));
            return None;
        };
        let used = seconds.clamp(1.0, 60.0);
        let clamped = if used == seconds { String::new() } else { format!(", {used} is used (1 to 60)") };
        self.warnings.push(format!(
            "{name}={seconds} is now the deadline of a whole probe, waiting for a keyframe included{clamped}; write \
             probe.timeout_seconds into the file instead"
        ));
        Some(Duration::from_secs_f64(used))
    }
}
