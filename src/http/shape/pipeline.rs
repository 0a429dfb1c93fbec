//! Pipelines as clients of the HTTP door read them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    PermissionMode, Pipeline, PipelineId, PipelineStatus, SessionId, Stage, StageFailure, StageState,
    StatusWord, Timestamp,
};

/// A pipeline. Times are in milliseconds since 1970.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Pipeline")]
pub(in crate::http) struct PipelineInfo {
    id: PipelineId,
    name: String,
    status: PipelineStatus,
    /// The same in the words of older clients: `plan`, `execute`, `fix` or `done`.
    current_stage: String,
    /// When each of these began and ended.
    stage_history: Vec<Passed>,
    stages: Vec<StageInfo>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    /// Whether stages in sequence share a session.
    reuse: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<SessionId>,
    /// Which surface cancelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_by: Option<String>,
    /// Always 0: a prompt that failed is not sent again by itself.
    retry_count: u32,
    /// Always 0.
    max_retries: u32,
}

/// A phase of a pipeline's life.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Passed {
    stage: String,
    entered_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exited_at: Option<i64>,
}

/// One stage.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StageInfo {
    name: String,
    /// `pending`, `starting`, `running`, `completed`, `failed`, `skipped` or `cancelled`.
    status: String,
    depends_on: Vec<String>,
    prompt: String,
    work_dir: String,
    permission_mode: PermissionMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    /// What its session is doing while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_status: Option<StatusWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    /// When it was over, however.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<i64>,
    /// Why it failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Which kind of failure that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<StageFailure>,
    /// The last text of Claude's answer; lists tell its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Present and true where `output` was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl From<Stage> for StageInfo {
    fn from(stage: Stage) -> Self {
        let state = stage.state;
        let mut told = Self {
            status: state.as_str().into(),
            session_id: state.session_id(),
            started_at: state.started_at().map(Timestamp::millis),
            completed_at: state.ended_at().map(Timestamp::millis),
            name: stage.name,
            depends_on: stage.depends_on,
            prompt: stage.prompt,
            work_dir: stage.work_dir,
            permission_mode: stage.permission_mode,
            model: stage.model,
            timeout_ms: stage.timeout_ms,
            session_status: stage.session_status,
            error: None,
            failure: None,
            output: None,
            truncated: false,
        };
        match state {
            StageState::Completed { output, truncated, .. } => {
                (told.output, told.truncated) = (Some(output), truncated);
            }
            StageState::Failed { error, .. } => {
                told.error = Some(error.message.clone());
                told.failure = Some(error);
            }
            StageState::Skipped { because, .. } => {
                told.error = Some(format!("stage `{because}` failed"));
            }
            StageState::Pending
            | StageState::Starting { .. }
            | StageState::Running { .. }
            | StageState::Cancelled { .. } => {}
        }
        told
    }
}

impl From<Pipeline> for PipelineInfo {
    fn from(pipeline: Pipeline) -> Self {
        let created_at = pipeline.created_at.millis();
        let ended_at = pipeline.ended_at.map(Timestamp::millis);
        let begun = pipeline.stages.iter().filter_map(|stage| stage.state.started_at()).min();
        let begun = begun.map(Timestamp::millis);
        let current = match pipeline.status {
            PipelineStatus::Pending => "plan",
            PipelineStatus::Running | PipelineStatus::Cancelling => "execute",
            PipelineStatus::Failed => "fix",
            PipelineStatus::Completed | PipelineStatus::Cancelled => "done",
        };
        let passed =
            |stage: &str, entered_at, exited_at| Passed { stage: stage.into(), entered_at, exited_at };
        let mut stage_history = vec![passed("plan", created_at, begun.or(ended_at))];
        stage_history.extend(begun.map(|begun| passed("execute", begun, ended_at)));
        stage_history.extend(ended_at.map(|ended| passed(current, ended, None)));
        Self {
            id: pipeline.id,
            name: pipeline.name,
            status: pipeline.status,
            current_stage: current.into(),
            stage_history,
            stages: pipeline.stages.into_iter().map(StageInfo::from).collect(),
            created_at,
            ended_at,
            reuse: pipeline.reuse,
            parent_id: pipeline.parent_id,
            cancelled_by: pipeline.cancelled_by,
            retry_count: 0,
            max_retries: 0,
        }
    }
}
