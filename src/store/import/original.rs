//! The file of the original, which is only read: its bytes, its time and its directory stay as they are.
//!
//! The original opens it anew for each row and in WAL mode, so that `-wal` and `-shm` come and go while it runs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::contents::{self, Contents};
use super::copy::Copy;
use super::error::ImportError;
use crate::model::url::percent_encode;

/// How often a query is begun anew because the file changed meanwhile.
const ATTEMPTS: usize = 50;

/// An opened database of the original.
#[derive(Debug)]
pub struct Original {
    path: PathBuf,
    contents: Contents,
    connection: Option<Connection>,
    /// Of a file that is read as if it never changed: how it looked when it was opened.
    looked: Option<Looks>,
}

/// What tells whether a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Looks {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Looks {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }

    /// Of the file and what SQLite may have put beside it.
    fn at(path: &Path) -> [Option<Self>; 3] {
        ["", "-wal", "-journal"].map(|ending| std::fs::metadata(beside(path, ending)).ok().map(|meta| Self::of(&meta)))
    }
}

/// `streams.db` and `-wal` give `streams.db-wal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// How it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// With SQLite's locks, beside a service that writes.
    Shared,
    /// Nobody has it open: as it is, because SQLite would make the files with which readers and writer agree.
    Alone,
    /// It has to be repaired from its log first, which is done in a copy.
    InCopy,
}

impl Original {
    /// Looks at the file and opens it.
    ///
    /// # Errors
    /// [`ImportError`]: it is not there, or it is not the original's.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let failed = |error: std::io::Error| ImportError::from_io(path, &error);
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let not_ours = |detail: &str| ImportError::NotTheOriginals { path: path.to_owned(), detail: detail.to_owned() };
        if !metadata.is_file() {
            return Err(not_ours("it is no regular file"));
        }
        if !header(path).map_err(failed)?.starts_with(b"SQLite format 3\0") {
            return Err(not_ours(if metadata.len() == 0 { "it is empty" } else { "it is another kind of file" }));
        }
        let contents = Contents::default();
        let mut original = Self { path: path.to_owned(), contents, connection: None, looked: None };
        original.contents = contents::look(&mut original)?;
        Ok(original)
    }

    /// The file as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its tables when it was opened.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Runs a query; again, when the file changed meanwhile.
    pub(super) fn read<T>(
        &mut self,
        mut query: impl FnMut(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ImportError> {
        for _ in 0..ATTEMPTS {
            let connection = match &self.connection {
                Some(connection) => connection,
                None => {
                    let connection = self.connect()?;
                    self.connection.insert(connection)
                }
            };
            let answer = query(connection);
            if self.has_changed() {
                self.connection = None;
                continue;
            }
            return answer.map_err(|error| ImportError::from_sqlite(&self.path, &error));
        }
        Err(ImportError::Changing { path: self.path.clone() })
    }

    fn has_changed(&self) -> bool {
        let Some(looked) = self.looked else { return false };
        let [file, log, journal] = Looks::at(&self.path);
        file != Some(looked) || [log, journal].into_iter().flatten().any(|beside| beside.bytes > 0)
    }

    fn connect(&mut self) -> Result<Connection, ImportError> {
        self.looked = None;
        match self.way()? {
            Way::Alone => {
                let looked = std::fs::metadata(&self.path).map_err(|error| ImportError::from_io(&self.path, &error))?;
                self.looked = Some(Looks::of(&looked));
                self.connect_to("mode=ro&immutable=1")
            }
            // The files with which readers and writer agree may not let themselves be used, on a read-only medium for one.
            Way::Shared => self.connect_to("mode=ro").or_else(|_| self.connect_to_copy()),
            Way::InCopy => self.connect_to_copy(),
        }
    }

    fn way(&self) -> Result<Way, ImportError> {
        let header = header(&self.path).map_err(|error| ImportError::from_io(&self.path, &error))?;
        let bytes = |ending: &str| std::fs::metadata(beside(&self.path, ending)).map(|metadata| metadata.len()).ok();
        // https://www.sqlite.org/fileformat.html#file_format_version_numbers
        let with_log = header.get(18) == Some(&2) || header.get(19) == Some(&2);
        Ok(match (with_log, bytes("-wal"), bytes("-shm")) {
            (true, Some(_), Some(_)) => Way::Shared,
            (true, None | Some(0), _) => Way::Alone,
            (true, Some(_), None) => Way::InCopy,
            (false, ..) if bytes("-journal").is_some_and(|bytes| bytes > 0) => Way::InCopy,
            (false, ..) => Way::Shared,
        })
    }

    fn connect_to(&self, how: &str) -> Result<Connection, ImportError> {
        let failed = |error: rusqlite::Error| ImportError::from_sqlite(&self.path, &error);
        let Some(path) = self.path.to_str() else { return self.no_input("its path is not UTF-8; rename it") };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let address = format!("file:{}?{how}", percent_encode(path));
        let connection = Connection::open_with_flags(address, flags).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        Ok(connection)
    }

    /// The copy is gone from its directory as soon as SQLite holds its files open, so that no kill leaves it there.
    fn connect_to_copy(&self) -> Result<Connection, ImportError> {
        let failed = |error: rusqlite::Error| ImportError::from_sqlite(&self.path, &error);
        let copy = self.make_copy()?;
        let connection = Connection::open(copy.database()).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        Ok(connection)
    }

    /// A copy in which all files are of one moment.
    fn make_copy(&self) -> Result<Copy, ImportError> {
        for _ in 0..ATTEMPTS {
            let before = Looks::at(&self.path);
            let copy = Copy::of(&self.path)?;
            if Looks::at(&self.path) == before {
                return Ok(copy);
            }
        }
        Err(ImportError::Changing { path: self.path.clone() })
    }

    fn no_input<T>(&self, detail: &str) -> Result<T, ImportError> {
        Err(ImportError::NoInput { path: self.path.clone(), detail: detail.to_owned() })
    }
}

/// The file is another program's: nothing in it may run.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    // Only now is the file looked at.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut header = Vec::new();
    std::fs::File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(header)
}
