//! The secrets of `notify.targets:`, and whether each still goes to whom it went before.

use super::path::Step;
use super::same_target::same_recipient;
use super::tree::Tree;
use crate::model::secret::REDACTED;

/// The items of the list.
pub(super) fn all(file: &Tree) -> &[Tree] {
    file.get("notify").and_then(|notify| notify.get("targets")).map(Tree::items).unwrap_or_default()
}

/// What of a target is secret, with its place in it.
fn secrets(target: &Tree) -> Vec<(String, &str)> {
    let text = |tree: &'_ Tree| tree.text().filter(|text| !text.is_empty()).is_some();
    let mut found = Vec::new();
    for key in ["url", "secret"] {
        found.extend(target.get(key).filter(|value| text(value)).map(|value| (key.to_owned(), value)));
    }
    found.extend(
        target.get("smtp").and_then(|smtp| smtp.get("password")).map(|value| ("smtp.password".to_owned(), value)),
    );
    if let Some(Tree::Map(headers)) = target.get("headers") {
        found.extend(headers.iter().map(|(name, value)| (format!("headers.{name}"), value)));
    }
    found.into_iter().filter_map(|(key, value)| Some((key, value.text().filter(|text| !text.is_empty())?))).collect()
}

/// Where the target of this place stood before: the one of the same name.
pub(super) fn before(old: &Tree, new: &Tree, steps: &[Step]) -> Option<usize> {
    let name = name(new.at(steps.get(..3)?)?)?;
    all(old).iter().position(|target| self::name(target) == Some(name))
}

/// True when these steps lead into one of the targets.
pub(super) fn leads_into(steps: &[Step]) -> bool {
    matches!(steps, [Step::Key(notify), Step::Key(targets), Step::Index(_), ..] if notify == "notify" && targets == "targets")
}

fn name(target: &Tree) -> Option<&str> {
    target.get("name").and_then(Tree::text).map(str::trim)
}

/// Places of marks that stand for a secret of another recipient, or of none that is known.
pub(super) fn moved(old: &Tree, new: &Tree) -> Vec<String> {
    let mut places = Vec::new();
    for (i, target) in all(new).iter().enumerate() {
        let Some((key, _)) = secrets(target).into_iter().find(|(_, text)| *text == REDACTED) else { continue };
        let before = all(old).iter().find(|old| name(old) == name(target));
        if !before.is_some_and(|old| same_recipient(old, target)) {
            places.push(format!("notify.targets[{i}].{key}"));
        }
    }
    places
}

/// Places of stored secrets that would go to another recipient than before, but for those that `is_given`.
pub(super) fn taken_along(old: &Tree, new: &Tree, is_given: impl Fn(&str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for (i, target) in all(new).iter().enumerate() {
        for (key, secret) in secrets(target) {
            let had = || all(old).iter().filter(|old| secrets(old).iter().any(|(_, known)| *known == secret));
            if had().next().is_some() && !is_given(secret) && !had().any(|old| same_recipient(old, target)) {
                places.push(format!("notify.targets[{i}].{key}"));
            }
        }
    }
    places
}
