//! A place in the text that only moves on, over what YAML has between values.

use std::ops::Range;

pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    /// In bytes.
    pub(super) at: usize,
    pub(super) comments: Vec<Range<usize>>,
    is_ascii: bool,
    /// A character's number and its byte, from which the next is counted.
    counted: (usize, usize),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, comments: Vec::new(), is_ascii: text.is_ascii(), counted: (0, 0) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The byte of a character that is given by its number.
    pub(super) fn byte_of(&mut self, character: usize) -> usize {
        if self.is_ascii {
            return character.min(self.text.len());
        }
        if character < self.counted.0 {
            self.counted = (0, 0);
        }
        let (from, byte) = self.counted;
        let more = self.text[byte..].char_indices().nth(character - from).map(|(at, _)| byte + at);
        self.counted = (character, more.unwrap_or(self.text.len()));
        self.counted.1
    }

    /// Over blanks, line breaks and comments.
    pub(super) fn skip(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            if !self.rest().starts_with('#') {
                return;
            }
            let end = line_end(self.text, self.at);
            self.comments.push(self.at..end);
            self.at = end;
        }
    }

    /// Over the lines of `%YAML` and `%TAG`.
    pub(super) fn skip_directives(&mut self) {
        self.skip();
        while self.rest().starts_with('%') {
            self.at = line_end(self.text, self.at);
            self.skip();
        }
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    /// The `?` of a key that is written out.
    pub(super) fn explicit_key(&mut self) -> bool {
        let rest = self.rest();
        rest.starts_with('?') && rest[1..].starts_with([' ', '\t', '\n', '\r']) && self.take("?")
    }

    /// The colon behind a key; gives the place behind it.
    pub(super) fn colon(&mut self, over_lines: bool) -> Option<usize> {
        let (at, comments) = (self.at, self.comments.len());
        if over_lines {
            self.skip();
        } else {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
        }
        if self.take(":") {
            return Some(self.at);
        }
        self.at = at;
        self.comments.truncate(comments);
        None
    }

    /// The comma behind an item, when there is one.
    pub(super) fn separator(&mut self) {
        let (at, comments) = (self.at, self.comments.len());
        self.skip();
        if !self.take(",") {
            self.at = at;
            self.comments.truncate(comments);
        }
    }

    /// An anchor or a tag.
    pub(super) fn property(&mut self, in_flow: bool) -> Option<Range<usize>> {
        self.rest().starts_with(['&', '!']).then(|| self.word(in_flow))
    }

    /// Up to the next blank; between brackets also up to what ends an item.
    pub(super) fn word(&mut self, in_flow: bool) -> Range<usize> {
        let ends = |c: char| c.is_whitespace() || (in_flow && matches!(c, ',' | '[' | ']' | '{' | '}'));
        let rest = self.rest();
        let start = self.at;
        self.at += rest.find(ends).unwrap_or(rest.len());
        start..self.at
    }

    /// The end of a text in quotes.
    pub(super) fn quoted(&self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        let quote = *bytes.first().filter(|b| matches!(b, b'\'' | b'"'))?;
        let mut i = 1;
        loop {
            match *bytes.get(i)? {
                b'\\' if quote == b'"' => i += 2,
                b'\'' if quote == b'\'' && bytes.get(i + 1) == Some(&b'\'') => i += 2,
                byte if byte == quote => return Some(self.at + i + 1),
                _ => i += 1,
            }
        }
    }

    /// `|`, `>-` and the like; the cursor goes to the line behind it.
    pub(super) fn block_header(&mut self) -> Option<Range<usize>> {
        let rest = self.rest();
        if !rest.starts_with(['|', '>']) {
            return None;
        }
        let start = self.at;
        let end = start + 1 + rest[1..].find(|c: char| !matches!(c, '+' | '-' | '0'..='9')).unwrap_or(rest.len() - 1);
        let line = line_end(self.text, end);
        if let Some(hash) = self.text[end..line].find('#') {
            self.comments.push(end + hash..line);
        }
        self.at = behind_break(self.text, line);
        Some(start..end)
    }
}

/// The end of the line, before its break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end)
}

/// The begin of the line.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1)
}

/// Behind the line break at `at`, if there is one.
pub(super) fn behind_break(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    at + if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(['\n', '\r'])) }
}
