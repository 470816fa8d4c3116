//! `/api/status` as text, made once for all who see the same and made anew only where it changed: a thousand streams are
//! a quarter of a megabyte, and dashboards of others ask for it every second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::model::{Role, Stream, StreamId};
use crate::monitor::{StatusTable, StreamStatus};

/// Kinds of callers whose text is kept; the one that was asked for longest ago makes room.
const MAX_KINDS: usize = 8;

/// What decides of an answer: the role, and the groups when the caller sees only those.
pub(in crate::web) type Kind = (Role, Option<Arc<[String]>>);

/// The texts that are kept.
#[derive(Debug, Default)]
pub(in crate::web) struct Rendered {
    kinds: Mutex<HashMap<Kind, Arc<OfKind>>>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct OfKind {
    number: u64,
    asked: AtomicU64,
    text: Mutex<Text>,
}

#[derive(Debug, Default)]
struct Text {
    version: Option<u64>,
    body: Bytes,
    entries: HashMap<StreamId, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Weak: a row holds a picture, and this may be kept for long after the row was replaced.
    row: Weak<StreamStatus>,
    text: Box<str>,
}

/// A whole answer, and a tag that changes with it.
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) tag: String,
}

impl Rendered {
    /// The rows that `sees` lets through, each as `write` gives it (`"key":value`), in one object. Callers of one kind must
    /// see the same.
    pub(super) fn answer(
        &self,
        kind: Kind,
        table: &StatusTable,
        sees: impl Fn(&Stream) -> bool,
        write: impl Fn(&StreamStatus) -> String,
    ) -> Answer {
        let kept = self.of_kind(kind);
        // Held while the text is made, so that those who ask meanwhile wait for it instead of making their own.
        let mut text = kept.text.lock().unwrap_or_else(PoisonError::into_inner);
        if text.version != Some(table.version()) {
            let (version, rows) = table.all_with_version();
            text.update(version, &rows, sees, write);
        }
        let version = text.version.unwrap_or_default();
        Answer { body: text.body.clone(), tag: format!("{version:x}-{:x}", kept.number) }
    }

    fn of_kind(&self, kind: Kind) -> Arc<OfKind> {
        let now = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if !kinds.contains_key(&kind) && kinds.len() >= MAX_KINDS {
            let oldest = kinds.iter().min_by_key(|(_, kept)| kept.asked.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) {
                kinds.remove(&oldest);
            }
        }
        let kept = kinds
            .entry(kind)
            .or_insert_with(|| Arc::new(OfKind { number: now, asked: AtomicU64::new(now), text: Mutex::default() }));
        kept.asked.store(now, Ordering::Relaxed);
        kept.clone()
    }
}

impl Text {
    fn update(
        &mut self,
        version: u64,
        rows: &[Arc<StreamStatus>],
        sees: impl Fn(&Stream) -> bool,
        write: impl Fn(&StreamStatus) -> String,
    ) {
        let mut body = String::with_capacity(self.body.len() + 1024);
        let mut before = std::mem::take(&mut self.entries);
        self.entries.reserve(rows.len());
        for row in rows.iter().filter(|row| sees(&row.stream)) {
            let id = &row.stream.id;
            let same = before.remove_entry(id).filter(|(_, entry)| std::ptr::eq(entry.row.as_ptr(), Arc::as_ptr(row)));
            let (id, entry) = same
                .unwrap_or_else(|| (id.clone(), Entry { row: Arc::downgrade(row), text: write(row).into_boxed_str() }));
            body.push(if body.is_empty() { '{' } else { ',' });
            body.push_str(&entry.text);
            self.entries.insert(id, entry);
        }
        body.push_str(if body.is_empty() { "{}" } else { "}" });
        (self.version, self.body) = (Some(version), body.into());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::config::{Config, Overrides};

    fn table() -> (StatusTable, Config) {
        let text = "streams:\n  - {name: Gate, url: 'rtsp://192.0.2.1/', group: Outside}\n  \
                    - {name: Hall, url: 'rtsp://192.0.2.2/'}\n";
        let path = std::path::Path::new("config.yaml");
        let config = crate::config::parse(path, text.as_bytes(), &Overrides::default()).unwrap().config;
        let table = StatusTable::default();
        table.configure(&config, |stream| StreamStatus::new(stream.clone(), SystemClock.now()));
        (table, config)
    }

    #[test]
    fn only_what_changed_is_written_anew() {
        let (table, mut config) = table();
        let (rendered, written) = (Rendered::default(), Cell::new(0));
        let ask = || {
            let answer = rendered.answer(
                (Role::Viewer, None),
                &table,
                |_| true,
                |row| {
                    written.set(written.get() + 1);
                    format!("\"{}\":{}", row.stream.name, row.recent.capacity())
                },
            );
            (String::from_utf8(answer.body.to_vec()).unwrap(), answer.tag)
        };
        let (first, tag) = ask();
        assert_eq!((first.as_str(), written.get()), (r#"{"Gate":0,"Hall":0}"#, 2));
        assert_eq!((ask(), written.get()), ((first, tag.clone()), 2));
        let mut row = (*table.get("hall").unwrap()).clone();
        row.recent.reserve_exact(7);
        let capacity = row.recent.capacity();
        table.replace(row);
        let (second, other) = ask();
        assert_eq!((second, written.get()), (format!("{{\"Gate\":0,\"Hall\":{capacity}}}"), 3));
        assert_ne!(tag, other);
        config.streams.remove(1);
        table.configure(&config, |_| unreachable!());
        assert_eq!((ask().0.as_str(), written.get()), (r#"{"Gate":0}"#, 3));
        config.streams.clear();
        table.configure(&config, |_| unreachable!());
        assert_eq!(ask().0, "{}");
    }

    #[test]
    fn who_sees_other_things_gets_another_text_and_few_are_kept() {
        let (table, _) = table();
        let rendered = Rendered::default();
        let ask = |role: Role, groups: Option<&[&str]>| {
            let groups: Option<Arc<[String]>> =
                groups.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            let sees = |stream: &Stream| {
                groups.as_ref().is_none_or(|groups| stream.group.as_ref().is_some_and(|group| groups.contains(group)))
            };
            let answer = rendered.answer((role, groups.clone()), &table, sees, |row| {
                format!("\"{}\":\"{}\"", row.stream.name, role.as_str())
            });
            (String::from_utf8(answer.body.to_vec()).unwrap(), answer.tag)
        };
        let all = ask(Role::Viewer, None);
        let admin = ask(Role::Admin, None);
        let outside = ask(Role::Viewer, Some(&["Outside"]));
        assert_eq!(all.0, r#"{"Gate":"viewer","Hall":"viewer"}"#);
        assert_eq!(admin.0, r#"{"Gate":"admin","Hall":"admin"}"#);
        assert_eq!(outside.0, r#"{"Gate":"viewer"}"#);
        assert_eq!(ask(Role::Viewer, Some(&[])).0, "{}");
        assert!(all.1 != admin.1 && all.1 != outside.1 && admin.1 != outside.1);
        for number in 0..20 {
            ask(Role::Viewer, Some(&[&number.to_string()]));
            assert_eq!(ask(Role::Admin, None), admin, "it was asked for just now and is kept");
        }
        assert_eq!(rendered.kinds.lock().unwrap().len(), MAX_KINDS);
    }

    #[test]
    fn a_row_that_was_replaced_is_not_kept_alive() {
        let (table, _) = table();
        let rendered = Rendered::default();
        rendered.answer((Role::Viewer, None), &table, |_| true, |row| row.stream.name.clone());
        let old = Arc::downgrade(&table.get("gate").unwrap());
        table.replace((*table.get("gate").unwrap()).clone());
        assert!(old.upgrade().is_none());
    }
}
