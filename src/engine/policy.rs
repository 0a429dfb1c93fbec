//! The rules that decide on a session's tool calls: told, and changed while it lives.

use super::Engine;
use crate::domain::{ErrorCode, OpError, Policy, PolicyRule, SessionId};
use crate::holder::client::ANSWERS_WITHIN;
use crate::store::SessionRow;
use crate::wire::Request;

impl Engine {
    /// Tells a session's own rules: those of the configuration come after them and are left out.
    ///
    /// # Errors
    ///
    /// As for every call that names a session; `holder_unreachable`.
    pub async fn policy(&self, reference: &str) -> Result<Vec<PolicyRule>, OpError> {
        let row = self.row(reference).await?;
        Ok(self.own(self.policy_in_force(&row).await?))
    }

    /// All rules that decide on a session's calls: its own and those of the configuration.
    ///
    /// # Errors
    ///
    /// `holder_unreachable`.
    pub(super) async fn policy_in_force(&self, row: &SessionRow) -> Result<Policy, OpError> {
        match self.ask_policy(row, None, "").await {
            // What it was created with: the holder is gone, or as old as rules that nobody could change.
            Err(error) if matches!(error.code, ErrorCode::SessionEnded | ErrorCode::Unsupported) => {
                Ok(row.spec.policy.clone())
            }
            told => told,
        }
    }

    /// Puts other rules in the place of a live session's own. No new work takes the session afterwards.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `unsupported` where Claude Code would have to be launched anew for them, `session_ended`,
    /// `holder_unreachable`.
    pub async fn set_policy(
        &self,
        id: SessionId,
        rules: Vec<PolicyRule>,
        by: &str,
    ) -> Result<Vec<PolicyRule>, OpError> {
        let policy = Policy { rules: [rules, self.config().permission_policy.rules.clone()].concat() };
        policy.check().map_err(|what| {
            OpError::new(ErrorCode::InvalidArgument, format!("the rules are refused: {what}"))
        })?;
        let row = self.row_of(id).await?;
        let set = self.ask_policy(&row, Some(policy), by).await.map_err(|error| match error.code {
            ErrorCode::Unsupported => {
                error.hint("create a session with these rules; resumeSessionId takes the conversation along")
            }
            _ => error,
        });
        Ok(self.own(set?))
    }

    async fn ask_policy(&self, row: &SessionRow, rules: Option<Policy>, by: &str) -> Result<Policy, OpError> {
        let request = Request::Policy { rules, by: by.to_owned() };
        self.ask(row, request, ANSWERS_WITHIN).await
    }

    /// The rules without those of the configuration.
    pub(super) fn own(&self, policy: Policy) -> Vec<PolicyRule> {
        let config = self.config();
        let ours = &config.permission_policy.rules;
        match policy.rules.strip_suffix(ours.as_slice()) {
            Some(own) => own.to_vec(),
            // Launched under another configuration.
            None => policy.rules,
        }
    }
}
