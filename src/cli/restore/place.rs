//! Putting files into their place, as root in a directory that belongs to somebody else: by descriptor, following no link.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use super::{DIRECTORY, Failure};
use crate::cli::EX_CANTCREAT;
use crate::cli::backup::names;
use crate::config::followed;

/// What was renamed from where to where, so that it can be renamed back.
pub struct Moves<'a>(Vec<(&'a File, &'a File, &'static str)>);

impl<'a> Moves<'a> {
    /// None yet.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// What is not there need not be moved.
    pub fn rename(&mut self, from: &'a File, to: &'a File, name: &'static str) -> io::Result<()> {
        match renameat(from, name, to, name) {
            Ok(()) => self.0.push((from, to, name)),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// As far as that goes.
    pub fn undo(self) {
        for (from, to, name) in self.0.into_iter().rev() {
            let _ = renameat(to, name, from, name);
        }
    }
}

/// The configuration lies somewhere else, and keeps its owner and mode.
pub struct NewConfig {
    part: PathBuf,
    /// Its place; of a link the file that it leads to.
    pub target: PathBuf,
    text: Vec<u8>,
}

impl NewConfig {
    /// Beside its place.
    pub fn write(config_file: &Path, name: &str, text: &[u8]) -> Result<Self, Failure> {
        let said = |error: io::Error| {
            (format!("{}: cannot be written: {error}; nothing was changed", config_file.display()), EX_CANTCREAT)
        };
        let target = match followed(config_file) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => config_file.to_owned(),
            Err(error) => return Err(said(error)),
        };
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory).map_err(said)?;
        let (uid, gid, mode) = match (target.metadata(), directory.metadata()) {
            (Ok(old), _) => (old.uid(), old.gid(), old.mode() & 0o777),
            (Err(_), Ok(directory)) => (directory.uid(), directory.gid(), 0o640),
            (Err(_), Err(error)) => return Err(said(error)),
        };
        let new = Self { part: directory.join(format!(".{name}")), target: target.clone(), text: text.to_owned() };
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new.part)?;
            io::Write::write_all(&mut file, text)?;
            if rustix::process::geteuid().is_root() {
                fchown(file.as_fd(), Some(uid), Some(gid))?;
            }
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
            file.sync_all()
        };
        write().map_err(said)?;
        Ok(new)
    }

    /// In its place.
    pub fn put(&self) -> io::Result<()> {
        match std::fs::rename(&self.part, &self.target) {
            // A single file that is mounted into a container cannot be replaced, only written.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::fs::write(&self.target, &self.text),
            other => other,
        }
    }
}

impl Drop for NewConfig {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}

/// To whom the state directory belongs, when root does this.
pub fn give(directory: &File, name: &str, owner: &std::fs::Metadata) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => fchown(File::from(file), Some(owner.uid()), Some(owner.gid())),
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A directory of ours with what is in it, one level below included. No link is followed.
pub fn remove(parent: &File, name: &str) {
    if let Ok(directory) = openat(parent, name, DIRECTORY, Mode::empty()) {
        let directory = File::from(directory);
        for inner in names(&directory) {
            if unlinkat(&directory, &inner, AtFlags::empty()).is_err() {
                if let Ok(deeper) = openat(&directory, &inner, DIRECTORY, Mode::empty()) {
                    let deeper = File::from(deeper);
                    for file in names(&deeper) {
                        let _ = unlinkat(&deeper, &file, AtFlags::empty());
                    }
                }
                let _ = unlinkat(&directory, &inner, AtFlags::REMOVEDIR);
            }
        }
    }
    let _ = unlinkat(parent, name, AtFlags::REMOVEDIR);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_goes_back() {
        let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::write(from.path().join("streampulse.db"), "old").unwrap();
        std::fs::write(to.path().join("jwt-secret"), "new").unwrap();
        let [from_dir, to_dir] = [&from, &to].map(|dir| File::open(dir.path()).unwrap());
        let mut moves = Moves::new();
        moves.rename(&from_dir, &to_dir, "streampulse.db").unwrap();
        moves.rename(&to_dir, &from_dir, "jwt-secret").unwrap();
        moves.rename(&from_dir, &to_dir, "evidence").unwrap();
        assert_eq!((names(&from_dir), names(&to_dir)), (vec!["jwt-secret".into()], vec!["streampulse.db".into()]));
        moves.undo();
        assert_eq!(std::fs::read_to_string(from.path().join("streampulse.db")).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(to.path().join("jwt-secret")).unwrap(), "new");
    }

    #[test]
    fn a_directory_is_removed_and_no_link_followed() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(parent.path().join("restore-1/evidence")).unwrap();
        std::fs::create_dir(parent.path().join("mine")).unwrap();
        for file in ["restore-1/a", "restore-1/evidence/b", "mine/c"] {
            std::fs::write(parent.path().join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("../mine", parent.path().join("restore-1/link")).unwrap();
        remove(&File::open(parent.path()).unwrap(), "restore-1");
        assert!(!parent.path().join("restore-1").exists() && parent.path().join("mine/c").exists());
    }
}
