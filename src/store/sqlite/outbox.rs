//! The outbox.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Fault, SqliteStore, Sync, limit};
use crate::domain::{
    Attempt, AttemptOutcome, ChannelRow, Event, Notice, OutboxEntry, OutboxState, SessionSpec, Timestamp,
};
use crate::store::outbox::Derive;
use crate::store::{ChannelHealth, KEPT, MOST_PENDING, OutboxStore, StoreError, TakenIn};

/// The columns that [`read`] takes, in its order.
const COLUMNS: &str = "number, id, channel, body, state, attempts, due_at, status, error, updated_at";

impl OutboxStore for SqliteStore {
    fn add_channel(&self, name: &str) -> Result<(), StoreError> {
        if self.channel_health(name)?.is_some() {
            return Ok(());
        }
        self.write(Sync::Process, |tx| {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO channels (name, read_to) SELECT ?1, COALESCE(MAX(number), 0) FROM events",
            )?
            .execute([name])?;
            Ok(())
        })
    }

    fn take_in(
        &self,
        channel: &str,
        most: usize,
        oldest: Timestamp,
        fold: Option<u64>,
        derive: Derive<'_>,
    ) -> Result<TakenIn, StoreError> {
        // Looked at first without a lock: mostly there is nothing new, or, for a receiver that is down, no room.
        let useful = self.read(|db| {
            let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE number > (SELECT read_to FROM channels WHERE name = ?1))";
            let behind = db.prepare_cached(sql)?.query_row([channel], |row| row.get::<_, bool>(0))?;
            Ok(behind && room(db, channel)? > 0)
        })?;
        if !useful {
            return Ok(TakenIn::default());
        }
        self.write(Sync::Process, |tx| take_in(tx, channel, most, oldest, fold, derive))
    }

    fn due(&self, channel: &str, now: Timestamp, most: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM outbox AS o WHERE channel = ?1 AND state = 0 AND due_at <= ?2 AND NOT EXISTS \
                 (SELECT 1 FROM outbox AS e WHERE e.channel = ?1 AND e.session = o.session AND e.state = 0 \
                 AND e.number < o.number AND e.due_at > ?2) ORDER BY number LIMIT ?3"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params![channel, now.millis(), limit(most)], read)?;
            rows.map(|raw| decode(raw?)).collect()
        })
    }

    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, StoreError> {
        self.read(|db| {
            // The later ones of a session wait for its first.
            let sql = "SELECT MIN(due_at) FROM outbox AS o WHERE channel = ?1 AND state = 0 AND NOT EXISTS \
                 (SELECT 1 FROM outbox AS e WHERE e.channel = ?1 AND e.session = o.session AND e.state = 0 \
                 AND e.number < o.number)";
            let due: Option<i64> = db.prepare_cached(sql)?.query_row([channel], |row| row.get(0))?;
            due.map(super::time).transpose()
        })
    }

    fn settle(
        &self,
        channel: &str,
        attempts: &[Attempt],
        health: ChannelHealth,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| settle(tx, channel, attempts, health, now))
    }

    fn channel_health(&self, name: &str) -> Result<Option<ChannelHealth>, StoreError> {
        self.read(|db| {
            let sql = "SELECT failures, paused_until FROM channels WHERE name = ?1";
            let found: Option<(u32, Option<i64>)> =
                db.prepare_cached(sql)?.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((failures, paused)) = found else { return Ok(None) };
            Ok(Some(ChannelHealth { failures, paused_until: paused.map(super::time).transpose()? }))
        })
    }

    fn channel(&self, name: &str) -> Result<Option<ChannelRow>, StoreError> {
        self.read(|db| channel(db, name))
    }

    fn note_channel(&self, name: &str, note: &str, heard_at: Option<Timestamp>) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            let sql = "UPDATE channels SET note = ?2, heard_at = COALESCE(?3, heard_at) WHERE name = ?1";
            tx.prepare_cached(sql)?.execute(params![name, note, heard_at.map(Timestamp::millis)])?;
            Ok(())
        })
    }

    fn outbox(
        &self,
        channel: Option<&str>,
        state: Option<OutboxState>,
        most: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM outbox WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR state = ?2) \
                 ORDER BY number DESC LIMIT ?3"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params![channel, state.map(word), limit(most)], read)?;
            rows.map(|raw| decode(raw?)).collect()
        })
    }

    fn retry(&self, channel: Option<&str>, id: Option<&str>, now: Timestamp) -> Result<usize, StoreError> {
        self.write(Sync::Process, |tx| {
            let retried = tx
                .prepare_cached(
                    "UPDATE outbox SET state = 0, attempts = 0, due_at = 0, updated_at = ?3 WHERE state = 2 \
                     AND (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR id = ?2)",
                )?
                .execute(params![channel, id, now.millis()])?;
            // Who asks for it knows that the receiver is back.
            tx.prepare_cached("UPDATE channels SET paused_until = NULL WHERE ?1 IS NULL OR name = ?1")?
                .execute([channel])?;
            Ok(retried)
        })
    }
}

/// How many notices of a channel may still become rows.
fn room(db: &Connection, channel: &str) -> Result<usize, Fault> {
    let pending: i64 = db
        .prepare_cached("SELECT COUNT(*) FROM outbox WHERE channel = ?1 AND state = 0")?
        .query_row([channel], |row| row.get(0))?;
    Ok(MOST_PENDING.saturating_sub(usize::try_from(pending).unwrap_or(usize::MAX)))
}

fn take_in(
    db: &Connection,
    channel: &str,
    most: usize,
    oldest: Timestamp,
    fold: Option<u64>,
    derive: Derive<'_>,
) -> Result<TakenIn, Fault> {
    let room = room(db, channel)?;
    if room == 0 {
        return Ok(TakenIn::default());
    }
    let mut events = db.prepare_cached(
        "SELECT events.number, events.at, events.body, sessions.spec FROM events \
         JOIN epochs ON epochs.number = events.epoch JOIN sessions ON sessions.id = epochs.session \
         WHERE events.number > (SELECT read_to FROM channels WHERE name = ?1) ORDER BY events.number LIMIT ?2",
    )?;
    let mut rows = events.query(params![channel, limit(most)])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (id, channel, session, topic, at, body, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)",
    )?;
    let (mut taken, mut expired, mut read_to) = (TakenIn::default(), 0, None);
    let mut spec: Option<(String, SessionSpec)> = None;
    while let Some(row) = rows.next()? {
        // An event tells two things at most.
        if taken.added >= room {
            break;
        }
        let (number, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        read_to = Some(number);
        taken.events += 1;
        if at < oldest.millis() {
            expired += 1;
            continue;
        }
        let event: Event = serde_json::from_str(&row.get::<_, String>(2)?).map_err(Fault::unreadable)?;
        let json: String = row.get(3)?;
        if spec.as_ref().is_none_or(|(known, _)| *known != json) {
            let read = serde_json::from_str(&json).map_err(Fault::unreadable)?;
            spec = Some((json, read));
        }
        let Some((_, spec)) = &spec else { continue };
        for notice in derive(&event, spec) {
            if let Some(window) = fold.filter(|_| notice.event.folds())
                && repeats(db, channel, &notice, window)?
            {
                continue;
            }
            let body =
                serde_json::to_string(&notice).map_err(|_| StoreError::Unstorable { what: "the notice" })?;
            insert.execute(params![
                crate::domain::DeliveryId::mint().to_string(),
                channel,
                notice.session.id.to_string(),
                notice.event.as_str(),
                notice.timestamp.millis(),
                body
            ])?;
            taken.added += 1;
        }
    }
    if let Some(read_to) = read_to {
        db.prepare_cached("UPDATE channels SET read_to = ?2, expired = expired + ?3 WHERE name = ?1")?
            .execute(params![channel, read_to, expired])?;
    }
    Ok(taken)
}

/// Whether the last notice of this topic and session says the same, and is that young.
fn repeats(db: &Connection, channel: &str, notice: &Notice, window: u64) -> Result<bool, Fault> {
    let last: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT at, body FROM outbox WHERE channel = ?1 AND session = ?2 AND topic = ?3 \
             ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![channel, notice.session.id.to_string(), notice.event.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((at, body)) = last else { return Ok(false) };
    let told: Notice = serde_json::from_str(&body).map_err(Fault::unreadable)?;
    let age = notice.timestamp.millis().saturating_sub(at);
    Ok(told.detail == notice.detail && u64::try_from(age).is_ok_and(|age| age < window))
}

fn settle(
    db: &Connection,
    channel: &str,
    attempts: &[Attempt],
    health: ChannelHealth,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut update = db.prepare_cached(
        "UPDATE outbox SET state = ?2, attempts = attempts + 1, due_at = ?3, status = ?4, error = ?5, \
         updated_at = ?6 WHERE number = ?1 AND state = 0",
    )?;
    for attempt in attempts {
        let (state, due) = match attempt.outcome {
            AttemptOutcome::Sent => (1, 0),
            AttemptOutcome::Again(at) => (0, at.millis()),
            AttemptOutcome::GivenUp => (2, 0),
        };
        update.execute(params![attempt.number, state, due, attempt.status, attempt.error, now.millis()])?;
    }
    let failed = attempts.iter().rev().find(|attempt| attempt.outcome != AttemptOutcome::Sent);
    if let Some(failed) = failed {
        db.prepare_cached("UPDATE channels SET last_error = ?2, last_error_at = ?3 WHERE name = ?1")?
            .execute(params![channel, failed.error, now.millis()])?;
    }
    if attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Sent) {
        db.prepare_cached("UPDATE channels SET last_success = ?2 WHERE name = ?1")?
            .execute(params![channel, now.millis()])?;
    }
    db.prepare_cached("UPDATE channels SET failures = ?2, paused_until = ?3 WHERE name = ?1")?
        .execute(params![channel, health.failures, health.paused_until.map(Timestamp::millis)])?;
    for state in [1, 2] {
        db.prepare_cached(
            "DELETE FROM outbox WHERE channel = ?1 AND state = ?2 AND number <= (SELECT number FROM outbox \
             WHERE channel = ?1 AND state = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)",
        )?
        .execute(params![channel, state, limit(KEPT)])?;
    }
    Ok(())
}

fn channel(db: &Connection, name: &str) -> Result<Option<ChannelRow>, Fault> {
    let sql = "SELECT expired, failures, paused_until, last_success, last_error, last_error_at, \
         (SELECT COUNT(*) FROM outbox WHERE channel = ?1 AND state = 0), \
         (SELECT COUNT(*) FROM outbox WHERE channel = ?1 AND state = 2), \
         (SELECT COUNT(*) FROM events WHERE number > read_to), note, heard_at FROM channels WHERE name = ?1";
    let found = db
        .prepare_cached(sql)?
        .query_row([name], |row| {
            let times: [Option<i64>; 4] = [row.get(2)?, row.get(3)?, row.get(5)?, row.get(10)?];
            let row = ChannelRow {
                name: name.to_owned(),
                expired: row.get(0)?,
                failures: row.get(1)?,
                last_error: row.get(4)?,
                pending: row.get(6)?,
                dead: row.get(7)?,
                behind: row.get(8)?,
                note: row.get(9)?,
                ..ChannelRow::default()
            };
            Ok((row, times))
        })
        .optional()?;
    let Some((row, [paused, success, error, heard])) = found else { return Ok(None) };
    let time = |at: Option<i64>| at.map(super::time).transpose();
    Ok(Some(ChannelRow {
        paused_until: time(paused)?,
        last_success: time(success)?,
        last_error_at: time(error)?,
        heard_at: time(heard)?,
        ..row
    }))
}

fn word(state: OutboxState) -> i64 {
    match state {
        OutboxState::Pending => 0,
        OutboxState::Sent => 1,
        OutboxState::Dead => 2,
    }
}

/// A row before its texts and times are read.
struct Raw {
    number: i64,
    id: String,
    channel: String,
    body: String,
    state: i64,
    attempts: u32,
    due_at: i64,
    status: Option<u16>,
    error: Option<String>,
    updated_at: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        number: row.get(0)?,
        id: row.get(1)?,
        channel: row.get(2)?,
        body: row.get(3)?,
        state: row.get(4)?,
        attempts: row.get(5)?,
        due_at: row.get(6)?,
        status: row.get(7)?,
        error: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

fn decode(raw: Raw) -> Result<OutboxEntry, Fault> {
    Ok(OutboxEntry {
        number: raw.number,
        id: raw.id.parse().map_err(Fault::unreadable)?,
        channel: raw.channel,
        notice: serde_json::from_str(&raw.body).map_err(Fault::unreadable)?,
        state: match raw.state {
            0 => OutboxState::Pending,
            1 => OutboxState::Sent,
            _ => OutboxState::Dead,
        },
        attempts: raw.attempts,
        due_at: super::time(raw.due_at)?,
        status: raw.status,
        error: raw.error,
        updated_at: super::time(raw.updated_at)?,
    })
}
