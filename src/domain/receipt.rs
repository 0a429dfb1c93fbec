//! What became of a prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{ReceiptId, SessionId};
use super::time::Timestamp;

/// How far a prompt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ReceiptState {
    /// Stored; nothing was written yet.
    Queued,
    /// Handed to Claude Code: typed into its box or given at launch. Not yet proof of anything.
    Written,
    /// Claude Code itself said that it took the prompt.
    Submitted,
    /// The turn that took it has ended.
    TurnEnded,
    /// It was not delivered, and no byte of it will be.
    Refused,
    /// It was written, and nothing says whether it was taken.
    Uncertain,
}

impl ReceiptState {
    /// Tells whether nothing more will happen to the receipt.
    #[must_use]
    pub fn settled(self) -> bool {
        matches!(self, Self::TurnEnded | Self::Refused | Self::Uncertain)
    }

    /// Tells whether the prompt may still be on its way into Claude Code.
    #[must_use]
    pub fn pending(self) -> bool {
        matches!(self, Self::Queued | Self::Written)
    }
}

/// How the prompt travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Delivery {
    /// As the last argument at launch.
    Argument,
    /// Pasted into the input box.
    Paste,
    /// As the answer to an open question.
    Answer,
    /// Typed as a slash command.
    Command,
    /// Typed as a shell line.
    Shell,
}

/// How the turn ended that took the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Outcome {
    /// Claude answered.
    Completed,
    /// Somebody interrupted it.
    Interrupted,
    /// The API failed or the limit was reached.
    Failed,
    /// The session ended meanwhile.
    SessionEnded,
}

/// What to do with a prompt while a turn runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum WhenBusy {
    /// Give it to Claude Code now; it takes it at the next tool boundary or after the turn.
    #[default]
    Queue,
    /// Stop the turn first.
    Interrupt,
    /// Do not deliver it.
    Refuse,
}

/// One step of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The state reached.
    pub state: ReceiptState,
    /// When.
    pub at: Timestamp,
    /// What showed it.
    pub evidence: String,
}

/// What became of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Its id.
    pub id: ReceiptId,
    /// The session it went to.
    pub session_id: SessionId,
    /// The caller's idempotency key: the same key gives this same receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How far it came.
    pub state: ReceiptState,
    /// How it travels.
    pub delivery: Delivery,
    /// The length of the prompt in bytes.
    pub bytes: usize,
    /// Each state reached, with its evidence.
    pub steps: Vec<Step>,
    /// How the turn ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What a shell line printed, once it has ended: the first 30,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl Receipt {
    /// Opens a receipt in state `queued`.
    #[must_use]
    pub fn new(
        session_id: SessionId,
        idempotency_key: Option<String>,
        delivery: Delivery,
        bytes: usize,
        at: Timestamp,
    ) -> Self {
        let step = Step { state: ReceiptState::Queued, at, evidence: "stored".into() };
        Self {
            id: ReceiptId::mint(),
            session_id,
            idempotency_key,
            state: ReceiptState::Queued,
            delivery,
            bytes,
            steps: vec![step],
            outcome: None,
            output: None,
        }
    }

    /// Moves to `state` and notes the evidence. A settled receipt or a step back changes nothing; returns whether
    /// something changed.
    pub fn reach(&mut self, state: ReceiptState, at: Timestamp, evidence: impl Into<String>) -> bool {
        // Late proof corrects `uncertain`; nothing corrects what is proved or refused.
        let corrects = self.state == ReceiptState::Uncertain
            && matches!(state, ReceiptState::Submitted | ReceiptState::TurnEnded);
        if !corrects && (self.state.settled() || state <= self.state) {
            return false;
        }
        self.state = state;
        self.steps.push(Step { state, at, evidence: evidence.into() });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_only_goes_forward() {
        let at = Timestamp::from_millis(0).unwrap();
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 5, at);
        assert!(receipt.reach(ReceiptState::Written, at, "pasted"));
        assert!(receipt.reach(ReceiptState::Submitted, at, "hook"));
        assert!(!receipt.reach(ReceiptState::Written, at, "late"));
        assert!(receipt.reach(ReceiptState::TurnEnded, at, "hook"));
        assert!(!receipt.reach(ReceiptState::Uncertain, at, "no"));
        assert_eq!(receipt.steps.len(), 4);
    }

    #[test]
    fn late_proof_corrects_uncertain() {
        let at = Timestamp::from_millis(0).unwrap();
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 5, at);
        assert!(receipt.reach(ReceiptState::Uncertain, at, "silence"));
        assert!(receipt.reach(ReceiptState::Submitted, at, "transcript"));
    }
}
