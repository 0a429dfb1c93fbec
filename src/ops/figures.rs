//! The figures of one session and of all, for doors that sum them up in their own ways.

use super::{Aegis, Caller, SessionMetrics, SessionRef, stats};
use crate::domain::{ApiKey, OpError, Session, SessionStats, Timestamp};
use crate::engine;

pub use crate::engine::SessionFigures;

/// All sessions with their figures.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Newest first.
    pub sessions: Vec<SessionFigures>,
    /// Whether some are missing, so that sums are too low.
    pub partial: bool,
}

impl Figures {
    /// What each session has used, in the same order.
    #[must_use]
    pub fn metrics(&self) -> Vec<SessionMetrics> {
        let now = Timestamp::now();
        self.sessions.iter().map(|one| stats::metrics(&one.session, &one.stats, now)).collect()
    }
}

impl Aegis {
    /// Tells the figures of all live sessions and of the latest 2000 ended ones.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn get_figures(&self, caller: &Caller) -> Result<Figures, OpError> {
        let engine::Figures { sessions, partial } = self.engine.figures(caller.confined()).await?;
        Ok(Figures { sessions, partial })
    }

    /// Tells the keys whose sessions the caller's figures may be of, oldest first: all, or its own alone.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn figured_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>, OpError> {
        let mut keys = self.engine.keys().await?;
        keys.retain(|key| caller.confined().is_none_or(|own| own == key.id));
        Ok(keys)
    }

    /// Tells one session's figures as they are counted, also after it ended.
    ///
    /// # Errors
    ///
    /// As [`Aegis::get_session_metrics`].
    pub async fn get_session_stats(
        &self,
        caller: &Caller,
        req: SessionRef,
    ) -> Result<(Session, SessionStats), OpError> {
        self.engine.stats(&self.seen(caller, &req.session_id).await?).await
    }
}
