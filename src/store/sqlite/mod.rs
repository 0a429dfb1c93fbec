//! The store in one SQLite file.
//!
//! [`open`] makes the connection, and each other file here holds the statements of one kind of record. Every
//! write is one `BEGIN IMMEDIATE` transaction, so that what it reads first still holds when it writes.

mod api_keys;
mod chat;
mod copies;
mod damage;
mod events;
mod keys;
mod memory;
mod open;
mod outbox;
mod pipelines;
mod sessions;
mod templates;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode as Sqlite, Transaction, TransactionBehavior};

use super::{IngestMark, KeyClaim, SessionRow, Store, StoreError};
use crate::domain::{Event, Position, Session, SessionId, Timestamp};

/// The store in one SQLite file. Threads share it; each process opens its own.
pub struct SqliteStore {
    path: PathBuf,
    opened: Mutex<Opened>,
}

/// The connection, and to which file it is: a damaged one is replaced under its name by whoever notices.
struct Opened {
    connection: Connection,
    identity: Option<damage::Identity>,
    /// Whether this file was seen to be complete; it never becomes less so.
    complete: bool,
    /// The live sessions as they were read last, and SQLite's number of the data then: another's commit changes it.
    live: Option<(i64, Arc<[SessionRow]>)>,
    /// Whether there were keys to call with, and SQLite's number of the data then.
    keys: Option<(i64, bool)>,
}

/// Marks a file as complete, in the header's field for an application's own number: "AEGI".
const COMPLETE: i32 = 0x4145_4749;

/// How sure a write must be when its call returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// It survives the process; a loss of power may take the last ones, never tear one.
    Process,
    /// It survives a loss of power.
    Power,
}

/// What can go wrong inside a statement's function, before the file's path is known.
enum Fault {
    Database(rusqlite::Error),
    /// Stored JSON, an id or a time that does not read back.
    Unreadable(super::error::Cause),
    Known(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Known(error)
    }
}

impl Fault {
    fn unreadable(error: impl std::error::Error + Send + std::marker::Sync + 'static) -> Self {
        Self::Unreadable(Box::new(error))
    }

    fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        let error = match self {
            Self::Known(error) => return error,
            Self::Unreadable(source) => return StoreError::Corrupt { path, source },
            Self::Database(error) => error,
        };
        let code = error.sqlite_error_code();
        let source = Box::new(error);
        match code {
            Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => StoreError::Busy { path, source },
            Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => StoreError::Corrupt { path, source },
            Some(
                Sqlite::PermissionDenied
                | Sqlite::ReadOnly
                | Sqlite::SystemIoFailure
                | Sqlite::DiskFull
                | Sqlite::CannotOpen
                | Sqlite::OutOfMemory
                | Sqlite::FileLockingProtocolFailed
                | Sqlite::NoLargeFileSupport
                | Sqlite::AuthorizationForStatementDenied,
            ) => StoreError::Unavailable { path, source },
            // A value of another type than ours in a column: somebody else wrote it.
            None => StoreError::Corrupt { path, source },
            Some(_) => StoreError::Internal { path, source },
        }
    }
}

impl SqliteStore {
    /// Opens the store in the file `path`, after making the file (mode 0600), its directory (0700) and its tables
    /// where they are missing. A file that is damaged, or no database, is put aside first. Waits up to 5 s for other
    /// processes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the directory or file cannot be made or written, [`StoreError::Newer`] if a newer Aegis made it, [`StoreError::Busy`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_owned(), opened: Mutex::new(Opened::open(path)?) })
    }

    /// The connection to the file that stands at the path now.
    fn opened(&self) -> Result<MutexGuard<'_, Opened>, StoreError> {
        // A thread that panicked left no open transaction: dropping one rolls it back.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.identity != damage::Identity::of(&self.path) {
            *opened = Opened::open(&self.path)?;
        }
        Ok(opened)
    }

    fn read<T>(&self, run: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        run(&self.opened()?.connection).map_err(|fault| fault.at(&self.path))
    }

    fn write<T>(
        &self,
        sync: Sync,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut opened = self.opened()?;
        // Our own commits do not change the number.
        (opened.live, opened.keys) = (None, None);
        transact(&mut opened.connection, sync, run).map_err(|fault| fault.at(&self.path))
    }

    /// Reads the live sessions if anybody has written since they were read last.
    fn live(opened: &mut Opened) -> Result<Arc<[SessionRow]>, Fault> {
        let number = data_version(&opened.connection)?;
        if let Some((_, rows)) = opened.live.as_ref().filter(|(read_at, _)| *read_at == number) {
            return Ok(rows.clone());
        }
        let rows: Arc<[SessionRow]> = sessions::live(&opened.connection)?.into();
        opened.live = Some((number, rows.clone()));
        Ok(rows)
    }
}

impl Opened {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = damage::open_or_replace(path)?;
        Ok(Self { connection, identity: damage::Identity::of(path), complete: false, live: None, keys: None })
    }
}

/// A number that changes when another connection has written. Read from memory that processes share.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row((), |row| row.get(0))
}

fn transact<T>(
    connection: &mut Connection,
    sync: Sync,
    run: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let level = if sync == Sync::Power { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", level)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = run(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// A number as SQLite keeps it.
fn number(what: &'static str, value: u64) -> Result<i64, Fault> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable { what }.into())
}

/// A path as text.
fn text<'a>(what: &'static str, path: &'a Path) -> Result<&'a str, Fault> {
    path.to_str().ok_or_else(|| StoreError::Unstorable { what }.into())
}

/// A time as it was stored.
fn time(millis: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millis(millis).ok_or_else(|| Fault::Unreadable("a time beyond all calendars".into()))
}

/// A limit as SQLite counts it.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Store for SqliteStore {
    fn insert_session(&self, row: &SessionRow) -> Result<(), StoreError> {
        self.write(Sync::Power, |tx| sessions::insert(tx, row))
    }

    fn set_holder(&self, id: SessionId, pid: u32, start: u64) -> Result<(), StoreError> {
        // After a loss of power there is no holder, so nothing is lost with this.
        self.write(Sync::Process, |tx| sessions::set_holder(tx, id, pid, start))
    }

    fn set_ended(&self, id: SessionId, last: &Session) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| sessions::set_ended(tx, id, last))
    }

    fn delete_session(&self, id: SessionId) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| sessions::delete(tx, id))
    }

    fn session(&self, id: SessionId) -> Result<Option<SessionRow>, StoreError> {
        self.read(|db| sessions::one(db, id))
    }

    fn find_sessions(&self, reference: &str) -> Result<Vec<SessionRow>, StoreError> {
        self.read(|db| sessions::find(db, reference))
    }

    fn live_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        let mut opened = self.opened()?;
        Self::live(&mut opened).map(|rows| rows.to_vec()).map_err(|fault| fault.at(&self.path))
    }

    fn live_now(&self) -> Option<Arc<[SessionRow]>> {
        let opened = self.opened.try_lock().ok()?;
        if !opened.complete || opened.identity != damage::Identity::of(&self.path) {
            return None;
        }
        let (read_at, rows) = opened.live.as_ref()?;
        (data_version(&opened.connection).ok()? == *read_at).then(|| rows.clone())
    }

    fn ended_sessions(
        &self,
        before: Option<(Timestamp, SessionId)>,
        work_dir: Option<&Path>,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.read(|db| sessions::ended(db, before, work_dir, limit))
    }

    fn reusable(
        &self,
        work_dir: &Path,
        owner: &str,
        settings_key: &str,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.read(|db| sessions::reusable(db, work_dir, owner, settings_key))
    }

    fn claim_key(
        &self,
        key: &str,
        fingerprint: &str,
        id: SessionId,
        now: Timestamp,
    ) -> Result<KeyClaim, StoreError> {
        self.write(Sync::Power, |tx| keys::claim(tx, key, fingerprint, id, now))
    }

    fn release_key(&self, key: &str) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| keys::release(tx, key))
    }

    fn move_key(&self, key: &str, from: SessionId, to: SessionId) -> Result<Option<SessionId>, StoreError> {
        self.write(Sync::Power, |tx| keys::moved(tx, key, from, to))
    }

    fn ingest(&self, events: &[Event], mark: Option<&IngestMark>) -> Result<usize, StoreError> {
        // The journal has the same events and the mark is lost with them, so they are only read again.
        self.write(Sync::Process, |tx| events::ingest(tx, events, mark))
    }

    fn ingest_mark(&self, session: SessionId) -> Result<Option<IngestMark>, StoreError> {
        self.read(|db| events::mark(db, session))
    }

    fn events(
        &self,
        session: SessionId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.read(|db| events::after(db, session, after, limit))
    }

    fn last_position(&self, session: SessionId) -> Result<Option<Position>, StoreError> {
        self.read(|db| events::last(db, session))
    }

    fn claude_version(&self, path: &Path, stamp: &str) -> Result<Option<String>, StoreError> {
        self.read(|db| keys::version(db, path, stamp))
    }

    fn set_claude_version(&self, path: &Path, stamp: &str, version: &str) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| keys::set_version(tx, path, stamp, version))
    }

    fn is_complete(&self) -> Result<bool, StoreError> {
        let mut opened = self.opened()?;
        if !opened.complete {
            let mark =
                opened.connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
            opened.complete = mark.map_err(|error| Fault::from(error).at(&self.path))? == COMPLETE;
        }
        Ok(opened.complete)
    }

    fn set_complete(&self) -> Result<(), StoreError> {
        self.write(Sync::Power, |tx| Ok(tx.pragma_update(None, "application_id", COMPLETE)?))
    }

    fn replace_damaged(&self) -> Result<Option<PathBuf>, StoreError> {
        damage::replace(&self.path)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.read(|db| {
            let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            keys::set_version(&transaction, Path::new(""), "", "")?;
            Ok(transaction.rollback()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("aegis.db")).unwrap();
        store.set_claude_version(Path::new("/old"), "1", "2.1.0").unwrap();
        // The database's own limit, in pages; SQLite fails with the same code as for the disk's.
        let pages: i64 = store
            .opened()
            .unwrap()
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        store
            .opened()
            .unwrap()
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
        let long = "x".repeat(100_000);
        let full = store.set_claude_version(Path::new("/new"), "1", &long);
        assert!(matches!(full, Err(StoreError::Unavailable { .. })));
        assert_eq!(store.claude_version(Path::new("/old"), "1").unwrap().as_deref(), Some("2.1.0"));
        store.set_claude_version(Path::new("/old"), "1", "2.2.0").unwrap();
    }

    #[test]
    fn a_read_only_store_is_unavailable() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("aegis.db")).unwrap();
        store.opened().unwrap().connection.pragma_update(None, "query_only", true).unwrap();
        assert!(matches!(store.check(), Err(StoreError::Unavailable { .. })));
        assert!(matches!(store.release_key("key"), Err(StoreError::Unavailable { .. })));
        assert_eq!(store.live_sessions().unwrap(), []);
    }
}
