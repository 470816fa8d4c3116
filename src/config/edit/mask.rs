//! Shows a file with `***` in the place of every secret, and everything else to the byte as it is.

use std::collections::HashSet;
use std::ops::Range;

use saphyr_parser::ScalarStyle;

use super::comments;
use super::cursor::line_end;
use super::render::{Around, scalar};
use super::splice::block_header_end;
use super::syntax::{Kind, Node, Syntax};
use super::tree::Tree;
use crate::model::secret::REDACTED;
use crate::model::url::SecretPlaces;

/// True when what stands under this key is not shown, whether it is one of ours or not.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let no_value = ["_file", "_path", "_seconds", "_days"].iter().any(|end| key.ends_with(end));
    let parts = ["password", "passwd", "passwort", "passphrase", "passcode", "secret", "token", "credential", "apikey"];
    let ends = ["pass", "pwd", "psw", "psk", "api_key", "access_key", "private_key"];
    // Of `notify:` headers are secret with their values, and addresses as a whole: whoever knows them can use them.
    let words = ["pw", "key", "auth", "authorization", "headers", "watchdog_url", "webhook_url"];
    !no_value
        && (parts.iter().any(|part| key.contains(part))
            || ends.iter().any(|end| key.ends_with(end))
            || words.contains(&key.as_str()))
}

/// True when what stands under this key of an item of the list `parent` is not shown: the addresses of webhooks, too.
pub(super) fn is_secret_within(parent: &str, key: &str) -> bool {
    is_secret_key(key) || (parent == "targets" && key == "url")
}

/// A text below `key` as it may be shown; `None` when nothing in it is hidden.
pub(super) fn masked_text(key: &str, is_secret: bool, text: &str) -> Option<String> {
    if is_secret {
        return (!text.is_empty()).then(|| REDACTED.to_owned());
    }
    let places: Vec<_> = address_places(key, text);
    (!places.is_empty()).then(|| with_marks(text, &places))
}

/// What is hidden in a text that is or holds an address.
fn address_places(key: &str, text: &str) -> Vec<Range<usize>> {
    if key == "url" || text.contains("://") { SecretPlaces::of(text).all().collect() } else { Vec::new() }
}

/// True when the text is a mark, or an address with one.
pub(super) fn holds_mark(key: &str, is_secret: bool, text: &str) -> bool {
    if is_secret {
        text == REDACTED
    } else {
        address_places(key, text).iter().any(|place| &text[place.clone()] == REDACTED)
    }
}

pub(super) fn with_marks(text: &str, places: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for place in places.iter().filter(|place| !place.is_empty()) {
        if place.start < at {
            at = at.max(place.end);
            continue;
        }
        out.push_str(&text[at..place.start]);
        out.push_str(REDACTED);
        at = place.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The file as it may be shown. One that is no YAML is looked through line by line.
pub(super) fn mask(text: &str) -> String {
    match super::apply::read(text).ok().and_then(|_| Syntax::parse(text).ok()) {
        Some(syntax) if !has_odd_key(&syntax) => mask_parsed(text, &syntax),
        _ => comments::masked_lines(text),
    }
}

fn mask_parsed(text: &str, syntax: &Syntax) -> String {
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    let secret_anchors = secret_anchors(syntax);
    each_scalar(syntax, &secret_anchors, &mut |scalar| {
        if let Some(splice) = masked_scalar(text, scalar.node, scalar.key, scalar.is_secret) {
            splices.push(splice);
            splices.extend(block_lines(text, scalar.node).map(|lines| (lines, String::new())));
        }
    });
    let shown = comments::shown(text, &syntax.comments);
    let hidden = syntax.comments.iter().cloned().zip(shown).filter(|(range, shown)| text[range.clone()] != **shown);
    splices.extend(hidden);
    apply(text, splices)
}

pub(super) fn apply(text: &str, mut splices: Vec<(Range<usize>, String)>) -> String {
    splices.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in splices {
        out.push_str(&text[at..range.start]);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The lines of `|` and `>`, from the end of the first line on: what stands behind the sign is a comment.
pub(super) fn block_lines(text: &str, node: &Node) -> Option<Range<usize>> {
    let sign = block_header_end(text, node);
    let lines = line_end(text, sign)..node.end;
    (sign < node.end).then_some(lines).filter(|lines| lines.start < lines.end)
}

/// The bytes of a scalar and what is shown in their place, without the lines of a block; `None` when it is shown as it
/// is.
pub(super) fn masked_scalar(text: &str, node: &Node, key: &str, is_secret: bool) -> Option<(Range<usize>, String)> {
    let Kind::Scalar { text: value, style } = &node.kind else { return None };
    let is_null = *style == ScalarStyle::Plain && matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL");
    if is_null {
        return None;
    }
    let range = node.value..block_header_end(text, node);
    let shown = masked_text(key, is_secret, value)?;
    // As it is written, where that is what it says.
    let written = &text[range.clone()];
    let quotes = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
    if !is_secret && written.get(quotes..written.len() - quotes) == Some(value) {
        let (open, close) = (&written[..quotes], &written[written.len() - quotes..]);
        return Some((range, format!("{open}{shown}{close}")));
    }
    Some((range, scalar(&shown, false, Around::Flow, Some(*style))))
}

/// One scalar and the key that it stands under.
pub(super) struct Scalar<'a> {
    pub(super) node: &'a Node,
    pub(super) key: &'a str,
    pub(super) is_secret: bool,
    pub(super) steps: &'a [super::path::Step],
}

/// Goes through every scalar that is a value.
pub(super) fn each_scalar(syntax: &Syntax, secret_anchors: &HashSet<usize>, found: &mut dyn FnMut(&Scalar<'_>)) {
    if let Some(root) = &syntax.root {
        visit(root, "", false, secret_anchors, &mut Vec::new(), found);
    }
}

fn visit<'a>(
    node: &'a Node,
    key: &'a str,
    is_secret: bool,
    secret_anchors: &HashSet<usize>,
    steps: &mut Vec<super::path::Step>,
    found: &mut dyn FnMut(&Scalar<'_>),
) {
    use super::path::Step;
    let is_secret = is_secret || (node.anchor_number > 0 && secret_anchors.contains(&node.anchor_number));
    match &node.kind {
        Kind::Empty | Kind::Alias(_) => {
            if matches!(node.kind, Kind::Alias(_)) {
                found(&Scalar { node, key, is_secret, steps });
            }
        }
        Kind::Scalar { .. } => found(&Scalar { node, key, is_secret, steps }),
        Kind::List(_, items) => {
            for (i, item) in items.iter().enumerate() {
                steps.push(Step::Index(i));
                visit(&item.node, key, is_secret, secret_anchors, steps, found);
                steps.pop();
            }
        }
        Kind::Map(_, entries) => {
            for entry in entries {
                let name = entry.name().unwrap_or_default();
                steps.push(Step::Key(name.to_owned()));
                visit(&entry.node, name, is_secret || is_secret_within(key, name), secret_anchors, steps, found);
                steps.pop();
            }
        }
    }
}

/// Anchors of values that a secret key names: `x: &p hunter2`, `password: *p`.
pub(super) fn secret_anchors(syntax: &Syntax) -> HashSet<usize> {
    let mut anchors = HashSet::new();
    loop {
        let mut more = Vec::new();
        each_scalar(syntax, &anchors, &mut |scalar| {
            if let Kind::Alias(anchor) = scalar.node.kind
                && scalar.is_secret
            {
                more.push(anchor);
            }
        });
        // Again, for an alias within what is secret now.
        let before = anchors.len();
        anchors.extend(more);
        if anchors.len() == before {
            return anchors;
        }
    }
}

/// A key with an address in it, or a part of one: a password with a comma in it was cut into keys.
fn has_odd_key(syntax: &Syntax) -> bool {
    fn look(node: &Node) -> bool {
        match &node.kind {
            Kind::List(_, items) => items.iter().any(|item| look(&item.node)),
            Kind::Map(_, entries) => entries.iter().any(|entry| {
                entry.name().is_none_or(|name| name.contains("://") || name.contains('@')) || look(&entry.node)
            }),
            _ => false,
        }
    }
    syntax.root.as_ref().is_some_and(look)
}

/// A value as it may be shown.
pub(super) fn masked_tree(tree: &Tree, key: &str, is_secret: bool) -> Tree {
    match tree {
        Tree::Null => Tree::Null,
        Tree::Text { text, bare } => match masked_text(key, is_secret, text) {
            Some(text) => Tree::Text { text, bare: false },
            None => Tree::Text { text: text.clone(), bare: *bare },
        },
        Tree::List(items) => Tree::List(items.iter().map(|item| masked_tree(item, key, is_secret)).collect()),
        Tree::Map(entries) => Tree::Map(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), masked_tree(value, name, is_secret || is_secret_within(key, name))))
                .collect(),
        ),
    }
}
