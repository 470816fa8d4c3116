//! `streampulse config get|set|unset`: reads and changes the configuration file, also while the service runs.

use std::io::Read as _;
use std::path::Path as FilePath;

use serde_json::Value;

use super::{EX_CANTCREAT, EX_CONFIG, EX_TEMPFAIL, EX_USAGE, complain, say};
use crate::config::edit::{Change, Document, Edit, EditError, Path};
use crate::config::{Overrides, Problem};
use crate::model::url::SecretPlaces;

/// The path names nothing that is in the file.
const NOT_SET: u8 = 1;

/// What to do with the file.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Print the file, or what stands at a path, with *** in the place of every secret; exit 1 when it is not in the file.
    Get {
        /// As in `probe.timeout_seconds` or `streams[gate].url`.
        path: Option<String>,
    },
    /// Put a value there; comments, order and quotes of the rest stay as they are.
    Set {
        /// As in `probe.timeout_seconds`, `streams[gate].url` or `streams[]` (one more).
        path: String,
        /// Text, number, true, false, null, or JSON; - reads a text from standard input, for passwords.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take a key or an item of a list out.
    Unset {
        /// As in `streams[gate]`.
        path: String,
    },
}

/// Runs one of them.
pub fn run(file: &FilePath, command: &ConfigCommand) -> u8 {
    let (path, change) = match command {
        ConfigCommand::Get { path } => return get(file, path.as_deref().unwrap_or_default()),
        ConfigCommand::Unset { path } => (path, Ok(Change::Remove)),
        ConfigCommand::Set { path, value } => (path, wanted(path, value).map(Change::Set)),
    };
    let edit = Path::parse(path).and_then(|path| Ok(Edit { path, change: change? }));
    let edit = match edit {
        Ok(edit) => edit,
        Err(message) => return complain(&message, EX_USAGE),
    };
    let document = match Document::read(file, &Overrides::from_env()) {
        Ok(document) => document,
        Err(problem) => return complain(&problem.in_file(file), EX_CONFIG),
    };
    let written = document.with_edits_of_its_owner(&[edit]).and_then(|draft| draft.write().map(|()| draft));
    match written {
        Ok(draft) => {
            for warning in &draft.loaded().warnings {
                complain(&format!("warning: {}", warning.in_file(file)), 0);
            }
            0
        }
        Err(EditError::Refused(problems)) => complain_of(file, &problems),
        Err(EditError::Invalid(problems)) => complain_of(file, &problems.problems),
        Err(EditError::Unreadable(problem)) => complain_of(file, &[problem]),
        Err(error @ EditError::Changed) => complain(&error.to_string(), EX_TEMPFAIL),
        Err(error @ EditError::NotWritten(_)) => complain(&error.to_string(), EX_CANTCREAT),
    }
}

fn get(file: &FilePath, path: &str) -> u8 {
    let path = match Path::parse(path) {
        Ok(path) => path,
        Err(message) => return complain(&message, EX_USAGE),
    };
    let document = match Document::read(file, &Overrides::from_env()) {
        Ok(document) => document,
        Err(problem) => return complain(&problem.in_file(file), EX_CONFIG),
    };
    if path == Path::default() {
        say(document.shown().trim_end_matches(['\r', '\n']));
        return 0;
    }
    match document.get(&path) {
        Ok(Some(Value::String(text))) => say(&text),
        Ok(Some(value @ (Value::Object(_) | Value::Array(_)))) => {
            say(&serde_json::to_string_pretty(&value).unwrap_or_default());
        }
        Ok(Some(value)) => say(&value.to_string()),
        Ok(None) => return complain(&format!("{}: {path} is not set there", file.display()), NOT_SET),
        // A name that is not in a list is not there either; anything else is no YAML.
        Err(problem) if problem.line.is_none() => return complain(&problem.in_file(file), NOT_SET),
        Err(problem) => return complain(&problem.in_file(file), EX_CONFIG),
    }
    0
}

fn complain_of(file: &FilePath, problems: &[Problem]) -> u8 {
    problems.iter().fold(EX_CONFIG, |code, problem| complain(&problem.in_file(file), code))
}

/// What somebody typed, or sends.
fn wanted(path: &str, value: &str) -> Result<Value, String> {
    if value == "-" {
        let mut text = String::new();
        let read = std::io::stdin().take(64 * 1024).read_to_string(&mut text);
        read.map_err(|_| "standard input is no text; send one line of UTF-8".to_owned())?;
        return Ok(Value::from(text.trim_end_matches(['\r', '\n'])));
    }
    let hides = Path::parse(path).is_ok_and(|path| path.is_secret())
        || (value.contains("://") && SecretPlaces::of(value).all().next().is_some());
    if hides && value != "null" {
        complain(
            "warning: everyone on this machine can see that password in the list of processes; use - and standard input",
            0,
        );
    }
    typed(value)
}

/// JSON, or else a text as it is.
fn typed(value: &str) -> Result<Value, String> {
    if value.is_empty() || value == "~" {
        return Ok(Value::Null);
    }
    match serde_json::from_str(value) {
        Ok(json) => Ok(json),
        Err(error) if value.starts_with(['{', '[']) => Err(format!("the value is not the JSON it begins as: {error}")),
        Err(_) => Ok(Value::from(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_json_or_a_text() {
        for (text, value) in [
            ("5", json!(5)),
            ("1.5", json!(1.5)),
            ("true", json!(true)),
            ("null", json!(null)),
            ("", json!(null)),
            ("yes", json!("yes")),
            ("0123", json!("0123")),
            ("\"5\"", json!("5")),
            ("rtsp://u@h/x", json!("rtsp://u@h/x")),
            ("[1, \"a\"]", json!([1, "a"])),
            ("{\"name\": \"x\"}", json!({"name": "x"})),
        ] {
            assert_eq!(typed(text), Ok(value));
        }
        assert!(typed("[1").unwrap_err().starts_with("the value is not the JSON"));
    }
}
