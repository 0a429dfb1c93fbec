//! A damaged file is put aside whole, for whoever may read something out of it, and a new one begins.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{StoreError, open};
use crate::domain::Timestamp;

/// Which file a path stood for: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// Of the file that is at `path` now; none if there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|meta| Self(meta.dev(), meta.ino()))
    }
}

/// Opens the store, a new one if the file is damaged.
pub(super) fn open_or_replace(path: &Path) -> Result<Connection, StoreError> {
    match open::open(path) {
        Err(StoreError::Corrupt { .. }) => {
            replace(path)?;
            open::open(path)
        }
        other => other,
    }
}

/// Puts the file aside if it is damaged. One process does so; the others find a sound one.
pub(super) fn replace(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let failed =
        |source: std::io::Error| StoreError::Unavailable { path: path.into(), source: source.into() };
    let lock =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(beside(path, ".lock"));
    let lock = lock.map_err(failed)?;
    lock.lock().map_err(failed)?;
    let sound = open::open(path).and_then(|connection| is_sound(&connection, path));
    match sound {
        Ok(true) => return Ok(None),
        Ok(false) | Err(StoreError::Corrupt { .. }) => {}
        Err(error) => return Err(error),
    }
    let aside = beside(path, &format!(".damaged-{}", Timestamp::now().millis()));
    for companion in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, companion), beside(&aside, companion)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(failed)?,
        }
    }
    tracing::error!(kept = %aside.display(), "the store was damaged; it is put aside, and a new one is made");
    Ok(Some(aside))
}

/// Whether every page of the file reads back. A value that is not ours is no damage.
fn is_sound(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) => Ok(verdict == "ok"),
        Err(error) => match super::Fault::from(error).at(path) {
            StoreError::Corrupt { .. } => Ok(false),
            error => Err(error),
        },
    }
}

/// The path with something behind it.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(what);
    name.into()
}
