//! The journal of one session: append-only, one event a line, bounded by rotation.
//!
//! `journal.jsonl` is being written; when it is full it becomes `journal.1.jsonl`, the one before that
//! `journal.2.jsonl`, and so on; the oldest part goes. Written through to the system before an event is announced,
//! so that killing any process loses nothing.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::domain::{Event, EventData, Position};
use crate::fault;

/// How large one part may grow, in bytes: some ten thousand events.
const PART_BYTES: u64 = 4 << 20;
/// How many full parts are kept beside the one being written.
const KEPT_PARTS: usize = 8;

/// The writing end.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Journal {
    /// Opens the journal at `path` for appending. A torn last line, left by a crash or a full disk, is cut off.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        let size = whole_lines(&mut file)?;
        file.set_len(size)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Appends an event.
    ///
    /// # Errors
    ///
    /// When it cannot be written; nothing of it stays in the file then.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        if self.size > 0 && self.size + line.len() as u64 > PART_BYTES {
            self.rotate()?;
        }
        if let Err(error) = fault::check("journal.write").and_then(|()| self.file.write_all(&line)) {
            // A part of a line would make the next one unreadable.
            let _ = self.file.set_len(self.size);
            let _ = self.file.seek(SeekFrom::Start(self.size));
            return Err(error);
        }
        self.size += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..KEPT_PARTS).rev() {
            let from = part(&self.path, number);
            if from.exists() {
                fs::rename(from, part(&self.path, number + 1))?;
            }
        }
        fs::rename(&self.path, part(&self.path, 1))?;
        self.file = File::options().create_new(true).read(true).write(true).open(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

/// The length of the file up to its last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(chunk.len() as u64);
        let len = usize::try_from(end - start).unwrap_or(chunk.len());
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk[..len])?;
        if let Some(at) = chunk[..len].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn part(path: &Path, number: usize) -> PathBuf {
    path.with_extension(format!("{number}.jsonl"))
}

/// Reads the events after a position, oldest first, at most `limit`. Where lines cannot be read a gap event stands for
/// them; a last one without its end is left out: [`Journal::open`] would cut it off.
///
/// # Errors
///
/// When the journal cannot be read; a missing one is empty.
pub fn read(path: &Path, after: Option<Position>, limit: usize) -> io::Result<Vec<Event>> {
    let mut parts: Vec<_> =
        (1..=KEPT_PARTS).rev().map(|number| part(path, number)).filter(|path| path.exists()).collect();
    parts.push(path.to_owned());
    // Lines begin with these two, in this order; those to pass over need not be read any further.
    let known =
        after.map(|after| (format!("{{\"epoch\":\"{}\",\"seq\":", after.epoch).into_bytes(), after.seq));
    let mut events: Vec<Event> = Vec::new();
    for path in parts {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while events.len() < limit {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            if known
                .as_ref()
                .is_some_and(|(start, seq)| number(&line, start).is_some_and(|number| number <= *seq))
            {
                continue;
            }
            let Ok(event) = serde_json::from_slice::<Event>(&line) else { continue };
            let passed = after.is_some_and(|after| after.epoch == event.epoch && event.seq <= after.seq);
            if passed {
                continue;
            }
            let last = events.last().map(|event| Position { epoch: event.epoch, seq: event.seq }).or(after);
            if let Some(hole) = hole(last, &event) {
                events.push(hole);
            }
            events.push(event);
        }
    }
    events.truncate(limit);
    Ok(events)
}

/// The number that follows this beginning of a line.
fn number(line: &[u8], start: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(start)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// What stands for the numbers between the last event and this one, if there are any. It carries the last of them.
fn hole(last: Option<Position>, event: &Event) -> Option<Event> {
    let last = last.filter(|last| last.epoch == event.epoch && last.seq + 1 < event.seq)?;
    let data = EventData::Gap { from: last.seq + 1, to: event.seq - 1 };
    Some(Event { seq: event.seq - 1, data, ..event.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Action, Epoch, SessionId, Timestamp};

    fn event(epoch: Epoch, session_id: SessionId, seq: u64) -> Event {
        let at = Timestamp::from_millis(0).unwrap();
        let data = EventData::Action { action: Action::Escape, by: "x".repeat(10_000) };
        Event { epoch, seq, session_id, at, data }
    }

    #[test]
    fn events_read_back_across_rotation_and_old_parts_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let (epoch, id) = (Epoch::mint(), SessionId::mint());
        let mut journal = Journal::open(&path).unwrap();
        for seq in 1..=5000 {
            journal.append(&event(epoch, id, seq)).unwrap();
        }
        let events = read(&path, None, usize::MAX).unwrap();
        assert_eq!(events.last().unwrap().seq, 5000);
        assert!(events.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
        assert!(events[0].seq > 1);
        let total: u64 =
            fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= PART_BYTES * (KEPT_PARTS as u64 + 1));
        assert_eq!(read(&path, Some(Position { epoch, seq: 4998 }), 10).unwrap().len(), 2);
    }

    #[test]
    fn a_torn_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let (epoch, id) = (Epoch::mint(), SessionId::mint());
        Journal::open(&path).unwrap().append(&event(epoch, id, 1)).unwrap();
        let torn = serde_json::to_vec(&event(epoch, id, 2)).unwrap();
        File::options().append(true).open(&path).unwrap().write_all(&torn).unwrap();
        assert_eq!(read(&path, None, 10).unwrap().len(), 1);
        assert_eq!(read(&path, None, 0).unwrap(), []);
        Journal::open(&path).unwrap().append(&event(epoch, id, 2)).unwrap();
        assert_eq!(read(&path, None, 10).unwrap().len(), 2);
    }
}
