//! Reading a growing file, line by whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::claude::transcript::Line;

/// The longest line kept, in bytes; a longer one (a picture in base64) is skipped.
const LONGEST_LINE: u64 = 64 << 20;

/// How much is read at once, in bytes: of a long conversation that is resumed only so much stands in memory.
const BATCH: u64 = 1 << 20;

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

    /// Reads some of the whole lines since the last time; `None` when there are no more. A file that is not there yet
    /// has none; one that became shorter was replaced and is read from its end on.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<Read>>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        if size < self.offset {
            self.offset = size;
        }
        if size == self.offset {
            return Ok(None);
        }
        let start = self.offset;
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(self.offset))?;
        let mut reads = Vec::new();
        let mut bytes = Vec::new();
        while self.offset - start < BATCH
            && let Some(len) = whole_line(&mut reader, &mut bytes)?
        {
            if let Some(line) = Line::parse(&bytes) {
                reads.push(Read { path: self.path.clone(), offset: self.offset, len, line });
            }
            self.offset += len;
        }
        Ok((self.offset > start).then_some(reads))
    }
}

/// Reads the next line and gives its length, `None` if it has no end yet. Of one that is too long nothing is kept.
fn whole_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut len = 0;
    loop {
        line.clear();
        let part = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', line)? as u64;
        let first = len == 0;
        len += part;
        if line.last() == Some(&b'\n') {
            line.truncate(if first { line.len() } else { 0 });
            return Ok(Some(len));
        }
        if part < LONGEST_LINE {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_read_in_parts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = format!("{{\"uuid\":\"u\",\"text\":\"{}\"}}\n", "x".repeat(1000));
        let lines = 3 * usize::try_from(BATCH).unwrap() / line.len();
        io::Write::write_all(&mut file, line.repeat(lines).as_bytes()).unwrap();
        let mut tail = Tail::new(file.path().to_owned());
        let mut parts = Vec::new();
        while let Some(reads) = tail.read().unwrap() {
            parts.push(reads.len());
        }
        assert_eq!((parts.len(), parts.iter().sum::<usize>()), (3, lines));
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_not_kept() {
        let most = LONGEST_LINE;
        let endless = || io::BufReader::new(io::repeat(b'x').take(2 * most + 5));
        let mut reader = endless().chain(&b"\n{}\nhalf"[..]);
        let mut line = Vec::new();
        let memory = allocation_counter::measure(|| {
            assert_eq!(whole_line(&mut reader, &mut line).unwrap(), Some(2 * most + 6));
        });
        assert!(line.is_empty() && memory.bytes_max <= 4 * most, "{} bytes held", memory.bytes_max);
        assert_eq!(whole_line(&mut reader, &mut line).unwrap(), Some(3));
        assert_eq!(line, b"{}\n");
        assert_eq!(whole_line(&mut reader, &mut line).unwrap(), None);
    }
}
