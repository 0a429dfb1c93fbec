//! Finding sessions: by what a caller calls them, in lists, and by descent.

use std::path::PathBuf;
use std::str::FromStr;

use futures_util::future::join_all;

use super::link::{Observed, outline};
use super::{Detail, Engine, ListQuery};
use crate::domain::{ErrorCode, OpError, Session, SessionId, SessionSpec, StatusWord, Timestamp};
use crate::holder::client::ANSWERS_WITHIN;
use crate::store::{MIN_PREFIX, SessionRow};

/// How deep sessions may be created inside each other before the search for ancestors gives up.
const DEEPEST: usize = 64;

/// Whether a session belongs to the key, or everybody is meant.
pub(super) fn owned(spec: &SessionSpec, key: Option<&str>) -> bool {
    key.is_none_or(|key| spec.owner_key.as_deref() == Some(key))
}

impl Engine {
    /// Finds the one session that is meant.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `storage_failed`.
    pub(super) async fn row(&self, reference: &str) -> Result<SessionRow, OpError> {
        self.row_seen(reference, None).await
    }

    /// Finds the one session of a key's that is meant. That somebody else's has an id is told, for whoever knows the
    /// whole of it; of names and prefixes nothing is.
    async fn row_seen(&self, reference: &str, key: Option<&str>) -> Result<SessionRow, OpError> {
        let wanted = reference.trim().to_owned();
        let asked = wanted.clone();
        let mut rows = self.db(move |store| store.find_sessions(&asked)).await?;
        if rows.iter().any(|row| row.spec.id.to_string() == wanted && !owned(&row.spec, key)) {
            return Err(OpError::new(ErrorCode::Forbidden, "You do not own this session")
                .hint("use the key that created it, or an admin's"));
        }
        rows.retain(|row| owned(&row.spec, key));
        // A live session is meant before ended ones of the same name; an exact match before a prefix.
        let live = rows.iter().filter(|row| row.ended.is_none()).count();
        let exact = rows.iter().position(|row| row.spec.id.to_string() == wanted);
        match (exact, rows.len(), live) {
            (Some(at), ..) => Ok(rows.swap_remove(at)),
            (None, 0, _) => {
                let mut error = OpError::new(ErrorCode::NoSuchSession, format!("no session `{wanted}`"));
                if wanted.len() < MIN_PREFIX {
                    error = error.hint("give the id, at least 6 characters of it, or the exact name");
                }
                Err(error)
            }
            (None, 1, _) | (None, _, 1) => Ok(rows.swap_remove(0)),
            // Only ended ones share this name: the newest is meant.
            (None, _, 0) if rows.iter().all(|row| row.spec.name == wanted) => Ok(rows.swap_remove(0)),
            (None, count, _) => {
                let found: Vec<_> =
                    rows.iter().map(|row| format!("{} ({})", row.spec.id, row.spec.name)).collect();
                let what = format!("`{wanted}` fits {count} sessions");
                Err(OpError::new(ErrorCode::AmbiguousSession, what).details(Some(found.into())))
            }
        }
    }

    /// Finds a session's id.
    ///
    /// # Errors
    ///
    /// As for every call that names a session.
    pub async fn resolve(&self, reference: &str) -> Result<SessionId, OpError> {
        Ok(self.row(reference).await?.spec.id)
    }

    /// Finds the id of a session that belongs to a key; without one, of any.
    ///
    /// # Errors
    ///
    /// As for every call that names a session, and `forbidden`.
    pub async fn resolve_seen(&self, reference: &str, key: Option<&str>) -> Result<SessionId, OpError> {
        Ok(self.row_seen(reference, key).await?.spec.id)
    }

    /// Finds a session by its id.
    pub(super) async fn row_of(&self, id: SessionId) -> Result<SessionRow, OpError> {
        let row = self.db(move |store| store.session(id)).await?;
        row.ok_or_else(|| OpError::new(ErrorCode::NoSuchSession, format!("no session {id}")))
    }

    /// The session and its ancestors, nearest first.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn lineage(&self, id: SessionId) -> Result<Vec<SessionId>, OpError> {
        let mut line = vec![id];
        while let Some(last) = line.last().copied() {
            let row = self.db(move |store| store.session(last)).await?;
            match row.and_then(|row| row.spec.parent_id) {
                Some(parent) if !line.contains(&parent) && line.len() < DEEPEST => line.push(parent),
                _ => break,
            }
        }
        Ok(line)
    }

    /// Lists sessions, newest first.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor, `storage_failed`.
    pub async fn list(&self, query: ListQuery) -> Result<(Vec<Session>, Option<String>), OpError> {
        let before = query.cursor.as_deref().map(read_cursor).transpose()?;
        let dir = query
            .work_dir
            .as_ref()
            .map(|dir| std::fs::canonicalize(dir).unwrap_or_else(|_| PathBuf::from(dir)));
        let older =
            |row: &SessionRow| before.is_none_or(|before| (row.spec.created_at, row.spec.id) < before);
        let here = |row: &SessionRow| dir.as_ref().is_none_or(|dir| row.spec.work_dir == *dir);
        let mut live = self.db(|store| store.live_sessions()).await?;
        live.retain(|row| owned(&row.spec, query.owner_key.as_deref()));
        let told = join_all(live.iter().map(|row| self.listed(row))).await;
        let mut sessions: Vec<Session> = Vec::new();
        for (row, session) in live.iter().zip(told) {
            let session = session?;
            let wanted = match query.status {
                Some(status) => session.status == status,
                None => session.status != StatusWord::Ended,
            };
            // Those found ended just now are in the store as such, and are read there.
            if wanted && session.status != StatusWord::Ended && older(row) && here(row) {
                sessions.push(session);
            }
        }
        if query.status == Some(StatusWord::Ended) {
            sessions.extend(self.ended(&query, before, dir.clone()).await?);
        }
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        let more = sessions.len() > query.limit;
        sessions.truncate(query.limit);
        let next =
            sessions.last().filter(|_| more).map(|last| format!("{}_{}", last.created_at.millis(), last.id));
        Ok((sessions, next))
    }

    /// Ended sessions, one more than a page has.
    async fn ended(
        &self,
        query: &ListQuery,
        mut before: Option<(Timestamp, SessionId)>,
        dir: Option<PathBuf>,
    ) -> Result<Vec<Session>, OpError> {
        let limit = query.limit + 1;
        let mut found = Vec::new();
        loop {
            let place = dir.clone();
            let rows = self.db(move |store| store.ended_sessions(before, place.as_deref(), limit)).await?;
            let last =
                rows.last().map(|row| (row.spec.created_at, row.spec.id)).filter(|_| rows.len() == limit);
            let own = rows.into_iter().filter(|row| owned(&row.spec, query.owner_key.as_deref()));
            found.extend(own.filter_map(|row| row.ended));
            // Others' may fill whole pages of the store.
            match last {
                Some(last) if found.len() < limit => before = Some(last),
                _ => return Ok(found),
            }
        }
    }

    /// Tells all that is known about a session.
    ///
    /// # Errors
    ///
    /// As for every call that names a session.
    pub async fn detail(&self, reference: &str) -> Result<Detail, OpError> {
        let row = self.row(reference).await?;
        let observed = self.observe(&row, ANSWERS_WITHIN).await?;
        let reachable = matches!(observed, Observed::Live(_));
        let (session, snapshot) = match observed {
            Observed::Live(snapshot) => (snapshot.session.clone(), Some(*snapshot)),
            Observed::Ended(session) => (*session, self.last_snapshot(&row)),
            Observed::Silent => (outline(&row, StatusWord::Unknown), None),
            Observed::Launching => (outline(&row, StatusWord::Starting), None),
        };
        let holder_pid = if session.status == StatusWord::Ended { None } else { row.holder_pid };
        Ok(Detail { session, reachable, snapshot, holder_pid })
    }
}

/// Reads where a page ended: a time and an id.
pub(super) fn read_cursor<Id: FromStr>(text: &str) -> Result<(Timestamp, Id), OpError> {
    let parsed = text
        .split_once('_')
        .and_then(|(at, id)| Some((Timestamp::from_millis(at.parse().ok()?)?, id.parse().ok()?)));
    parsed.ok_or_else(|| {
        OpError::new(ErrorCode::InvalidArgument, "the cursor cannot be read")
            .hint("pass the nextCursor of the page before, unchanged")
    })
}
