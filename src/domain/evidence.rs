//! Who said what, and whose word counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::{SessionStatus, StatusWord};
use super::time::Timestamp;

/// Where a fact comes from, weakest first, so that the derived order is the rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Source {
    /// Nothing was heard for a while.
    Silence,
    /// The terminal's screen.
    Screen,
    /// The terminal's title.
    Title,
    /// Claude Code's transcript file.
    Transcript,
    /// Claude Code's own live file, `sessions/<pid>.json`.
    Live,
    /// A hook event.
    Hook,
    /// Aegis itself: a prompt it accepted, a key it pressed.
    Aegis,
    /// The operating system: the process started or ended.
    Process,
}

/// How far a status can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Confidence {
    /// Claude Code or the operating system said so.
    High,
    /// Read from a file or screen that may lag.
    Medium,
    /// Inferred from silence or a hint.
    Low,
}

impl Source {
    /// How far a status that rests on this source can be trusted.
    #[must_use]
    pub fn confidence(self) -> Confidence {
        match self {
            Self::Process | Self::Hook | Self::Live | Self::Aegis => Confidence::High,
            Self::Transcript | Self::Screen => Confidence::Medium,
            Self::Title | Self::Silence => Confidence::Low,
        }
    }
}

/// One thing that a source said, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When it was said.
    pub at: Timestamp,
    /// Who said it.
    pub source: Source,
    /// What was said, in few words.
    pub what: String,
    /// Whether it changed or confirmed the status; absent for what only informs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
}

/// A status with its grounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The status and what belongs to it.
    #[serde(flatten)]
    pub status: SessionStatus,
    /// Since when.
    pub since: Timestamp,
    /// Which source settled it.
    pub source: Source,
    /// How far it can be trusted.
    pub confidence: Confidence,
}

impl StatusReport {
    /// Builds a report whose confidence follows from the source.
    #[must_use]
    pub fn new(status: SessionStatus, since: Timestamp, source: Source) -> Self {
        let confidence =
            if status.word() == StatusWord::Unknown { Confidence::Low } else { source.confidence() };
        Self { status, since, source, confidence }
    }

    /// Tells whether something that `source` says about time `at` may change this status: a weaker source never
    /// overrides a stronger, newer one.
    #[must_use]
    pub fn admits(&self, source: Source, at: Timestamp) -> bool {
        source >= self.source || at >= self.since
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::weaker_and_older(Source::Live, 99, false)]
    #[case::weaker_and_newer(Source::Live, 101, true)]
    #[case::equal_and_older(Source::Hook, 99, true)]
    #[case::stronger_and_older(Source::Process, 1, true)]
    fn rank_and_age_decide(#[case] source: Source, #[case] at: i64, #[case] admitted: bool) {
        let report =
            StatusReport::new(SessionStatus::Idle, Timestamp::from_millis(100).unwrap(), Source::Hook);
        assert_eq!(report.admits(source, Timestamp::from_millis(at).unwrap()), admitted);
    }
}
