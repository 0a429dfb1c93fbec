//! Reading a growing file, line by whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::claude::transcript::Line;

/// The longest line kept, in bytes; a longer one (a picture in base64) is skipped.
const LONGEST_LINE: u64 = 64 << 20;

/// How much is read at once, in bytes: of a long conversation that is resumed only so much stands in memory.
const BATCH: u64 = 1 << 20;

/// From how many bytes on a batch is worth a second thread.
const WORTH_A_THREAD: usize = 128 << 10;

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
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        while self.offset - start < BATCH {
            let from = bytes.len();
            let Some(len) = whole_line(&mut reader, &mut bytes)? else { break };
            spans.push(Span { offset: self.offset, len, bytes: from..bytes.len() });
            self.offset += len;
        }
        Ok((self.offset > start).then(|| self.parse(&bytes, &spans)))
    }

    /// Parses lines, many of them on two threads: the session answers nothing meanwhile.
    fn parse(&self, bytes: &[u8], spans: &[Span]) -> Vec<Read> {
        let parse = |spans: &[Span]| -> Vec<Read> {
            let read = |span: &Span| {
                let line = Line::parse(bytes.get(span.bytes.clone())?)?;
                Some(Read { path: self.path.clone(), offset: span.offset, len: span.len, line })
            };
            spans.iter().filter_map(read).collect()
        };
        if bytes.len() < WORTH_A_THREAD {
            return parse(spans);
        }
        let (first, second) = spans.split_at(spans.len() / 2);
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, || parse(second));
            let mut reads = parse(first);
            // Where the system gives no thread, and for whatever a thread may die of, this one does it all.
            let rest = beside.ok().and_then(|beside| beside.join().ok());
            reads.extend(rest.unwrap_or_else(|| parse(second)));
            reads
        })
    }
}

/// Where a line stands in its file, and in what was read of it.
struct Span {
    offset: u64,
    len: u64,
    bytes: Range<usize>,
}

/// Adds the next line to `lines` and gives its length, `None` if it has no end yet. Of one that is too long nothing
/// is kept.
fn whole_line(reader: &mut impl BufRead, lines: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let start = lines.len();
    let mut len = 0;
    loop {
        lines.truncate(start);
        let part = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', lines)? as u64;
        let first = len == 0;
        len += part;
        if part > 0 && lines.last() == Some(&b'\n') {
            lines.truncate(if first { lines.len() } else { start });
            return Ok(Some(len));
        }
        if part < LONGEST_LINE {
            lines.truncate(start);
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
        assert_eq!(whole_line(&mut reader, &mut line).unwrap(), None);
        assert_eq!(line, b"{}\n");
    }
}
