//! What a file says, without how it is written: what edits are made for and checked by.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::path::{Path, Step};
use crate::config::yaml;

/// A value with its aliases and `<<` resolved.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    /// What a text means is for the field that reads it. `bare`: it was a number or a boolean, or is written without
    /// quotes; this does not count when two are compared.
    Text {
        text: String,
        bare: bool,
    },
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// The order of keys does not count.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Text { text, .. }, Self::Text { text: theirs, .. }) => text == theirs,
            (Self::List(items), Self::List(theirs)) => items == theirs,
            (Self::Map(entries), Self::Map(theirs)) => {
                entries.len() == theirs.len()
                    && entries.iter().zip(theirs).all(|((key, value), (near, their_value))| {
                        // Mostly in the same order: no search then.
                        let their_value = if key == near { Some(their_value) } else { find(theirs, key) };
                        Some(value) == their_value
                    })
            }
            _ => false,
        }
    }
}

fn find<'a>(entries: &'a [(String, Tree)], key: &str) -> Option<&'a Tree> {
    entries.iter().find(|(theirs, _)| theirs == key).map(|(_, value)| value)
}

impl Tree {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text { text, .. } = self { Some(text) } else { None }
    }

    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        if let Self::Map(entries) = self { find(entries, key) } else { None }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> &[Tree] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The value at a path without names.
    pub(super) fn at(&self, steps: &[Step]) -> Option<&Tree> {
        steps.iter().try_fold(self, |tree, step| match step {
            Step::Key(key) => tree.get(key),
            Step::Index(index) => tree.items().get(*index),
            Step::Named(_) | Step::Append => None,
        })
    }

    /// Puts a value where the path leads; mappings that are not there are made. `Err` with one clause when the path
    /// leads through something else.
    pub(super) fn set(&mut self, steps: &[Step], value: Tree) -> Result<(), String> {
        let Some((step, rest)) = steps.split_first() else {
            *self = value;
            return Ok(());
        };
        match step {
            Step::Key(key) => {
                if matches!(self, Self::Null) {
                    *self = Self::Map(Vec::new());
                }
                let Self::Map(entries) = self else { return Err(format!("is no mapping, so it has no key {key:?}")) };
                match entries.iter_mut().find(|(own, _)| own == key) {
                    Some((_, slot)) => slot.set(rest, value),
                    None => {
                        let mut new = Self::Null;
                        new.set(rest, value)?;
                        entries.push((key.clone(), new));
                        Ok(())
                    }
                }
            }
            Step::Index(_) | Step::Append => {
                if matches!(self, Self::Null) {
                    *self = Self::List(Vec::new());
                }
                let Self::List(items) = self else { return Err("is no list".to_owned()) };
                let index = if let Step::Index(index) = step { *index } else { items.len() };
                if index > items.len() {
                    return Err(format!("has {} items; the next one is [{0}], or [] for the end", items.len()));
                }
                if index == items.len() {
                    items.push(Self::Null);
                }
                items[index].set(rest, value)
            }
            Step::Named(name) => Err(format!("has no item {name:?}")),
        }
    }

    /// Takes the value away; false when there is none.
    pub(super) fn remove(&mut self, steps: &[Step]) -> bool {
        let Some((last, before)) = steps.split_last() else { return false };
        let mut here = self;
        for step in before {
            let next = match (here, step) {
                (Self::Map(entries), Step::Key(key)) => entries.iter_mut().find(|(own, _)| own == key).map(|(_, v)| v),
                (Self::List(items), Step::Index(index)) => items.get_mut(*index),
                _ => None,
            };
            let Some(next) = next else { return false };
            here = next;
        }
        match (here, last) {
            (Self::Map(entries), Step::Key(key)) => {
                let before = entries.len();
                entries.retain(|(own, _)| own != key);
                entries.len() < before
            }
            (Self::List(items), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// Names become numbers. A stream is found by `ids`, when they are known, or by the id or name that is written.
    pub(super) fn resolve(&self, path: &Path, ids: &[String]) -> Result<Vec<Step>, String> {
        let mut steps: Vec<Step> = Vec::with_capacity(path.0.len());
        for step in &path.0 {
            let Step::Named(name) = step else {
                steps.push(step.clone());
                continue;
            };
            let items = self.at(&steps).map(Self::items).unwrap_or_default();
            let by_id =
                (steps == [Step::Key("streams".to_owned())]).then(|| ids.iter().position(|id| id == name)).flatten();
            let written = |key: &str| items.iter().position(|item| item.get(key).and_then(Self::text) == Some(name));
            let index = by_id.or_else(|| ["id", "name", "host"].iter().find_map(|key| written(key)));
            let index = index.ok_or_else(|| format!("has no item with the id or name {name:?}"))?;
            steps.push(Step::Index(index));
        }
        Ok(steps)
    }

    /// As JSON. Numbers and booleans that are written without quotes are such.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text { text, bare } => {
                // A number only where it is written as JSON has it: `0123` and `1e3` stay texts.
                let json = bare.then(|| serde_json::from_str::<Json>(text).ok()).flatten();
                let as_written = |json: &Json| (json.is_number() || json.is_boolean()) && is_written(json, text);
                json.filter(as_written).unwrap_or_else(|| Json::from(text.as_str()))
            }
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

fn is_written(json: &Json, text: &str) -> bool {
    let written = json.to_string();
    written == text
}

impl From<&yaml::Node> for Tree {
    fn from(node: &yaml::Node) -> Self {
        if node.is_null() {
            return Self::Null;
        }
        match &node.value {
            yaml::Value::Scalar { text, plain, .. } => Self::Text { text: text.clone(), bare: *plain },
            yaml::Value::List(items) => Self::List(items.iter().map(|item| Self::from(&**item)).collect()),
            yaml::Value::Map(entries) => {
                Self::Map(entries.iter().map(|entry| (entry.key.clone(), Self::from(&*entry.node))).collect())
            }
        }
    }
}

impl From<&Json> for Tree {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Text { text: flag.to_string(), bare: true },
            Json::Number(number) => Self::Text { text: number.to_string(), bare: true },
            Json::String(text) => Self::Text { text: text.clone(), bare: false },
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(entries) => Self::Map(entries.iter().map(|(k, v)| (k.clone(), Self::from(v))).collect()),
        }
    }
}

impl From<Option<Arc<yaml::Node>>> for Tree {
    fn from(root: Option<Arc<yaml::Node>>) -> Self {
        root.map_or(Self::Null, |root| Self::from(&*root))
    }
}
