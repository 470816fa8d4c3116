//! A small YAML tree: every node knows its place, and a scalar stays the text that was written.
//!
//! What a scalar means is for the field that reads it (`password: 0123` keeps its zero). Anchors, aliases and `<<` are
//! resolved here. The tree shares what an alias names, and the size it would have when written out is limited, so a
//! file of aliases to aliases ("YAML bomb") is refused before anything walks through it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::keys::KNOWN_KEYS;
use super::problem::Problem;
use super::reader::shown_key;

/// Mappings and lists inside each other; the deepest of ours are four.
const MAX_DEPTH: usize = 32;
/// Values in the file with every alias written out: more than 20,000 streams with twenty keys each.
const MAX_NODES: usize = 500_000;

/// One value and its place.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) value: Value,
    /// Values in it with every alias written out, itself included.
    size: usize,
}

#[derive(Debug)]
pub(super) enum Value {
    Scalar {
        text: String,
        /// Neither quoted nor a block nor tagged `!!str`: only such a text can be null.
        plain: bool,
        /// It goes on over the end of its line: perhaps a forgotten quote swallowed other keys.
        multi_line: bool,
    },
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Line of the key.
    pub(super) line: usize,
    pub(super) node: Arc<Node>,
    /// Written as a plain `<<`.
    merge: bool,
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true, .. }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Reads the one document of a file.
///
/// # Errors
/// What keeps the file from being a tree at all; problems that leave a tree (a key that is there twice) go to `found`.
pub(super) fn parse(text: &str, found: &mut Vec<Problem>) -> Result<Option<Arc<Node>>, Problem> {
    let mut builder =
        Builder { parser: Parser::new_from_str(text), anchors: HashMap::new(), found, expanded: 0, line: 1 };
    let mut root = None;
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Problem::at(
                    span.start.line(),
                    "",
                    "a second document begins here; remove the line of --- before it",
                ));
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => root = Some(builder.node(event, span, 0)?),
        }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// `None` while the anchored node is still being read: an alias to it would be a circle.
    anchors: HashMap<usize, Option<Arc<Node>>>,
    found: &'a mut Vec<Problem>,
    expanded: usize,
    line: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok((event, span))
            }
            Some(Err(error)) => {
                let message = format!(
                    "not valid YAML at column {}: {}; check the indentation (spaces, no tabs), the colons and the \
                     quotes around this place, and that the file was written to its end",
                    error.marker().col() + 1,
                    error.info(),
                );
                Err(Problem::at(error.marker().line(), "", message))
            }
            None => Err(Problem::at(self.line, "", "not valid YAML: the file ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Arc<Node>, Problem> {
        let line = span.start.line().max(1);
        if depth > MAX_DEPTH {
            return Err(Problem::at(line, "", format!("more than {MAX_DEPTH} levels inside each other")));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                return match self.anchors.get(&anchor) {
                    Some(Some(node)) => {
                        let node = Arc::clone(node);
                        self.count(node.size, line)?;
                        Ok(node)
                    }
                    _ => Err(Problem::at(line, "", "an alias (*) to something that holds the alias itself")),
                };
            }
            Event::Scalar(text, style, anchor, tag) => {
                let string = self.tag(tag.as_deref(), line);
                let plain = style == ScalarStyle::Plain && !string;
                let multi_line = span.end.line() > line;
                (anchor, Value::Scalar { text: text.into_owned(), plain, multi_line })
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), line);
                self.anchors.insert(anchor, None);
                (anchor, Value::List(self.list(depth)?))
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), line);
                self.anchors.insert(anchor, None);
                (anchor, Value::Map(self.map(depth)?))
            }
            _ => return Err(Problem::at(line, "", "not valid YAML: a value is missing here")),
        };
        self.count(1, line)?;
        let size = match &value {
            Value::Scalar { .. } => 1,
            Value::List(items) => items.iter().fold(1, |sum: usize, node| sum.saturating_add(node.size)),
            Value::Map(entries) => entries.iter().fold(1, |sum: usize, entry| sum.saturating_add(entry.node.size)),
        };
        let node = Arc::new(Node { line, value, size });
        if anchor > 0 {
            self.anchors.insert(anchor, Some(Arc::clone(&node)));
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Problem> {
        self.expanded = self.expanded.saturating_add(nodes);
        if self.expanded > MAX_NODES {
            return Err(Problem::at(line, "", format!("more than {MAX_NODES} values, aliases written out")));
        }
        Ok(())
    }

    /// True for `!!str`. A tag of an application, which the original's loader refused too, is a problem.
    fn tag(&mut self, tag: Option<&Tag>, line: usize) -> bool {
        let Some(tag) = tag else { return false };
        let known = ["str", "int", "float", "bool", "null", "seq", "map"].contains(&tag.suffix.as_str());
        if tag.is_yaml_core_schema() && known {
            return tag.suffix == "str";
        }
        if tag.handle == "!" && tag.suffix.is_empty() {
            return true;
        }
        let message = "YAML tags (a word that begins with !) are not supported; put a text that begins so in quotes";
        self.found.push(Problem::at(line, "", message));
        false
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Arc<Node>>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(self.merged(entries));
            }
            let line = span.start.line().max(1);
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            let Value::Scalar { text, plain, .. } = &key.value else {
                self.found.push(Problem::at(line, "", "a key must be a word, not a list or a mapping"));
                continue;
            };
            let merge = *plain && text == "<<";
            if let Some(first) = lines.get(text) {
                // One that is not known may be a piece of a password with a comma in it.
                let is_known = KNOWN_KEYS.iter().any(|(_, keys)| keys.contains(&text.as_str()));
                let shown = if is_known { shown_key(text) } else { "that is not shown".to_owned() };
                let message = format!("the key {shown} is here twice, first on line {first}");
                self.found.push(Problem::at(line, "", message));
                continue;
            }
            lines.insert(text.clone(), line);
            entries.push(Entry { key: text.clone(), line, node, merge });
        }
    }

    /// Puts what `<<` names behind a mapping's own keys; own keys win, then the first that is named.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if !entries.iter().any(|entry| entry.merge) {
            return entries;
        }
        let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.merge);
        let mut keys: HashSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
        for merge in merges {
            let single = [Arc::clone(&merge.node)];
            let sources: &[Arc<Node>] = match &merge.node.value {
                Value::List(items) => items,
                _ => &single,
            };
            for source in sources {
                let Value::Map(theirs) = &source.value else {
                    let message = "<< must name a mapping (or a list of mappings) by its anchor, as in <<: *base";
                    self.found.push(Problem::at(merge.line, "", message));
                    continue;
                };
                for entry in theirs {
                    if keys.insert(entry.key.clone()) {
                        own.push(entry.clone());
                    }
                }
            }
        }
        own
    }
}
