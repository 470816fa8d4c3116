//! Edits of the text, each checked: what it says afterwards must differ only in what was asked for.

use std::fmt;

use serde_json::Value as Json;

use super::path::{Path, Step};
use super::splice;
use super::syntax::{Kind, Node, Syntax};
use super::tree::Tree;
use crate::config::problem::Problem;
use crate::config::yaml;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where.
    pub path: Path,
    /// What.
    pub change: Change,
}

/// What becomes of the value at a path. `Debug` does not show it: it may be a secret.
#[derive(Clone, PartialEq)]
pub enum Change {
    /// It is this. A mapping or list that is there already keeps what does not change, comments included.
    Set(Json),
    /// It is taken out, its key with it.
    Remove,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Remove) { "Remove" } else { "Set(***)" })
    }
}

/// What the text says; `Null` for an empty one.
pub(super) fn read(text: &str) -> Result<Tree, Problem> {
    let mut found = Vec::new();
    let root = yaml::parse(text, &mut found)?;
    // A key that is there twice: nobody knows which one an edit means.
    match found.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(Tree::from(root)),
    }
}

/// Applies edits in their order. `ids` are those of the streams.
///
/// # Errors
/// Why the text cannot be changed so, with the path.
pub(super) fn apply(text: &str, edits: &[Edit], ids: &[String]) -> Result<String, Problem> {
    let mut text = text.to_owned();
    let mut ids = ids.to_vec();
    for edit in edits {
        text = one(&text, edit, &mut ids)?;
    }
    Ok(text)
}

/// One edit; afterwards `ids` are those of the streams as they stand then.
fn one(text: &str, edit: &Edit, ids: &mut Vec<String>) -> Result<String, Problem> {
    let refused = |message: String| Problem { path: edit.path.to_string(), line: None, message };
    let mut wanted = read(text)?;
    let mut steps = wanted.resolve(&edit.path, ids).map_err(refused)?;
    let leaves = match &edit.change {
        Change::Remove => {
            let before = wanted.clone();
            if !wanted.remove(&steps) {
                return Err(refused("is not there, so it cannot be removed".to_owned()));
            }
            vec![Leaf { steps: steps.clone(), tree: before, remove: true }]
        }
        Change::Set(json) => {
            end_of_list(&wanted, &mut steps);
            let before = wanted.clone();
            wanted.set(&steps, Tree::from(json)).map_err(refused)?;
            let mut leaves = Vec::new();
            differences(&before, &wanted, &steps, &mut leaves);
            leaves
        }
    };
    let before = text;
    let mut text = text.to_owned();
    for leaf in leaves {
        let syntax = Syntax::parse(&text).map_err(|_| refused(splice::UNUSUAL.to_owned()))?;
        let done = if leaf.remove {
            splice::remove(&text, &syntax, &leaf.steps)
        } else {
            splice::set(&text, &syntax, &leaf.steps, &leaf.tree)
        };
        text = done.map_err(|message| refused(at_leaf(&edit.path, &leaf.steps, message)))?;
    }
    if read(&text).is_ok_and(|tree| tree == wanted) {
        follow(ids, &steps, &edit.change);
        return Ok(text);
    }
    // Another place names this one by an alias, or the parser reads something else than was meant.
    let shared = Syntax::parse(before).is_ok_and(|syntax| touches_anchor(syntax.root.as_ref(), &steps));
    Err(refused(if shared { splice::SHARED } else { splice::UNUSUAL }.to_owned()))
}

/// Keeps the ids beside their streams. Of a list that was given as a whole none is known: what is written counts then.
fn follow(ids: &mut Vec<String>, steps: &[Step], change: &Change) {
    match (steps, change) {
        ([Step::Key(key), Step::Index(index)], Change::Remove) if key == "streams" && *index < ids.len() => {
            ids.remove(*index);
        }
        ([Step::Key(key)], _) if key == "streams" => ids.clear(),
        _ => {}
    }
}

/// True when the place has an anchor, is within one, or holds one.
fn touches_anchor(root: Option<&Node>, steps: &[Step]) -> bool {
    let Some(mut here) = root else { return false };
    for step in steps {
        if here.anchor_number > 0 {
            return true;
        }
        let child = match (&here.kind, step) {
            (Kind::Map(_, entries), Step::Key(key)) => {
                entries.iter().find(|entry| entry.name() == Some(key)).map(|entry| &entry.node)
            }
            (Kind::List(_, items), Step::Index(index)) => items.get(*index).map(|item| &item.node),
            _ => None,
        };
        let Some(child) = child else { return false };
        here = child;
    }
    holds_anchor(here)
}

fn holds_anchor(node: &Node) -> bool {
    node.anchor_number > 0
        || match &node.kind {
            Kind::List(_, items) => items.iter().any(|item| holds_anchor(&item.node)),
            Kind::Map(_, entries) => entries.iter().any(|entry| holds_anchor(&entry.key) || holds_anchor(&entry.node)),
            _ => false,
        }
}

/// Of a mapping that was given as a whole, the key that makes the trouble.
fn at_leaf(path: &Path, steps: &[Step], message: String) -> String {
    match steps.get(path.0.len()..) {
        Some(deeper) if !deeper.is_empty() => {
            format!("{} in it {message}", Path(deeper.to_vec()))
        }
        _ => message,
    }
}

/// `[]` becomes the number of the item that will be there.
fn end_of_list(tree: &Tree, steps: &mut [Step]) {
    for i in 0..steps.len() {
        if steps[i] == Step::Append {
            steps[i] = Step::Index(tree.at(&steps[..i]).map_or(0, |list| list.items().len()));
        }
    }
}

/// A change of one place of the text.
struct Leaf {
    steps: Vec<Step>,
    /// The whole file as it is after this change, as far as this place goes.
    tree: Tree,
    remove: bool,
}

/// The places below `steps` that differ.
fn differences(before: &Tree, wanted: &Tree, steps: &[Step], leaves: &mut Vec<Leaf>) {
    let (old, new) = (before.at(steps), wanted.at(steps));
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Tree::Map(old)), Some(Tree::Map(new))) if !new.is_empty() => {
            // What goes is taken out last, so that a mapping is never empty meanwhile.
            for (key, _) in new {
                differences(before, wanted, &deeper(steps, Step::Key(key.clone())), leaves);
            }
            for (key, _) in old.iter().filter(|(key, _)| !new.iter().any(|(theirs, _)| theirs == key)) {
                leaves.push(Leaf { steps: deeper(steps, Step::Key(key.clone())), tree: Tree::Null, remove: true });
            }
        }
        (Some(Tree::List(old)), Some(Tree::List(new))) if !new.is_empty() && !old.is_empty() => {
            for index in 0..new.len() {
                differences(before, wanted, &deeper(steps, Step::Index(index)), leaves);
            }
            for index in (new.len()..old.len()).rev() {
                leaves.push(Leaf { steps: deeper(steps, Step::Index(index)), tree: Tree::Null, remove: true });
            }
        }
        _ => leaves.push(Leaf { steps: steps.to_vec(), tree: wanted.clone(), remove: false }),
    }
}

fn deeper(steps: &[Step], step: Step) -> Vec<Step> {
    steps.iter().cloned().chain([step]).collect()
}
