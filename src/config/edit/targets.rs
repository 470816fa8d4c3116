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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::edit::apply::read;
    use crate::config::edit::mask::mask;

    const FILE: &str = "notify:\n  watchdog_url: https://hc.example/hunter2\n  targets:\n    - name: phone\n      url: https://h.example/hunter2\n      secret: hunter3\n      headers: {Authorization: hunter4}\n    - name: mail\n      smtp: {host: m.example, username: u, password: hunter5}\n";

    fn file(text: &str) -> Tree {
        read(text).unwrap()
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = mask(FILE);
        assert!(
            !shown.contains("hunter") && shown.contains("name: phone") && shown.contains("host: m.example"),
            "{shown}"
        );
        assert_eq!(shown.matches("***").count(), 5);
    }

    #[test]
    fn marks_and_secrets_stay_with_their_recipient() {
        let stored = file(FILE);
        let shown = mask(FILE);
        assert_eq!(moved(&stored, &file(&shown)), [""; 0]);
        let changed = |from: &str, to: &str| moved(&stored, &file(&shown.replacen(from, to, 1)));
        assert_eq!(changed("name: phone", "name: tablet"), ["notify.targets[0].url"]);
        assert_eq!(
            changed("url: '***'", "url: https://evil.example/"),
            changed("url: ***", "url: https://evil.example/")
        );
        assert_eq!(changed("host: m.example", "host: evil.example"), ["notify.targets[1].smtp.password"]);
        assert_eq!(changed("      secret", "      tls_insecure: true\n      secret"), ["notify.targets[0].url"]);
        let along = |from: &str, to: &str, given: &str| {
            taken_along(&stored, &file(&FILE.replacen(from, to, 1)), |secret| secret == given)
        };
        assert_eq!(along("name: phone", "name: tablet", ""), [""; 0], "to the same place under another name");
        assert_eq!(
            along("url: https://h.example/", "url: https://evil.example/", "https://evil.example/hunter2"),
            ["notify.targets[0].secret", "notify.targets[0].headers.Authorization"]
        );
        assert_eq!(along("tls: x", "", ""), [""; 0]);
        assert_eq!(along("username: u", "username: v", ""), ["notify.targets[1].smtp.password"]);
        assert_eq!(along("username: u", "username: v", "hunter5"), [""; 0]);
    }
}
