//! The signing key in use: another one when the file in the state directory is another one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::errors::WebError;
use super::tokens::{Keys, secret_file};

/// How often the file is looked at: the command line rotates the key while the service runs.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The key that signs and verifies now.
#[derive(Debug)]
pub(super) struct KeyRing {
    state_dir: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    keys: Arc<Keys>,
    stamp: Option<Stamp>,
    looked_at: Instant,
}

/// Tells one file from the next: each is written anew and renamed into place. Another owner or mode counts, too: one that
/// could not be read may be readable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed_ns: i64,
}

impl KeyRing {
    /// Reads the key, or makes it.
    ///
    /// # Errors
    /// As [`Keys::load_or_create`].
    pub(super) fn open(state_dir: &Path) -> Result<Self, WebError> {
        let keys = Arc::new(Keys::load_or_create(state_dir)?);
        let current = Current { keys, stamp: stamp(state_dir), looked_at: Instant::now() };
        Ok(Self { state_dir: state_dir.to_owned(), current: Mutex::new(current) })
    }

    /// The key in use.
    pub(super) fn current(&self) -> Arc<Keys> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked_at.elapsed() >= LOOK_EVERY {
            self.look(&mut current);
        }
        current.keys.clone()
    }

    /// A new key from now on: no access token and no signed link that was given out before is good any more.
    ///
    /// # Errors
    /// When the file cannot be written; the old key stays then.
    pub(super) fn rotate(&self) -> Result<(), WebError> {
        // Held meanwhile: two at once would write over each other.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        Keys::rotate(&self.state_dir)?;
        self.look(&mut current);
        Ok(())
    }

    fn look(&self, current: &mut Current) {
        current.looked_at = Instant::now();
        let found = stamp(&self.state_dir);
        if found == current.stamp {
            return;
        }
        // Taken before it is read: a file that changes meanwhile is looked at again.
        current.stamp = found;
        match Keys::load_or_create(&self.state_dir) {
            Ok(keys) => {
                tracing::info!("the signing key is another one; access tokens of before are not good any more");
                current.keys = Arc::new(keys);
            }
            Err(error) => tracing::error!("{error}; the signing key of before stays in use"),
        }
    }
}

fn stamp(state_dir: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(secret_file(state_dir)).ok()?;
    Some(Stamp { inode: metadata.ino(), changed_ns: metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::web::tokens::TokenError;

    #[test]
    fn a_rotated_key_is_taken_up_and_ends_what_was_given_out() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path()).unwrap();
        let now = SystemClock.now();
        let token = ring.current().issue("anna", 0, "f", now).unwrap();
        assert!(ring.current().verify(&token, now).is_ok());
        // By another process.
        Keys::rotate(dir.path()).unwrap();
        ring.look(&mut ring.current.lock().unwrap());
        assert_eq!(ring.current().verify(&token, now), Err(TokenError::Invalid));
        let token = ring.current().issue("anna", 0, "f", now).unwrap();
        ring.rotate().unwrap();
        assert_eq!(ring.current().verify(&token, now), Err(TokenError::Invalid));
        // A file that is no key leaves what there is.
        fs::write(secret_file(dir.path()), "short").unwrap();
        let token = ring.current().issue("anna", 0, "f", now).unwrap();
        ring.look(&mut ring.current.lock().unwrap());
        assert!(ring.current().verify(&token, now).is_ok());
    }
}
