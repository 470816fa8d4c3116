//! Templates that operators write: the language, and whether one is written in it.

use minijinja::{AutoEscape, Environment, Error};

/// Steps that a template may take: a loop over everything there is takes some thousands.
const FUEL: u64 = 200_000;

/// The language. With `json` every value is written as JSON: texts with quotes around them and everything in them escaped.
pub fn environment(json: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(move |_| if json { AutoEscape::Json } else { AutoEscape::None });
    environment.set_fuel(Some(FUEL));
    environment
}

/// Whether this is a template.
///
/// # Errors
/// What is wrong, without anything of its text.
pub(super) fn check(text: &str, json: bool) -> Result<(), String> {
    environment(json).template_from_str(text).map(drop).map_err(|error| why(&error))
}

/// What is wrong with a template, with its line.
pub fn why(error: &Error) -> String {
    let line = error.line().map(|line| format!(" on line {line}")).unwrap_or_default();
    format!("{}{line}", error.detail().unwrap_or(&error.kind().to_string()))
}
