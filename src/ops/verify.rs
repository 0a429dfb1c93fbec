//! A project's own checks, run where a session works.

use super::{Aegis, Caller, SessionRef};
use crate::access::Permission;
use crate::domain::{OpError, Verification};

impl Aegis {
    /// Runs the checks that the project in a session's directory has of its own: types, build, tests.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `forbidden`, `policy_refused`, `holder_unreachable`.
    pub async fn verify_session(&self, caller: &Caller, req: SessionRef) -> Result<Verification, OpError> {
        let act = self.begin(caller, "verify_session", Permission::Send).await?;
        let done = async {
            let id = act.on(self.engine.resolve_seen(&req.session_id, caller.confined()).await?);
            self.engine.verify(id, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }
}
