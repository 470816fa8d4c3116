//! Two services never share one state directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::StoreError;

/// Its name in the state directory.
pub(super) const FILE: &str = "lock";

/// A service that was just killed lets go of its lock when the kernel has taken it apart: look a few times.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the directory (0750) when it is missing and takes the exclusive advisory lock on `<dir>/lock`. The lock ends
/// with the file, also when the process is killed (flock(2)).
pub(super) async fn take(dir: &Path) -> Result<File, StoreError> {
    DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(|error| StoreError::from_io(dir, &error))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // The directory may be in the hands of another user, who would have root open what is not theirs.
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(dir.join(FILE))
        .map_err(|error| StoreError::from_io(dir, &error))?;
    for attempt in 1..=ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(StoreError::from_io(dir, &error)),
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {}
        }
    }
    Err(StoreError::InUse { path: dir.to_owned() })
}
