//! Keys of creation, and the versions of `claude` programs.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Fault;
use crate::domain::{SessionId, Timestamp};
use crate::store::{KEY_LIFETIME_MS, KeyClaim};

pub(super) fn claim(
    db: &Connection,
    key: &str,
    fingerprint: &str,
    id: SessionId,
    now: Timestamp,
) -> Result<KeyClaim, Fault> {
    let oldest = now.millis().saturating_sub_unsigned(KEY_LIFETIME_MS);
    db.prepare_cached("DELETE FROM creation_keys WHERE claimed_at < ?1")?.execute([oldest])?;
    let inserted = db
        .prepare_cached(
            "INSERT OR IGNORE INTO creation_keys (key, fingerprint, session, claimed_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![key, fingerprint, id.to_string(), now.millis()])?;
    if inserted > 0 {
        return Ok(KeyClaim::Yours);
    }
    let (session, fingerprint): (String, String) = db
        .prepare_cached("SELECT session, fingerprint FROM creation_keys WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(KeyClaim::Taken { id: session.parse().map_err(Fault::unreadable)?, fingerprint })
}

pub(super) fn release(db: &Connection, key: &str) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM creation_keys WHERE key = ?1")?.execute([key])?;
    Ok(())
}

pub(super) fn moved(
    db: &Connection,
    key: &str,
    from: SessionId,
    to: SessionId,
) -> Result<Option<SessionId>, Fault> {
    db.prepare_cached("UPDATE creation_keys SET session = ?3 WHERE key = ?1 AND session = ?2")?
        .execute(params![key, from.to_string(), to.to_string()])?;
    let session: Option<String> = db
        .prepare_cached("SELECT session FROM creation_keys WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    session.map(|id| id.parse().map_err(Fault::unreadable)).transpose()
}

pub(super) fn version(db: &Connection, path: &Path, stamp: &str) -> Result<Option<String>, Fault> {
    Ok(db
        .prepare_cached("SELECT version FROM claude_versions WHERE path = ?1 AND stamp = ?2")?
        .query_row(params![path.as_os_str().as_encoded_bytes(), stamp], |row| row.get(0))
        .optional()?)
}

pub(super) fn set_version(db: &Connection, path: &Path, stamp: &str, version: &str) -> Result<(), Fault> {
    db.prepare_cached("INSERT OR REPLACE INTO claude_versions (path, stamp, version) VALUES (?1, ?2, ?3)")?
        .execute(params![path.as_os_str().as_encoded_bytes(), stamp, version])?;
    Ok(())
}
