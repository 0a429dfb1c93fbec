//! What came of a project's own checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of a project's own checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether there is something to check and all of it passed.
    pub ok: bool,
    /// What was run, in this order.
    pub steps: Vec<VerificationStep>,
    /// How long it took, in milliseconds.
    pub total_duration_ms: u64,
    /// The outcome in words.
    pub summary: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStep {
    /// `tsc`, `build` or `test`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The end of what it printed, 64 KiB at most; never in an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Verification {
    /// The same without what the checks printed, which may be long and hold anything.
    #[must_use]
    pub fn without_output(&self) -> Self {
        let mut short = self.clone();
        for step in &mut short.steps {
            step.output = None;
        }
        short
    }
}
