//! One order of events, written down as it is decided.
//!
//! A file an order, lines of text. `o <milliseconds>` is when it began. `s <index> <session> <epoch> <number>` gives a
//! session an index and tells up to which of its numbers nothing more will be told. `<index> <number>` is an event:
//! the n-th such line is the n-th event. Written before anybody is told, so that killing the server loses nothing.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::place::Mark;
use crate::config::private_dir;
use crate::domain::{Epoch, ErrorCode, Event, OpError, Position, SessionId, Timestamp};

/// How far a reader has come in each session.
pub(super) type Positions = HashMap<SessionId, Position>;

/// How large an order may grow, in bytes: a few hundred thousand events. Then the next begins.
const LARGEST: u64 = 2 << 20;

/// How many orders are kept, the newest of all servers: a day of restarts, or some ten million events.
const KEPT: usize = 64;

/// The order that is being written.
pub(super) struct Order {
    dir: PathBuf,
    mark: Mark,
    file: Option<File>,
    size: u64,
    positions: Positions,
    indices: HashMap<(SessionId, Epoch), usize>,
    ended: HashSet<SessionId>,
    /// Writing stops at this size; smaller in tests.
    largest: u64,
}

impl Order {
    /// Begins one after these positions. Older orders than are kept go.
    pub(super) fn begin(dir: &Path, started: Timestamp, positions: Positions) -> Result<Self, OpError> {
        let failed =
            |what: String| OpError::new(ErrorCode::StorageFailed, format!("no order of events: {what}"));
        private_dir(dir).map_err(|error| failed(error.to_string()))?;
        prune(dir);
        let mut order = Self {
            dir: dir.to_owned(),
            mark: Mark { order: 0, told: 0 },
            file: None,
            size: 0,
            positions,
            indices: HashMap::new(),
            ended: HashSet::new(),
            largest: LARGEST,
        };
        order.open(started).map_err(|error| failed(error.to_string()))?;
        Ok(order)
    }

    fn open(&mut self, started: Timestamp) -> io::Result<()> {
        let (number, _) = uuid::Uuid::new_v4().as_u64_pair();
        let mark = Mark { order: number, told: 0 };
        let file = File::options().create_new(true).append(true).mode(0o600).open(path(&self.dir, number))?;
        self.indices.clear();
        let mut head = format!("o {}\n", started.millis());
        for (session, position) in &self.positions {
            let index = self.indices.len();
            self.indices.insert((*session, position.epoch), index);
            let _ = writeln!(head, "s {index} {session} {} {}", position.epoch, position.seq);
        }
        (self.mark, self.file, self.size) = (mark, Some(file), 0);
        self.write(&head)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(text.as_bytes())?;
            self.size += text.len() as u64;
        }
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn position(&self, session: SessionId) -> Option<Position> {
        self.positions.get(&session).copied()
    }

    /// The sessions that are known and have not ended.
    pub(super) fn living(&self) -> Vec<SessionId> {
        self.positions.keys().filter(|id| !self.ended.contains(id)).copied().collect()
    }

    /// Notes that nothing more comes of a session. The next order begins without it.
    pub(super) fn ended(&mut self, session: SessionId) {
        self.ended.insert(session);
    }

    /// Writes down that this event is the next, and gives its mark.
    pub(super) fn push(&mut self, event: &Event) -> Mark {
        if self.size >= self.largest {
            let Self { positions, ended, .. } = self;
            positions.retain(|id, _| !ended.contains(id));
            ended.clear();
            prune(&self.dir);
            if let Err(error) = self.open(Timestamp::now()) {
                self.fail(&error);
            }
        }
        let position = Position { epoch: event.epoch, seq: event.seq };
        let next = self.indices.len();
        let index = *self.indices.entry((event.session_id, event.epoch)).or_insert(next);
        let mut line = String::new();
        if index == next {
            let _ = writeln!(line, "s {index} {} {} 0", event.session_id, event.epoch);
        }
        let _ = writeln!(line, "{index} {}", event.seq);
        self.positions.insert(event.session_id, position);
        self.mark.told += 1;
        if let Err(error) = self.write(&line) {
            self.fail(&error);
        }
        self.mark
    }

    /// Who reads this order later is told a gap; those who listen now lose nothing.
    fn fail(&mut self, error: &io::Error) {
        tracing::warn!(%error, "the order of events can no longer be written down");
        self.file = None;
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}"))
}

/// Removes the oldest orders.
fn prune(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let age = |entry: &fs::DirEntry| {
        entry.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| (age(&entry), entry.path())).collect();
    files.sort();
    for (_, path) in files.iter().take((files.len() + 1).saturating_sub(KEPT)) {
        let _ = fs::remove_file(path);
    }
}

/// What an order says up to a mark: when it began, and the positions there.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) started: Timestamp,
    pub(super) positions: Positions,
}

/// Reads an order up to a mark; none if it is gone, or does not reach so far.
pub(super) fn read(dir: &Path, mark: Mark) -> Option<Read> {
    let text = fs::read_to_string(path(dir, mark.order)).ok()?;
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let started = Timestamp::from_millis(lines.next()?.strip_prefix("o ")?.parse().ok()?)?;
    let mut sessions: Vec<(SessionId, Epoch)> = Vec::new();
    let mut positions = Positions::new();
    let mut told = 0;
    for line in lines {
        let mut words = line.split(' ');
        match words.next()? {
            "s" => {
                let index: usize = words.next()?.parse().ok()?;
                let (session, epoch) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                let seq: u64 = words.next()?.parse().ok()?;
                if told == mark.told && seq == 0 {
                    // It belongs to the next event.
                    break;
                }
                if index != sessions.len() {
                    return None;
                }
                sessions.push((session, epoch));
                if seq > 0 {
                    positions.insert(session, Position { epoch, seq });
                }
            }
            index => {
                if told == mark.told {
                    break;
                }
                let (session, epoch) = *sessions.get(index.parse::<usize>().ok()?)?;
                positions.insert(session, Position { epoch, seq: words.next()?.parse().ok()? });
                told += 1;
            }
        }
    }
    (told == mark.told).then_some(Read { started, positions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Action, EventData};

    fn event(session_id: SessionId, epoch: Epoch, seq: u64) -> Event {
        let at = Timestamp::from_millis(0).unwrap();
        let data = EventData::Action { action: Action::Escape, by: "test".into() };
        Event { epoch, seq, session_id, at, data }
    }

    #[test]
    fn every_mark_reads_back_as_the_positions_that_were_true_there() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (SessionId::mint(), SessionId::mint());
        let (first, second) = (Epoch::mint(), Epoch::mint());
        let start = Positions::from([(old, Position { epoch: first, seq: 7 })]);
        let now = Timestamp::from_millis(5).unwrap();
        let mut order = Order::begin(dir.path(), now, start.clone()).unwrap();
        let mut expected = vec![(order.mark(), start.clone())];
        let mut positions = start;
        for (session, epoch, seq) in [(old, first, 8), (new, second, 1), (old, first, 9), (new, second, 2)] {
            let mark = order.push(&event(session, epoch, seq));
            positions.insert(session, Position { epoch, seq });
            expected.push((mark, positions.clone()));
        }
        for (mark, positions) in expected {
            let read = read(dir.path(), mark).unwrap();
            assert_eq!((read.started, read.positions), (now, positions), "{mark}");
        }
        let beyond = Mark { told: 5, ..order.mark() };
        assert!(read(dir.path(), beyond).is_none());
        assert!(read(dir.path(), Mark { order: 1, told: 0 }).is_none());
    }

    #[test]
    fn a_full_order_is_followed_by_one_that_begins_where_it_stood() {
        let dir = tempfile::tempdir().unwrap();
        let (session, gone, epoch) = (SessionId::mint(), SessionId::mint(), Epoch::mint());
        let mut order = Order::begin(dir.path(), Timestamp::now(), Positions::new()).unwrap();
        order.push(&event(gone, epoch, 1));
        order.ended(gone);
        let last = order.push(&event(session, epoch, 1));
        order.largest = 1;
        let next = order.push(&event(session, epoch, 2));
        assert_ne!(next.order, last.order);
        assert_eq!(next.told, 1);
        let begun = read(dir.path(), Mark { told: 0, ..next }).unwrap();
        assert_eq!(begun.positions, Positions::from([(session, Position { epoch, seq: 1 })]));
        assert_eq!(read(dir.path(), last).unwrap().positions.len(), 2);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut marks = Vec::new();
        for _ in 0..KEPT + 3 {
            marks.push(Order::begin(dir.path(), Timestamp::now(), Positions::new()).unwrap().mark());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT);
        assert!(read(dir.path(), *marks.last().unwrap()).is_some());
    }
}
