//! What may go wrong with an import, in words for the operator.

use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Why an import ended early. What it took over before stays; the next run goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is no such file, or it cannot be read.
    #[error("{path}: {detail}", path = .path.display())]
    NoInput {
        /// As it was named.
        path: PathBuf,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// It is not a database of the original.
    #[error(
        "{path}: not the streams.db of StreamPulse 2 ({detail}); expected an SQLite database with a table streams \
         (name, url) and tables log_<name> (id, ts, status, latency_ms, message)",
        path = .path.display()
    )]
    NotTheOriginals {
        /// As it was named.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// It is one, and damaged.
    #[error(
        "{path}: damaged ({detail}); what could be read stays, for the rest let sqlite3 make a sound copy \
         (sqlite3 {path} .recover | sqlite3 repaired.db) and import that",
        path = .path.display()
    )]
    Damaged {
        /// As it was named.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// It changed again and again while it was read.
    #[error(
        "{path}: the original service writes into it all the time; stop it and run the import again: it goes on where \
         it was",
        path = .path.display()
    )]
    Changing {
        /// As it was named.
        path: PathBuf,
    },
    /// The copy that is read in its place could not be made.
    #[error("{dir}: cannot hold a copy of the old database ({detail}); name a directory with more room in TMPDIR", dir = .dir.display())]
    NoCopy {
        /// The directory for temporary files.
        dir: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Our own database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImportError {
    /// The exit code, of sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoInput { .. } => 66,
            Self::NotTheOriginals { .. } | Self::Damaged { .. } => 65,
            Self::Changing { .. } => 75,
            Self::NoCopy { .. } => 73,
            Self::Store(error) => error.exit_code(),
        }
    }

    pub(super) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let detail = match error.kind() {
            ErrorKind::NotFound => {
                "no such file; name the original's streams.db (in Docker, it is in the mounted folder)".to_owned()
            }
            ErrorKind::PermissionDenied => {
                "permission denied; run this as root, or as a user who may read it".to_owned()
            }
            ErrorKind::IsADirectory => "is a directory; name the streams.db in it".to_owned(),
            _ => format!("cannot be read: {error}; check the disk and the mount"),
        };
        Self::NoInput { path: path.to_owned(), detail }
    }

    pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                Self::NotTheOriginals { path, detail: "it is no SQLite database".to_owned() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Changing { path },
            Some(
                ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly,
            ) => Self::NoInput {
                path,
                detail: format!("cannot be read: {error}; check its rights, the disk and the mount"),
            },
            _ => Self::Damaged { path, detail: error.to_string() },
        }
    }
}
