//! Filling a new store from what sessions have in their directories, and pipelines in theirs: the store was damaged, or
//! removed.
//!
//! Nothing is lost but the events that journals have rotated away. An idempotency key of a creation that took an idle
//! session is not known any more; that session's holder still knows it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::close::settle;
use super::steward::{Copied, copy};
use crate::config::Paths;
use crate::domain::{EventData, Session, SessionId, SessionSpec};
use crate::holder::process::ProcessId;
use crate::holder::{SessionDir, journal};
use crate::store::{SessionRow, Store, StoreError};
use crate::wire::Snapshot;

/// What a session's directory says of it: what the store was told when it was created. Holds no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) spec: SessionSpec,
    pub(super) socket: PathBuf,
    pub(super) boot_id: String,
    /// The key that it was created under, if any, with the hash of the request.
    pub(super) key: Option<(String, String)>,
}

impl Record {
    /// Writes the record.
    pub(super) fn write(&self, dir: &SessionDir) -> io::Result<()> {
        let file = File::options().create(true).write(true).truncate(true).mode(0o600).open(dir.record())?;
        Ok(serde_json::to_writer(file, self)?)
    }

    fn read(dir: &SessionDir) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.record()).ok()?).ok()
    }
}

/// Takes up into the store what sessions' directories have, unless that was done.
///
/// # Errors
///
/// Those of the store; it is tried again then.
pub(super) fn complete(store: &dyn Store, paths: &Paths) -> Result<(), StoreError> {
    if store.is_complete()? {
        return Ok(());
    }
    let failed =
        |source: io::Error| StoreError::Unavailable { path: paths.state_dir.clone(), source: source.into() };
    let lock = paths.state_dir.join("rebuild.lock");
    let lock =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(lock).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if store.is_complete()? {
        return Ok(());
    }
    let mut found: Vec<(SessionDir, Record)> = Vec::new();
    for entry in fs::read_dir(&paths.sessions_dir).map_err(failed)? {
        let dir = SessionDir::new(entry.map_err(failed)?.path());
        match Record::read(&dir) {
            Some(record) => found.push((dir, record)),
            None => {
                tracing::debug!(dir = %dir.root().display(), "a directory without a record is passed over")
            }
        }
    }
    found.sort_by_key(|(_, record)| (record.spec.created_at, record.spec.id));
    let count = found.len();
    for (dir, record) in found {
        take_up(store, &dir, record)?;
    }
    let pipelines = store.restore_pipelines()?;
    store.set_complete()?;
    if count + pipelines > 0 {
        tracing::warn!(sessions = count, pipelines, "the store was filled from the sessions' directories");
    }
    Ok(())
}

fn take_up(store: &dyn Store, dir: &SessionDir, record: Record) -> Result<(), StoreError> {
    let holder: Option<ProcessId> =
        fs::read(dir.pid()).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let (created_at, id, key) = (record.spec.created_at, record.spec.id, record.key);
    let mut row = SessionRow {
        spec: record.spec,
        session_dir: dir.root().to_owned(),
        socket: record.socket,
        boot_id: record.boot_id,
        holder_pid: holder.map(|holder| holder.pid),
        holder_start: holder.map(|holder| holder.start),
        ended: None,
    };
    // Without a holder, and told to have ended: not one that a name could be kept for.
    row.ended = match dir.try_lock() {
        Ok(Some(_lock)) => last_state(&row, dir),
        Ok(None) | Err(_) => None,
    };
    insert(store, &mut row)?;
    copy(store, &row, Copied::default())?;
    if let Some((key, fingerprint)) = key {
        store.claim_key(&key, &fingerprint, id, created_at)?;
    }
    Ok(())
}

/// Adds the row; under another name where its own is taken, which only a hand in the files can bring about.
fn insert(store: &dyn Store, row: &mut SessionRow) -> Result<(), StoreError> {
    match store.insert_session(row) {
        Err(StoreError::SessionExists { .. }) => Ok(()),
        Err(StoreError::NameTaken { name }) => {
            row.spec.name = format!("{name}-{}", row.spec.id);
            store.insert_session(row)
        }
        other => other,
    }
}

/// The last state of a session whose end was told: by its holder, or by whoever found that gone.
fn last_state(row: &SessionRow, dir: &SessionDir) -> Option<Session> {
    if let Some(snapshot) =
        fs::read(dir.last()).ok().and_then(|json| serde_json::from_slice::<Snapshot>(&json).ok())
    {
        return Some(snapshot.session);
    }
    let events = journal::read(&dir.journal(), None, usize::MAX).ok()?;
    let told = events.iter().rev().find_map(|event| match &event.data {
        EventData::Status { report, .. } => Some(report.status.word() == crate::domain::StatusWord::Ended),
        _ => None,
    });
    if told == Some(true) { settle(row, dir, true).ok() } else { None }
}

/// The record of a session that is being created.
pub(super) fn record_of(row: &SessionRow, key: Option<(String, String)>) -> Record {
    Record { spec: row.spec.clone(), socket: row.socket.clone(), boot_id: row.boot_id.clone(), key }
}

/// Whether the store had taken up the session from its directory already.
pub(super) fn known(result: &Result<(), StoreError>, id: SessionId) -> bool {
    matches!(result, Err(StoreError::SessionExists { id: of }) if *of == id)
}
