//! A command that root runs must not leave files that the service cannot write.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, chownat, statat};
use rustix::process::{Gid, Uid, geteuid};

use super::FILE_NAME;

/// Other files of the state directory that a command may make.
const OTHERS: [&str; 2] = ["lock", "jwt-secret"];

/// Gives the database and what is beside it to whom the state directory belongs, when root runs this. A new directory of
/// root's own stays: systemd gives that away as a whole, but one that has its owner already it does not look into.
///
/// # Errors
/// What the system said.
pub fn give_to_owner(state_dir: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let dir = File::open(state_dir)?;
    let owner = dir.metadata()?;
    let (uid, gid) = (owner.uid(), owner.gid());
    if uid == 0 {
        return Ok(());
    }
    let endings = ["", "-wal", "-shm"].map(|ending| format!("{FILE_NAME}{ending}"));
    for name in endings.iter().map(String::as_str).chain(OTHERS) {
        // The directory is in the hands of its owner, who may have put a link there to what is not theirs.
        let Ok(found) = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_nlink == 1;
        if is_file && found.st_uid != uid {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            chownat(&dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}
