//! Answering what waits for an approval.

use schemars::JsonSchema;
use serde::Deserialize;

use super::act::Act;
use super::{Aegis, Caller};
use crate::access::Permission;
use crate::domain::{Answer, Ask, AskId, ErrorCode, OpError, Remember};

/// Allows what a session asks for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovePermission {
    /// Id, prefix or name.
    pub session_id: String,
    /// Needed if several are open.
    #[serde(default)]
    pub ask_id: Option<String>,
    /// Of the ask as shown.
    #[serde(default)]
    pub input_hash: Option<String>,
    /// session: the same call again too.
    #[serde(default)]
    pub remember: Option<Remember>,
}

/// Refuses what a session asks for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectPermission {
    /// Id, prefix or name.
    pub session_id: String,
    /// Needed if several are open.
    #[serde(default)]
    pub ask_id: Option<String>,
    /// Told to Claude.
    #[serde(default)]
    #[schemars(length(max = 10000))]
    pub reason: Option<String>,
}

impl Aegis {
    /// Allows what a session asks for. The answer counts once, for exactly the call that was shown.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `own_session`, `nothing_to_approve`, `ambiguous_ask`, `no_such_ask`, `already_resolved`,
    /// `input_changed`, `invalid_answer`, `not_confirmed`, `holder_unreachable`, `session_ended`.
    pub async fn approve_permission(&self, caller: &Caller, req: ApprovePermission) -> Result<Ask, OpError> {
        let act = self.begin(caller, "approve_permission", Permission::Approve).await?;
        let answer =
            Answer::Approve { input_hash: req.input_hash, remember: req.remember.unwrap_or_default() };
        let done = self.answered(caller, &act, &req.session_id, req.ask_id, answer).await;
        act.end(done).await
    }

    /// Refuses what a session asks for and tells Claude why.
    ///
    /// # Errors
    ///
    /// As [`Aegis::approve_permission`].
    pub async fn reject_permission(&self, caller: &Caller, req: RejectPermission) -> Result<Ask, OpError> {
        let act = self.begin(caller, "reject_permission", Permission::Reject).await?;
        let answer = Answer::Reject { reason: req.reason };
        let done = self.answered(caller, &act, &req.session_id, req.ask_id, answer).await;
        act.end(done).await
    }

    async fn answered(
        &self,
        caller: &Caller,
        act: &Act,
        session: &str,
        ask: Option<String>,
        answer: Answer,
    ) -> Result<Ask, OpError> {
        let id = act.on(self.guard_own(caller, session).await?);
        let ask = self.engine.answer(id, ask_id(ask)?, answer, &caller.surface).await?;
        act.what(format!("ask {}: {}", ask.id, ask.title));
        Ok(ask)
    }
}

fn ask_id(text: Option<String>) -> Result<Option<AskId>, OpError> {
    text.map(|text| {
        text.parse().map_err(|_| OpError::new(ErrorCode::NoSuchAsk, format!("`{text}` is not an ask's id")))
    })
    .transpose()
}
