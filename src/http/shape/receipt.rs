//! What became of a prompt.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Ask, Receipt, ReceiptState};

/// A receipt in two words.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct PromptDelivery {
    /// Whether Claude Code itself has said that it took the prompt.
    delivered: bool,
    /// How often it was handed to Claude Code. The text is never given twice.
    attempts: usize,
}

impl PromptDelivery {
    pub(in crate::http) fn of(receipt: &Receipt) -> Self {
        let written = |step: &&crate::domain::Step| step.state == ReceiptState::Written;
        Self {
            delivered: matches!(receipt.state, ReceiptState::Submitted | ReceiptState::TurnEnded),
            attempts: receipt.steps.iter().filter(written).count(),
        }
    }
}

/// A prompt that was accepted. Delivery goes on behind the answer; the receipt says how far it is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Sent {
    ok: bool,
    #[serde(flatten)]
    delivery: PromptDelivery,
    /// What a shell line printed, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    receipt: Receipt,
}

impl From<Receipt> for Sent {
    fn from(receipt: Receipt) -> Self {
        let delivery = PromptDelivery::of(&receipt);
        Self { ok: receipt.state != ReceiptState::Refused, delivery, output: receipt.output.clone(), receipt }
    }
}

/// An ask that was answered.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Done {
    ok: bool,
    /// The ask with its resolution.
    ask: Ask,
}

impl From<Ask> for Done {
    fn from(ask: Ask) -> Self {
        Self { ok: true, ask }
    }
}
