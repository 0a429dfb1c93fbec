//! Sessions.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Params, Row, named_params, params};

use super::{Fault, limit, number, text};
use crate::domain::{Session, SessionId, Timestamp};
use crate::store::{MAX_FOUND, MIN_PREFIX, SessionRow, StoreError};

/// The columns that [`decode`] reads, in its order.
const COLUMNS: &str = "spec, session_dir, socket, boot_id, holder_pid, holder_start, ended";

pub(super) fn insert(db: &Connection, row: &SessionRow) -> Result<(), Fault> {
    let spec = &row.spec;
    let work_dir = text("the session's directory", &spec.work_dir)?;
    let unstorable = |_| StoreError::Unstorable { what: "the session's settings" };
    let result = db.prepare_cached(
        "INSERT INTO sessions (id, name, work_dir, owner, settings_key, created_at, spec, session_dir, socket, \
         boot_id, holder_pid, holder_start, ended) VALUES (:id, :name, :work_dir, :owner, :settings_key, \
         :created_at, :spec, :session_dir, :socket, :boot_id, :holder_pid, :holder_start, :ended)",
    )?.execute(named_params! {
        ":id": spec.id.to_string(),
        ":name": spec.name,
        ":work_dir": work_dir,
        ":owner": spec.owner,
        ":settings_key": spec.settings_key,
        ":created_at": spec.created_at.millis(),
        ":spec": serde_json::to_string(spec).map_err(unstorable)?,
        ":session_dir": text("the path of the session's records", &row.session_dir)?,
        ":socket": text("the socket's path", &row.socket)?,
        ":boot_id": row.boot_id,
        ":holder_pid": row.holder_pid,
        ":holder_start": row.holder_start.map(|start| number("the holder's start time", start)).transpose()?,
        ":ended": row.ended.as_ref().map(serde_json::to_string).transpose().map_err(unstorable)?,
    });
    match result {
        Ok(_) => Ok(()),
        // The id's index is named after the table, so the two cannot be taken for each other by their message.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            if one(db, spec.id)?.is_some() {
                Err(StoreError::SessionExists { id: spec.id }.into())
            } else {
                Err(StoreError::NameTaken { name: spec.name.clone() }.into())
            }
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn set_holder(db: &Connection, id: SessionId, pid: u32, start: u64) -> Result<(), Fault> {
    let start = number("the holder's start time", start)?;
    let changed = db
        .prepare_cached("UPDATE sessions SET holder_pid = ?2, holder_start = ?3 WHERE id = ?1")?
        .execute(params![id.to_string(), pid, start])?;
    if changed == 0 { Err(StoreError::NoSuchSession { id }.into()) } else { Ok(()) }
}

pub(super) fn set_ended(db: &Connection, id: SessionId, last: &Session) -> Result<bool, Fault> {
    let json = serde_json::to_string(last)
        .map_err(|_| StoreError::Unstorable { what: "the session's last state" })?;
    let changed = db
        .prepare_cached("UPDATE sessions SET ended = ?2 WHERE id = ?1 AND ended IS NULL")?
        .execute(params![id.to_string(), json])?;
    if changed == 0 && one(db, id)?.is_none() {
        return Err(StoreError::NoSuchSession { id }.into());
    }
    Ok(changed > 0)
}

pub(super) fn delete(db: &Connection, id: SessionId) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id.to_string()])?;
    Ok(())
}

pub(super) fn one(db: &Connection, id: SessionId) -> Result<Option<SessionRow>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let raw = db.prepare_cached(&sql)?.query_row([id.to_string()], read).optional()?;
    raw.map(decode).transpose()
}

pub(super) fn find(db: &Connection, reference: &str) -> Result<Vec<SessionRow>, Fault> {
    if let Ok(id) = reference.parse()
        && let Some(row) = one(db, id)?
    {
        return Ok(vec![row]);
    }
    let prefix = reference.to_ascii_lowercase();
    let hexadecimal = prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // An id's characters all sort below `g`, so the ids that begin with the prefix are a range of the index.
    let (from, below) = if hexadecimal && prefix.len() >= MIN_PREFIX {
        (Some(prefix.clone()), Some(format!("{prefix}g")))
    } else {
        (None, None)
    };
    many(
        db,
        "name = ?1 OR (id >= ?2 AND id < ?3) ORDER BY ended IS NOT NULL, created_at DESC, id DESC LIMIT ?4",
        params![reference, from, below, limit(MAX_FOUND)],
    )
}

pub(super) fn live(db: &Connection) -> Result<Vec<SessionRow>, Fault> {
    many(db, "ended IS NULL ORDER BY created_at DESC, id DESC", [])
}

pub(super) fn ended(
    db: &Connection,
    before: Option<(Timestamp, SessionId)>,
    work_dir: Option<&Path>,
    page: usize,
) -> Result<Vec<SessionRow>, Fault> {
    // The row's values as one: SQLite compares them from the left, and goes on in the index where the page ended.
    let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| (at.millis(), id.to_string()));
    let work_dir = work_dir.map(|path| text("the directory", path)).transpose()?;
    many(
        db,
        "ended IS NOT NULL AND (created_at, id) < (?1, ?2) AND (?3 IS NULL OR work_dir = ?3) \
         ORDER BY created_at DESC, id DESC LIMIT ?4",
        params![at, id, work_dir, limit(page)],
    )
}

pub(super) fn reusable(
    db: &Connection,
    work_dir: &Path,
    owner: &str,
    settings_key: &str,
) -> Result<Vec<SessionRow>, Fault> {
    many(
        db,
        "ended IS NULL AND work_dir = ?1 AND owner = ?2 AND settings_key = ?3 ORDER BY created_at, id",
        params![text("the directory", work_dir)?, owner, settings_key],
    )
}

fn many(db: &Connection, condition: &str, values: impl Params) -> Result<Vec<SessionRow>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE {condition}");
    let mut statement = db.prepare_cached(&sql)?;
    let raws = statement.query_map(values, read)?;
    raws.map(|raw| decode(raw?)).collect()
}

/// A row before its JSON is read.
struct Raw {
    spec: String,
    session_dir: String,
    socket: String,
    boot_id: String,
    holder_pid: Option<u32>,
    holder_start: Option<i64>,
    ended: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        spec: row.get(0)?,
        session_dir: row.get(1)?,
        socket: row.get(2)?,
        boot_id: row.get(3)?,
        holder_pid: row.get(4)?,
        holder_start: row.get(5)?,
        ended: row.get(6)?,
    })
}

fn decode(raw: Raw) -> Result<SessionRow, Fault> {
    let ended = raw.ended.as_deref().map(serde_json::from_str).transpose();
    Ok(SessionRow {
        spec: serde_json::from_str(&raw.spec).map_err(Fault::unreadable)?,
        session_dir: PathBuf::from(raw.session_dir),
        socket: PathBuf::from(raw.socket),
        boot_id: raw.boot_id,
        holder_pid: raw.holder_pid,
        holder_start: raw.holder_start.map(u64::try_from).transpose().map_err(Fault::unreadable)?,
        ended: ended.map_err(Fault::unreadable)?,
    })
}
