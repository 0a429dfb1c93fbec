//! The rules that decide on a session's tool calls.

use super::{Aegis, Caller, SessionRef};
use crate::access::Permission;
use crate::domain::{OpError, PolicyRule};

/// Puts other rules in the place of a session's own.
#[derive(Clone, Debug, Default)]
pub struct SetPolicy {
    /// Id, prefix or name.
    pub session_id: String,
    /// The rules, in order; the first that matches decides.
    pub rules: Vec<PolicyRule>,
}

impl Aegis {
    /// Tells a session's own rules; those of the configuration, which come after them, are left out.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `holder_unreachable`, `storage_failed`.
    pub async fn get_policy(&self, caller: &Caller, req: SessionRef) -> Result<Vec<PolicyRule>, OpError> {
        self.engine.policy(&self.seen(caller, &req.session_id).await?).await
    }

    /// Puts other rules in the place of a live session's own; they hold from the next tool call on.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_session`, `own_session`, `session_ended`, `holder_unreachable`; `unsupported` for
    /// rules that deny or ask about tools which Claude Code was not told to ask about at launch.
    pub async fn set_policy(&self, caller: &Caller, req: SetPolicy) -> Result<Vec<PolicyRule>, OpError> {
        let act = self.begin(caller, "set_policy", Permission::Send).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id).await?);
            self.engine.set_policy(id, req.rules, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }
}
