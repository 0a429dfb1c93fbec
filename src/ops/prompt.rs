//! Prompts, answers to questions, and stopping a turn.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::act::Act;
use super::{Aegis, Caller, SessionRef};
use crate::access::Permission;
use crate::domain::{Delivery, ErrorCode, OpError, Receipt, Session, WhenBusy};

/// One question's answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AnswerValue {
    /// A label, or free text.
    One(String),
    /// Several labels, for a question that allows them.
    Several(Vec<String>),
}

/// Sends a prompt, or answers the open question.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendMessage {
    /// Id, prefix or name.
    pub session_id: String,
    /// The prompt, or an answer: label, number or words.
    #[serde(default)]
    pub text: Option<String>,
    /// By question: label, labels or words.
    #[serde(default)]
    pub answers: Option<BTreeMap<String, AnswerValue>>,
    /// Default queue: taken during the turn.
    #[serde(default)]
    pub when_busy: Option<WhenBusy>,
    /// The same key sends nothing twice.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    pub idempotency_key: Option<String>,
}

/// Types a slash command, or runs a shell line.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendLine {
    /// Id, prefix or name.
    pub session_id: String,
    /// The line.
    pub command: String,
    /// The same key never sends twice.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    pub idempotency_key: Option<String>,
}

impl Aegis {
    /// Types a slash command into an idle session, or after the running turn, and tells what became of it.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `session_ended`, `session_blocked`, `prompt_refused`, `prompt_too_large`, `key_reused`,
    /// `own_session`, `unsupported`, `holder_unreachable`.
    pub async fn send_command(&self, caller: &Caller, req: SendLine) -> Result<Receipt, OpError> {
        self.send_line(caller, req, Delivery::Command).await
    }

    /// Runs a shell line in the session's directory. Claude Code asks nobody about it; the session's permission policy
    /// is asked here, and it is journaled.
    ///
    /// # Errors
    ///
    /// As [`Aegis::send_command`], and `policy_refused`.
    pub async fn send_bash(&self, caller: &Caller, req: SendLine) -> Result<Receipt, OpError> {
        self.send_line(caller, req, Delivery::Shell).await
    }

    async fn send_line(
        &self,
        caller: &Caller,
        req: SendLine,
        delivery: Delivery,
    ) -> Result<Receipt, OpError> {
        let action = if delivery == Delivery::Shell { "send_bash" } else { "send_command" };
        let act = self.begin(caller, action, Permission::Send).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id).await?);
            self.engine.type_in(id, delivery, req.command, req.idempotency_key, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }

    /// Sends a prompt, or answers the open question, and tells what became of it.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_session`, `session_ended`, `session_blocked`, `session_busy`, `draft_present`,
    /// `prompt_refused`, `prompt_too_large`, `invalid_answer`, `own_session`, `holder_unreachable`.
    pub async fn send_message(&self, caller: &Caller, req: SendMessage) -> Result<Receipt, OpError> {
        let act = self.begin(caller, "send_message", Permission::Send).await?;
        let done = self.sent(caller, &act, req).await;
        act.end(done).await
    }

    async fn sent(&self, caller: &Caller, act: &Act, req: SendMessage) -> Result<Receipt, OpError> {
        let id = act.on(self.guard_own(caller, &req.session_id).await?);
        match (req.text, req.answers) {
            (Some(text), None) => {
                self.engine
                    .send(id, text, req.when_busy.unwrap_or_default(), req.idempotency_key, &caller.surface)
                    .await
            }
            (None, Some(answers)) => {
                let answers = answers.into_iter().map(|(question, value)| (question, join(value))).collect();
                self.engine.answer_questions(id, answers, req.idempotency_key, &caller.surface).await
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(OpError::new(ErrorCode::InvalidArgument, "give either text or answers"))
            }
        }
    }

    /// Stops the turn; open asks are withdrawn. A session that is not working is left as it is.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `session_ended`, `own_session`, `not_confirmed`, `holder_unreachable`.
    pub async fn interrupt_session(&self, caller: &Caller, req: SessionRef) -> Result<Session, OpError> {
        let act = self.begin(caller, "interrupt_session", Permission::Send).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id).await?);
            self.engine.interrupt(id, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }

    /// Presses Escape once.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `session_ended`, `own_session`, `holder_unreachable`.
    pub async fn escape_session(&self, caller: &Caller, req: SessionRef) -> Result<Session, OpError> {
        let act = self.begin(caller, "escape_session", Permission::Send).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id).await?);
            self.engine.escape(id, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }
}

fn join(value: AnswerValue) -> String {
    match value {
        AnswerValue::One(text) => text,
        // Claude Code reads several labels from one text joined so.
        AnswerValue::Several(labels) => labels.join(", "),
    }
}
