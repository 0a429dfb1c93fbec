//! Directories that only this user can enter.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fchmod, fstat, open};

/// Why a directory is not fit for what must stay private.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirError {
    /// It cannot be made or looked at.
    #[error("cannot make the directory {path}: {source}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a symbolic link or no directory: somebody else may decide where it leads.
    #[error("{path} is a symbolic link or no directory")]
    NotADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// It belongs to another user.
    #[error("{path} belongs to user {owner}, not to user {us}")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// The number of the user that runs Aegis.
        us: u32,
    },
    /// Others can enter it or write to it.
    #[error("{path} is open to others (mode {mode:03o}, expected 700)")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// Makes `path` with all its parents (mode 0700) where missing. One of ours that others can only read, as a plain
/// `mkdir` makes it, is closed to them.
///
/// # Errors
///
/// When it cannot be made, is a symbolic link or no directory, belongs to somebody else, or others can write to
/// it: then it serves another purpose, as a shared temporary directory does.
pub fn private_dir(path: &Path) -> Result<(), DirError> {
    secure(path, Open::Close)
}

/// Makes `path` as [`private_dir`] does, but refuses a directory that stands open: in a place that others can
/// write, somebody may already be inside.
pub(super) fn strictly_private_dir(path: &Path) -> Result<(), DirError> {
    secure(path, Open::Refuse)
}

/// What to do with a directory of ours that others can enter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Close,
    Refuse,
}

fn secure(path: &Path, when_open: Open) -> Result<(), DirError> {
    let unusable = |source: io::Error| DirError::Unusable { path: path.to_owned(), source };
    if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(path) {
        // A file or a dangling link stands in its place.
        return Err(if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            DirError::NotADirectory { path: path.to_owned() }
        } else {
            unusable(error)
        });
    }
    // Opened once and then judged by that handle, so that nobody puts another directory in between.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match open(path, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
            return Err(DirError::NotADirectory { path: path.to_owned() });
        }
        Err(error) => return Err(unusable(error.into())),
    };
    let found = fstat(&directory).map_err(|error| unusable(error.into()))?;
    let us = rustix::process::geteuid().as_raw();
    if found.st_uid != us {
        return Err(DirError::Foreign { path: path.to_owned(), owner: found.st_uid, us });
    }
    let mode = found.st_mode & 0o777;
    if mode == 0o700 {
        return Ok(());
    }
    if when_open == Open::Refuse || mode & 0o022 != 0 {
        return Err(DirError::Open { path: path.to_owned(), mode });
    }
    fchmod(&directory, Mode::RWXU).map_err(|error| unusable(error.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn with_mode(root: &Path, name: &str, mode: u32) -> PathBuf {
        let path = root.join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn missing_directories_are_made_for_us_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        private_dir(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
        private_dir(&path).unwrap();
    }

    #[test]
    fn a_readable_directory_is_closed_or_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = with_mode(root.path(), "open", 0o755);
        assert!(matches!(strictly_private_dir(&path), Err(DirError::Open { mode: 0o755, .. })));
        private_dir(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        strictly_private_dir(&path).unwrap();
    }

    #[test]
    fn a_shared_directory_is_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = with_mode(root.path(), "shared", 0o777);
        assert!(matches!(private_dir(&path), Err(DirError::Open { mode: 0o777, .. })));
        assert_eq!(mode(&path), 0o777);
    }

    #[test]
    fn a_link_or_file_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let real = with_mode(root.path(), "real", 0o700);
        let link = root.path().join("link");
        symlink(&real, &link).unwrap();
        let dangling = root.path().join("dangling");
        symlink(root.path().join("nowhere"), &dangling).unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [link, dangling, file] {
            assert!(matches!(private_dir(&path), Err(DirError::NotADirectory { .. })), "{path:?}");
        }
        assert!(!root.path().join("nowhere").exists());
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        // Only root can give a directory away; anybody else finds one that is not theirs.
        let us = rustix::process::geteuid().as_raw();
        if us != 0 {
            assert!(matches!(private_dir(Path::new("/")), Err(DirError::Foreign { owner: 0, .. })));
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let path = with_mode(root.path(), "theirs", 0o700);
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        assert!(matches!(private_dir(&path), Err(DirError::Foreign { owner: 65_534, us: 0, .. })));
    }
}
