//! One change of the text: a value put in the place of another, a key or item added, one taken away. The rest of the
//! text stays as it is, to the byte.

use std::ops::Range;

use super::cursor::{behind_break, line_end, line_start};
use super::path::Step;
use super::render::{Around, block, entry, inline, is_inline, item};
use super::syntax::{Item, Kind, Node, Style, Syntax};
use super::tree::Tree;

/// A piece of the text and what stands there instead.
type Splice = (Range<usize>, String);

/// Why a change cannot be made in the text: one clause.
type Refusal = String;

/// A value and what is around it.
struct Place<'a> {
    node: &'a Node,
    around: Around,
    /// Columns before the key or the dash; nothing for the file itself.
    indent: Option<usize>,
    /// Behind the colon or the dash; behind the key where there is no colon.
    after: usize,
    needs_colon: bool,
    /// An item of a list.
    is_item: bool,
}

/// Puts `wanted` at the place; it is the whole tree as it shall be, of which only this place differs.
///
/// # Errors
/// Why the text cannot be changed there.
pub(super) fn set(text: &str, syntax: &Syntax, steps: &[Step], wanted: &Tree) -> Result<String, Refusal> {
    let Some(root) = &syntax.root else { return Ok(append_document(text, wanted)) };
    let mut place = Place::root(root);
    for (i, step) in steps.iter().enumerate() {
        let here = &steps[..=i];
        let child = || wanted.at(here).ok_or_else(|| "is not there".to_owned());
        match (&place.node.kind, step) {
            (Kind::Map(..), Step::Key(key)) => match place.entry(text, key) {
                Some(found) => place = found,
                None => return place.insert_key(text, key, child()?).map(|splices| apply(text, splices)),
            },
            (Kind::List(style, items), Step::Index(index)) if *index < items.len() => {
                place = Place::item(text, *style, &items[*index]);
            }
            (Kind::List(..), Step::Index(_)) => {
                return place.append(text, child()?).map(|splices| apply(text, splices));
            }
            (Kind::Alias(_), _) => return Err(SHARED.to_owned()),
            // Null, or a text where a mapping shall be: as a whole.
            _ => {
                let whole = wanted.at(&steps[..i]).ok_or_else(|| "is not there".to_owned())?;
                return Ok(apply(text, place.replace(text, whole)));
            }
        }
    }
    let whole = wanted.at(steps).ok_or_else(|| "is not there".to_owned())?;
    Ok(apply(text, place.replace(text, whole)))
}

/// Takes the key or item away.
///
/// # Errors
/// Why the text cannot be changed there.
pub(super) fn remove(text: &str, syntax: &Syntax, steps: &[Step]) -> Result<String, Refusal> {
    let missing = || "is not there".to_owned();
    let mut place = Place::root(syntax.root.as_ref().ok_or_else(missing)?);
    let (last, before) = steps.split_last().ok_or_else(missing)?;
    for step in before {
        place = match (&place.node.kind, step) {
            (Kind::Map(..), Step::Key(key)) => place.entry(text, key).ok_or_else(|| MERGED.to_owned())?,
            (Kind::List(style, items), Step::Index(index)) if *index < items.len() => {
                Place::item(text, *style, &items[*index])
            }
            (Kind::Alias(_), _) => return Err(SHARED.to_owned()),
            _ => return Err(missing()),
        };
    }
    let (style, ranges, index, empty) = match (&place.node.kind, last) {
        (Kind::Map(style, entries), Step::Key(key)) => {
            let index = entries.iter().position(|entry| entry.name() == Some(key)).ok_or_else(|| MERGED.to_owned())?;
            let ranges: Vec<_> = entries.iter().map(|entry| entry.start..entry.node.end).collect();
            (*style, ranges, index, Tree::Map(Vec::new()))
        }
        (Kind::List(style, items), Step::Index(index)) if *index < items.len() => {
            (*style, items.iter().map(|item| item.start..item.node.end).collect(), *index, Tree::List(Vec::new()))
        }
        (Kind::Alias(_), _) => return Err(SHARED.to_owned()),
        _ => return Err(missing()),
    };
    if ranges.len() == 1 {
        return Ok(apply(text, place.replace(text, &empty)));
    }
    let splice = match style {
        Style::Block => without_lines(text, &ranges, index),
        Style::Flow => without_part(text, &ranges, index),
        Style::Pair => return Err(UNUSUAL.to_owned()),
    };
    Ok(apply(text, vec![splice]))
}

pub(super) const SHARED: &str =
    "is shared with another place of the file through an anchor (&, *); edit the file as text";
pub(super) const MERGED: &str = "comes from another mapping through <<; edit the file as text";
pub(super) const UNUSUAL: &str = "is written in a way that cannot be changed in place; edit the file as text";

impl<'a> Place<'a> {
    fn root(node: &'a Node) -> Self {
        Self { node, around: Around::Block, indent: None, after: node.start, needs_colon: false, is_item: false }
    }

    fn entry(&self, text: &str, key: &str) -> Option<Place<'a>> {
        let Kind::Map(style, entries) = &self.node.kind else { return None };
        let entry = entries.iter().find(|entry| entry.name() == Some(key))?;
        Some(Place {
            node: &entry.node,
            around: if *style == Style::Block { Around::Block } else { Around::Flow },
            indent: Some(column(text, entry.start)),
            after: entry.colon.unwrap_or(entry.key.end),
            needs_colon: entry.colon.is_none(),
            is_item: false,
        })
    }

    fn item(text: &str, style: Style, item: &'a Item) -> Self {
        let is_block = style == Style::Block;
        Self {
            node: &item.node,
            around: if is_block { Around::Block } else { Around::Flow },
            indent: Some(column(text, item.start)),
            after: item.start + usize::from(is_block),
            needs_colon: false,
            is_item: true,
        }
    }

    /// Columns before what stands in this value by indentation.
    fn inner_indent(&self) -> usize {
        self.indent.map_or(0, |indent| indent + 2)
    }

    fn is_block_collection(&self) -> bool {
        matches!(self.node.kind, Kind::Map(Style::Block, _) | Kind::List(Style::Block, _))
    }

    fn insert_key(&self, text: &str, key: &str, tree: &Tree) -> Result<Vec<Splice>, Refusal> {
        let Kind::Map(style, entries) = &self.node.kind else { return Err(UNUSUAL.to_owned()) };
        let pair = Tree::Map(vec![(key.to_owned(), tree.clone())]);
        match (style, entries.last()) {
            (Style::Pair, _) => Err(UNUSUAL.to_owned()),
            (Style::Flow, None) if self.around == Around::Block => Ok(self.replace(text, &pair)),
            (Style::Flow, last) => {
                let new = inline(&pair, Around::Flow, None);
                let new = &new[1..new.len() - 1];
                Ok(vec![match last {
                    Some(last) => insert(last.node.end, format!(", {new}")),
                    None => insert(self.node.value + 1, new.to_owned()),
                }])
            }
            (Style::Block, last) => {
                let indent = column(text, entries[0].start);
                let last = last.map_or(self.node.end, |last| last.node.end);
                Ok(vec![insert_lines(text, line_end(text, last), indent, entry(key, tree, indent))])
            }
        }
    }

    fn append(&self, text: &str, tree: &Tree) -> Result<Vec<Splice>, Refusal> {
        let Kind::List(style, items) = &self.node.kind else { return Err(UNUSUAL.to_owned()) };
        match (style, items.last()) {
            (Style::Flow, None) if self.around == Around::Block => {
                Ok(self.replace(text, &Tree::List(vec![tree.clone()])))
            }
            (Style::Block, Some(last)) => {
                let indent = column(text, items[0].start);
                Ok(vec![insert_lines(text, line_end(text, last.node.end), indent, item(tree, indent))])
            }
            (_, Some(last)) => Ok(vec![insert(last.node.end, format!(", {}", inline(tree, Around::Flow, None)))]),
            (_, None) => Ok(vec![insert(self.node.value + 1, inline(tree, Around::Flow, None))]),
        }
    }

    /// Another value in the place of this one. An anchor stays, a tag goes.
    fn replace(&self, text: &str, tree: &Tree) -> Vec<Splice> {
        if self.is_block_collection() { self.replace_block(text, tree) } else { self.replace_inline(text, tree) }
    }

    /// What stands between the colon and the new value: a blank, and the anchor.
    fn lead(&self, text: &str) -> String {
        let colon = if self.needs_colon { ":" } else { "" };
        let anchor = self.node.anchor.clone().map(|anchor| format!(" {}", &text[anchor])).unwrap_or_default();
        format!("{colon}{anchor}")
    }

    fn replace_inline(&self, text: &str, tree: &Tree) -> Vec<Splice> {
        let node = self.node;
        let mut splices = Vec::new();
        // The lines of `|` and `>` go; a comment behind the sign stays.
        let (style, end) = match &node.kind {
            Kind::Scalar { style, .. } => (Some(*style), block_header_end(text, node)),
            _ => (None, node.end),
        };
        if end < node.end {
            splices.push((line_end(text, end)..node.end, String::new()));
        }
        if is_inline(tree, self.around) {
            let new = inline(tree, self.around, style);
            let has_tag =
                node.value > node.anchor.as_ref().map_or(node.start, |anchor| anchor.end) && !is_gap(text, node);
            if node.kind_is_empty() || has_tag {
                // Nothing stands before the file's own value and before an item between brackets.
                let is_first = self.indent.is_none() || (self.is_item && self.around == Around::Flow);
                let (from, lead) =
                    if is_first { (node.start, String::new()) } else { (self.after, format!("{} ", self.lead(text))) };
                splices.push((from..end, format!("{lead}{new}")));
            } else {
                splices.push((node.value..end, new));
            }
            return splices;
        }
        let lines = block(tree, self.inner_indent());
        let rest_is_empty = text[end..line_end(text, end)].trim().is_empty();
        if self.is_item && rest_is_empty && node.anchor.is_none() {
            splices.push((self.after..end, format!(" {}", lines.join(newline(text)))));
        } else if self.indent.is_none() {
            splices.push((node.start..end, lines.join(newline(text))));
        } else {
            splices.push((self.after..end, self.lead(text)));
            splices.push(insert_lines(text, line_end(text, end), self.inner_indent(), lines));
        }
        splices
    }

    fn replace_block(&self, text: &str, tree: &Tree) -> Vec<Splice> {
        let node = self.node;
        let is_one_line = is_inline(tree, self.around);
        let own_lines = self.indent.is_some() && line_start(text, node.value) > self.after;
        if !own_lines {
            let new = if is_one_line {
                inline(tree, self.around, None)
            } else {
                block(tree, column(text, node.value)).join(newline(text))
            };
            return vec![(node.value..node.end, new)];
        }
        if is_one_line {
            let behind = node.anchor.as_ref().map_or(self.after, |anchor| anchor.end);
            vec![
                insert(behind, format!(" {}", inline(tree, self.around, None))),
                whole_lines(text, node.value..node.end),
            ]
        } else {
            let indent = " ".repeat(self.inner_indent());
            let lines = format!("{indent}{}", block(tree, self.inner_indent()).join(newline(text)));
            vec![(line_start(text, node.value)..line_end(text, node.end), lines)]
        }
    }
}

impl Node {
    fn kind_is_empty(&self) -> bool {
        matches!(self.kind, Kind::Empty)
    }
}

/// Only blanks between the anchor and the value: there is no tag.
fn is_gap(text: &str, node: &Node) -> bool {
    let from = node.anchor.as_ref().map_or(node.start, |anchor| anchor.end);
    let leads = node.anchor.as_ref().is_none_or(|anchor| anchor.start == node.start);
    leads && text[from..node.value].trim().is_empty()
}

/// The end of `|` or `>-`; the end of any other value.
pub(super) fn block_header_end(text: &str, node: &Node) -> usize {
    let written = &text[node.value..node.end];
    if !matches!(&node.kind, Kind::Scalar { style, .. } if is_block(*style)) {
        return node.end;
    }
    let signs = written[1..].find(|c: char| !matches!(c, '+' | '-' | '0'..='9'));
    signs.map_or(node.end, |signs| node.value + 1 + signs)
}

fn is_block(style: saphyr_parser::ScalarStyle) -> bool {
    matches!(style, saphyr_parser::ScalarStyle::Literal | saphyr_parser::ScalarStyle::Folded)
}

/// Without one of several entries or items that stand on lines of their own.
fn without_lines(text: &str, ranges: &[Range<usize>], index: usize) -> Splice {
    let Range { start, end } = ranges[index].clone();
    let is_first_on_line = text[line_start(text, start)..start].trim().is_empty();
    if is_first_on_line {
        return whole_lines(text, start..end);
    }
    // `- name: x` goes, and the next key comes behind the dash, if no comment is between them.
    let next = ranges.get(index + 1).map_or(end, |next| next.start);
    let line = line_end(text, end);
    if text[line..next.max(line)].contains('#') {
        let blanks = text[..start].len() - text[..start].trim_end_matches([' ', '\t']).len();
        (start - blanks..line, String::new())
    } else {
        (start..next, String::new())
    }
}

/// Without one of several entries or items between brackets, and one comma.
fn without_part(text: &str, ranges: &[Range<usize>], index: usize) -> Splice {
    let Range { start, end } = ranges[index].clone();
    if let Some(next) = ranges.get(index + 1) {
        let between = &text[end..next.start];
        let to = match between.find(',') {
            Some(comma) if between.contains(['#', '\n', '\r']) => end + comma + 1,
            _ => next.start,
        };
        return (start..to, String::new());
    }
    let before = index.checked_sub(1).map_or(start, |before| ranges[before].end);
    if text[before..start].contains('#') { (start..end, String::new()) } else { (before..end, String::new()) }
}

/// The lines from the first to the last, with one line break.
fn whole_lines(text: &str, range: Range<usize>) -> Splice {
    let start = line_start(text, range.start);
    let end = line_end(text, range.end);
    let behind = behind_break(text, end);
    if behind == end && start > 0 {
        // The last line of a file without a line break at its end: the one before has to go instead.
        let before =
            text[..start].strip_suffix('\n').map_or(&text[..start], |rest| rest.strip_suffix('\r').unwrap_or(rest));
        return (before.len()..end, String::new());
    }
    (start..behind, String::new())
}

/// New lines behind the line that ends at `at`.
fn insert_lines(text: &str, at: usize, indent: usize, lines: Vec<String>) -> Splice {
    let newline = newline(text);
    insert(at, format!("{newline}{}{}", " ".repeat(indent), lines.join(newline)))
}

fn insert(at: usize, new: String) -> Splice {
    (at..at, new)
}

/// A file without any value gets one at its end.
fn append_document(text: &str, tree: &Tree) -> String {
    let newline = newline(text);
    let lines = block(tree, 0).join(newline);
    let gap = if text.is_empty() || text.ends_with(['\n', '\r']) { "" } else { newline };
    format!("{text}{gap}{lines}{newline}")
}

/// The line break of the file.
fn newline(text: &str) -> &str {
    match text.find(['\n', '\r']) {
        Some(at) => &text[at..behind_break(text, at)],
        None => "\n",
    }
}

/// Characters before this place in its line.
fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

fn apply(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len() + splices.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut at = 0;
    for (range, new) in splices {
        out.push_str(&text[at..range.start.max(at)]);
        out.push_str(&new);
        at = range.end.max(at);
    }
    out.push_str(&text[at..]);
    out
}
