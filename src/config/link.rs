//! Root and links in a directory that belongs to somebody else.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The configuration file itself, of a link the file that it leads to. Its directory belongs to the service's user, who could
/// put a link there to have root read or replace what is not theirs: root follows links of root only.
///
/// # Errors
/// Such a link, and what the system says.
pub fn followed(path: &Path) -> io::Result<PathBuf> {
    let found = path.symlink_metadata()?;
    if !found.is_symlink() {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok(fs::canonicalize(directory)?.join(path.file_name().unwrap_or_default()));
    }
    if rustix::process::geteuid().is_root() && found.uid() != 0 {
        let message = "a link that does not belong to root, who does not follow it; chown -h root: it if it is yours";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    fs::canonicalize(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_unless_somebody_else_made_them_for_root() {
        let directory = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(directory.path()).unwrap();
        fs::write(at.join("real.yaml"), "").unwrap();
        std::os::unix::fs::symlink("real.yaml", at.join("link.yaml")).unwrap();
        assert_eq!(followed(&at.join("real.yaml")).unwrap(), at.join("real.yaml"));
        assert_eq!(followed(&at.join("link.yaml")).unwrap(), at.join("real.yaml"));
        assert_eq!(followed(&at.join("none.yaml")).unwrap_err().kind(), io::ErrorKind::NotFound);
        // Only root can make what root must not follow.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(at.join("link.yaml"), Some(65534), Some(65534)).unwrap();
            assert_eq!(followed(&at.join("link.yaml")).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
