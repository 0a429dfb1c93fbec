//! Which sessions live, told as they come and go.
//!
//! A holder makes its socket when it starts and removes it when it ends, so a watch on the sockets' directory tells
//! when to look into the store. While nobody comes or goes nothing is done. All readers of an engine share one watch,
//! which ends with the last of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use notify::RecursiveMode;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::find::owned;
use super::link::launching;
use super::{Engine, fs_watch};
use crate::domain::{ErrorCode, OpError, SessionId};
use crate::store::SessionRow;

/// How long changes are gathered before the store is read: a batch of sessions comes as one.
const GATHER: Duration = Duration::from_millis(20);

/// A task that ends when nobody holds this any more, and what it tells through.
pub(super) struct Running<T> {
    pub(super) outlet: T,
    task: AbortHandle,
}

impl<T> Running<T> {
    pub(super) fn new(outlet: T, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { outlet, task: tokio::spawn(task).abort_handle() }
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The place of a task that is started for its first reader.
pub(super) struct Shared<T>(Mutex<Weak<Running<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(Weak::new()))
    }
}

impl<T> Shared<T> {
    /// Takes the task that runs, or starts it.
    pub(super) fn take(
        &self,
        start: impl FnOnce() -> Result<Running<T>, OpError>,
    ) -> Result<Arc<Running<T>>, OpError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = known.upgrade() {
            return Ok(running);
        }
        let running = Arc::new(start()?);
        *known = Arc::downgrade(&running);
        Ok(running)
    }
}

pub(super) type Rows = Arc<Vec<SessionRow>>;

/// The live sessions, and a word whenever one comes or goes.
pub struct Roster {
    rows: watch::Receiver<Option<Rows>>,
    /// Only those of this key.
    owner_key: Option<String>,
    _running: Arc<Running<watch::Sender<Option<Rows>>>>,
}

impl Roster {
    /// The sessions that live.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<SessionId> {
        let rows = self.rows();
        rows.iter().filter(|row| owned(&row.spec, self.owner_key.as_deref())).map(|row| row.spec.id).collect()
    }

    /// Tells only of sessions that belong to a key.
    #[must_use]
    pub fn of_key(self, key: Option<String>) -> Self {
        Self { owner_key: key, ..self }
    }

    pub(super) fn rows(&self) -> Rows {
        self.rows.borrow().clone().unwrap_or_default()
    }

    /// Waits until a session has come or gone since this was last asked, or since the roster was taken.
    pub async fn changed(&mut self) {
        if self.rows.changed().await.is_err() {
            // The task holds the other end for as long as this reader lives, unless it failed.
            std::future::pending::<()>().await;
        }
    }
}

impl Engine {
    /// Tells which sessions live, and when one comes or goes.
    ///
    /// # Errors
    ///
    /// `internal` where the system refuses to watch a directory, `storage_failed`.
    pub async fn roster(self: &Arc<Self>) -> Result<Roster, OpError> {
        let running = self.roster.take(|| {
            let (tell, _) = watch::channel(None);
            let (wake, woken) = mpsc::channel(1);
            let watcher = watch_sockets(self, wake)?;
            let keep = keep(self.clone(), tell.clone(), woken, watcher);
            Ok(Running::new(tell, keep))
        })?;
        let mut rows = running.outlet.subscribe();
        if rows.wait_for(Option::is_some).await.is_err() {
            return Err(OpError::new(ErrorCode::Internal, "the live sessions cannot be watched"));
        }
        Ok(Roster { rows, owner_key: None, _running: running })
    }

    /// The sessions whose holders live. One that is found dead is closed on the way.
    async fn living(&self) -> Result<Vec<SessionRow>, OpError> {
        let rows = self.db(|store| store.live_sessions()).await?;
        let kept = join_all(rows.into_iter().map(|row| async move {
            if row.socket.exists() {
                return Some(row);
            }
            // Its socket comes yet, or is gone because it ended; one that lost its socket keeps its lock.
            let gone = launching(&row) || matches!(self.closed(&row).await, Ok(Some(_)));
            (!gone).then_some(row)
        }));
        Ok(kept.await.into_iter().flatten().collect())
    }
}

fn watch_sockets(engine: &Engine, wake: mpsc::Sender<()>) -> Result<fs_watch::Watch, OpError> {
    let failed = |error: notify::Error| {
        OpError::new(ErrorCode::Internal, format!("the sessions' sockets cannot be watched: {error}"))
    };
    fs_watch::watch(&engine.paths.socket_dir, RecursiveMode::NonRecursive, move || {
        // One waiting word is enough.
        let _ = wake.try_send(());
    })
    .map_err(failed)
}

async fn keep(
    engine: Arc<Engine>,
    tell: watch::Sender<Option<Rows>>,
    mut woken: mpsc::Receiver<()>,
    _watcher: fs_watch::Watch,
) {
    let ids = |rows: &[SessionRow]| rows.iter().map(|row| row.spec.id).collect::<BTreeSet<_>>();
    loop {
        match engine.living().await {
            Ok(rows) => {
                tell.send_if_modified(|known| {
                    let same = known.as_ref().is_some_and(|known| ids(known) == ids(&rows));
                    if !same {
                        *known = Some(Arc::new(rows));
                    }
                    !same
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the live sessions could not be read");
                // Whoever waits for the first word goes on without.
                tell.send_if_modified(|known| known.is_none() && known.insert(Rows::default()).is_empty());
            }
        }
        if woken.recv().await.is_none() {
            return;
        }
        tokio::time::sleep(GATHER).await;
        let _ = woken.try_recv();
    }
}
