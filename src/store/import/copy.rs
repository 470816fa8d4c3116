//! A copy of the original's database, for what SQLite would have to write to.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::super::copy::scratch;
use super::error::ImportError;
use super::original::beside;

/// Removed when it is dropped. Only its owner may look into it: it holds the original's passwords.
#[derive(Debug)]
pub(super) struct Copy(PathBuf);

impl Copy {
    /// Copies the file and its log into a new directory. Not `-shm`: SQLite makes it anew from the log.
    pub(super) fn of(path: &Path) -> Result<Self, ImportError> {
        let scratch = scratch();
        let failed = |error: std::io::Error| ImportError::NoCopy { dir: scratch.clone(), detail: error.to_string() };
        let number = getrandom::u64().map_err(|error| failed(std::io::Error::other(error)))?;
        let dir = scratch.join(format!("streampulse-import-{number:016x}"));
        DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
        let copy = Self(dir);
        for ending in ["", "-wal", "-journal"] {
            match std::fs::copy(beside(path, ending), beside(&copy.database(), ending)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound && !ending.is_empty() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(copy)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join("streams.db")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
