//! Reading a growing file, line by whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use super::index::PREVIEW_CHARS;
use crate::claude::transcript::Line;
use crate::domain::Timestamp;

/// The longest line kept, in bytes; a longer one (a picture in base64) is skipped.
const LONGEST_LINE: u64 = 64 << 20;

/// How much is read at once, in bytes: of a long conversation that is resumed only so much stands in memory.
const BATCH: u64 = 1 << 20;

/// How much one call to the system reads, in bytes.
const BUFFER: usize = 64 << 10;

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

    /// Hands on the whole lines since the last time, in batches; of those written before `since` an outline. A file that
    /// is not there yet has none; one that became shorter was replaced and is read from its end on. Of a long file the
    /// next batch is read and parsed on a thread beside, since the session answers nothing meanwhile.
    pub(super) fn read(&mut self, since: Timestamp, mut each: impl FnMut(Vec<Read>)) -> io::Result<()> {
        let Some(file) = self.open()? else { return Ok(()) };
        let start = self.offset;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        reader.seek(SeekFrom::Start(start))?;
        let first = self.batch(&mut reader)?;
        if (first.bytes.len() as u64) < BATCH {
            each(first.parse(&self.path, since));
            return Ok(());
        }
        let read = thread::scope(|scope| {
            let (parsed, batches) = mpsc::sync_channel(1);
            let beside = || self.batches(&mut reader, since, first, move |reads| parsed.send(reads).is_ok());
            let beside = thread::Builder::new().spawn_scoped(scope, beside).ok()?;
            batches.into_iter().for_each(&mut each);
            Some(beside.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread died"))))
        });
        read.unwrap_or_else(|| {
            // The system gives no thread now.
            self.offset = start;
            reader.seek(SeekFrom::Start(start))?;
            let first = self.batch(&mut reader)?;
            self.batches(&mut reader, since, first, |reads| {
                each(reads);
                true
            })
        })
    }

    /// Hands on batches until there are no more, or no more are wanted.
    fn batches(
        &mut self,
        reader: &mut impl BufRead,
        since: Timestamp,
        first: Batch,
        mut each: impl FnMut(Vec<Read>) -> bool,
    ) -> io::Result<()> {
        let mut batch = first;
        while !batch.spans.is_empty() && each(batch.parse(&self.path, since)) {
            batch = self.batch(reader)?;
        }
        Ok(())
    }

    /// The file, if it is there and has more than was read.
    fn open(&mut self) -> io::Result<Option<File>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        self.offset = self.offset.min(size);
        Ok((size > self.offset).then_some(file))
    }

    /// Reads the next whole lines, some [`BATCH`] of them.
    fn batch(&mut self, reader: &mut impl BufRead) -> io::Result<Batch> {
        let mut batch = Batch::default();
        while (batch.bytes.len() as u64) < BATCH {
            let from = batch.bytes.len();
            let Some(len) = whole_line(reader, &mut batch.bytes)? else { break };
            batch.spans.push(Span { offset: self.offset, len, bytes: from..batch.bytes.len() });
            self.offset += len;
        }
        Ok(batch)
    }
}

/// Whole lines as they were read.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Batch {
    fn parse(&self, path: &Arc<Path>, since: Timestamp) -> Vec<Read> {
        let read = |span: &Span| {
            let line = Line::parse_from(self.bytes.get(span.bytes.clone())?, since, PREVIEW_CHARS)?;
            Some(Read { path: path.clone(), offset: span.offset, len: span.len, line })
        };
        self.spans.iter().filter_map(read).collect()
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
        tail.read(Timestamp::now(), |reads| parts.push(reads.len())).unwrap();
        assert_eq!((parts.len(), parts.iter().sum::<usize>()), (3, lines));
        io::Write::write_all(&mut file, b"{}\n{}\n{").unwrap();
        tail.read(Timestamp::now(), |reads| parts.push(reads.len())).unwrap();
        assert_eq!(parts.split_off(3), [2], "what came later, and not before it is whole");
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
