//! Typed access to one mapping of the file. Whatever is wrong is collected and a default stands in for it, so that one
//! reading finds every problem.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::problem::Problem;
use super::suggest::did_you_mean;
use super::yaml::{Entry, Node, Value};

/// Longest text of the file that a message repeats, in characters.
const SHOWN_CHARS: usize = 40;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Problem>>,
}

impl Findings {
    pub(super) fn problem(&self, line: usize, path: impl Into<String>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::at(line, path, message));
    }

    pub(super) fn warning(&self, line: usize, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::at(line, path, message));
    }
}

/// Whose key it is decides what a value out of its range means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The original accepted anything there: a warning, and the nearest good value (or the default).
    Original,
    /// The same where the nearest value would make no sense (a port): a warning, and the default.
    OriginalPort,
    /// Ours: an error.
    Ours,
}

/// What a number must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) whole: bool,
}

impl Range {
    pub(super) const fn whole(least: u32, most: u32) -> Self {
        Self { least: least as f64, most: most as f64, whole: true }
    }

    pub(super) const fn seconds(least: f64, most: f64) -> Self {
        Self { least, most, whole: false }
    }
}

/// One mapping, perhaps an absent one.
pub(super) struct Section<'a> {
    entries: &'a [Entry],
    path: String,
    line: usize,
    is_mapping: bool,
    pub(super) findings: &'a Findings,
}

impl<'a> Section<'a> {
    /// Takes a node as a mapping with these keys; others are warned of.
    pub(super) fn new(node: &'a Node, path: String, keys: &[&str], findings: &'a Findings) -> Self {
        let line = node.line;
        let entries: &[Entry] = match &node.value {
            Value::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                let example = keys.first().copied().unwrap_or("key");
                let message = if path.is_empty() {
                    "this is no configuration; write keys like `streams:` with their values".to_owned()
                } else {
                    format!("must hold keys and values like `{example}: …`")
                };
                findings.problem(line, path.clone(), message);
                &[]
            }
        };
        let unknown = || entries.iter().filter(|entry| !keys.contains(&entry.key.as_str()));
        // Between braces a comma ends a value, and what follows a comma in the password of an address is keys.
        let beside_address = |key: &Entry| entries.iter().any(|entry| entry.line == key.line && holds_address(entry));
        let is_cut = unknown().any(beside_address);
        for entry in unknown() {
            let near = did_you_mean(&entry.key, keys.iter().copied());
            let message = match entry.key.split_once(':') {
                _ if is_cut && near.is_empty() => {
                    "unknown key, which is not shown; between braces a comma ends a value: put the address in quotes"
                        .to_owned()
                }
                _ if is_cut => format!("unknown key, which is not shown{near}"),
                Some(_) => format!("unknown key {}; write a space after the colon", shown_key(&entry.key)),
                None if near.is_empty() => format!("unknown key {}; it is ignored", shown_key(&entry.key)),
                None => format!("unknown key {}{near}", shown_key(&entry.key)),
            };
            findings.warning(entry.line, path.clone(), message);
        }
        let is_mapping = node.is_null() || matches!(node.value, Value::Map(_));
        Self { entries, path, line, is_mapping, findings }
    }

    /// The mapping behind a key; an empty one when the key is absent or null.
    pub(super) fn section(&self, key: &str, keys: &[&str]) -> Section<'a> {
        match self.get(key) {
            Some(entry) => Section::new(&entry.node, self.path_of(key), keys, self.findings),
            None => Section {
                entries: &[],
                path: self.path_of(key),
                line: self.line,
                is_mapping: true,
                findings: self.findings,
            },
        }
    }

    /// The entry of a key, unless it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key && !entry.node.is_null())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Line of a key, or of the mapping when the key is absent.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.line, |entry| entry.line)
    }

    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.findings.problem(self.line_of(key), self.path_of(key), message);
    }

    /// A key that must be there and is not; what is no mapping at all was told already.
    pub(super) fn missing(&self, key: &str, next_step: &str) {
        if self.is_mapping {
            self.problem(key, format!("missing; {next_step}"));
        }
    }

    pub(super) fn warning(&self, key: &str, message: impl Into<String>) {
        self.findings.warning(self.line_of(key), self.path_of(key), message);
    }

    /// The scalar behind a key as it was written; a list or mapping is a problem.
    fn scalar(&self, key: &str, wanted: &str) -> Option<(&'a str, String)> {
        let entry = self.get(key)?;
        match &entry.node.value {
            Value::Scalar { text, multi_line, .. } => {
                let shown = if *multi_line { "a text of several lines".to_owned() } else { shown_text(text) };
                Some((text, shown))
            }
            Value::List(_) | Value::Map(_) => {
                let found = if matches!(entry.node.value, Value::List(_)) { "a list" } else { "a mapping" };
                self.problem(key, format!("must be {wanted}, not {found}"));
                None
            }
        }
    }

    /// Text without blanks around it; `None` when absent, null or empty.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.scalar(key, "text").map(|(text, _)| text.trim()).filter(|text| !text.is_empty())
    }

    /// Text as it is, blanks included; `None` when absent, null or empty. Never shown.
    pub(super) fn secret(&self, key: &str) -> Option<&'a str> {
        let (text, _) = self.scalar(key, "text")?;
        if text.chars().any(char::is_control) {
            self.problem(key, "holds a line break or another control character; check the quotes");
            return None;
        }
        (!text.is_empty()).then_some(text)
    }

    /// Text as it is, of one line or several; `None` when absent, null or empty. Never shown.
    pub(super) fn lines(&self, key: &str) -> Option<&'a str> {
        self.scalar(key, "text").map(|(text, _)| text).filter(|text| !text.is_empty())
    }

    /// A mapping of any keys to texts, which are never shown.
    pub(super) fn secret_pairs(&self, key: &str) -> Vec<(&'a str, &'a str)> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        let Value::Map(entries) = &entry.node.value else {
            self.problem(key, "must hold names with their values, each on a line like `Name: value`");
            return Vec::new();
        };
        let pair = |entry: &'a Entry| match &entry.node.value {
            Value::Scalar { text, .. } if !text.chars().any(char::is_control) => {
                Some((entry.key.as_str(), text.trim()))
            }
            _ => {
                let path = format!("{}.{}", self.path_of(key), shown_key(&entry.key).trim_matches('"'));
                self.findings.problem(entry.line, path, "must be text on one line; check the quotes");
                None
            }
        };
        entries.iter().filter_map(pair).collect()
    }

    pub(super) fn boolean(&self, key: &str, default: bool, rule: Rule) -> bool {
        let Some((text, shown)) = self.scalar(key, "true or false") else { return default };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.wrong(key, rule, format!("{shown} is neither true nor false"), &default.to_string());
                default
            }
        }
    }

    pub(super) fn number(&self, key: &str, default: f64, range: Range, rule: Rule) -> f64 {
        let Range { least, most, whole } = range;
        let kind = if whole { "a whole number" } else { "a number" };
        let Some((text, shown)) = self.scalar(key, kind) else { return default };
        let digits = text.trim().bytes().all(|b| b.is_ascii_digit() || b"+-._eE".contains(&b));
        let number = text.trim().replace('_', "").parse::<f64>().ok();
        let number = number.filter(|n| digits && n.is_finite() && (!whole || n.fract() == 0.0));
        match number {
            Some(number) if (least..=most).contains(&number) => number,
            Some(number) if rule == Rule::Original => {
                let used = number.clamp(least, most);
                self.warning(key, format!("{shown} is outside {least} to {most}; {used} is used"));
                used
            }
            _ => {
                self.wrong(key, rule, format!("{shown} is not {kind} from {least} to {most}"), &default.to_string());
                default
            }
        }
    }

    pub(super) fn integer(&self, key: &str, default: u32, range: Range, rule: Rule) -> u32 {
        self.number(key, f64::from(default), range, rule) as u32
    }

    /// True for the default, false for none at all, or a number. 1 and 0 are true and false, as everywhere in the file.
    pub(super) fn threshold(&self, key: &str, default: Option<u32>, range: Range) -> Option<u32> {
        let is_number = self.text(key).is_some_and(|text| text.parse::<f64>().is_ok_and(|n| n != 0.0 && n != 1.0));
        if is_number {
            return Some(self.integer(key, default.unwrap_or_default(), range, Rule::Ours));
        }
        if self.boolean(key, true, Rule::Ours) { default } else { None }
    }

    /// A key in seconds, fractions allowed.
    pub(super) fn duration(&self, key: &str, default: Duration, range: Range, rule: Rule) -> Duration {
        Duration::from_secs_f64(self.number(key, default.as_secs_f64(), range, rule))
    }

    /// One of a few words, exactly.
    pub(super) fn choice(&self, key: &str, words: &[&str]) -> Option<&'a str> {
        let (text, shown) = self.scalar(key, "one word")?;
        let text = text.trim();
        if words.contains(&text) {
            return Some(text);
        }
        let hint = did_you_mean(text, words.iter().copied());
        self.problem(key, format!("{shown} is not one of {}{hint}", words.join(", ")));
        None
    }

    /// The list behind a key; empty when absent or null.
    pub(super) fn list(&self, key: &str) -> &'a [Arc<Node>] {
        match self.get(key).map(|entry| &entry.node.value) {
            Some(Value::List(items)) => items,
            Some(_) => {
                self.problem(key, "must be a list, each item on a line that begins with -");
                &[]
            }
            None => &[],
        }
    }

    /// A list of texts; one text alone is a list of one.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        if let Value::Scalar { .. } = &entry.node.value {
            return self.text(key).map(str::to_owned).into_iter().collect();
        }
        let mut texts = Vec::new();
        for (i, node) in self.list(key).iter().enumerate() {
            match &node.value {
                Value::Scalar { text, .. } if !text.trim().is_empty() => texts.push(text.trim().to_owned()),
                _ => self.findings.problem(node.line, format!("{}[{i}]", self.path_of(key)), "must be text"),
            }
        }
        texts
    }

    fn wrong(&self, key: &str, rule: Rule, message: String, default: &str) {
        match rule {
            Rule::Original | Rule::OriginalPort => self.warning(key, format!("{message}; {default} is used")),
            Rule::Ours => self.problem(key, message),
        }
    }
}

/// True when this is an address, or the end of one with a password.
fn holds_address(entry: &Entry) -> bool {
    let value = if let Value::Scalar { text, .. } = &entry.node.value { text.as_str() } else { "" };
    [entry.key.as_str(), value].iter().any(|text| text.contains('@') || text.contains("://"))
}

/// A key for a message: without what follows a colon that lacks its space, which is a value.
pub(super) fn shown_key(key: &str) -> String {
    shown_text(key.split(':').next().unwrap_or_default())
}

/// Text of the file for a message: quoted, one line, shortened, and hidden when it looks like an address or a pair of
/// key and value, which may hold a password.
pub(super) fn shown_text(text: &str) -> String {
    if text.contains("://") || text.contains('@') || text.contains(": ") || text.contains('\n') {
        return "a text that is not shown here".to_owned();
    }
    if text.chars().count() > SHOWN_CHARS {
        let start: String = text.chars().take(SHOWN_CHARS).collect();
        return format!("{:?}", format!("{start}…"));
    }
    format!("{text:?}")
}
