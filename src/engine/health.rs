//! What this server and what it stands on are like.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::sync::atomic::Ordering;

use super::{Engine, EngineHealth, ListQuery, steward};

impl Engine {
    /// Tells how the server and what it stands on are; what is wrong is told in the answer.
    pub async fn health(&self) -> EngineHealth {
        let store_ok = self.db(|store| store.check()).await.is_ok();
        let listed = self.list(ListQuery { limit: usize::MAX - 1, ..ListQuery::default() }).await;
        let mut sessions = BTreeMap::new();
        for session in listed.map(|(sessions, _)| sessions).unwrap_or_default() {
            *sessions.entry(session.status.as_str().to_owned()).or_insert(0) += 1;
        }
        EngineHealth {
            uptime: self.started.elapsed(),
            sessions,
            claude: self.program().await,
            steward_here: self.steward_here(),
            store_ok,
            state_dir: self.paths.state_dir.display().to_string(),
        }
    }

    /// Tells whether the steward runs here; `None` when nowhere.
    #[must_use]
    pub fn steward_here(&self) -> Option<bool> {
        match self.steward.load(Ordering::Acquire) {
            steward::HERE => Some(true),
            _ => self.steward_elsewhere().then_some(false),
        }
    }

    fn steward_elsewhere(&self) -> bool {
        let Ok(file) = File::open(&self.paths.steward_lock) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}
