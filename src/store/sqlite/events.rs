//! Events, and how far their journals were read.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Fault, limit, number};
use crate::domain::{Epoch, Event, Position, SessionId};
use crate::store::{IngestMark, StoreError};

pub(super) fn ingest(db: &Connection, events: &[Event], mark: Option<&IngestMark>) -> Result<usize, Fault> {
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO events (epoch, seq, at, body) VALUES (?1, ?2, ?3, ?4)")?;
    let mut fresh = 0;
    let mut epoch: Option<(SessionId, Epoch, i64)> = None;
    for event in events {
        let of = match epoch {
            Some((session, name, of)) if session == event.session_id && name == event.epoch => of,
            _ => epoch_number(db, event.session_id, event.epoch)?,
        };
        epoch = Some((event.session_id, event.epoch, of));
        let seq = number("the event's number", event.seq)?;
        let body = serde_json::to_string(event).map_err(|_| StoreError::Unstorable { what: "the event" })?;
        fresh += insert.execute(params![of, seq, event.at.millis(), body])?;
    }
    if let Some(mark) = mark {
        set_mark(db, mark)?;
    }
    Ok(fresh)
}

/// The number of an epoch, given at its first event.
fn epoch_number(db: &Connection, session: SessionId, epoch: Epoch) -> Result<i64, Fault> {
    let names = [session.to_string(), epoch.to_string()];
    let known: Option<i64> = db
        .prepare_cached("SELECT number FROM epochs WHERE session = ?1 AND epoch = ?2")?
        .query_row(params![names[0], names[1]], |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    db.prepare_cached("INSERT INTO epochs (session, epoch) VALUES (?1, ?2)")?
        .execute(names)
        .map_err(|error| unless_missing(error, session))?;
    Ok(db.last_insert_rowid())
}

fn set_mark(db: &Connection, mark: &IngestMark) -> Result<(), Fault> {
    let offset = number("the journal's offset", mark.offset)?;
    db.prepare_cached(
        "INSERT INTO ingest_marks (session, file, offset) VALUES (?1, ?2, ?3) \
         ON CONFLICT (session) DO UPDATE SET file = excluded.file, offset = excluded.offset",
    )?
    .execute(params![mark.session.to_string(), mark.file, offset])
    .map_err(|error| unless_missing(error, mark.session))?;
    Ok(())
}

/// The only constraint that such an insert can break is its reference to the session.
fn unless_missing(error: rusqlite::Error, id: SessionId) -> Fault {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
        StoreError::NoSuchSession { id }.into()
    } else {
        error.into()
    }
}

pub(super) fn mark(db: &Connection, session: SessionId) -> Result<Option<IngestMark>, Fault> {
    let found: Option<(String, i64)> = db
        .prepare_cached("SELECT file, offset FROM ingest_marks WHERE session = ?1")?
        .query_row([session.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(file, offset)| {
            let offset = u64::try_from(offset).map_err(Fault::unreadable)?;
            Ok(IngestMark { session, file, offset })
        })
        .transpose()
}

pub(super) fn after(
    db: &Connection,
    session: SessionId,
    after: Option<Position>,
    page: usize,
) -> Result<Vec<Event>, Fault> {
    let (epoch, seq) = match after {
        None => (0, 0),
        Some(position) => {
            let epoch = db
                .prepare_cached("SELECT number FROM epochs WHERE session = ?1 AND epoch = ?2")?
                .query_row([session.to_string(), position.epoch.to_string()], |row| row.get(0))
                .optional()?;
            let Some(epoch) = epoch else { return Ok(Vec::new()) };
            (epoch, i64::try_from(position.seq).unwrap_or(i64::MAX))
        }
    };
    let mut statement = db.prepare_cached(
        "SELECT events.body FROM epochs JOIN events ON events.epoch = epochs.number \
         WHERE epochs.session = ?1 AND epochs.number >= ?2 AND (epochs.number > ?2 OR events.seq > ?3) \
         ORDER BY epochs.number, events.seq LIMIT ?4",
    )?;
    let bodies = statement
        .query_map(params![session.to_string(), epoch, seq, limit(page)], |row| row.get::<_, String>(0))?;
    bodies.map(|body| serde_json::from_str(&body?).map_err(Fault::unreadable)).collect()
}

pub(super) fn last(db: &Connection, session: SessionId) -> Result<Option<Position>, Fault> {
    let found: Option<(String, i64)> = db
        .prepare_cached(
            "SELECT epochs.epoch, events.seq FROM epochs JOIN events ON events.epoch = epochs.number \
             WHERE epochs.session = ?1 ORDER BY epochs.number DESC, events.seq DESC LIMIT 1",
        )?
        .query_row([session.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(epoch, seq)| {
            Ok(Position {
                epoch: epoch.parse().map_err(Fault::unreadable)?,
                seq: u64::try_from(seq).map_err(Fault::unreadable)?,
            })
        })
        .transpose()
}
