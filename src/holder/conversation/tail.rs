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
        let Some((file, more)) = self.open()? else { return Ok(()) };
        let mut lines = Lines::from(file, self.offset, more)?;
        let first = lines.batch(Vec::new())?;
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
                let Some((file, more)) = self.open()? else { return Ok(()) };
                let mut lines = Lines::from(file, self.offset, more)?;
                let first = lines.batch(Vec::new())?;
                let read = lines.batches(first, &self.path, since, |reads| {
                    each(reads);
                    true
                });
                self.offset = lines.offset;
                read
            }
        }
    }

    /// The file, if it is there and has more than was read, and how much more, in bytes.
    fn open(&mut self) -> io::Result<Option<(File, u64)>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        self.offset = self.offset.min(size);
        let more = size - self.offset;
        Ok((more > 0).then_some((file, more)))
    }
}

/// The lines of a file from some place on.
struct Lines<R> {
    file: R,
    /// How much is still to be read, in bytes; what comes later is read another time.
    more: u64,
    /// Where the next line begins.
    offset: u64,
    /// The beginning of a line that is not whole yet.
    rest: Vec<u8>,
    /// How much of that line was thrown away, since it is too long.
    skipped: u64,
}

impl Lines<File> {
    fn from(mut file: File, offset: u64, more: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self::new(file, offset, more))
    }
}

impl<R: io::Read> Lines<R> {
    fn new(file: R, offset: u64, more: u64) -> Self {
        Self { file, more, offset, rest: Vec::new(), skipped: 0 }
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
            batch = self.batch(batch.bytes)?;
        }
        Ok(())
    }

    /// Reads the next whole lines, some [`BATCH`] of them, into the room of a batch before.
    fn batch(&mut self, room: Vec<u8>) -> io::Result<Batch> {
        let mut bytes = room;
        bytes.clear();
        bytes.append(&mut self.rest);
        loop {
            if bytes.len() > LONGEST_LINE {
                self.skipped += bytes.len() as u64;
                bytes = Vec::new();
            }
            let last = !self.fill(&mut bytes)?;
            let spans = self.whole(&bytes)?;
            if last || !spans.is_empty() {
                let end = spans.last().map_or(0, |span| span.bytes.end);
                self.rest.extend_from_slice(bytes.get(end..).unwrap_or_default());
                return Ok(Batch { bytes, spans, last });
            }
        }
    }

    /// Reads on. Returns whether there is more.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut end = bytes.len();
        let room = usize::try_from(self.more).map_or(BATCH, |more| more.min(BATCH));
        bytes.resize(end + room, 0);
        while let Some(room) = bytes.get_mut(end..).filter(|room| !room.is_empty()) {
            match self.file.read(room) {
                // It became shorter meanwhile.
                Ok(0) => self.more = 0,
                Ok(read) => {
                    end += read;
                    self.more -= read as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            bytes.truncate(end);
        }
        Ok(self.more > 0)
    }

    /// Finds the whole lines in what was read.
    fn whole(&mut self, bytes: &[u8]) -> io::Result<Vec<Span>> {
        let mut spans = Vec::new();
        let mut end = 0;
        loop {
            let mut rest = bytes.get(end..).unwrap_or_default();
            let len = rest.skip_until(b'\n')?;
            let line = end..end + len;
            if !bytes.get(line.clone()).is_some_and(|line| line.ends_with(b"\n")) {
                return Ok(spans);
            }
            end += len;
            let whole = self.skipped + len as u64;
            let kept = if self.skipped == 0 && len <= LONGEST_LINE { line } else { end..end };
            spans.push(Span { offset: self.offset, len: whole, bytes: kept });
            self.skipped = 0;
            self.offset += whole;
        }
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
        let mut lines = Lines::new(io::Read::chain(endless, &b"\n{}\nhalf"[..]), 0, 2 * most + 13);
        let mut batch = None;
        let memory = allocation_counter::measure(|| batch = Some(lines.batch(Vec::new()).unwrap()));
        assert!(memory.bytes_max <= 4 * most, "{} bytes held", memory.bytes_max);
        let batch = batch.unwrap();
        let bytes = |span: &Span| batch.bytes[span.bytes.clone()].to_vec();
        let spans: Vec<_> = batch.spans.iter().map(|span| (span.offset, span.len, bytes(span))).collect();
        assert_eq!(spans, [(0, 2 * most + 6, vec![]), (2 * most + 6, 3, b"{}\n".to_vec())]);
        assert!(batch.last);
        assert_eq!(lines.offset, 2 * most + 9, "the half line is read when it is whole");
    }
}
