//! Names one place of the file: `probe.timeout_seconds`, `streams[2].url`, `streams[gate].url`, `streams[]`.

use std::fmt;

/// Where a value stands. Reads and prints as `streams[gate].url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub(super) Vec<Step>);

/// One level down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of a mapping.
    Key(String),
    /// An item of a list, counted from 0.
    Index(usize),
    /// An item of a list by its id, name or host.
    Named(String),
    /// Behind the last item of a list.
    Append,
}

impl Path {
    /// Reads a path. An empty text is the whole file. An id or name that is a number or holds `]` stands in quotes:
    /// `streams["7"]`.
    ///
    /// # Errors
    /// One clause that says how a path is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{} is not a path; write it as probe.timeout_seconds, streams[2].url or streams[gate].url",
                shown(text)
            )
        };
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, after) = in_brackets(inside).ok_or_else(wrong)?;
                steps.push(step);
                rest = after;
                continue;
            }
            if !steps.is_empty() {
                rest = rest.strip_prefix('.').ok_or_else(wrong)?;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong());
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        Ok(Self(steps))
    }

    /// One of `streams:`, by its place in the list.
    pub fn stream(index: usize) -> Self {
        Self(vec![Step::Key("streams".to_owned()), Step::Index(index)])
    }

    /// Behind the last of `streams:`.
    pub fn new_stream() -> Self {
        Self(vec![Step::Key("streams".to_owned()), Step::Append])
    }

    /// The value of a key one level down.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// True when what stands there is a password or a token.
    pub fn is_secret(&self) -> bool {
        let keys = self.0.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
        let mut parent = "";
        let mut is_secret = |key| super::mask::is_secret_within(std::mem::replace(&mut parent, key), key);
        keys.into_iter().any(&mut is_secret)
    }

    pub(super) fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

/// What stands between brackets, and what follows them.
fn in_brackets(inside: &str) -> Option<(Step, &str)> {
    let quote = inside.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let (name, after) = inside[1..].split_once(&format!("{quote}]"))?;
        return Some((Step::Named(name.to_owned()), after));
    }
    let (word, after) = inside.split_once(']')?;
    let step = match word.parse() {
        _ if word.is_empty() => Step::Append,
        Ok(index) => Step::Index(index),
        Err(_) => Step::Named(word.to_owned()),
    };
    Some((step, after))
}

/// A path that somebody typed may hold a value by mistake.
fn shown(text: &str) -> String {
    crate::config::reader::shown_text(text)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Named(name) if name.contains(']') || name.parse::<usize>().is_ok() => write!(f, "[\"{name}\"]")?,
                Step::Named(name) => write!(f, "[{name}]")?,
                Step::Append => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_printed() {
        for text in [
            "",
            "probe.timeout_seconds",
            "streams[2].url",
            "streams[gate].url",
            "streams[]",
            "streams[\"7\"].checks.black",
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Path::parse("streams['a].b'].url").unwrap().0[1], Step::Named("a].b".to_owned()));
        for text in [".", "a..b", "a.", "streams[2", "streams[2]x", "a b]["] {
            let told = Path::parse(text).expect_err(text);
            assert!(told.contains("is not a path; write it as"), "{told}");
        }
        assert!(!Path::parse("streams[0]rtsp://u:hunter2@cam").unwrap_err().contains("hunter2"));
    }
}
