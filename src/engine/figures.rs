//! The figures of all sessions, for sums over them.
//!
//! Those of an ended session change no more and are read once. A session whose figures cannot be had is told with none,
//! and the whole as partial.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;

use super::Engine;
use super::find::owned;
use super::link::LISTED_WITHIN;
use crate::domain::{ErrorCode, OpError, Session, SessionId, SessionStats};
use crate::store::SessionRow;
use crate::wire::Request;

/// How many ended sessions are counted, newest first: some months of daily use, and a few megabytes.
const MOST_ENDED: usize = 2000;

/// How many files of ended sessions are read at once.
const AT_ONCE: usize = 8;

/// What was read of ended sessions.
pub(super) type Past = HashMap<SessionId, Arc<SessionStats>>;

/// One session with its figures.
#[derive(Clone, Debug)]
pub struct SessionFigures {
    /// The session.
    pub session: Session,
    /// Its figures, without names of files and commands.
    pub stats: Arc<SessionStats>,
}

/// All sessions with their figures.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Newest first.
    pub sessions: Vec<SessionFigures>,
    /// Whether some are missing, so that sums are too low.
    pub partial: bool,
}

impl Engine {
    /// Gives the figures of all live sessions and of the latest 2000 ended ones.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn figures(&self, key: Option<&str>) -> Result<Figures, OpError> {
        let mut rows = self.db(|store| store.live_sessions()).await?;
        rows.retain(|row| owned(&row.spec, key));
        let live = join_all(rows.iter().map(|row| self.live_figures(row))).await;
        let mut partial = false;
        let mut sessions = Vec::new();
        for found in live {
            let (session, stats) = found?;
            partial |= stats.is_none();
            sessions.push(SessionFigures { session, stats: stats.unwrap_or_default() });
        }
        let ended = self.db(|store| store.ended_sessions(None, None, MOST_ENDED + 1)).await?;
        partial |= ended.len() > MOST_ENDED;
        let told: HashSet<SessionId> = sessions.iter().map(|one| one.session.id).collect();
        let ended: Vec<_> = ended
            .into_iter()
            .take(MOST_ENDED)
            .filter(|row| !told.contains(&row.spec.id) && owned(&row.spec, key))
            .filter_map(|mut row| Some((row.ended.take()?, row)))
            .collect();
        for some in ended.chunks(AT_ONCE) {
            let read = join_all(some.iter().map(|(_, row)| self.past_figures(row))).await;
            for ((session, _), stats) in some.iter().zip(read) {
                partial |= stats.is_none();
                sessions.push(SessionFigures { session: session.clone(), stats: stats.unwrap_or_default() });
            }
        }
        partial |= sessions.iter().any(|one| one.stats.events.partial);
        sessions.sort_by_key(|one| std::cmp::Reverse((one.session.created_at, one.session.id)));
        Ok(Figures { sessions, partial })
    }

    async fn live_figures(&self, row: &SessionRow) -> Result<(Session, Option<Arc<SessionStats>>), OpError> {
        let session = self.listed(row).await?;
        let stats = match self.ask::<SessionStats>(row, Request::Stats, LISTED_WITHIN).await {
            Ok(stats) => Some(Arc::new(slim(stats))),
            Err(error) if error.code == ErrorCode::SessionEnded => self.past_figures(row).await,
            Err(_) => None,
        };
        Ok((session, stats))
    }

    async fn past_figures(&self, row: &SessionRow) -> Option<Arc<SessionStats>> {
        let id = row.spec.id;
        let known = self.past_figures.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if known.is_some() {
            return known;
        }
        let stats = Arc::new(slim(self.past_stats(row.clone()).await.ok()?));
        let mut past = self.past_figures.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() >= 2 * MOST_ENDED {
            past.clear();
        }
        past.insert(id, stats.clone());
        Some(stats)
    }
}

/// Leaves out what sums need not.
fn slim(mut stats: SessionStats) -> SessionStats {
    stats.talk.files.clear();
    stats.talk.commands.clear();
    stats.events.status_history.clear();
    stats
}
