//! Texts under keys.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Fault, SqliteStore, Sync, limit};
use crate::domain::{MemoryEntry, MemoryKey, Timestamp};
use crate::store::{MemoryStore, StoreError};

/// The columns that [`read`] takes, in its order.
const COLUMNS: &str = "key, value, owner, created_at, updated_at, expires_at";

/// What has not expired at `?1`.
const LIVES: &str = "(expires_at IS NULL OR expires_at > ?1)";

impl MemoryStore for SqliteStore {
    fn set_memory(
        &self,
        key: &MemoryKey,
        value: &str,
        owner: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<MemoryEntry, StoreError> {
        self.write(Sync::Power, |tx| set(tx, key, value, owner, expires_at, now))
    }

    fn memory(&self, keys: &[MemoryKey], now: Timestamp) -> Result<Vec<Option<MemoryEntry>>, StoreError> {
        self.read(|db| {
            let snapshot = db.unchecked_transaction()?;
            keys.iter().map(|key| one(&snapshot, key, now)).collect()
        })
    }

    fn delete_memory(&self, key: &MemoryKey, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| {
            purge(tx, now)?;
            Ok(tx.prepare_cached("DELETE FROM memory WHERE key = ?1")?.execute([key.as_str()])? > 0)
        })
    }

    fn memory_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: usize,
        now: Timestamp,
    ) -> Result<Vec<MemoryEntry>, StoreError> {
        self.read(|db| {
            // The first condition lets the index find where the prefix begins.
            let sql = format!(
                "SELECT {COLUMNS} FROM memory WHERE key >= ?2 AND substr(key, 1, length(?2)) = ?2 \
                 AND (?3 IS NULL OR key > ?3) AND {LIVES} ORDER BY key LIMIT ?4"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params![now.millis(), prefix, after, limit(page)], read)?;
            rows.map(|raw| decode(raw?)).collect()
        })
    }

    fn memory_keys(&self, most: usize, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            let sql = format!("SELECT key FROM memory WHERE {LIVES} ORDER BY key LIMIT ?2");
            let mut statement = db.prepare_cached(&sql)?;
            let keys = statement.query_map(params![now.millis(), limit(most)], |row| row.get(0))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }
}

fn purge(db: &Connection, now: Timestamp) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM memory WHERE expires_at <= ?1")?.execute([now.millis()])?;
    Ok(())
}

fn set(
    db: &Connection,
    key: &MemoryKey,
    value: &str,
    owner: &str,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<MemoryEntry, Fault> {
    purge(db, now)?;
    let sql = format!(
        "INSERT INTO memory ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?4, ?5) ON CONFLICT (key) DO UPDATE SET \
         value = excluded.value, owner = excluded.owner, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at RETURNING {COLUMNS}"
    );
    let expires_at = expires_at.map(Timestamp::millis);
    let values = params![key.as_str(), value, owner, now.millis(), expires_at];
    decode(db.prepare_cached(&sql)?.query_row(values, read)?)
}

fn one(db: &Connection, key: &MemoryKey, now: Timestamp) -> Result<Option<MemoryEntry>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM memory WHERE key = ?2 AND {LIVES}");
    let raw = db.prepare_cached(&sql)?.query_row(params![now.millis(), key.as_str()], read).optional()?;
    raw.map(decode).transpose()
}

/// A row before its key and times are read.
struct Raw {
    key: String,
    value: String,
    owner: String,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        key: row.get(0)?,
        value: row.get(1)?,
        owner: row.get(2)?,
        created_at: row.get(3)?,
        updated_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

fn decode(raw: Raw) -> Result<MemoryEntry, Fault> {
    Ok(MemoryEntry {
        key: raw.key.parse().map_err(Fault::unreadable)?,
        value: raw.value,
        owner: raw.owner,
        created_at: super::time(raw.created_at)?,
        updated_at: super::time(raw.updated_at)?,
        expires_at: raw.expires_at.map(super::time).transpose()?,
    })
}
