//! What is wrong in a configuration, with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One thing that is wrong, or only odd (a warning), in one clause that never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where in the structure: `streams[2].url`, counted from 0; empty for the file as a whole.
    pub path: String,
    /// Where in the file, from 1; `None` when the file could not be read at all.
    pub line: Option<usize>,
    /// One clause with the offending value, unless that may be a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn at(line: usize, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: Some(line), message: message.into() }
    }

    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Self { path: String::new(), line: None, message: message.into() }
    }

    /// The problem as one line with its file: `config.yaml:12: streams[2].url: …`.
    pub fn in_file(&self, file: &Path) -> String {
        self.labelled(file, "")
    }

    pub(super) fn labelled(&self, file: &Path, label: &str) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let colon = if self.path.is_empty() { "" } else { ": " };
        format!("{}{line}: {label}{}{colon}{}", file.display(), self.path, self.message)
    }
}

/// `line 12: streams[2].url: …`, for where the file is known.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that keeps a file from being used, all of it at once. `Display` gives one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file as it was named.
    pub file: PathBuf,
    /// In the order of the file, at least one.
    pub problems: Vec<Problem>,
    /// What would only have been a warning.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&problem.in_file(&self.file))?;
        }
        Ok(())
    }
}
