//! A database that is not sound is set aside, whole, and a new one begun: a camera monitor that does not start because its
//! memory is damaged is worse than one that has lost it.

use std::path::{Path, PathBuf};

use super::StoreError;

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// How many are kept; a disk that damages one after the other would be full of them.
const KEPT: u32 = 5;

/// Renames the database and what is beside it to `….corrupt-N`, and says so.
pub(super) fn set_aside(path: &Path, detail: &str) -> Result<(), StoreError> {
    let number = (1..=KEPT).find(|number| !with_ending(path, &format!(".corrupt-{number}")).exists()).unwrap_or(KEPT);
    let aside = with_ending(path, &format!(".corrupt-{number}"));
    for ending in BESIDE {
        let (from, to) = (with_ending(path, ending), with_ending(&aside, ending));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::from_io(&from, &error));
            }
            // What an earlier one left there is not part of this one.
            Err(_) => _ = std::fs::remove_file(&to),
            Ok(()) => {}
        }
    }
    clear_suspicion(path);
    tracing::error!(
        "{}: not a sound StreamPulse database ({detail}); it is set aside as {} and a new one is begun: history, incidents \
         and accounts start anew. Check the disk; `sqlite3 {1} .recover` may get back what is in it",
        path.display(),
        aside.display()
    );
    Ok(())
}

/// Notes that a running service found the database corrupt: the next start looks at all of it.
pub(super) fn suspect(path: &Path) {
    // A disk that does not take this either has its own alarm.
    let _ = std::fs::write(with_ending(path, ".suspect"), "");
}

/// True when an earlier run found the database corrupt.
pub(super) fn is_suspect(path: &Path) -> bool {
    with_ending(path, ".suspect").exists()
}

/// The database is sound after all, or another one.
pub(super) fn clear_suspicion(path: &Path) {
    let _ = std::fs::remove_file(with_ending(path, ".suspect"));
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
