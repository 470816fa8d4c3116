//! The file as it was read, and what becomes of it.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::path::{Path as FilePath, PathBuf};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::EditError;
use super::apply::{self, Change, Edit};
use super::mask::{mask, masked_tree};
use super::path::{Path, Step};
use super::tree::Tree;
use super::unmask::{Stored, restore, taken_along};
use super::write;
use crate::config::environment::Overrides;
use crate::config::load::{Loaded, parse, read, text_of};
use crate::config::problem::Problem;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// SHA-256 of a content, in hexadecimal digits.
pub fn tag_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The file at one moment. `Debug` names it only: it holds secrets.
#[derive(Clone)]
pub struct Document {
    file: PathBuf,
    bytes: Vec<u8>,
    /// Without a byte order mark.
    text: String,
    /// Of each stream, when the file loads.
    ids: Vec<String>,
    overrides: Overrides,
}

impl Document {
    /// Reads the file. It need not load, so that it can be shown and repaired.
    ///
    /// # Errors
    /// When it cannot be read, or is no text.
    pub fn read(file: &FilePath, overrides: &Overrides) -> Result<Self, Problem> {
        let bytes = read(file)?;
        let text = text_of(&bytes)?.to_owned();
        let loaded = parse(file, &bytes, overrides).ok();
        let ids = loaded.iter().flat_map(|loaded| &loaded.config.streams).map(|stream| stream.id.to_string()).collect();
        Ok(Self { file: file.to_owned(), bytes, text, ids, overrides: overrides.clone() })
    }

    /// Names this content: SHA-256 in hexadecimal digits.
    pub fn tag(&self) -> String {
        tag_of(&self.bytes)
    }

    /// The text with `***` in the place of every secret, comments included.
    pub fn shown(&self) -> String {
        let mark = if self.bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) { BYTE_ORDER_MARK } else { "" };
        format!("{mark}{}", mask(&self.text))
    }

    /// A value as it is written, aliases and `<<` resolved, with `***` in the place of every secret; `None` when it is
    /// not there.
    ///
    /// # Errors
    /// When the file is no YAML, or the path names an item that is not there.
    pub fn get(&self, path: &Path) -> Result<Option<Json>, Problem> {
        // Of the text as it is shown: that also hides what only an alias makes a secret.
        let tree = apply::read(&mask(&self.text))?;
        let steps = tree.resolve(path, &self.ids).map_err(|message| of_path(path, message))?;
        let is_secret = path.is_secret();
        let key = steps.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
        Ok(tree.at(&steps).map(|tree| masked_tree(tree, key.unwrap_or_default(), is_secret).to_json()))
    }

    /// Where a stream stands in the list; `None` when there is none with this id, or the file does not load.
    pub fn stream(&self, id: &str) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }

    /// The text after these edits. A stream that is renamed, or whose made id would become another one, gets the old id
    /// written into it, so that its history stays.
    ///
    /// A stored password goes to another camera or broker only when it is among the edits: whoever made them knows it then.
    ///
    /// # Errors
    /// [`EditError`]; every problem that keeps the new text from being used.
    pub fn with_edits(&self, edits: &[Edit]) -> Result<Draft, EditError> {
        let text = self.edited(edits)?;
        let given: Vec<&Json> = edits.iter().filter_map(Edit::value).collect();
        let moved = Stored::new(&self.text, &self.ids).map(|stored| taken_along(&stored, &text, &given));
        match moved.unwrap_or_default() {
            moved if moved.is_empty() => self.draft(&text),
            moved => Err(EditError::Refused(moved)),
        }
    }

    /// The same for those who may read the file: stored passwords stay where they are written, whoever they go to then.
    ///
    /// # Errors
    /// As [`Self::with_edits`].
    pub fn with_edits_of_its_owner(&self, edits: &[Edit]) -> Result<Draft, EditError> {
        self.draft(&self.edited(edits)?)
    }

    fn edited(&self, edits: &[Edit]) -> Result<String, EditError> {
        let refused = |problem| EditError::Refused(vec![problem]);
        let text = apply::apply(&self.text, edits, &self.ids).map_err(refused)?;
        let ids = self.lost_ids(edits, &text).map_err(refused)?;
        apply::apply(&text, &ids, &[]).map_err(refused)
    }

    /// This text in the place of the old one, with what `***` stands for put back.
    ///
    /// # Errors
    /// As [`Self::with_edits`].
    pub fn with_text(&self, text: &[u8]) -> Result<Draft, EditError> {
        let had_mark = text.starts_with(BYTE_ORDER_MARK.as_bytes());
        let plain = text_of(text).map_err(|problem| EditError::Refused(vec![problem]))?;
        let mut draft = self.draft(plain)?;
        if had_mark != self.bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) {
            let bare = draft.bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(&draft.bytes).to_vec();
            draft.bytes = if had_mark { [BYTE_ORDER_MARK.as_bytes(), &bare].concat() } else { bare };
        }
        Ok(draft)
    }

    fn draft(&self, text: &str) -> Result<Draft, EditError> {
        let stored = Stored::new(&self.text, &self.ids);
        let text = restore(stored.as_ref(), text).map_err(EditError::Refused)?;
        let mark = if self.bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) { BYTE_ORDER_MARK } else { "" };
        let bytes = format!("{mark}{text}").into_bytes();
        let loaded = parse(&self.file, &bytes, &self.overrides).map_err(EditError::Invalid)?;
        Ok(Draft { file: self.file.clone(), before: self.tag(), bytes, loaded })
    }

    /// Ids that would be lost: of a stream whose name was changed, or that had got its id beside another one.
    fn lost_ids(&self, edits: &[Edit], text: &str) -> Result<Vec<Edit>, Problem> {
        let (old, new) = (apply::read(&self.text)?, apply::read(text)?);
        let streams = |tree: &'_ Tree| tree.get("streams").map(|list| list.items().to_vec()).unwrap_or_default();
        let (old, new) = (streams(&old), streams(&new));
        if old.len() != self.ids.len() {
            return Ok(Vec::new());
        }
        let word = |stream: &Tree, key| stream.get(key).and_then(Tree::text).map(|text| text.trim().to_owned());
        let by_name: HashMap<_, _> = old.iter().enumerate().map(|(i, stream)| (word(stream, "name"), i)).collect();
        let asked = edits.iter().any(|edit| edit.path.0.last() == Some(&Step::Key("id".to_owned())));
        let mut lost = Vec::new();
        let made = match parse(&self.file, text.as_bytes(), &self.overrides) {
            Ok(loaded) => loaded.config.streams.iter().map(|stream| stream.id.to_string()).collect(),
            Err(_) => Vec::new(),
        };
        for (i, stream) in new.iter().enumerate().filter(|(_, stream)| word(stream, "id").is_none()) {
            let by_name = by_name.get(&word(stream, "name")).copied();
            // Renamed in its place: nothing was taken out before it.
            let in_place = (new.len() == old.len() && edits.iter().all(Edit::keeps_order)).then_some(i);
            let Some(before) = by_name.or(in_place) else { continue };
            let same = made.get(i).is_some_and(|id| *id == self.ids[before]);
            if !same && !asked && (by_name.is_some() || word(&old[before], "name") != word(stream, "name")) {
                let change = Change::Set(Json::from(self.ids[before].as_str()));
                lost.push(Edit { path: Path::stream(i).key("id"), change });
            }
        }
        Ok(lost)
    }
}

impl Edit {
    /// What the value is from now on.
    fn value(&self) -> Option<&Json> {
        if let Change::Set(value) = &self.change { Some(value) } else { None }
    }

    /// False when items of the list of streams may have changed their places.
    fn keeps_order(&self) -> bool {
        self.path.0.len() >= 2 && (self.path.0.len() > 2 || matches!(self.change, Change::Set(_)))
    }
}

fn of_path(path: &Path, message: String) -> Problem {
    Problem { path: path.to_string(), line: None, message }
}

/// A new text that the service would load, not written yet. `Debug` names it only.
pub struct Draft {
    file: PathBuf,
    /// Tag of what it was made from.
    before: String,
    bytes: Vec<u8>,
    loaded: Loaded,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("file", &self.file).field("tag", &self.tag()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("file", &self.file).field("tag", &self.tag()).finish_non_exhaustive()
    }
}

impl Draft {
    /// The configuration that it is, with what is odd in it.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The new content, secrets included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Names the new content.
    pub fn tag(&self) -> String {
        tag_of(&self.bytes)
    }

    /// Replaces the file, if it is still what this was made from; the old content goes to `config.yaml.bak` beside it.
    /// Nothing is written when nothing changed. Blocks.
    ///
    /// # Errors
    /// [`EditError::Changed`], or [`EditError::NotWritten`] with the next step.
    pub fn write(&self) -> Result<(), EditError> {
        if self.tag() == self.before { Ok(()) } else { write::replace(&self.file, &self.before, &self.bytes) }
    }
}
