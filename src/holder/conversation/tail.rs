//! Reading a growing file, line by whole line.

use std::fs::File;
use std::io::{self, BufRead as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use super::index::PREVIEW_CHARS;
use crate::claude::transcript::Line;
use crate::domain::Timestamp;

/// The longest line kept, in bytes; a longer one (a picture in base64) is skipped.
const LONGEST_LINE: usize = 64 << 20;

/// How much is read at once, in bytes: of a long conversation that is resumed only so much stands in memory. Each call
/// to the system wakes whoever watches the directory, which is this holder itself.
const BATCH: usize = 1 << 20;

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
        let mut lines = Lines::from(file, self.offset)?;
        let first = lines.batch()?;
        if first.last {
            self.offset = lines.offset;
            each(first.parse(&self.path, since));
            return Ok(());
        }
        let path = &self.path;
        let read = thread::scope(|scope| {
            let (parsed, batches) = mpsc::sync_channel(1);
            let beside = || lines.batches(first, path, since, move |reads| parsed.send(reads).is_ok());
            let beside = thread::Builder::new().spawn_scoped(scope, beside).ok()?;
            batches.into_iter().for_each(&mut each);
            Some(beside.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread died"))))
        });
        match read {
            Some(read) => {
                self.offset = lines.offset;
                read
            }
            // The system gives no thread now.
            None => {
                let Some(file) = self.open()? else { return Ok(()) };
                let mut lines = Lines::from(file, self.offset)?;
                let first = lines.batch()?;
                let read = lines.batches(first, &self.path, since, |reads| {
                    each(reads);
                    true
                });
                self.offset = lines.offset;
                read
            }
        }
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
}

/// The lines of a file from some place on.
struct Lines<R> {
    file: R,
    /// Where the next line begins.
    offset: u64,
    /// What was read of lines that are still to be handed on.
    bytes: Vec<u8>,
    /// How much of the next line was thrown away, since it is too long.
    skipped: u64,
}

impl Lines<File> {
    fn from(mut file: File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self::new(file, offset))
    }
}

impl<R: io::Read> Lines<R> {
    fn new(file: R, offset: u64) -> Self {
        Self { file, offset, bytes: Vec::new(), skipped: 0 }
    }

    /// Hands on batches until there are no more, or no more are wanted.
    fn batches(
        &mut self,
        first: Batch,
        path: &Arc<Path>,
        since: Timestamp,
        mut each: impl FnMut(Vec<Read>) -> bool,
    ) -> io::Result<()> {
        let mut batch = first;
        while each(batch.parse(path, since)) && !batch.last {
            batch = self.batch()?;
        }
        Ok(())
    }

    /// Reads the next whole lines, some [`BATCH`] of them.
    fn batch(&mut self) -> io::Result<Batch> {
        loop {
            let last = !self.fill()?;
            let batch = self.take_whole(last)?;
            if last || !batch.spans.is_empty() {
                return Ok(batch);
            }
        }
    }

    /// Reads on. Returns whether there may be more.
    fn fill(&mut self) -> io::Result<bool> {
        if self.bytes.len() > LONGEST_LINE {
            self.skipped += self.bytes.len() as u64;
            self.bytes = Vec::new();
        }
        let before = self.bytes.len();
        self.bytes.resize(before + BATCH, 0);
        let mut end = before;
        while let Some(room) = self.bytes.get_mut(end..).filter(|room| !room.is_empty()) {
            match self.file.read(room) {
                Ok(0) => {
                    self.bytes.truncate(end);
                    return Ok(false);
                }
                Ok(read) => end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.bytes.truncate(end);
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// Takes the whole lines out of what was read.
    fn take_whole(&mut self, last: bool) -> io::Result<Batch> {
        let mut spans = Vec::new();
        let mut end = 0;
        loop {
            let mut rest = self.bytes.get(end..).unwrap_or_default();
            let len = rest.skip_until(b'\n')?;
            let line = end..end + len;
            if !self.bytes.get(line.clone()).is_some_and(|line| line.ends_with(b"\n")) {
                break;
            }
            end += len;
            let whole = self.skipped + len as u64;
            if self.skipped == 0 && len <= LONGEST_LINE {
                spans.push(Span { offset: self.offset, len: whole, bytes: line });
            }
            self.skipped = 0;
            self.offset += whole;
        }
        let rest = self.bytes.split_off(end);
        Ok(Batch { bytes: std::mem::replace(&mut self.bytes, rest), spans, last })
    }
}

/// Whole lines as they were read.
struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Whether the file has no more.
    last: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_read_in_parts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = format!("{{\"uuid\":\"u\",\"text\":\"{}\"}}\n", "x".repeat(1000));
        let lines = 3 * BATCH / line.len();
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
        let most = LONGEST_LINE as u64;
        let endless = io::Read::take(io::repeat(b'x'), 2 * most + 5);
        let mut lines = Lines::new(io::Read::chain(endless, &b"\n{}\nhalf"[..]), 0);
        let mut batch = None;
        let memory = allocation_counter::measure(|| batch = Some(lines.batch().unwrap()));
        assert!(memory.bytes_max <= 4 * most, "{} bytes held", memory.bytes_max);
        let batch = batch.unwrap();
        let spans: Vec<_> = batch.spans.iter().map(|span| (span.offset, span.len)).collect();
        assert_eq!((spans, batch.last), (vec![(2 * most + 6, 3)], true));
        assert_eq!(&batch.bytes[batch.spans[0].bytes.clone()], b"{}\n");
        assert_eq!(lines.offset, 2 * most + 9, "the half line is read when it is whole");
    }
}
