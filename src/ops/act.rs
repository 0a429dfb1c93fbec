//! Who may, and what is written down of it: around every operation that changes something.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Aegis, Caller};
use crate::access::audit::{AuditLog, Deed};
use crate::access::{Identity, Needs, Permission};
use crate::domain::{ErrorCode, OpError, SessionId};

impl Caller {
    /// This machine's user, through a surface.
    #[must_use]
    pub fn local(surface: impl Into<String>) -> Self {
        Self { surface: surface.into(), inside: None, key: None }
    }

    /// Whom a token or key stands for, through a surface: a key's name stands behind the surface's.
    #[must_use]
    pub fn keyed(surface: &str, key: Arc<Identity>) -> Self {
        let surface = match &key.name {
            Some(name) => format!("{surface}:{name}"),
            None => surface.to_owned(),
        };
        Self { surface, inside: None, key: Some(key) }
    }

    /// The key whose sessions alone the caller sees; none for those who see all.
    #[must_use]
    pub fn confined(&self) -> Option<&str> {
        self.key.as_ref().and_then(|key| key.confined())
    }

    /// What sessions and pipelines of this caller belong to: an API key, whatever its role.
    pub(super) fn owner_key(&self) -> Option<String> {
        self.key.as_ref()?.key.clone().filter(|key| key != Identity::MASTER)
    }

    /// Refuses what the caller may not do.
    ///
    /// # Errors
    ///
    /// `forbidden`.
    pub(super) fn may(&self, needs: Needs) -> Result<(), OpError> {
        if self.key.as_ref().is_none_or(|key| key.may(needs)) {
            return Ok(());
        }
        let what = match needs {
            Needs::Permission(permission) => format!("Forbidden: missing {} permission", permission.as_str()),
            _ => "Forbidden: insufficient role".into(),
        };
        Err(OpError::new(ErrorCode::Forbidden, what))
    }

    /// Who it is, as the audit log names it.
    fn actor(&self) -> String {
        match (self.key.as_deref(), self.inside) {
            (Some(Identity { name: Some(name), .. }), _) => format!("key:{name}"),
            (Some(Identity { key: Some(key), .. }), _) => key.clone(),
            (_, Some(inside)) => format!("session:{inside}"),
            (_, None) => "local".into(),
        }
    }
}

/// An operation under way. What became of it is written down when it ends, or when its caller goes away before.
pub(super) struct Act {
    log: Option<Arc<AuditLog>>,
    deed: Mutex<Option<Deed>>,
}

impl Act {
    /// Names the session that it is about.
    pub(super) fn on(&self, id: SessionId) -> SessionId {
        self.note(|deed| deed.session_id = Some(id));
        id
    }

    /// Says more about what is done: no prompt, no secret.
    pub(super) fn what(&self, detail: impl Into<String>) {
        self.note(|deed| deed.detail = detail.into());
    }

    fn note(&self, note: impl FnOnce(&mut Deed)) {
        if let Some(deed) = self.deed.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            note(deed);
        }
    }

    fn take(&self) -> Option<(Arc<AuditLog>, Deed)> {
        let deed = self.deed.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((self.log.clone()?, deed))
    }

    /// Writes down how it came out, and gives that back.
    pub(super) async fn end<T>(self, result: Result<T, OpError>) -> Result<T, OpError> {
        if let Some((log, mut deed)) = self.take() {
            deed.outcome = match &result {
                Ok(_) => "done".into(),
                Err(error) => error.code.as_str().into(),
            };
            // What is told to the caller is in the log.
            let _ = tokio::task::spawn_blocking(move || write(&log, deed)).await;
        }
        result
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        let Some((log, mut deed)) = self.take() else { return };
        deed.outcome = "abandoned".into();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || write(&log, deed))),
            Err(_) => write(&log, deed),
        }
    }
}

/// An operation that was done is not undone because the log is full; but it is told.
fn write(log: &AuditLog, deed: Deed) {
    if let Err(error) = log.append(deed) {
        tracing::error!(%error, "what was done could not be written down");
    }
}

impl Aegis {
    /// Begins an operation that changes something.
    ///
    /// # Errors
    ///
    /// `forbidden` if the caller may not, which is written down.
    pub(super) async fn begin(
        &self,
        caller: &Caller,
        action: &'static str,
        needs: impl Into<Needs>,
    ) -> Result<Act, OpError> {
        let deed = Deed {
            actor: caller.actor(),
            actor_key_id: caller.key.as_ref().and_then(|key| key.key.clone()),
            surface: caller.surface.clone(),
            action: action.into(),
            session_id: None,
            detail: String::new(),
            outcome: String::new(),
        };
        let act = Act { log: self.audit.clone(), deed: Mutex::new(Some(deed)) };
        match caller.may(needs.into()) {
            Ok(()) => Ok(act),
            Err(error) => {
                act.end(Err::<(), _>(error.clone())).await?;
                Err(error)
            }
        }
    }

    /// The session that the caller means, by id if it sees only its own.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `forbidden`, `storage_failed`.
    pub(super) async fn seen<'a>(
        &self,
        caller: &Caller,
        reference: &'a str,
    ) -> Result<Cow<'a, str>, OpError> {
        match caller.confined() {
            None => Ok(reference.into()),
            key => Ok(self.engine.resolve_seen(reference, key).await?.to_string().into()),
        }
    }
}

impl From<Permission> for Needs {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}
