//! Pipelines: stages that wait for each other, each a prompt whose turn runs in a session.
//!
//! Pure. [`Pipeline::plan`] refuses what cannot be run, [`Pipeline::after`] is the one state machine, and
//! [`Pipeline::due`] and [`Pipeline::spent`] say what is to be done now. `engine::pipeline` does it.

mod plan;
mod progress;
mod reference;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{PipelineId, ReceiptId, SessionId};
use super::session::PermissionMode;
use super::status::StatusWord;
use super::time::Timestamp;

pub use plan::{PipelineSpec, PlanError, StepSpec};
pub use progress::{PipelineEvent, StageEvent};

/// How far a pipeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PipelineStatus {
    /// Stored; no stage was begun yet.
    Pending,
    /// Stages run, or the last sessions are being ended.
    Running,
    /// Somebody cancelled it; what runs is being stopped.
    Cancelling,
    /// Every stage was completed.
    Completed,
    /// A stage failed; what did not depend on it ran on.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl PipelineStatus {
    /// All of them, in the order of a pipeline's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Cancelling, Self::Completed, Self::Failed, Self::Cancelled];

    /// Gives the word as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Tells whether nothing more will happen to the pipeline.
    #[must_use]
    pub fn over(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Cancelling => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// A pipeline, as it is kept and told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// Its name; several may share it.
    pub name: String,
    /// How far it is.
    pub status: PipelineStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether a stage goes on in the session of the one before it where directory and settings are the same.
    pub reuse: bool,
    /// The session from inside which it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<SessionId>,
    /// The key that it belongs to, by id; its sessions do too. Other keys do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub owner_key: Option<String>,
    /// Which surface cancelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Its stages, as they were given.
    pub stages: Vec<Stage>,
}

/// One stage: a prompt, what it waits for, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// The stages that must be completed before it.
    pub depends_on: Vec<String>,
    /// The prompt as it was given, with its references to answers of other stages.
    pub prompt: String,
    /// The directory it works in.
    pub work_dir: String,
    /// The permission mode of its session.
    pub permission_mode: PermissionMode,
    /// The model, if one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long it may take from its start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How far it is.
    #[serde(flatten)]
    pub state: StageState,
    /// What its session is doing while the stage runs, as of this answer; never kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_status: Option<StatusWord>,
}

/// How far a stage is, with what belongs to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum StageState {
    /// Waits for other stages, or for a free place.
    Pending,
    /// Its session is being created, or its prompt delivered. Written down before either is tried.
    Starting {
        /// When it began.
        started_at: Timestamp,
    },
    /// Its prompt is on its way or its turn runs; the turn may wait for an answer.
    Running {
        /// When it began.
        started_at: Timestamp,
        /// The session it runs in.
        session_id: SessionId,
        /// What became of its prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt_id: Option<ReceiptId>,
    },
    /// Its turn ended and Claude answered.
    Completed {
        /// When it began.
        started_at: Timestamp,
        /// When its answer was there.
        ended_at: Timestamp,
        /// The session it ran in.
        session_id: SessionId,
        /// What became of its prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt_id: Option<ReceiptId>,
        /// The last text of Claude's answer; empty if there was none.
        output: String,
        /// Present and true where `output` was cut.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        truncated: bool,
    },
    /// It failed. Its session, if it had one, is kept for whoever wants to look.
    Failed {
        /// When it began.
        started_at: Timestamp,
        /// When it failed.
        ended_at: Timestamp,
        /// The session it ran in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// What became of its prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt_id: Option<ReceiptId>,
        /// Why.
        error: StageFailure,
    },
    /// It never began: a stage that it depends on failed.
    Skipped {
        /// When that was.
        ended_at: Timestamp,
        /// The stage that failed.
        because: String,
    },
    /// The pipeline was cancelled before it was completed.
    Cancelled {
        /// When it began, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at: Option<Timestamp>,
        /// When it was stopped.
        ended_at: Timestamp,
        /// The session it ran in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
    },
}

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageFailure {
    /// Which kind.
    pub kind: FailureKind,
    /// For a person.
    pub message: String,
}

impl StageFailure {
    /// Builds a failure.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The ways in which a stage fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FailureKind {
    /// Its session could not be created.
    NotStarted,
    /// Its prompt was refused, or nothing says whether it was taken.
    NotDelivered,
    /// The turn ended with a failure of the API or at the account's limit.
    TurnFailed,
    /// Somebody interrupted the turn.
    Interrupted,
    /// It took longer than it may; its turn was stopped.
    TimedOut,
    /// Its session ended before its turn did.
    SessionEnded,
    /// The turn ended, and what Claude said cannot be read.
    OutputUnreadable,
}

impl StageState {
    /// Gives the word as the wire spells it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting { .. } => "starting",
            Self::Running { .. } => "running",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Tells whether nothing more will happen to the stage.
    #[must_use]
    pub fn over(&self) -> bool {
        match self {
            Self::Pending | Self::Starting { .. } | Self::Running { .. } => false,
            Self::Completed { .. } | Self::Failed { .. } | Self::Skipped { .. } | Self::Cancelled { .. } => {
                true
            }
        }
    }

    /// Tells whether the stage has begun and is not over: it takes up a place.
    #[must_use]
    pub fn at_work(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running { .. })
    }

    /// Gives the session that the stage runs or ran in, once known.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::Pending | Self::Starting { .. } | Self::Skipped { .. } => None,
            Self::Running { session_id, .. } | Self::Completed { session_id, .. } => Some(*session_id),
            Self::Failed { session_id, .. } | Self::Cancelled { session_id, .. } => *session_id,
        }
    }

    /// Gives when the stage began.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending | Self::Skipped { .. } => None,
            Self::Starting { started_at }
            | Self::Running { started_at, .. }
            | Self::Completed { started_at, .. }
            | Self::Failed { started_at, .. } => Some(*started_at),
            Self::Cancelled { started_at, .. } => *started_at,
        }
    }

    /// Gives when the stage was over.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending | Self::Starting { .. } | Self::Running { .. } => None,
            Self::Completed { ended_at, .. }
            | Self::Failed { ended_at, .. }
            | Self::Skipped { ended_at, .. }
            | Self::Cancelled { ended_at, .. } => Some(*ended_at),
        }
    }
}

impl Pipeline {
    /// Gives the prompt of a stage with the answers of other stages put in; `None` for one that there is not, or
    /// whose answers are not all there.
    #[must_use]
    pub fn prompt(&self, at: usize) -> Option<String> {
        reference::fill(&self.stages.get(at)?.prompt, |name| {
            let stage = self.stages.iter().find(|stage| stage.name == name)?;
            match &stage.state {
                StageState::Completed { output, .. } => Some(output),
                StageState::Pending
                | StageState::Starting { .. }
                | StageState::Running { .. }
                | StageState::Failed { .. }
                | StageState::Skipped { .. }
                | StageState::Cancelled { .. } => None,
            }
        })
    }

    /// Cuts prompts and answers to `most` characters each, for lists. What is cut ends with `…`.
    #[must_use]
    pub fn glance(mut self, most: usize) -> Self {
        for stage in &mut self.stages {
            cut(&mut stage.prompt, most);
            if let StageState::Completed { output, truncated, .. } = &mut stage.state {
                *truncated |= cut(output, most);
            }
        }
        self
    }
}

/// Cuts a text to `most` characters; returns whether it was longer.
fn cut(text: &mut String, most: usize) -> bool {
    let Some((end, _)) = text.char_indices().nth(most) else { return false };
    text.truncate(end);
    text.push('…');
    true
}
