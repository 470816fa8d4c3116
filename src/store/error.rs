//! What may go wrong with the database, in words for the operator.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::{FILE_NAME, aside};

/// Our own failure with the database. Each text says the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The state directory or the database in it cannot be created or written.
    #[error("{path}: cannot write: {detail}; {next_step}", path = .path.display())]
    CannotWrite {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        detail: String,
        /// What to do.
        next_step: String,
    },
    /// Another process has the directory.
    #[error("{path}: in use by another StreamPulse; stop it first, or set storage.path to a directory of its own", path = .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is not a sound database of ours.
    #[error(
        "{path}: the database is damaged ({detail}); restart StreamPulse: it looks at the whole file then, sets it aside \
         when it is not sound, and begins a new one", path = .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The file is the database of another program.
    #[error("{path}: belongs to another program; set storage.path to a directory of its own", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer StreamPulse wrote the file.
    #[error(
        "{path}: written by a newer StreamPulse (schema {found}, this one knows {known}); install the newer \
         StreamPulse again, or move the file aside to begin a new one",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The service that runs has another version than this command.
    #[error("{path}: in use by a StreamPulse of another version; restart the service, then run this again", path = .path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
    },
    /// A read or write failed at run time; what was committed before is still there.
    #[error("{path}: {detail}", path = .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite said, and what to do.
        detail: String,
    },
    /// The change does not fit what is there: for a refresh token, its user is gone.
    #[error("the change does not fit the database: {detail}")]
    Conflict {
        /// The constraint.
        detail: String,
    },
    /// No answer within the deadline; a write may still happen.
    #[error("the database does not answer in time; check the disk")]
    Slow,
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    /// The exit code for a start that failed with it, of sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CannotWrite { .. } => 73,
            Self::InUse { .. } | Self::OtherVersion { .. } => 69,
            Self::Corrupt { .. } | Self::Foreign { .. } | Self::Newer { .. } => 65,
            Self::Failed { .. } | Self::Slow => 74,
            Self::Conflict { .. } | Self::Closed => 70,
        }
    }

    /// The directory or file cannot be created or written, as the system says.
    pub(super) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        Self::CannotWrite { path: path.to_owned(), detail: error.to_string(), next_step: next_step(error.kind(), path) }
    }

    /// A failure at the start.
    pub(super) fn at_open(path: &Path, error: &rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::InUse { path: path.parent().unwrap_or(path).to_owned() }
            }
            Some(ErrorCode::DiskFull) => Self::CannotWrite {
                path: path.to_owned(),
                detail,
                next_step: next_step(std::io::ErrorKind::StorageFull, path),
            },
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::SystemIoFailure,
            ) => Self::CannotWrite {
                path: path.to_owned(),
                detail,
                next_step: next_step(std::io::ErrorKind::PermissionDenied, path),
            },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path: path.to_owned(), detail }
            }
            _ => Self::Failed { path: path.to_owned(), detail },
        }
    }

    /// A failure of a running service.
    pub(super) fn at_run(path: &Path, error: &rusqlite::Error) -> Self {
        let failed = |detail: String| Self::Failed { path: path.to_owned(), detail };
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::Conflict { detail: error.to_string() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                aside::suspect(path);
                Self::Corrupt { path: path.to_owned(), detail: error.to_string() }
            }
            Some(ErrorCode::OperationInterrupted) => Self::Slow,
            Some(ErrorCode::DiskFull) => {
                failed("the disk is full; nothing is recorded until there is room, what is there stays".to_owned())
            }
            Some(ErrorCode::ReadOnly) => failed(format!(
                "{error}; nothing is recorded until it can be written: a failing disk or SD card may have been remounted read-only"
            )),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                failed(format!("{error}; nothing is recorded until the disk works again: check it and its room"))
            }
            _ => failed(error.to_string()),
        }
    }
}

fn next_step(kind: std::io::ErrorKind, path: &Path) -> String {
    use std::io::ErrorKind;
    let dir = if path.ends_with(FILE_NAME) { path.parent().unwrap_or(path) } else { path };
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some room on this disk".to_owned(),
        ErrorKind::ReadOnlyFilesystem => {
            "this file system is read-only: make it writable, or set storage.path to another directory".to_owned()
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "set storage.path to a directory".to_owned(),
        _ => format!(
            "let the user who runs StreamPulse (uid {}) write there (chown -R {0} {}), or set storage.path to another directory",
            rustix::process::geteuid().as_raw(),
            dir.display()
        ),
    }
}
