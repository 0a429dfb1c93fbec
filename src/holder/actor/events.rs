//! Numbering, journaling and announcing events.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Actor;
use super::timers::Timer;
use crate::domain::{Epoch, Event, EventData, Position, SessionId, Timestamp};
use crate::holder::dir::SessionDir;
use crate::holder::journal::{self, Journal};

/// How many events are kept in memory for readers that come back; older ones are in the journal.
const RECENT: usize = 1024;

/// When a journal that cannot be written is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// How many events wait for a journal that cannot be written.
const UNWRITTEN: usize = 10_000;

/// The events of this life of the holder.
#[derive(Debug)]
pub(super) struct Events {
    session_id: SessionId,
    epoch: Epoch,
    seq: u64,
    journal: Journal,
    path: PathBuf,
    recent: VecDeque<Event>,
    /// What the journal could not take yet, oldest first: the disk is full, or cannot be written just now.
    unwritten: VecDeque<Event>,
    /// Set while the journal cannot be written.
    failing: Option<String>,
}

impl Events {
    pub(super) fn open(dir: &SessionDir, session_id: SessionId) -> io::Result<Self> {
        let path = dir.journal();
        let journal = Journal::open(&path)?;
        Ok(Self {
            session_id,
            epoch: Epoch::mint(),
            seq: 0,
            journal,
            path,
            recent: VecDeque::new(),
            unwritten: VecDeque::new(),
            failing: None,
        })
    }

    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }

    /// Why the journal cannot be written, if it cannot.
    pub(super) fn failing(&self) -> Option<&str> {
        self.failing.as_deref()
    }

    /// Writes an event down, then keeps it for readers.
    fn append(&mut self, at: Timestamp, data: EventData) -> Event {
        self.seq += 1;
        let event = Event { epoch: self.epoch, seq: self.seq, session_id: self.session_id, at, data };
        self.unwritten.push_back(event.clone());
        self.write();
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event.clone());
        event
    }

    /// Writes down what waits for it. What cannot be written waits on, so that the journal has no holes.
    pub(super) fn write(&mut self) {
        while let Some(event) = self.unwritten.front() {
            if let Err(error) = self.journal.append(event) {
                if self.failing.is_none() {
                    tracing::error!(%error, "the journal cannot be written");
                }
                self.failing = Some(error.to_string());
                break;
            }
            self.unwritten.pop_front();
        }
        if self.unwritten.is_empty() {
            self.failing = None;
        } else if self.unwritten.len() > UNWRITTEN {
            // Better a hole that the numbers show than no memory; the newest tell how things are.
            self.unwritten.pop_front();
        }
    }

    /// The events after a position; where some are gone, a gap stands in their place.
    pub(super) fn after(&self, after: Option<Position>, limit: usize) -> Vec<Event> {
        let from = match after {
            Some(after) if after.epoch == self.epoch => after.seq + 1,
            Some(_) | None => 1,
        };
        let oldest = self.recent.front().map_or(self.seq + 1, |event| event.seq);
        let mut events = Vec::new();
        if from < oldest {
            let position = Position { epoch: self.epoch, seq: from - 1 };
            events = journal::read(&self.path, Some(position), limit).unwrap_or_default();
            events.retain(|event| event.epoch == self.epoch && event.seq < oldest);
            let next = events.first().map_or(oldest, |event| event.seq);
            if next > from {
                let gap = EventData::Gap { from, to: next - 1 };
                events.insert(0, self.unnumbered(next - 1, gap));
            }
        }
        events.extend(self.recent.iter().filter(|event| event.seq >= from).cloned());
        events.truncate(limit);
        events
    }

    /// An event made for one reader; it carries the number of the last event that it stands for.
    pub(super) fn unnumbered(&self, seq: u64, data: EventData) -> Event {
        Event { epoch: self.epoch, seq, session_id: self.session_id, at: Timestamp::now(), data }
    }
}

impl Actor {
    /// Writes an event down and announces it. Returns whether it is safe in the journal.
    pub(super) fn emit(&mut self, data: EventData) -> bool {
        let event = self.events.append(Timestamp::now(), data);
        self.tally.add(&event);
        self.announce(&event);
        let written = self.events.failing().is_none();
        if !written {
            self.timers.ensure(Timer::Journal, WRITE_AGAIN);
        }
        written
    }

    /// Tries to write down what the journal could not take.
    pub(super) fn write_journal(&mut self) {
        self.events.write();
        if self.events.failing().is_some() {
            self.timers.set(Timer::Journal, WRITE_AGAIN);
        }
    }
}
