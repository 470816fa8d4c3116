//! Puts stored secrets back where a text comes with `***`, and only where they go to the same camera, broker or recipient as
//! before.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::ScalarStyle;
use serde_json::Value as Json;

use super::apply::read;
use super::cursor::line_end;
use super::mask::{
    apply, block_lines, each_scalar, holds_mark, is_secret_key, masked_scalar, masked_text, secret_anchors,
};
use super::path::{Path, Step};
use super::render::{Around, scalar};
use super::syntax::{Kind, Node, Syntax};
use super::tree::Tree;
use super::{comments, same_target, targets};
use crate::config::problem::Problem;
use crate::model::secret::REDACTED;
use crate::model::url::SecretPlaces;
use crate::model::{CameraUrl, StreamId};

/// The file that is in use.
pub(super) struct Stored<'a> {
    text: &'a str,
    tree: Tree,
    syntax: Syntax,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
}

impl<'a> Stored<'a> {
    /// `None` when it is no YAML. `ids` are those of the streams, where they are known.
    pub(super) fn new(text: &'a str, ids: &[String]) -> Option<Self> {
        let (tree, syntax) = (read(text).ok()?, Syntax::parse(text).ok()?);
        let streams = tree.get("streams").map(Tree::items).unwrap_or_default();
        let written = |key| streams.iter().enumerate().filter_map(move |(i, stream)| Some((word(stream, key)?, i)));
        let by_name = written("name").collect();
        let by_id = written("id").chain(ids.iter().cloned().enumerate().map(|(i, id)| (id, i))).collect();
        Some(Self { text, tree, syntax, by_id, by_name })
    }

    /// The stream that was here before under the same id or name.
    fn stream_like(&self, stream: &Tree) -> Option<usize> {
        let by_id = word(stream, "id").and_then(|id| self.by_id.get(&id));
        let by_name = || {
            let name = word(stream, "name")?;
            self.by_name.get(&name).or_else(|| self.by_id.get(StreamId::from_name(&name).as_str()))
        };
        by_id.or_else(by_name).copied()
    }

    /// Where the value was before: another place in the list of streams, perhaps.
    fn steps(&self, new: &Tree, steps: &[Step]) -> Option<Vec<Step>> {
        let mut old = steps.to_vec();
        if let [Step::Key(key), Step::Index(index), ..] = steps
            && key == "streams"
        {
            old[1] = Step::Index(self.stream_like(new.at(&[Step::Key(key.clone()), Step::Index(*index)])?)?);
        }
        if targets::leads_into(steps) {
            old[2] = Step::Index(targets::before(&self.tree, new, steps)?);
        }
        Some(old)
    }

    /// Where the value is written, when it is not taken from elsewhere.
    fn node(&self, steps: &[Step]) -> Option<&Node> {
        steps.iter().try_fold(self.syntax.root.as_ref()?, |node, step| match (&node.kind, step) {
            (Kind::Map(_, entries), Step::Key(key)) => {
                entries.iter().find(|entry| entry.name() == Some(key)).map(|entry| &entry.node)
            }
            (Kind::List(_, items), Step::Index(index)) => items.get(*index).map(|item| &item.node),
            _ => None,
        })
    }
}

fn word(stream: &Tree, key: &str) -> Option<String> {
    stream.get(key).and_then(Tree::text).map(|text| text.trim().to_owned())
}

/// The text with every `***` replaced. One that is no YAML stays as it is: it is refused for that.
///
/// # Errors
/// Every place whose secret is not known or may not go where it would go now.
pub(super) fn restore(stored: Option<&Stored<'_>>, text: &str) -> Result<String, Vec<Problem>> {
    if !text.contains(REDACTED) {
        return Ok(text.to_owned());
    }
    let Ok(tree) = read(text) else { return Ok(text.to_owned()) };
    let unusual = |_| vec![Problem { path: String::new(), line: None, message: UNUSUAL.to_owned() }];
    let syntax = Syntax::parse(text).map_err(unusual)?;
    let mut problems = Vec::new();
    let mut splices = Vec::new();
    let anchors = secret_anchors(&syntax);
    each_scalar(&syntax, &anchors, &mut |found| {
        let Kind::Scalar { text: value, style } = &found.node.kind else { return };
        if !holds_mark(found.key, found.is_secret, value) {
            return;
        }
        let put_back = stored.ok_or(NO_FILE).and_then(|stored| one(stored, text, &tree, found, value, *style));
        match put_back {
            Ok(put_back) => splices.extend(put_back),
            Err(message) => problems.push(problem(text, found.node, found.steps, message)),
        }
    });
    if let Some(stored) = stored
        && problems.is_empty()
    {
        problems.extend(moved(stored, &tree));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Some(stored) = stored {
        splices.extend(old_comments(stored, text, &syntax));
    }
    let restored = apply(text, splices);
    match read(&restored) {
        Ok(now) => {
            let strayed = stored.and_then(|stored| strayed(stored, &tree, &now, &tree, &mut Vec::new()));
            strayed.map_or(Ok(restored), |problem| Err(vec![problem]))
        }
        Err(problem) => Err(vec![problem]),
    }
}

const NO_FILE: &str = "the file on disk cannot be read, so the hidden password is not known; type it anew";
const NOT_KNOWN: &str = "the hidden password is not known here; type it anew";
const UNUSUAL: &str = "is written in a way in which hidden passwords cannot be put back; type them anew";
const TAKEN_ALONG: &str =
    "the stored password was for another address or user; give it, too, or null when there is none any more";
const MOVED: &str = "the hidden password was for another address or user; type it anew";

fn problem(text: &str, node: &Node, steps: &[Step], message: &str) -> Problem {
    Problem::at(1 + text[..node.value].matches('\n').count(), Path(steps.to_vec()).to_string(), message)
}

/// What to write in the place of one text with a mark.
fn one(
    stored: &Stored<'_>,
    text: &str,
    tree: &Tree,
    found: &super::mask::Scalar<'_>,
    value: &str,
    style: ScalarStyle,
) -> Result<Vec<(Range<usize>, String)>, &'static str> {
    let steps = stored.steps(tree, found.steps).ok_or(NOT_KNOWN)?;
    let old = stored.tree.at(&steps).and_then(Tree::text).filter(|old| !old.is_empty()).ok_or(NOT_KNOWN)?;
    let range = found.node.value..found.node.end;
    // As it was written, when it comes back as it was shown.
    if let Some(node) = stored.node(&steps)
        && let Some((old_range, shown)) = masked_scalar(stored.text, node, found.key, found.is_secret)
        && shown == text[range.clone()]
    {
        let end = line_end(text, range.end);
        let ends_line = matches!(text[range.end..end].trim_start().chars().next(), None | Some('#'));
        let sign = (range.clone(), stored.text[old_range].to_owned());
        match block_lines(stored.text, node) {
            None => return Ok(vec![sign]),
            Some(lines) if ends_line => return Ok(vec![sign, (end..end, stored.text[lines].to_owned())]),
            Some(_) => {}
        }
    }
    let known = if found.is_secret { old.to_owned() } else { address(old, value)? };
    Ok(vec![(range, scalar(&known, false, Around::Flow, Some(style)))])
}

/// An address with the secrets of the old one.
fn address(old: &str, new: &str) -> Result<String, &'static str> {
    let shown = masked_text("url", false, old).ok_or(NOT_KNOWN)?;
    if shown == new {
        return Ok(old.to_owned());
    }
    if !same_target::same_address(old, new) {
        return Err(MOVED);
    }
    let (was, is) = (SecretPlaces::of(old), SecretPlaces::of(new));
    let mut out = match &is.password {
        Some(range) if &new[range.clone()] == REDACTED => {
            let password = &old[was.password.clone().ok_or(NOT_KNOWN)?];
            format!("{}{password}{}", &new[..range.start], &new[range.end..is.path])
        }
        _ => new[..is.path].to_owned(),
    };
    let shown_path = &shown[SecretPlaces::of(&shown).path..];
    match &new[is.path..] {
        path if !path.contains(REDACTED) => out.push_str(path),
        // What a secret in path or query is for is written around it.
        path if path == shown_path => out.push_str(&old[was.path..]),
        _ => return Err(MOVED),
    }
    // With the password in it the address may read as another one: a raw / or @ in it decides where the host begins.
    if same_target::same_address(old, &out) { Ok(out) } else { Err(MOVED) }
}

/// Streams, the broker and recipients whose secret would go elsewhere now, also where it comes from an anchor.
fn moved(stored: &Stored<'_>, new: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tell = |path: String, message: &str| {
        problems.push(Problem { path, line: None, message: message.to_owned() });
    };
    let streams = new.get("streams").map(Tree::items).unwrap_or_default();
    for (i, stream) in streams.iter().enumerate() {
        let marked = |key: &str| {
            stream.get(key).and_then(Tree::text).is_some_and(|text| holds_mark(key, is_secret_key(key), text))
        };
        let Some(key) = ["password", "url"].into_iter().find(|key| marked(key)) else { continue };
        let path = format!("streams[{i}].{key}");
        match stored.stream_like(stream).and_then(|old| stored.tree.get("streams")?.items().get(old)) {
            None => tell(path, NOT_KNOWN),
            Some(old) if !same_target::same_camera(old, stream) => tell(path, MOVED),
            Some(_) => {}
        }
    }
    let is_marked = |tree: &Tree| tree.get("password").and_then(Tree::text) == Some(REDACTED);
    if let Some(mqtt) = new.get("mqtt").filter(|mqtt| is_marked(mqtt))
        && !stored.tree.get("mqtt").is_some_and(|old| same_target::same_broker(old, mqtt))
    {
        tell("mqtt.password".to_owned(), MOVED);
    }
    for path in targets::moved(&stored.tree, new) {
        tell(path, MOVED);
    }
    problems
}

/// Streams and the broker that have a stored secret, under whatever name, and are another camera or broker than those that had
/// it; but for secrets that are among the `given` values.
pub(super) fn taken_along(stored: &Stored<'_>, text: &str, given: &[&Json]) -> Vec<Problem> {
    let Ok(new) = read(text) else { return Vec::new() };
    let streams = |tree: &Tree| tree.get("streams").map(Tree::items).unwrap_or_default().to_vec();
    let old = streams(&stored.tree);
    let is_given = |secret: &str| given.iter().any(|value| holds_secret(value, secret));
    let mut problems = Vec::new();
    let mut tell = |path| problems.push(Problem { path, line: None, message: TAKEN_ALONG.to_owned() });
    for (i, stream) in streams(&new).iter().enumerate() {
        for (key, secret) in secrets(stream) {
            let had = || old.iter().filter(|old| secrets(old).contains(&(key, secret.clone())));
            let is_new = had().next().is_none();
            if !is_new && !is_given(&secret) && !had().any(|old| same_target::same_camera(old, stream)) {
                tell(format!("streams[{i}].{key}"));
            }
        }
    }
    let password = |tree: &Tree| tree.get("password").and_then(Tree::text).map(str::to_owned);
    if let (Some(old), Some(mqtt)) = (stored.tree.get("mqtt"), new.get("mqtt"))
        && let Some(kept) = password(mqtt).filter(|text| !text.is_empty() && password(old).as_ref() == Some(text))
        && !is_given(&kept)
        && !same_target::same_broker(old, mqtt)
    {
        tell("mqtt.password".to_owned());
    }
    targets::taken_along(&stored.tree, &new, is_given).into_iter().for_each(tell);
    problems
}

/// What of a stream is secret, by its key: a password of its own, and an address with one in it.
fn secrets(stream: &Tree) -> Vec<(&'static str, String)> {
    let text = |key: &str| stream.get(key).and_then(Tree::text).filter(|text| !text.is_empty()).map(str::to_owned);
    let url = text("url").filter(|url| masked_text("url", false, url).is_some_and(|shown| shown != *url));
    [("password", text("password")), ("url", url)].into_iter().filter_map(|(key, text)| Some((key, text?))).collect()
}

/// True when this secret is somewhere in the value: as it is, or as the password of an address.
fn holds_secret(value: &Json, secret: &str) -> bool {
    match value {
        Json::String(own) => {
            let in_address = || CameraUrl::parse(own).ok()?.1.map(|account| account.password.expose() == secret);
            own == secret || in_address().unwrap_or_default()
        }
        Json::Number(number) => number.to_string() == secret,
        Json::Array(items) => items.iter().any(|item| holds_secret(item, secret)),
        Json::Object(entries) => entries.values().any(|item| holds_secret(item, secret)),
        Json::Null | Json::Bool(_) => false,
    }
}

/// Whatever differs now from what was marked is what it was before in the same place: so a secret cannot be taken to
/// another place by an alias.
fn strayed(stored: &Stored<'_>, marked: &Tree, now: &Tree, whole: &Tree, steps: &mut Vec<Step>) -> Option<Problem> {
    match (marked, now) {
        (Tree::List(old), Tree::List(new)) if old.len() == new.len() => {
            old.iter().zip(new).enumerate().find_map(|(i, (old, new))| {
                steps.push(Step::Index(i));
                let found = strayed(stored, old, new, whole, steps);
                steps.pop();
                found
            })
        }
        // A key that is an alias, too, would be shown.
        (Tree::Map(old), Tree::Map(new)) if old.iter().map(|(key, _)| key).eq(new.iter().map(|(key, _)| key)) => {
            old.iter().zip(new).find_map(|((key, old), (_, new))| {
                steps.push(Step::Key(key.clone()));
                let found = strayed(stored, old, new, whole, steps);
                steps.pop();
                found
            })
        }
        _ if marked == now => None,
        _ => {
            let before = stored.steps(whole, steps).and_then(|steps| stored.tree.at(&steps)).and_then(Tree::text);
            let back = match (before, marked.text()) {
                (Some(old), Some(REDACTED)) => Some(old.to_owned()),
                (Some(old), Some(shown)) => address(old, shown).ok(),
                _ => None,
            };
            let is_back = back.is_some() && back.as_deref() == now.text();
            (!is_back).then(|| Problem {
                path: Path(steps.clone()).to_string(),
                line: None,
                message: NOT_KNOWN.to_owned(),
            })
        }
    }
}

fn old_comments(stored: &Stored<'_>, text: &str, syntax: &Syntax) -> Vec<(Range<usize>, String)> {
    let shown = comments::shown(stored.text, &stored.syntax.comments);
    let originals = stored.syntax.comments.iter().map(|range| &stored.text[range.clone()]);
    let new: Vec<&str> = syntax.comments.iter().map(|range| &text[range.clone()]).collect();
    let back = comments::restored(shown.into_iter().zip(originals), &new);
    syntax.comments.iter().cloned().zip(back).filter_map(|(range, old)| Some((range, old?))).collect()
}
