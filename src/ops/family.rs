//! Sessions that come from other sessions.

use super::{Aegis, Caller, CreateSession, SessionCreated, SessionRef};
use crate::access::Permission;
use crate::domain::{ErrorCode, OpError, PermissionMode, Session, SessionId};
use crate::engine::Fork;

/// Starts a session below another.
#[derive(Clone, Debug, Default)]
pub struct SpawnSession {
    /// The parent: id, prefix or name.
    pub session_id: String,
    /// Its name; the parent's with `-child` behind it, if that is free.
    pub name: Option<String>,
    /// The first prompt.
    pub prompt: Option<String>,
    /// The directory; the parent's unless given.
    pub work_dir: Option<String>,
    /// The permission mode; the parent's unless given.
    pub permission_mode: Option<PermissionMode>,
    /// The model; the parent's unless given.
    pub model: Option<String>,
    /// The same key gives the same session.
    pub idempotency_key: Option<String>,
}

/// Copies a session.
#[derive(Clone, Debug, Default)]
pub struct ForkSession {
    /// The one to copy: id, prefix or name.
    pub session_id: String,
    /// The copy's name.
    pub name: Option<String>,
    /// The copy's first prompt.
    pub prompt: Option<String>,
    /// The same key gives the same session.
    pub idempotency_key: Option<String>,
}

impl Aegis {
    /// Starts a session as if from inside of another, whose directory, model and permission mode it has where the
    /// request names none.
    ///
    /// # Errors
    ///
    /// Those of [`Aegis::create_session`], `no_such_session`.
    pub async fn spawn_session(&self, caller: &Caller, req: SpawnSession) -> Result<SessionCreated, OpError> {
        let parent = self.get_status(caller, SessionRef { session_id: req.session_id }).await?.session;
        let usual = req.name.is_none().then(|| format!("{}-child", parent.name));
        let inside = Caller { inside: Some(parent.id), ..caller.clone() };
        let create = CreateSession {
            work_dir: req.work_dir.unwrap_or(parent.work_dir),
            name: req.name.or_else(|| usual.clone()),
            prompt: req.prompt,
            permission_mode: req.permission_mode.or(Some(parent.permission_mode)),
            model: req.model.or(parent.model),
            reuse: Some(false),
            idempotency_key: req.idempotency_key,
            ..CreateSession::default()
        };
        match self.create_session(&inside, create.clone()).await {
            // Its name was nobody's wish.
            Err(error) if usual.is_some() && error.code == ErrorCode::NameTaken => {
                self.create_session(&inside, CreateSession { name: None, ..create }).await
            }
            created => created,
        }
    }

    /// Copies a session with its conversation up to now; both go on by themselves.
    ///
    /// # Errors
    ///
    /// Those of [`Aegis::create_session`], `no_such_session`.
    pub async fn fork_session(
        &self,
        caller: &Caller,
        req: ForkSession,
    ) -> Result<(SessionId, SessionCreated), OpError> {
        let act = self.begin(caller, "fork_session", Permission::Create).await?;
        let done = async {
            let id = act.on(self.engine.resolve_seen(&req.session_id, caller.confined()).await?);
            let fork = Fork {
                name: req.name,
                prompt: req.prompt,
                idempotency_key: req.idempotency_key,
                by: caller.surface.clone(),
                owner_key: caller.owner_key(),
            };
            Ok((id, self.engine.fork(&id.to_string(), fork).await?))
        };
        let done = done.await;
        let (id, created) = act.end(done).await?;
        let session = created.session;
        Ok((id, SessionCreated { session, reused: created.reused, receipt: created.receipt }))
    }

    /// Tells the sessions that were created from inside of this one, newest first; ended ones too.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `storage_failed`.
    pub async fn list_children(&self, caller: &Caller, req: SessionRef) -> Result<Vec<Session>, OpError> {
        self.engine.children(&self.seen(caller, &req.session_id).await?, caller.confined()).await
    }
}
