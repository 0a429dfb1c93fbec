//! Pipelines: created, listed and cancelled by any server, run by the steward.
//!
//! What a pipeline does next follows from what is written of it ([`crate::domain::Pipeline`]), and that is written
//! before it is done. What is done bears a key made of pipeline and stage, so that doing it again does nothing: a
//! steward that takes over goes on wherever the last one was killed. Every writing names the one that it rests on, so
//! that a steward and whoever cancels never overwrite each other.
//!
//! [`run`] has the steward's loops, [`stage`] what one stage takes, [`follow`] and [`output`] watch a turn and read its
//! answer, [`super::changes`] wakes whoever waits. Sessions get the environment of the steward that starts them: a caller's
//! holds secrets, and those are not kept.

mod follow;
mod output;
mod run;
mod stage;

use std::time::Duration;

use futures_util::future::join_all;

use super::changes::Changes;
pub(super) use super::changes::tell;
use super::create::{digest, scoped};
use super::find::read_cursor;
use super::names::work_dir;
use super::{Engine, WaitQuery};
use crate::domain::{
    ErrorCode, OpError, PermissionMode, Pipeline, PipelineEvent, PipelineId, PipelineSpec, PipelineStatus,
    SessionId, Stage, StageState, StatusWord, StepSpec, Timestamp,
};
use crate::fault;
use crate::store::{MIN_PREFIX, PipelineClaim};

pub(super) use run::serve;

/// Who sends prompts and ends sessions, as events name it.
const BY: &str = "pipeline";

/// How long to wait before trying again what failed for a reason that has no event: a full disk, a busy machine.
const AGAIN: Duration = Duration::from_secs(1);

/// How long one wait for a session lasts before it is begun anew; any time does.
const LONG: Duration = Duration::from_secs(3600);

/// What a new pipeline is to be.
#[derive(Clone, Debug, Default)]
pub struct NewPipeline {
    /// Its name.
    pub name: String,
    /// Its steps.
    pub steps: Vec<NewStep>,
    /// The directory of steps that name none.
    pub work_dir: Option<String>,
    /// The permission mode of steps that name none.
    pub permission_mode: Option<PermissionMode>,
    /// Whether steps in sequence share a session.
    pub reuse: bool,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// The session from inside which it is created.
    pub parent: Option<SessionId>,
    /// The key that it is to belong to, by id.
    pub owner_key: Option<String>,
}

/// What a step of a new pipeline is to be.
#[derive(Clone, Debug, Default)]
pub struct NewStep {
    /// Its name.
    pub name: Option<String>,
    /// Its prompt.
    pub prompt: String,
    /// The directory, as the caller wrote it.
    pub work_dir: Option<String>,
    /// The steps it waits for.
    pub depends_on: Option<Vec<String>>,
    /// The permission mode.
    pub permission_mode: Option<PermissionMode>,
    /// The model.
    pub model: Option<String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// Which pipelines to list.
#[derive(Clone, Debug, Default)]
pub struct PipelineQuery {
    /// Only those in this status.
    pub status: Option<PipelineStatus>,
    /// Only those of this key.
    pub owner_key: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl Engine {
    /// Stores a pipeline, which the steward runs as soon as there is one.
    ///
    /// # Errors
    ///
    /// Those of `create_pipeline`.
    pub async fn create_pipeline(&self, new: NewPipeline) -> Result<Pipeline, OpError> {
        let fingerprint = fingerprint(&new);
        let key = new.idempotency_key.clone();
        let key = key.map(|key| (scoped(new.owner_key.as_deref(), key), fingerprint.clone()));
        let pipeline = self.plan(new)?;
        let row = pipeline.clone();
        let claim = self.db(move |store| {
            store.insert_pipeline(&row, key.as_ref().map(|(key, of)| (key.as_str(), of.as_str())))
        });
        match claim.await? {
            PipelineClaim::New => {
                fault::point("pipeline.created");
                tell(&self.paths.pipelines_mark);
                Ok(pipeline)
            }
            PipelineClaim::Known { id, fingerprint: of } if of == fingerprint => self.pipeline_of(id).await,
            PipelineClaim::Known { .. } => {
                Err(OpError::new(ErrorCode::KeyReused, "the idempotencyKey was used for another pipeline"))
            }
        }
    }

    /// Checks all that can be checked before anything runs.
    fn plan(&self, new: NewPipeline) -> Result<Pipeline, OpError> {
        let steps = new.steps.into_iter().map(|step| {
            self.check_prompt(&step.prompt)?;
            let given = step.work_dir.as_ref().or(new.work_dir.as_ref()).ok_or_else(|| {
                OpError::new(ErrorCode::InvalidArgument, "a step has no workDir, and the pipeline has none")
            })?;
            let dir = work_dir(given, &self.config(), &self.paths.state_dir)?;
            let mode = step.permission_mode.or(new.permission_mode).unwrap_or(self.config().permission_mode);
            Ok(StepSpec {
                name: step.name,
                prompt: step.prompt,
                work_dir: dir.display().to_string(),
                depends_on: step.depends_on,
                permission_mode: mode,
                model: step.model.or_else(|| self.config().model.clone()),
                timeout_ms: step.timeout_ms,
            })
        });
        let spec = PipelineSpec {
            id: PipelineId::mint(),
            name: new.name,
            reuse: new.reuse,
            parent_id: new.parent,
            owner_key: new.owner_key,
            created_at: Timestamp::now(),
            steps: steps.collect::<Result<_, OpError>>()?,
        };
        Pipeline::plan(spec).map_err(|error| OpError::new(ErrorCode::InvalidPipeline, error.to_string()))
    }

    /// Finds the one pipeline that is meant: by id, a prefix of it, or its name if no other has it.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `ambiguous_pipeline`, `storage_failed`.
    pub async fn pipeline(&self, reference: &str) -> Result<Pipeline, OpError> {
        let wanted = reference.trim().to_owned();
        let asked = wanted.clone();
        let mut found = self.db(move |store| store.find_pipelines(&asked)).await?;
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(self.overlaid(only).await),
            (Some(last), others) => {
                let all: Vec<_> =
                    others.iter().chain([&last]).map(|one| format!("{} ({})", one.id, one.name)).collect();
                let what = format!("`{wanted}` fits {} pipelines", all.len());
                Err(OpError::new(ErrorCode::AmbiguousPipeline, what).details(Some(all.into())))
            }
            (None, _) => {
                let mut error = OpError::new(ErrorCode::NoSuchPipeline, format!("no pipeline `{wanted}`"));
                if wanted.len() < MIN_PREFIX {
                    error = error.hint("give the id, at least 6 characters of it, or the exact name");
                }
                Err(error)
            }
        }
    }

    /// Lists pipelines, newest first.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor, `storage_failed`.
    pub async fn pipelines(&self, query: PipelineQuery) -> Result<(Vec<Pipeline>, Option<String>), OpError> {
        let mut before = query.cursor.as_deref().map(read_cursor).transpose()?;
        let (status, limit) = (query.status, query.limit);
        let mut page: Vec<Pipeline> = Vec::new();
        loop {
            let rows = self.db(move |store| store.pipelines(status, before, limit + 1)).await?;
            let last = rows.last().map(|last| (last.created_at, last.id)).filter(|_| rows.len() > limit);
            let key = query.owner_key.as_deref();
            page.extend(rows.into_iter().filter(|one| key.is_none() || one.owner_key.as_deref() == key));
            // Others' may fill whole pages of the store.
            match last {
                Some(last) if page.len() <= limit => before = Some(last),
                _ => break,
            }
        }
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more);
        let next = next.map(|last| format!("{}_{}", last.created_at.millis(), last.id));
        Ok((join_all(page.into_iter().map(|one| self.overlaid(one))).await, next))
    }

    /// Cancels a pipeline; the steward stops what runs of it. One that is over is told as it is.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `storage_failed`.
    pub async fn cancel_pipeline(&self, id: PipelineId, by: &str) -> Result<Pipeline, OpError> {
        let cancelled = self.advance(id, PipelineEvent::Cancel { by: by.to_owned() }).await?;
        Ok(self.overlaid(cancelled).await)
    }

    /// Waits until a pipeline is over, and gives it. `told` is called with each state on the way, and when a stage
    /// begins to wait for an answer.
    ///
    /// # Errors
    ///
    /// `no_such_pipeline`, `storage_failed`.
    pub async fn pipeline_over(
        &self,
        id: PipelineId,
        mut told: impl FnMut(&Pipeline),
    ) -> Result<Pipeline, OpError> {
        let mut changes = Changes::watch(&self.paths.pipelines_mark).map_err(|error| {
            OpError::new(ErrorCode::StorageFailed, format!("changes of pipelines cannot be watched: {error}"))
        })?;
        let mut cursor = None;
        loop {
            let pipeline = self.pipeline_of(id).await?;
            told(&pipeline);
            if pipeline.status.over() {
                return Ok(pipeline);
            }
            tokio::select! {
                () = changes.next() => {}
                seen = self.asked(&pipeline, cursor.clone()) => cursor = seen,
            }
        }
    }

    /// Waits until a running stage waits for an answer. Gives the cursor for the next wait.
    async fn asked(&self, pipeline: &Pipeline, cursor: Option<String>) -> Option<String> {
        let running = pipeline.stages.iter().filter(|stage| stage.state.at_work());
        let sessions: Vec<_> =
            running.filter_map(|stage| stage.state.session_id()).map(|id| id.to_string()).collect();
        if sessions.is_empty() {
            return std::future::pending().await;
        }
        let until = vec![StatusWord::PermissionPrompt, StatusWord::Asking];
        let query = WaitQuery { sessions: Some(sessions), owner_key: None, until, timeout: LONG, cursor };
        match self.wait(query).await {
            Ok(result) => Some(result.cursor),
            // Whatever is wrong with a session, the steward finds out, and writes it down.
            Err(_) => std::future::pending().await,
        }
    }

    async fn pipeline_of(&self, id: PipelineId) -> Result<Pipeline, OpError> {
        let row = self.db(move |store| store.pipeline(id)).await?;
        let pipeline = row.map(|row| row.pipeline).ok_or_else(|| no_such(id))?;
        Ok(self.overlaid(pipeline).await)
    }

    /// Writes down what happened to a pipeline, and gives it as it is then; unchanged if that changes nothing.
    async fn advance(&self, id: PipelineId, event: PipelineEvent) -> Result<Pipeline, OpError> {
        loop {
            let row = self.db(move |store| store.pipeline(id)).await?.ok_or_else(|| no_such(id))?;
            let Some(next) = row.pipeline.after(&event, Timestamp::now()) else { return Ok(row.pipeline) };
            let (written, revision) = (next.clone(), row.revision);
            if self.db(move |store| store.save_pipeline(&written, revision)).await? {
                tell(&self.paths.pipelines_mark);
                return Ok(next);
            }
        }
    }

    /// The pipeline with what the sessions of its running stages are doing now.
    async fn overlaid(&self, mut pipeline: Pipeline) -> Pipeline {
        let running: Vec<_> = pipeline
            .stages
            .iter_mut()
            .filter(|stage| matches!(stage.state, StageState::Running { .. }))
            .filter_map(|stage| Some((stage.state.session_id()?, &mut stage.session_status)))
            .collect();
        let doing = join_all(running.iter().map(|(session, _)| self.doing(*session))).await;
        for ((_, status), doing) in running.into_iter().zip(doing) {
            *status = Some(doing);
        }
        pipeline
    }

    async fn doing(&self, id: SessionId) -> StatusWord {
        let Ok(row) = self.row_of(id).await else { return StatusWord::Unknown };
        self.tell(&row).await.map_or(StatusWord::Unknown, |session| session.status)
    }
}

/// The key under which the prompt of a stage is given, and its session created.
fn key_of(pipeline: &Pipeline, stage: &Stage) -> String {
    format!("pipeline:{}:{}", pipeline.id, stage.name)
}

fn no_such(id: PipelineId) -> OpError {
    OpError::new(ErrorCode::NoSuchPipeline, format!("no pipeline {id}"))
}

/// A hash over a whole request, so that a key cannot stand for two.
fn fingerprint(new: &NewPipeline) -> String {
    let steps = new.steps.iter().map(|step| {
        serde_json::json!([
            step.name,
            step.prompt,
            step.work_dir,
            step.depends_on,
            step.permission_mode,
            step.model,
            step.timeout_ms,
        ])
    });
    digest(&serde_json::json!([
        new.name,
        steps.collect::<Vec<_>>(),
        new.work_dir,
        new.permission_mode,
        new.reuse
    ]))
}
