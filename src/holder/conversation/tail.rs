//! Reading a growing file, line by whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::claude::transcript::Line;

/// The longest line kept, in bytes; a longer one (a picture in base64) is skipped.
const LONGEST_LINE: usize = 64 << 20;

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct Tail {
    path: Arc<Path>,
    offset: u64,
}

/// One line and where it stands.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) path: Arc<Path>,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) line: Line,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path: path.into(), offset: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole lines since the last time. A file that is not there yet has none; one that became shorter
    /// was replaced and is read from its end on.
    pub(super) fn read(&mut self) -> io::Result<Vec<Read>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        if size < self.offset {
            self.offset = size;
        }
        if size == self.offset {
            return Ok(Vec::new());
        }
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(self.offset))?;
        let mut reads = Vec::new();
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let len = reader.read_until(b'\n', &mut bytes)? as u64;
            if bytes.last() != Some(&b'\n') {
                return Ok(reads);
            }
            if bytes.len() <= LONGEST_LINE
                && let Some(line) = Line::parse(&bytes)
            {
                reads.push(Read { path: self.path.clone(), offset: self.offset, len, line });
            }
            self.offset += len;
        }
    }
}
