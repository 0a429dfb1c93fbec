//! Pipelines: stages that wait for each other and hand their answers on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::access::Permission;
use crate::domain::{ErrorCode, OpError, PermissionMode, Pipeline, PipelineStatus};
use crate::engine::{NewPipeline, NewStep, PipelineQuery, steward};

/// How much of a prompt and an answer lists tell, in characters: what they are about. The whole answer is in the
/// session's transcript.
const GLANCE: usize = 500;

/// How long an idempotency key may be, in bytes; as for sessions.
const LONGEST_KEY: usize = 200;

/// Asks for a pipeline. Hosts pay for each word of the schema, so bounds are held in [`Pipeline::plan`] alone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(description = "Asks for a pipeline.")]
pub struct CreatePipeline {
    /// Its name.
    pub name: String,
    /// 1 to 50, in sequence unless any has dependsOn; {{stages.NAME.output}} in a prompt is that step's answer.
    pub steps: Vec<PipelineStep>,
    /// Absolute, for steps without one.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// As for create_session.
    #[serde(default)]
    pub permission_mode: Option<String>,
    /// Let steps in sequence share a session.
    #[serde(default)]
    pub reuse: Option<bool>,
    /// The same key gives the same pipeline.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// One step of a pipeline. What needs no words has none in the schema.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline, description = "")]
pub struct PipelineStep {
    /// {{stages.NAME.output}} stands for that step's answer.
    pub prompt: String,
    /// Its name: letters, digits, `-` and `_`; `step-1`, `step-2` and so on otherwise.
    #[serde(default)]
    #[schemars(description = "")]
    pub name: Option<String>,
    /// Absolute path of the directory to work in.
    #[serde(default)]
    #[schemars(description = "")]
    pub work_dir: Option<String>,
    /// Names of the steps that must be completed before it.
    #[serde(default)]
    #[schemars(description = "")]
    pub depends_on: Option<Vec<String>>,
    /// The permission mode of its session.
    #[serde(default)]
    #[schemars(description = "")]
    pub permission_mode: Option<String>,
    /// The model, by Claude Code's name for it.
    #[serde(default)]
    #[schemars(description = "")]
    pub model: Option<String>,
    /// How long it may take from its start, in milliseconds: from 1000 to a week. None otherwise.
    #[serde(default)]
    #[schemars(description = "")]
    pub timeout_ms: Option<u64>,
}

/// Asks for pipelines, newest first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPipelines {
    /// Only those in this status.
    #[serde(default)]
    pub status: Option<PipelineStatus>,
    /// At most so many. Default 20.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of pipelines. Prompts and answers are cut at 500 characters.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineList {
    /// Newest first.
    pub pipelines: Vec<Pipeline>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Names one pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineRef {
    /// The pipeline's id, a unique prefix of at least 6 characters, or its name if no other has it.
    pub pipeline_id: String,
}

impl Aegis {
    /// Stores a pipeline, which the steward runs: at once, if any server is there. Nothing is stored or started if its
    /// stages do not fit together. Prompts are cut in the answer.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `invalid_pipeline`, `work_dir_refused`, `prompt_refused`, `prompt_too_large`, `key_reused`,
    /// `storage_failed`.
    pub async fn create_pipeline(&self, caller: &Caller, req: CreatePipeline) -> Result<Pipeline, OpError> {
        let act = self.begin(caller, "create_pipeline", Permission::Create).await?;
        let done = self.planned(caller, req).await;
        if let Ok(pipeline) = &done {
            act.what(format!("pipeline {}", pipeline.id));
        }
        act.end(done).await
    }

    async fn planned(&self, caller: &Caller, req: CreatePipeline) -> Result<Pipeline, OpError> {
        if let (Some(inside), Some(_)) = (caller.inside, caller.confined()) {
            self.seen(caller, &inside.to_string()).await?;
        }
        if req.idempotency_key.as_ref().is_some_and(|key| !(1..=LONGEST_KEY).contains(&key.len())) {
            let what = format!("idempotencyKey has 1 to {LONGEST_KEY} bytes");
            return Err(OpError::new(ErrorCode::InvalidArgument, what));
        }
        let new = NewPipeline {
            name: req.name,
            steps: req.steps.into_iter().map(new_step).collect::<Result<_, _>>()?,
            work_dir: req.work_dir,
            permission_mode: mode(req.permission_mode)?,
            reuse: req.reuse.unwrap_or(false),
            idempotency_key: req.idempotency_key,
            parent: caller.inside,
            owner_key: caller.owner_key(),
        };
        Ok(self.engine.create_pipeline(new).await?.glance(GLANCE))
    }

    /// Lists pipelines, newest first; finished ones too.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor or limit, `storage_failed`.
    pub async fn list_pipelines(&self, caller: &Caller, req: ListPipelines) -> Result<PipelineList, OpError> {
        let limit = req.limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "limit must be from 1 to 100"));
        }
        let query = PipelineQuery {
            status: req.status,
            owner_key: caller.confined().map(str::to_owned),
            limit: limit as usize,
            cursor: req.cursor,
        };
        let (pipelines, next_cursor) = self.engine.pipelines(query).await?;
        let pipelines = pipelines.into_iter().map(|one| one.glance(GLANCE)).collect();
        Ok(PipelineList { pipelines, next_cursor })
    }

    /// Gives one pipeline whole.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `ambiguous_pipeline`, `storage_failed`.
    pub async fn get_pipeline(&self, caller: &Caller, req: PipelineRef) -> Result<Pipeline, OpError> {
        self.pipeline_seen(caller, &req.pipeline_id).await
    }

    /// Finds a pipeline that the caller sees.
    async fn pipeline_seen(&self, caller: &Caller, reference: &str) -> Result<Pipeline, OpError> {
        let Some(key) = caller.confined() else { return self.engine.pipeline(reference).await };
        let none = || OpError::new(ErrorCode::NoSuchPipeline, format!("no pipeline `{reference}`"));
        match self.engine.pipeline(reference).await {
            Ok(pipeline) if pipeline.owner_key.as_deref() == Some(key) => Ok(pipeline),
            // What others call theirs is not told.
            Ok(_) => Err(none()),
            Err(error) if error.code == ErrorCode::AmbiguousPipeline => Err(none().hint("give the whole id")),
            Err(error) => Err(error),
        }
    }

    /// Cancels a pipeline: what has not begun never will, what runs is stopped and its session ended. One that is over
    /// is told as it is.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `ambiguous_pipeline`, `own_session` if the caller runs inside one of its sessions,
    /// `storage_failed`.
    pub async fn cancel_pipeline(&self, caller: &Caller, req: PipelineRef) -> Result<Pipeline, OpError> {
        let act = self.begin(caller, "cancel_pipeline", Permission::Kill).await?;
        act.what(format!("pipeline {}", req.pipeline_id));
        let done = self.cancelled(caller, req).await;
        act.end(done).await
    }

    async fn cancelled(&self, caller: &Caller, req: PipelineRef) -> Result<Pipeline, OpError> {
        let pipeline = self.pipeline_seen(caller, &req.pipeline_id).await?;
        if let Some(inside) = caller.inside {
            let line = self.engine.lineage(inside).await?;
            if pipeline
                .stages
                .iter()
                .filter_map(|stage| stage.state.session_id())
                .any(|id| line.contains(&id))
            {
                let what = format!("pipeline {} runs the caller's own session", pipeline.id);
                return Err(OpError::new(ErrorCode::OwnSession, what));
            }
        }
        self.engine.cancel_pipeline(pipeline.id, &caller.surface).await
    }

    /// Waits until a pipeline is over and gives it whole; `told` is called with each state on the way. Becomes the
    /// steward meanwhile, if nobody else is.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `ambiguous_pipeline`, `storage_failed`.
    pub async fn run_pipeline(
        &self,
        _: &Caller,
        req: PipelineRef,
        told: impl FnMut(&Pipeline),
    ) -> Result<Pipeline, OpError> {
        let id = self.engine.pipeline(&req.pipeline_id).await?.id;
        let steward = tokio::spawn(steward::serve(self.engine.clone()));
        let over = self.engine.pipeline_over(id, told).await;
        steward.abort();
        over
    }
}

fn new_step(step: PipelineStep) -> Result<NewStep, OpError> {
    Ok(NewStep {
        name: step.name,
        prompt: step.prompt,
        work_dir: step.work_dir,
        depends_on: step.depends_on,
        permission_mode: mode(step.permission_mode)?,
        model: step.model,
        timeout_ms: step.timeout_ms,
    })
}

/// Reads a permission mode: the schema, which hosts pay for, does not list them.
fn mode(word: Option<String>) -> Result<Option<PermissionMode>, OpError> {
    let Some(word) = word else { return Ok(None) };
    let found = PermissionMode::ALL.into_iter().find(|mode| mode.as_str() == word);
    found.map(Some).ok_or_else(|| {
        let known = PermissionMode::ALL.map(PermissionMode::as_str).join(", ");
        OpError::new(ErrorCode::InvalidArgument, format!("permissionMode must be one of {known}"))
    })
}
