//! A session's figures: from its holder while it lives, from what it left afterwards.

use std::fs;
use std::io;

use super::Engine;
use super::link::{Observed, outline};
use crate::domain::{ErrorCode, OpError, Session, SessionStats, StatusWord};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{SessionDir, journal, recount};
use crate::store::SessionRow;
use crate::wire::Request;

/// How many events of a killed session are asked of the store at most: ten times what its journal could hold.
const MOST_EVENTS: usize = 1_000_000;

impl Engine {
    /// Tells a session's figures.
    ///
    /// # Errors
    ///
    /// As for every call that names a session; `unsupported` from a holder that is older than them;
    /// `holder_unreachable`; `storage_failed`.
    pub async fn stats(&self, reference: &str) -> Result<(Session, SessionStats), OpError> {
        let row = self.row(reference).await?;
        if row.ended.is_none() {
            match self.ask(&row, Request::Stats, ANSWERS_WITHIN).await {
                Ok(stats) => return Ok((self.tell(&row).await?, stats)),
                Err(error) if error.code == ErrorCode::SessionEnded => {}
                Err(error) => return Err(error),
            }
        }
        let session = match self.observe(&self.row_of(row.spec.id).await?, ANSWERS_WITHIN).await? {
            Observed::Live(snapshot) => snapshot.session,
            Observed::Ended(session) => *session,
            Observed::Silent => outline(&row, StatusWord::Unknown),
            Observed::Launching => outline(&row, StatusWord::Starting),
        };
        Ok((session, self.past_stats(row).await?))
    }

    /// The figures that an ended session's holder wrote down, else what its files tell.
    pub(super) async fn past_stats(&self, row: SessionRow) -> Result<SessionStats, OpError> {
        let dir = SessionDir::new(&row.session_dir);
        if let Some(stats) = fs::read(dir.stats()).ok().and_then(|json| serde_json::from_slice(&json).ok()) {
            return Ok(stats);
        }
        let id = row.spec.id;
        // What the journal has rotated away the steward has copied into the store.
        let first = journal::read(&dir.journal(), None, 1).unwrap_or_default();
        let earlier = match first.first() {
            Some(first) if first.seq > 1 => self.db(move |store| store.events(id, None, MOST_EVENTS)).await?,
            Some(_) | None => Vec::new(),
        };
        let counted = tokio::task::spawn_blocking(move || recount(&dir, row.spec.created_at, &earlier));
        counted.await.map_err(io::Error::other).and_then(|counted| counted).map_err(|error| {
            OpError::new(ErrorCode::StorageFailed, format!("the figures cannot be counted: {error}"))
        })
    }
}
