//! Where everything stands in the text: each value with the bytes it was written in, and each comment.
//!
//! The parser says what comes next; this walks through the text beside it and finds where. Its spans are not used as they
//! are: they count characters, hold what follows a quoted text, and leave out the header of a block. Only the end of a
//! plain or block text is taken from them.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::cursor::Cursor;

/// One value.
#[derive(Debug)]
pub(super) struct Node {
    /// First byte, its anchor or tag included.
    pub(super) start: usize,
    /// First byte of the value behind these.
    pub(super) value: usize,
    /// Behind the last byte. Blanks, comments and a last line break are not in it.
    pub(super) end: usize,
    /// `&name`.
    pub(super) anchor: Option<Range<usize>>,
    /// The parser's number of the anchor, 0 for none.
    pub(super) anchor_number: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing is written there, which is null.
    Empty,
    Scalar {
        text: String,
        style: ScalarStyle,
    },
    /// `*name`, with the parser's number of the anchor.
    Alias(usize),
    List(Style, Vec<Item>),
    Map(Style, Vec<Entry>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// By indentation.
    Block,
    /// Between brackets or braces.
    Flow,
    /// `[key: value]`: a mapping without braces in a list.
    Pair,
}

/// One item of a list.
#[derive(Debug)]
pub(super) struct Item {
    /// Its dash, or the item itself between brackets.
    pub(super) start: usize,
    pub(super) node: Node,
}

/// One key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) start: usize,
    pub(super) key: Node,
    /// Behind the colon, when there is one.
    pub(super) colon: Option<usize>,
    pub(super) node: Node,
}

impl Entry {
    /// The key, when it is a word.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.key.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::Empty => Some(""),
            _ => None,
        }
    }
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Syntax {
    /// The value of the file; `None` when it holds none.
    pub(super) root: Option<Node>,
    /// From each `#` to the end of its line, in their order.
    pub(super) comments: Vec<Range<usize>>,
}

/// The text is not what the parser took it for, or is not YAML.
#[derive(Debug)]
pub(super) struct Unreadable;

impl Syntax {
    /// Reads a text that [`crate::config::yaml::parse`] took, so it is not too deep.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let mut walk = Walk { parser: Parser::new_from_str(text), cursor: Cursor::new(text) };
        let mut root = None;
        loop {
            let (event, span) = walk.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(true) => {
                    walk.cursor.skip_directives();
                    if !walk.cursor.take("---") {
                        return Err(Unreadable);
                    }
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if root.is_some() => return Err(Unreadable),
                event => root = Some(walk.node(event, span, false)?),
            }
        }
        walk.cursor.skip();
        while walk.cursor.take("...") {
            walk.cursor.skip();
        }
        if !walk.cursor.at_end() {
            return Err(Unreadable);
        }
        Ok(Self { root, comments: walk.cursor.comments })
    }
}

struct Walk<'a> {
    parser: Parser<'a, StrInput<'a>>,
    cursor: Cursor<'a>,
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Unreadable> {
        self.parser.next_event().and_then(Result::ok).ok_or(Unreadable)
    }

    fn node(&mut self, event: Event<'a>, span: Span, in_flow: bool) -> Result<Node, Unreadable> {
        let (anchor_number, has_tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            Event::Alias(_) => (0, false),
            _ => return Err(Unreadable),
        };
        let before = self.cursor.at;
        let is_empty = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty());
        if is_empty && anchor_number == 0 && !has_tag {
            let node =
                Node { start: before, value: before, end: before, anchor: None, anchor_number, kind: Kind::Empty };
            return Ok(node);
        }
        self.cursor.skip();
        let start = self.cursor.at;
        let mut anchor = None;
        for _ in 0..usize::from(anchor_number > 0) + usize::from(has_tag) {
            self.cursor.skip();
            let property = self.cursor.property(in_flow).ok_or(Unreadable)?;
            if self.cursor.text[property.clone()].starts_with('&') {
                anchor = Some(property);
            }
        }
        let behind = self.cursor.at;
        if is_empty {
            return Ok(Node { start, value: behind, end: behind, anchor, anchor_number, kind: Kind::Empty });
        }
        self.cursor.skip();
        let value = self.cursor.at;
        let (kind, end) = match event {
            Event::Alias(number) => {
                let name = self.cursor.take("*").then(|| self.cursor.word(in_flow)).ok_or(Unreadable)?;
                (Kind::Alias(number), name.end)
            }
            Event::Scalar(text, style, ..) => {
                let end = self.scalar(&text, style, span)?;
                (Kind::Scalar { text: text.into_owned(), style }, end)
            }
            Event::SequenceStart(..) => self.list(in_flow)?,
            _ => self.map(in_flow)?,
        };
        Ok(Node { start, value, end, anchor, anchor_number, kind })
    }

    /// Steps over a text; gives its end.
    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Result<usize, Unreadable> {
        let start = self.cursor.at;
        let end = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.cursor.quoted().ok_or(Unreadable)?,
            ScalarStyle::Plain => {
                let end = self.cursor.byte_of(span.end.index());
                let written = self.cursor.text.get(start..end).ok_or(Unreadable)?.trim_end();
                if written != text && !written.contains(['\n', '\r']) {
                    return Err(Unreadable);
                }
                start + written.len()
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let behind = self.cursor.byte_of(span.end.index());
                let header = self.cursor.block_header().ok_or(Unreadable)?;
                let keeps = self.cursor.text[header.clone()].contains('+');
                let first = self.cursor.at;
                let content = self.cursor.text.get(first..behind.max(first)).ok_or(Unreadable)?;
                let kept = if keeps { content.strip_suffix('\n').unwrap_or(content) } else { content.trim_end() };
                let kept = kept.strip_suffix('\r').unwrap_or(kept);
                self.cursor.at = behind.max(first);
                return Ok(if kept.trim().is_empty() && !keeps { header.end } else { first + kept.len() });
            }
        };
        self.cursor.at = end;
        Ok(end)
    }

    fn list(&mut self, in_flow: bool) -> Result<(Kind, usize), Unreadable> {
        let style = if self.cursor.take("[") { Style::Flow } else { Style::Block };
        if in_flow && style == Style::Block {
            return Err(Unreadable);
        }
        let mut items: Vec<Item> = Vec::new();
        let mut end = self.cursor.at;
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                break;
            }
            self.cursor.skip();
            let start = self.cursor.at;
            if style == Style::Block && !self.cursor.take("-") {
                return Err(Unreadable);
            }
            let node = self.node(event, span, style == Style::Flow)?;
            end = node.end;
            items.push(Item { start, node });
            if style == Style::Flow {
                self.cursor.separator();
            }
        }
        if style == Style::Flow {
            self.cursor.skip();
            end = self.cursor.take("]").then_some(self.cursor.at).ok_or(Unreadable)?;
        }
        Ok((Kind::List(style, items), end))
    }

    fn map(&mut self, in_flow: bool) -> Result<(Kind, usize), Unreadable> {
        let style = match self.cursor.take("{") {
            true => Style::Flow,
            false if in_flow => Style::Pair,
            false => Style::Block,
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut end = self.cursor.at;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            self.cursor.skip();
            let start = self.cursor.at;
            let explicit = self.cursor.explicit_key();
            let key = self.node(event, span, style != Style::Block)?;
            let colon = self.cursor.colon(explicit || style != Style::Block);
            let (event, span) = self.next()?;
            let node = self.node(event, span, style != Style::Block)?;
            end = node.end;
            entries.push(Entry { start, key, colon, node });
            if style == Style::Flow {
                self.cursor.separator();
            }
        }
        if style == Style::Flow {
            self.cursor.skip();
            end = self.cursor.take("}").then_some(self.cursor.at).ok_or(Unreadable)?;
        }
        Ok((Kind::Map(style, entries), end))
    }
}
