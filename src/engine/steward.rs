//! The steward: one server at a time copies journals into the store, from which channels tell, closes sessions whose
//! holder vanished, and runs pipelines.
//!
//! Which server is decided by a lock on a file, never by a process id: the lock frees itself when its process dies,
//! and the next in line has it at once.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use notify::RecursiveMode;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::link::launching;
use super::{Engine, changes, fs_watch, pipeline};
use crate::domain::{OpError, SessionId};
use crate::fault;
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{HolderClient, SessionDir, journal};
use crate::store::{SessionRow, Store, StoreError, wait_for_lock};

/// No steward runs in this process.
pub(super) const NOWHERE: u8 = 0;
/// The steward runs in this process.
pub(super) const HERE: u8 = 1;

/// How many events are copied in one transaction.
const BATCH: usize = 500;
/// How long changes are gathered before they are copied.
const GATHER: Duration = Duration::from_millis(50);

/// Becomes the steward as soon as nobody else is, and serves until the future is dropped.
pub async fn serve(engine: Arc<Engine>) {
    let lock = match wait_for_lock(&engine.paths.steward_lock, "steward-lock").await {
        Ok(lock) => lock,
        Err(error) => {
            tracing::error!(%error, "this server cannot become the steward");
            return;
        }
    };
    engine.steward.store(HERE, Ordering::Release);
    fault::point("steward.elected");
    tracing::debug!("this server is the steward now");
    // A task of its own, so that neither work holds the other up; it ends with this future.
    let mut beside = JoinSet::new();
    beside.spawn(pipeline::serve(engine.clone()));
    if let Err(error) = tend(&engine).await {
        tracing::error!(%error, "the steward gives up");
    }
    engine.steward.store(NOWHERE, Ordering::Release);
    drop((beside, lock));
}

async fn tend(engine: &Arc<Engine>) -> io::Result<()> {
    let (wake, mut woken) = mpsc::channel::<()>(1);
    let mut tasks = JoinSet::new();
    let told = wake.clone();
    let _watch = fs_watch::watch(&engine.paths.sessions_dir, RecursiveMode::Recursive, move || {
        // One waiting word is enough.
        let _ = told.try_send(());
    })
    .map_err(io::Error::other)?;
    let mut guards: HashMap<SessionId, AbortHandle> = HashMap::new();
    let mut copied: HashMap<SessionId, Copied> = HashMap::new();
    loop {
        match engine.db(|store| store.live_sessions()).await {
            Ok(rows) => {
                for row in rows.iter().filter(|row| !launching(row)) {
                    let guarded = guards.get(&row.spec.id).is_some_and(|guard| !guard.is_finished());
                    if !guarded {
                        let guard = tasks.spawn(guard(engine.clone(), row.clone(), wake.clone()));
                        guards.insert(row.spec.id, guard);
                    }
                }
                guards.retain(|_, guard| !guard.is_finished());
                let mut news = false;
                for row in rows {
                    let known = copied.remove(&row.spec.id).unwrap_or_default();
                    let (id, store) = (row.spec.id, engine.store.clone());
                    let result = tokio::task::spawn_blocking(move || copy(store.as_ref(), &row, known)).await;
                    match result.map_err(io::Error::other) {
                        Ok(Ok(known)) => {
                            news |= known.fresh;
                            copied.insert(id, known);
                        }
                        Ok(Err(error)) => {
                            tracing::warn!(%error, session = %id, "a journal could not be copied")
                        }
                        Err(error) => tracing::warn!(%error, session = %id, "a journal could not be copied"),
                    }
                }
                if news {
                    changes::tell(&engine.paths.outbox_mark);
                }
            }
            Err(error) => tracing::warn!(%error, "the steward could not read the store"),
        }
        if woken.recv().await.is_none() {
            return Ok(());
        }
        tokio::time::sleep(GATHER).await;
        let _ = woken.try_recv();
        while tasks.try_join_next().is_some() {}
    }
}

/// How much of a journal was copied: its file and length, to tell cheaply whether there is more.
#[derive(Default)]
pub(super) struct Copied {
    path: PathBuf,
    len: u64,
    /// Whether the last look brought something.
    fresh: bool,
}

/// Copies what a journal has gained. Events that are there already stay as they are.
pub(super) fn copy(store: &dyn Store, row: &SessionRow, known: Copied) -> Result<Copied, StoreError> {
    let path = SessionDir::new(&row.session_dir).journal();
    let len = fs::metadata(&path).map_or(0, |meta| meta.len());
    if known.path == path && known.len == len {
        return Ok(Copied { fresh: false, ..known });
    }
    let mut fresh = false;
    loop {
        let after = store.last_position(row.spec.id)?;
        let events = journal::read(&path, after, BATCH).unwrap_or_default();
        if events.is_empty() {
            return Ok(Copied { path, len, fresh });
        }
        fault::point("steward.read");
        let copied = store.ingest(&events, None)?;
        fault::point("steward.copied");
        if copied == 0 {
            return Ok(Copied { path, len, fresh });
        }
        fresh = true;
    }
}

/// Stays connected to a holder; when it is gone, closes the session's records.
async fn guard(engine: Arc<Engine>, row: SessionRow, wake: mpsc::Sender<()>) {
    if let Ok((client, mut pushes)) = HolderClient::connect(&row.socket, ANSWERS_WITHIN).await {
        while pushes.recv().await.is_some() {}
        drop(client);
    }
    let closed: Result<_, OpError> = async {
        // Copied while it still counts as live.
        let (store, ended) = (engine.store.clone(), row.clone());
        if engine.closed(&row).await?.is_none() {
            engine.observe(&row, ANSWERS_WITHIN).await?;
        }
        let _ = tokio::task::spawn_blocking(move || copy(store.as_ref(), &ended, Copied::default())).await;
        changes::tell(&engine.paths.outbox_mark);
        Ok(())
    }
    .await;
    if let Err(error) = closed {
        tracing::warn!(%error, session = %row.spec.id, "a vanished session could not be closed");
    }
    let _ = wake.try_send(());
}
