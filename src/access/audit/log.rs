//! Appending, by any number of processes at once.
//!
//! Whoever appends holds a lock on a file, reads the head, writes the record behind the last one and then the head. A
//! process that is killed in between leaves a record that the head does not know; the next one takes it up. What
//! somebody took away is never made up for: the chain goes on from the head, and the gap shows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::head::Head;
use super::record::{AuditRecord, Deed};
use crate::access::token;
use crate::config::private_dir;
use crate::domain::{ErrorCode, OpError, Timestamp};

/// The action of the record that tells that the head was missing or damaged.
pub(super) const HEAD_LOST: &str = "audit.head_lost";

/// Why the log could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the audit log in {dir} cannot be used: {source}")]
pub struct AuditError {
    dir: PathBuf,
    source: io::Error,
}

impl From<AuditError> for OpError {
    fn from(error: AuditError) -> Self {
        Self::new(ErrorCode::StorageFailed, error.to_string())
    }
}

/// The log in one directory.
#[derive(Clone, Debug)]
pub struct AuditLog {
    dir: PathBuf,
}

impl AuditLog {
    /// Takes the log in a directory, which is made with the first record.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Appends a record. It survives the process; a loss of power may take the last ones, which then shows.
    ///
    /// # Errors
    ///
    /// When the directory or a file in it cannot be read or written.
    pub fn append(&self, deed: Deed) -> Result<(), AuditError> {
        self.told(|| {
            private_dir(&self.dir).map_err(io::Error::other)?;
            let lock = self.open("lock", true)?;
            // Given back when it is closed, at a process' end too.
            lock.lock()?;
            let key = self.key(true)?;
            let file = self.open("head", true)?;
            let (head, lost) = match Head::read(&file, &key)? {
                Some(head) => (self.taken_up(head, &key)?, false),
                None => self.recovered(&key)?,
            };
            let head = match lost {
                true => self.put(&head, lost_head(), &key)?,
                false => head,
            };
            self.put(&head, deed, &key)?.write(&file, &key)
        })
    }

    pub(super) fn told<T>(&self, run: impl FnOnce() -> io::Result<T>) -> Result<T, AuditError> {
        run().map_err(|source| AuditError { dir: self.dir.clone(), source })
    }

    /// Writes the record that follows the head's, and gives the head as it is then.
    fn put(&self, head: &Head, deed: Deed, key: &[u8]) -> io::Result<Head> {
        let ts = Timestamp::now();
        let day = ts.to_string().split('T').next().unwrap_or_default().to_owned();
        // A clock that is put back does not put records out of order.
        let name = format!("audit-{day}.log").max(head.file.clone());
        let record = AuditRecord::after(head.seq + 1, &head.hash, deed, ts, key);
        let mut file = self.open(&name, true)?;
        let end = file.seek(SeekFrom::End(0))?;
        let mut line = format!("{}\n", record.text());
        // Where somebody cut a line, ours does not continue it.
        if end > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                line.insert(0, '\n');
            }
        }
        file.seek(SeekFrom::End(0))?;
        file.write_all(line.as_bytes())?;
        Ok(Head::new(record.seq, record.hash, name, end + line.len() as u64))
    }

    /// The head, moved on over records that were written and not yet noted; a torn end of a line is taken away.
    fn taken_up(&self, mut head: Head, key: &[u8]) -> io::Result<Head> {
        let mut names = self.files()?;
        names.retain(|name| *name >= head.file);
        for name in names {
            let mut file = self.open(&name, false)?;
            let mut from = if name == head.file { head.length } else { 0 };
            let length = file.metadata()?.len();
            if length <= from {
                continue;
            }
            file.seek(SeekFrom::Start(from))?;
            let mut lines = BufReader::new(&file);
            let mut line = String::new();
            while lines.read_line(&mut line)? > 0 {
                let next = line.strip_suffix('\n').and_then(AuditRecord::read).filter(|record| {
                    record.seq == head.seq + 1
                        && record.prev_hash == head.hash
                        && record.hash == record.sealed(key)
                });
                match next {
                    Some(record) => {
                        from += line.len() as u64;
                        head = Head::new(record.seq, record.hash, name.clone(), from);
                    }
                    // Torn by a process' end.
                    None if !line.ends_with('\n') => {
                        file.set_len(from)?;
                        break;
                    }
                    // Somebody else's: it stays, and shows.
                    None => break,
                }
                line.clear();
            }
        }
        Ok(head)
    }

    /// The head as the records tell it, and whether there should have been one.
    fn recovered(&self, key: &[u8]) -> io::Result<(Head, bool)> {
        let mut last = None;
        for name in self.files()? {
            let file = self.open(&name, false)?;
            let mut at = 0;
            for line in BufReader::new(&file).split(b'\n') {
                let line = line?;
                at += line.len() as u64 + 1;
                let record = std::str::from_utf8(&line).ok().and_then(AuditRecord::read);
                if let Some(record) = record.filter(|record| record.hash == record.sealed(key)) {
                    last = Some(Head::new(record.seq, record.hash, name.clone(), at));
                }
            }
        }
        // Before the first record there are no files at all.
        let lost = last.is_some() || !self.files()?.is_empty();
        Ok((last.unwrap_or_default(), lost))
    }

    /// The names of the files with records, oldest first.
    pub(super) fn files(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string()
                && name.starts_with("audit-")
                && Path::new(&name).extension().is_some_and(|end| end == "log")
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens a file of the log, never through a symbolic link.
    pub(super) fn open(&self, name: &str, write: bool) -> io::Result<File> {
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(write)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow)
            .open(self.dir.join(name))
    }

    /// The secret; made if there is none and it may be. Called under the lock.
    pub(super) fn key(&self, make: bool) -> io::Result<Vec<u8>> {
        let mut text = String::new();
        match self.open("key", false) {
            Ok(mut file) => drop(file.read_to_string(&mut text)?),
            Err(error) if error.kind() != io::ErrorKind::NotFound || !make => return Err(error),
            Err(_) => {}
        }
        if text.trim().is_empty() && make {
            text = token::mint("").map_err(io::Error::other)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(self.dir.join("key")).map_err(io::Error::from)?;
        }
        Ok(text.trim().as_bytes().to_vec())
    }
}

fn lost_head() -> Deed {
    Deed {
        actor: "aegis".into(),
        actor_key_id: None,
        surface: "aegis".into(),
        action: HEAD_LOST.into(),
        session_id: None,
        detail: "the head was missing or damaged; records before this may be gone".into(),
        outcome: "done".into(),
    }
}
