//! The keys that programs call with.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Fault, SqliteStore, Sync, data_version, time};
use crate::domain::{ApiKey, Timestamp};
use crate::store::api_keys::FoundKey;
use crate::store::{KeyStore, StoreError};

/// The columns that [`decode`] reads, in its order.
const COLUMNS: &str = "api_keys.body, api_keys.created_at, api_keys.last_used_at";

impl KeyStore for SqliteStore {
    fn insert_api_key(&self, key: &ApiKey, hash: &str) -> Result<(), StoreError> {
        self.write(Sync::Power, |tx| {
            // Before the key is there, so that a store which is lost later leaves it behind.
            mark(&self.path).map_err(|error| unavailable(&self.path, error))?;
            tx.prepare_cached("INSERT INTO api_keys (id, created_at, body) VALUES (?1, ?2, ?3)")?
                .execute(params![key.id, key.created_at.millis(), encode(key)?])?;
            put_hash(tx, hash, &key.id, key.expires_at)
        })
    }

    fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM api_keys ORDER BY created_at, id");
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map([], read)?;
            rows.map(|row| decode(row?)).collect()
        })
    }

    fn api_key_by_hash(&self, hash: &str) -> Result<Option<FoundKey>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS}, api_key_hashes.expires_at FROM api_key_hashes \
                 JOIN api_keys ON api_keys.id = api_key_hashes.key WHERE hash = ?1"
            );
            let found = db
                .prepare_cached(&sql)?
                .query_row([hash], |row| Ok((read(row)?, row.get::<_, Option<i64>>(3)?)))
                .optional()?;
            let Some((raw, refused_from)) = found else { return Ok(None) };
            Ok(Some(FoundKey { key: decode(raw)?, refused_from: refused_from.map(time).transpose()? }))
        })
    }

    fn has_api_keys(&self) -> Result<bool, StoreError> {
        let mut opened = self.opened()?;
        let number = data_version(&opened.connection).map_err(|error| Fault::from(error).at(&self.path))?;
        if let Some((_, any)) = opened.keys.filter(|(read_at, _)| *read_at == number) {
            return Ok(any);
        }
        let any =
            any(&opened.connection).map_err(|fault| fault.at(&self.path))? || mark_of(&self.path).exists();
        opened.keys = Some((number, any));
        Ok(any)
    }

    fn rotate_api_key(
        &self,
        id: &str,
        hash: &str,
        expires_at: Option<Timestamp>,
        old_until: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError> {
        self.write(Sync::Power, |tx| {
            let Some(mut key) = one(tx, id)? else { return Ok(None) };
            key.expires_at = expires_at;
            tx.prepare_cached("UPDATE api_keys SET body = ?2 WHERE id = ?1")?
                .execute(params![id, encode(&key)?])?;
            tx.prepare_cached(
                "UPDATE api_key_hashes SET expires_at = min(?2, coalesce(expires_at, ?2)) WHERE key = ?1",
            )?
            .execute(params![id, old_until.millis()])?;
            // Those of earlier rotations.
            tx.prepare_cached("DELETE FROM api_key_hashes WHERE key = ?1 AND expires_at < ?2")?
                .execute(params![id, Timestamp::now().millis().min(old_until.millis())])?;
            put_hash(tx, hash, id, expires_at)?;
            Ok(Some(key))
        })
    }

    fn delete_api_key(&self, id: &str) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| {
            let deleted = tx.prepare_cached("DELETE FROM api_keys WHERE id = ?1")?.execute([id])? > 0;
            if deleted && !any(tx)? {
                match fs::remove_file(mark_of(&self.path)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(unavailable(&self.path, error).into());
                    }
                    _ => {}
                }
            }
            Ok(deleted)
        })
    }

    fn touch_api_key(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached("UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1")?
                .execute(params![id, now.millis()])?;
            Ok(())
        })
    }
}

/// A file that is there as long as there are keys. A store that is damaged begins anew without them; calls then must
/// be refused, not let in.
fn mark_of(database: &Path) -> PathBuf {
    database.with_file_name("api-keys.mark")
}

fn mark(database: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(mark_of(database)).map(drop)
}

fn unavailable(database: &Path, error: io::Error) -> StoreError {
    StoreError::Unavailable { path: database.into(), source: error.into() }
}

fn any(db: &Connection) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT EXISTS (SELECT 1 FROM api_keys)")?.query_row([], |row| row.get(0))?)
}

fn put_hash(db: &Connection, hash: &str, key: &str, expires_at: Option<Timestamp>) -> Result<(), Fault> {
    db.prepare_cached("INSERT INTO api_key_hashes (hash, key, expires_at) VALUES (?1, ?2, ?3)")?
        .execute(params![hash, key, expires_at.map(Timestamp::millis)])?;
    Ok(())
}

fn one(db: &Connection, id: &str) -> Result<Option<ApiKey>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1");
    db.prepare_cached(&sql)?.query_row([id], read).optional()?.map(decode).transpose()
}

type Raw = (String, i64, Option<i64>);

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn encode(key: &ApiKey) -> Result<String, Fault> {
    // The time of use is a column, which changes often.
    let kept = ApiKey { last_used_at: None, ..key.clone() };
    serde_json::to_string(&kept).map_err(|_| StoreError::Unstorable { what: "the key" }.into())
}

fn decode((body, created_at, last_used_at): Raw) -> Result<ApiKey, Fault> {
    let key: ApiKey = serde_json::from_str(&body).map_err(Fault::unreadable)?;
    let last_used_at = last_used_at.map(time).transpose()?;
    Ok(ApiKey { created_at: time(created_at)?, last_used_at, ..key })
}
