//! Counting a session's figures again from its files, when its holder left none: it was killed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::index::{self, Entry, Place};
use super::tail::Tail;
use super::talk::Talk;
use crate::domain::{Event, EventData, EventTally, SessionStats, Timestamp};
use crate::holder::{SessionDir, journal};

/// Counts the figures of a session launched at `since` from its journal, its index and Claude Code's transcripts.
/// `earlier` are events that the journal may have rotated away. What Claude Code has removed since is missing.
///
/// # Errors
///
/// When the journal or the index cannot be read.
pub fn recount(dir: &SessionDir, since: Timestamp, earlier: &[Event]) -> io::Result<SessionStats> {
    let events = journal::read(&dir.journal(), None, usize::MAX)?;
    let mut tally = EventTally::default();
    let first = events.first().map(|event| (event.epoch, event.seq));
    let before = |event: &&Event| first.is_none_or(|(epoch, seq)| event.epoch != epoch || event.seq < seq);
    let told: Vec<&Event> = earlier.iter().filter(before).chain(&events).collect();
    told.iter().for_each(|event| tally.add(event));
    let mut stats = SessionStats { events: tally.stats().clone(), ..SessionStats::default() };
    stats.events.partial |= told.first().is_some_and(|event| event.seq > 1);

    let entries = index::load(&dir.messages())?;
    let mut talk = Talk::new(since);
    for entry in &entries {
        talk.message(entry.role, entry.content_type, entry.tool_name.as_deref(), is_past(entry, since));
    }
    let named = told.iter().filter_map(|event| match &event.data {
        EventData::Conversation { transcript_path, .. } => transcript_path.as_ref().map(PathBuf::from),
        _ => None,
    });
    let held = entries.iter().filter_map(|entry| match &entry.place {
        Place::File { path, .. } => Some(path.to_path_buf()),
        Place::Told(_) => None,
    });
    let (mut read, mut past_read) = (BTreeSet::new(), false);
    for path in held.chain(named) {
        if read.insert(path.clone()) {
            past_read |= transcript(&mut talk, &path, since, past_read);
        }
    }
    talk.read_agents();
    stats.talk = talk.stats().clone();
    Ok(stats)
}

/// Whether a message was there before the session. What a hook told was told to it.
fn is_past(entry: &Entry, since: Timestamp) -> bool {
    entry.at < since && !matches!(entry.place, Place::Told(_))
}

/// Counts a transcript's lines. Returns whether some of them were there before the session; a copy has those of its
/// original once more, and with `past_read` they are passed over.
fn transcript(talk: &mut Talk, path: &Path, since: Timestamp, past_read: bool) -> bool {
    let mut tail = Tail::new(path.to_owned());
    let mut any_past = false;
    talk.goes_on_in(path);
    let read = tail.read(since, |reads| {
        for line in reads.into_iter().map(|read| read.line) {
            let past = line.at.is_some_and(|at| at < since);
            any_past |= past;
            if past && past_read {
                continue;
            }
            if let Some(usage) = line.usage {
                talk.used(*usage, past);
            }
            line.facts.iter().for_each(|fact| talk.fact(fact, past));
        }
    });
    if let Err(error) = read {
        tracing::warn!(%error, "a transcript could not be counted again");
    }
    any_past
}
