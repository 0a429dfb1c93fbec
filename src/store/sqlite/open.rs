//! Makes the database file and its tables, and the connection to it.
//!
//! Many processes do this at the same moment, on an empty file too.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{Fault, StoreError, Sync, transact};
use crate::config::private_dir;
use crate::store::error::Cause;

/// How long to wait for other processes.
///
/// Our transactions take milliseconds; only a stopped process or a dying disk holds the file for longer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before trying again where SQLite itself does not wait.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// Each step of the tables with its number. The file's version is how many of them were done; which, it notes itself:
/// a step may come to be in between later.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/001.sql")),
    (2, include_str!("../migrations/002.sql")),
    (3, include_str!("../migrations/003.sql")),
    (4, include_str!("../migrations/004.sql")),
    (5, include_str!("../migrations/005.sql")),
];

/// The note of the steps that were done. A file from before it has done the first ones, as many as its version says.
const STEPS: &str = "CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY) STRICT";

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let unavailable = |source: Cause| StoreError::Unavailable { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        private_dir(parent).map_err(|error| unavailable(error.into()))?;
    }
    private_file(path).map_err(|error| unavailable(error.into()))?;
    connect(path).map_err(|fault| fault.at(path))
}

/// Makes the file before SQLite does, which would leave it readable by others; SQLite gives its companions the
/// same mode.
fn private_file(path: &Path) -> io::Result<()> {
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path)?;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    use_wal(&connection)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Turns the write-ahead log on. Several processes that do so at once on a new file are told `busy` without the
/// busy timeout, since waiting could be a deadlock; so it is tried again here.
fn use_wal(connection: &Connection) -> Result<(), Fault> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let result =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match result {
            // Some file systems have no shared memory; the rollback journal is slower and as safe.
            Ok(_) => return Ok(()),
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(RETRY_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known }.into());
    }
    if found == known {
        return Ok(());
    }
    transact(connection, Sync::Power, |tx| {
        // Another process may have done it while this one waited for the lock.
        let done = version(tx)?;
        tx.execute_batch(STEPS)?;
        if tx.query_row("SELECT count(*) FROM steps", [], |row| row.get::<_, i64>(0))? == 0 {
            for number in 1..=done {
                tx.execute("INSERT INTO steps (number) VALUES (?1)", [number])?;
            }
        }
        for (number, step) in MIGRATIONS {
            if tx.execute("INSERT OR IGNORE INTO steps (number) VALUES (?1)", [number])? > 0 {
                tx.execute_batch(step)?;
            }
        }
        if done < known {
            tx.pragma_update(None, "user_version", known)?;
        }
        Ok(())
    })
}

fn version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
