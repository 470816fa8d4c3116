//! Replaces the file: whole or not at all, with a copy of the old content beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::EditError;
use super::document::tag_of;
use crate::config::followed;
use crate::config::load::read;

/// One edit of this process after the other. Another process is noticed by the tag, right before the file is replaced.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Puts `new` in the place of what has the tag `expected`.
pub(super) fn replace(path: &Path, expected: &str, new: &[u8]) -> Result<(), EditError> {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Of a link the file that it leads to: the link stays.
    let target = followed(path).map_err(|error| told(path, &error))?;
    let old = read(&target).map_err(EditError::Unreadable)?;
    if tag_of(&old) != expected {
        return Err(EditError::Changed);
    }
    let metadata = fs::metadata(&target).map_err(|error| told(&target, &error))?;
    let backup = beside(&target, ".bak");
    let backup_failed = |error| told(&backup, &error);
    match put(&backup, &old, &metadata).map_err(backup_failed)? {
        Put::Renamed => {}
        Put::Refused(temporary) => {
            let _ = fs::remove_file(temporary);
            write_in_place(&backup, &old).map_err(backup_failed)?;
        }
    }
    let unchanged = || read(&target).is_ok_and(|now| tag_of(&now) == expected);
    match prepare(&target, new, &metadata) {
        Ok((temporary, keeps_owner)) => {
            if !unchanged() {
                let _ = fs::remove_file(&temporary);
                return Err(EditError::Changed);
            }
            // A file that somebody else owns keeps its owner when it can be written as it is.
            let in_place = !keeps_owner && OpenOptions::new().write(true).open(&target).is_ok();
            let renamed =
                if in_place { Err(io::ErrorKind::Unsupported.into()) } else { fs::rename(&temporary, &target) };
            match renamed {
                Ok(()) => sync_directory(&target),
                // A single file that is mounted into a container cannot be replaced, only written.
                Err(error) if in_place || is_mount(&error) => {
                    let written = write_in_place(&target, new);
                    let _ = fs::remove_file(&temporary);
                    written.map_err(|error| told(&target, &error))?;
                }
                Err(error) => {
                    let _ = fs::remove_file(&temporary);
                    return Err(told(&target, &error));
                }
            }
        }
        Err(error) => return Err(told(&target, &error)),
    }
    Ok(())
}

enum Put {
    Renamed,
    /// The file there is a mount of its own.
    Refused(PathBuf),
}

fn put(target: &Path, content: &[u8], like: &fs::Metadata) -> io::Result<Put> {
    let (temporary, _) = prepare(target, content, like)?;
    match fs::rename(&temporary, target) {
        Ok(()) => Ok(Put::Renamed),
        Err(error) if is_mount(&error) => Ok(Put::Refused(temporary)),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

fn is_mount(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices)
}

/// A new file beside the target, on the disk, with mode and owner of the old one; false when the owner could not be given.
fn prepare(target: &Path, content: &[u8], like: &fs::Metadata) -> io::Result<(PathBuf, bool)> {
    let temporary = beside(target, ".new");
    // Left over from a power cut.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let mut write = || {
        let own = file.metadata()?;
        let keeps_owner = if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
            true
        } else {
            let both = fchown(&file, Some(like.uid()), Some(like.gid())).is_ok();
            // At least the group, so that whoever reads the file by it still can.
            both || (fchown(&file, None, Some(like.gid())).is_ok() && own.uid() == like.uid())
        };
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
        file.sync_all()?;
        Ok(keeps_owner)
    };
    match write() {
        Ok(keeps_owner) => Ok((temporary, keeps_owner)),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

fn write_in_place(target: &Path, content: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(target)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// So that the new name survives a power cut. The content is there either way.
fn sync_directory(target: &Path) {
    if let Some(directory) = target.parent() {
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
}

/// `config.yaml.bak` in the same directory.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    target.with_file_name(name)
}

fn told(path: &Path, error: &io::Error) -> EditError {
    let directory = path.parent().unwrap_or(Path::new(".")).display();
    EditError::NotWritten(match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "cannot write {}: permission denied; give the service's user the right to write the directory \
             (chgrp streampulse {directory} && chmod 2770 {directory}), or edit the file as root",
            path.display()
        ),
        io::ErrorKind::ReadOnlyFilesystem => format!(
            "cannot write {}: {directory} is mounted read-only here; mount it for writing (systemd: \
             ReadWritePaths={directory}), or edit the file where it is",
            path.display()
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("cannot write {}: the disk is full; make room and try again", path.display())
        }
        _ => format!("cannot write {}: {error}; check the disk and the mount", path.display()),
    })
}
