//! Creating a session once for each idempotency key.
//!
//! The key is claimed in the store for an id before anything else is done under it. Whoever works on that keeps a lock
//! on a file in the session's directory, which frees itself when its process dies: so a later call with the same key
//! can tell a first call that is slow from one that will never end.

use std::time::Duration;

use super::link::{Observed, outline};
use super::{Created, Engine, NewSession};
use crate::domain::{ErrorCode, OpError, SessionId, StatusWord, Timestamp};
use crate::holder::SessionDir;
use crate::holder::client::ANSWERS_WITHIN;
use crate::store::{KeyClaim, SessionRow};

/// How long a second call with the same key waits for the first one's session.
const FIRST_CALL: Duration = Duration::from_secs(20);

/// What became of the first call with a key.
enum First {
    /// There is its session.
    Created(Box<Created>),
    /// Its process is gone, and nothing of its session ever ran.
    Abandoned,
}

impl Engine {
    /// Creates a session under a key, or gives the one that was created under it.
    pub(super) async fn create_under(
        &self,
        key: &str,
        fingerprint: String,
        new: &NewSession,
    ) -> Result<Created, OpError> {
        let id = SessionId::mint();
        let dir = SessionDir::new(self.paths.session_dir(id));
        let storage = |error: std::io::Error| {
            OpError::new(ErrorCode::StorageFailed, format!("the session's directory cannot be made: {error}"))
        };
        dir.create().map_err(storage)?;
        let working = dir.lock_creation().map_err(storage)?;
        let result = self.create_claimed(key, fingerprint, id, new).await;
        // Ours is only what was launched with this id.
        if !result.as_ref().is_ok_and(|created| created.session.id == id)
            && self.db(move |store| store.session(id)).await.is_ok_and(|row| row.is_none())
        {
            let _ = dir.remove();
        }
        drop(working);
        result
    }

    async fn create_claimed(
        &self,
        key: &str,
        fingerprint: String,
        id: SessionId,
        new: &NewSession,
    ) -> Result<Created, OpError> {
        loop {
            let claim = {
                let (key, fingerprint) = (key.to_owned(), fingerprint.clone());
                self.db(move |store| store.claim_key(&key, &fingerprint, id, Timestamp::now())).await?
            };
            let KeyClaim::Taken { id: first, fingerprint: of } = claim else { break };
            if of != fingerprint {
                let what = "the idempotencyKey was used for another session";
                return Err(OpError::new(ErrorCode::KeyReused, what));
            }
            match self.created_before(first, key).await? {
                First::Created(created) => return Ok(*created),
                First::Abandoned => {}
            }
            // One of those who found it abandoned goes on; the others wait for that one.
            let moved = key.to_owned();
            if self.db(move |store| store.move_key(&moved, first, id)).await? == Some(id) {
                break;
            }
        }
        let created = self.create_once(id, new).await;
        let key = key.to_owned();
        match &created {
            // An idle one was taken.
            Ok(created) if created.session.id != id => {
                let taken = created.session.id;
                self.db(move |store| store.move_key(&key, id, taken)).await?;
            }
            Ok(_) => {}
            // Nothing came of it, so the key may be used again.
            Err(_) => self.db(move |store| store.release_key(&key)).await?,
        }
        created
    }

    /// Gives the session that was created under a key, if one was, and sees to it that none will be any more.
    pub(super) async fn seal(&self, key: &str) -> Result<Option<SessionId>, OpError> {
        let (sealed, id) = (key.to_owned(), SessionId::mint());
        let claim = self.db(move |store| store.claim_key(&sealed, "sealed", id, Timestamp::now())).await?;
        let KeyClaim::Taken { id: first, .. } = claim else { return Ok(None) };
        Ok(match self.created_before(first, key).await? {
            First::Created(created) => Some(created.session.id),
            First::Abandoned => None,
        })
    }

    /// The session that an earlier call with the same key created, or is creating.
    async fn created_before(&self, id: SessionId, key: &str) -> Result<First, OpError> {
        let until = tokio::time::Instant::now() + FIRST_CALL;
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            let row = self.db(move |store| store.session(id)).await?;
            if self.is_abandoned(id, row.as_ref()).await? {
                return Ok(First::Abandoned);
            }
            if let Some(row) = row {
                let observed = self.observe(&row, ANSWERS_WITHIN).await?;
                let (session, receipts) = match observed {
                    Observed::Live(snapshot) => (Some(snapshot.session), snapshot.receipts),
                    Observed::Ended(session) => (Some(*session), Vec::new()),
                    Observed::Silent => (Some(outline(&row, StatusWord::Unknown)), Vec::new()),
                    Observed::Launching => (None, Vec::new()),
                };
                if let Some(session) = session {
                    let receipt = receipts.into_iter().find(|r| r.idempotency_key.as_deref() == Some(key));
                    return Ok(First::Created(Box::new(Created { session, reused: false, receipt })));
                }
            }
            if tokio::time::Instant::now() >= until {
                return Err(unfinished());
            }
        }
    }

    /// Whether nobody works on the session any more, and no holder ever began it. What is left of it is removed then,
    /// unless its end was told already.
    async fn is_abandoned(&self, id: SessionId, row: Option<&SessionRow>) -> Result<bool, OpError> {
        let dir = SessionDir::new(self.paths.session_dir(id));
        if dir.pid().exists() || dir.creation_is_going_on() {
            return Ok(false);
        }
        let Some(row) = row else {
            let _ = dir.remove();
            return Ok(true);
        };
        if row.ended.is_some() {
            return Ok(true);
        }
        // A holder that is just starting takes this lock first; one that comes later finds it taken, and ends.
        let Ok(Some(_lock)) = dir.try_lock() else { return Ok(false) };
        if dir.pid().exists() {
            return Ok(false);
        }
        self.db(move |store| store.delete_session(id)).await?;
        let _ = dir.remove();
        Ok(true)
    }
}

fn unfinished() -> OpError {
    OpError::new(ErrorCode::LaunchFailed, "the first call with this key has not finished")
        .hint("call again with the same key")
}
