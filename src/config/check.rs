//! What `streampulse check-config` prints.

use std::path::Path;

use super::environment::Overrides;
use super::load::load_with;
use super::problem::Problem;
use super::settings::Config;

/// Reads a file and tells everything about it: problems and warnings, one line each, then one line of sum. True when
/// the service would take it. `start` says what else would keep it from starting with that configuration.
pub fn check(path: &Path, overrides: &Overrides, start: impl Fn(&Config) -> Result<(), String>) -> (String, bool) {
    let (problems, warnings, config) = match load_with(path, overrides) {
        Ok(loaded) => match start(&loaded.config) {
            Ok(()) => (Vec::new(), loaded.warnings, Some(loaded.config)),
            Err(problem) => (vec![Problem::of_file(problem)], loaded.warnings, None),
        },
        Err(problems) => (problems.problems, problems.warnings, None),
    };
    let mut lines: Vec<String> = problems.iter().map(|problem| problem.in_file(path)).collect();
    lines.extend(warnings.iter().map(|warning| warning.labelled(path, "warning: ")));
    let mut sum = match &config {
        Some(config) => format!("{}: good, {}", path.display(), streams(config)),
        None => format!("{}: not usable, {}", path.display(), counted(problems.len(), "problem")),
    };
    if !warnings.is_empty() {
        sum.push_str(&format!(", {}", counted(warnings.len(), "warning")));
    }
    lines.push(sum);
    (lines.join("\n") + "\n", config.is_some())
}

fn streams(config: &Config) -> String {
    let devices: std::collections::HashSet<&str> = config.streams.iter().map(|stream| stream.device()).collect();
    let disabled = config.streams.iter().filter(|stream| !stream.enabled).count();
    let mut text = format!("{} on {}", counted(config.streams.len(), "stream"), counted(devices.len(), "device"));
    if disabled > 0 {
        text.push_str(&format!(" ({disabled} disabled)"));
    }
    text
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
