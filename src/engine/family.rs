//! Sessions that come from other sessions: those created from inside of one, and copies of one.

use futures_util::future::join_all;

use super::find::owned;
use super::{Created, Engine, NewSession};
use crate::domain::{ErrorCode, OpError, Session, SessionId};
use crate::store::SessionRow;

/// How many ended sessions are looked through for children, newest first.
const MOST_ENDED: usize = 5000;

/// What a copy of a session is to be.
#[derive(Clone, Debug, Default)]
pub struct Fork {
    /// A name.
    pub name: Option<String>,
    /// Its first prompt.
    pub prompt: Option<String>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Which surface asks.
    pub by: String,
    /// The key that it is to belong to.
    pub owner_key: Option<String>,
}

impl Engine {
    /// Tells the sessions that were created from inside of this one, newest first; ended ones too.
    ///
    /// # Errors
    ///
    /// As for every call that names a session.
    pub async fn children(&self, reference: &str, key: Option<&str>) -> Result<Vec<Session>, OpError> {
        let id = self.row(reference).await?.spec.id;
        let child = |row: &SessionRow| row.spec.parent_id == Some(id) && owned(&row.spec, key);
        let live = self.db(|store| store.live_sessions()).await?;
        let live: Vec<_> = live.into_iter().filter(child).collect();
        let told: Result<Vec<Session>, OpError> =
            join_all(live.iter().map(|row| self.listed(row))).await.into_iter().collect();
        let mut children = told?;
        let ended = self.db(|store| store.ended_sessions(None, None, MOST_ENDED)).await?;
        let ended = ended.into_iter().filter(child).filter_map(|row| row.ended);
        let known: Vec<SessionId> = children.iter().map(|session| session.id).collect();
        children.extend(ended.filter(|session| !known.contains(&session.id)));
        children.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        Ok(children)
    }

    /// Copies a session: its conversation up to now, its directory, model, permission mode, rules and further
    /// directories. Not its environment, whose values are kept nowhere. One that has no conversation yet is copied
    /// without.
    ///
    /// # Errors
    ///
    /// Those of `create_session`.
    pub async fn fork(&self, reference: &str, fork: Fork) -> Result<Created, OpError> {
        let row = self.row(reference).await?;
        let now = self.listed(&row).await?;
        let rules = self.policy(&row.spec.id.to_string()).await?;
        let spec = row.spec;
        let resume = match self.conversation(&spec.id.to_string()).await {
            Ok(_) => Some(spec.id.to_string()),
            Err(error) if error.code == ErrorCode::NoSuchConversation => None,
            Err(error) => return Err(error),
        };
        let new = NewSession {
            work_dir: spec.work_dir.display().to_string(),
            name: fork.name,
            prompt: fork.prompt,
            permission_mode: Some(now.permission_mode),
            model: spec.model,
            fork: resume.is_some(),
            resume,
            append_system_prompt: spec.append_system_prompt,
            add_dirs: spec.add_dirs.iter().map(|dir| dir.display().to_string()).collect(),
            policy: rules,
            stall_threshold_ms: Some(spec.stall_threshold_ms),
            reuse: false,
            idempotency_key: fork.idempotency_key,
            owner_key: fork.owner_key,
            by: fork.by,
            parent: spec.parent_id,
            ..NewSession::default()
        };
        self.create(new).await
    }
}
