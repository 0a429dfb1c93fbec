//! The figures of a session: what was said, called, spent and waited for.
//!
//! Two sources, two values: [`EventStats`] follows from the session's events alone, [`TalkStats`] from Claude Code's
//! transcript. Both are counted as events and lines pass, and can be counted again from the files that hold those.

mod events;
mod histogram;
mod talk;

use serde::{Deserialize, Serialize};

pub use events::{Answers, EventStats, EventTally, StatusStep};
pub use histogram::{Histogram, Percentiles};
pub use talk::{FileUse, ModelTokens, Past, RoleCounts, TalkStats, Tokens, ToolCounts};

/// All figures of a session, as its holder counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionStats {
    /// What follows from the events.
    pub events: EventStats,
    /// What follows from the transcript.
    pub talk: TalkStats,
}
