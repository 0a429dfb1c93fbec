//! A host's file of servers, read and written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::NAME;
use super::splice::{self, SpliceError};
use crate::domain::{ErrorCode, OpError};

/// Where all of these hosts keep their servers.
const SERVERS: &str = "mcpServers";

/// A file as it was read; one that does not exist is empty.
pub(super) struct File {
    path: PathBuf,
    text: Option<String>,
    entry: Option<Value>,
}

impl File {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, OpError> {
        let text = read(path).map_err(|error| failed(path, "cannot be read", &error))?;
        let entry =
            splice::get(bare(text.as_deref()).1, SERVERS, NAME).map_err(|error| refused(path, &error))?;
        Ok(Self { path: path.to_owned(), text, entry })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The entry that is there.
    pub(super) fn entry(&self) -> Option<&Value> {
        self.entry.as_ref()
    }

    /// Puts the entry in, unless the file has changed since it was read.
    pub(super) fn write(&self, entry: &Value) -> Result<(), OpError> {
        let path = &self.path;
        let (mark, text) = bare(self.text.as_deref());
        let text = splice::set(text, SERVERS, NAME, entry).map_err(|error| refused(path, &error))?;
        if splice::get(&text, SERVERS, NAME).as_ref() != Ok(&Some(entry.clone())) {
            let what = format!("{} could not be changed without harm", path.display());
            return Err(OpError::new(ErrorCode::Internal, what).hint("add the entry by hand"));
        }
        let write = || -> io::Result<bool> {
            // A link stays one; what it leads to is replaced.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let dir = real.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
            fs::create_dir_all(dir)?;
            let mut new = NamedTempFile::new_in(dir)?;
            new.write_all(mark.as_bytes())?;
            new.write_all(text.as_bytes())?;
            match fs::metadata(&real) {
                Ok(known) => new.as_file().set_permissions(known.permissions())?,
                Err(_) => new.as_file().set_permissions(plain())?,
            }
            new.as_file().sync_all()?;
            if read(&real)? != self.text {
                return Ok(false);
            }
            new.persist(&real)?;
            Ok(true)
        };
        match write() {
            Ok(true) => Ok(()),
            Ok(false) => {
                let what = format!("{} was changed meanwhile; nothing was written", path.display());
                Err(OpError::new(ErrorCode::InputChanged, what).hint("run the command again"))
            }
            Err(error) => Err(failed(path, "cannot be written", &error)),
        }
    }
}

/// A new file as an editor makes it, for projects that are shared.
fn plain() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The byte order mark, which is no JSON, and the text behind it.
fn bare(text: Option<&str>) -> (&str, &str) {
    let text = text.unwrap_or_default();
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

fn refused(path: &Path, error: &SpliceError) -> OpError {
    OpError::new(ErrorCode::InvalidArgument, format!("{}: {error}; it is left as it is", path.display()))
        .hint("correct the file, or add the entry by hand: mcp.json.example shows it")
}

fn failed(path: &Path, what: &str, error: &io::Error) -> OpError {
    OpError::new(ErrorCode::StorageFailed, format!("{} {what}: {error}", path.display()))
        .hint("check the file's permissions, or add the entry by hand")
}
