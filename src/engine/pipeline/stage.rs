//! What one stage takes: its start, its turn, its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::follow::TurnOver;
use super::{AGAIN, BY, key_of};
use crate::domain::{
    ErrorCode, FailureKind, OpError, Pipeline, PipelineEvent, PipelineId, PipelineStatus, SessionId, Stage,
    StageEvent, StageFailure, StageState, Timestamp, WhenBusy,
};
use crate::engine::{Engine, NewSession};
use crate::fault;

/// How long a turn whose time is up is looked at before it is stopped: after a takeover it may be over long since.
const LOOK: Duration = Duration::from_secs(1);

/// Somebody who works on a stage.
pub(super) struct Work {
    pub(super) engine: Arc<Engine>,
    pub(super) id: PipelineId,
    /// Which stage, counted from 0.
    pub(super) at: usize,
    /// Fires when the pipeline is cancelled.
    pub(super) cancelled: CancellationToken,
}

impl Work {
    /// Works until the stage is over, from whatever state it is in.
    pub(super) async fn run(self) {
        let mut now = self.engine.kept(self.id).await;
        while let Some(pipeline) = now {
            let Some(stage) = pipeline.stages.get(self.at) else { return };
            let event = match &stage.state {
                StageState::Pending => StageEvent::Chosen,
                StageState::Starting { started_at } => self.start(&pipeline, stage, *started_at).await,
                StageState::Running { started_at, session_id, .. } => {
                    self.finish(&pipeline, stage, *started_at, *session_id).await
                }
                StageState::Completed { .. }
                | StageState::Failed { .. }
                | StageState::Skipped { .. }
                | StageState::Cancelled { .. } => return,
            };
            let passed = match &event {
                StageEvent::Chosen => "pipeline.stage.starting",
                StageEvent::Begun { .. } => "pipeline.stage.running",
                StageEvent::Answered { .. } => "pipeline.stage.done",
                StageEvent::Failed(_) => "pipeline.stage.failed",
                StageEvent::Stopped { .. } | StageEvent::Blocked { .. } => "pipeline.stage.cancelled",
            };
            now = self.engine.note(self.id, PipelineEvent::Stage { at: self.at, event }).await;
            fault::point(passed);
        }
    }

    /// Gives the prompt to a session; what was given before is found again.
    async fn start(&self, pipeline: &Pipeline, stage: &Stage, started_at: Timestamp) -> StageEvent {
        let before = pipeline.predecessor(self.at).and_then(|at| pipeline.stages.get(at));
        let before = before.and_then(|stage| stage.state.session_id());
        let key = key_of(pipeline, stage);
        if pipeline.status == PipelineStatus::Cancelling {
            return self.stop_start(before, &key).await;
        }
        let Some(prompt) = pipeline.prompt(self.at) else {
            return failed(FailureKind::NotStarted, "an answer that the prompt refers to is not there");
        };
        let begun = match before {
            Some(session) => self.send(session, prompt, key, left(stage, started_at)).await,
            None => self.create(pipeline, stage, prompt, key).await,
        };
        fault::point("pipeline.stage.created");
        begun
    }

    async fn create(&self, pipeline: &Pipeline, stage: &Stage, prompt: String, key: String) -> StageEvent {
        let new = NewSession {
            work_dir: stage.work_dir.clone(),
            prompt: Some(prompt),
            permission_mode: Some(stage.permission_mode),
            model: stage.model.clone(),
            idempotency_key: Some(key),
            by: BY.into(),
            parent: pipeline.parent_id,
            owner_key: pipeline.owner_key.clone(),
            pipeline: Some(pipeline.id),
            ..NewSession::default()
        };
        match self.engine.create(new).await {
            Ok(created) => StageEvent::Begun {
                session_id: created.session.id,
                receipt_id: created.receipt.map(|receipt| receipt.id),
            },
            Err(error) => failed(FailureKind::NotStarted, told(&error)),
        }
    }

    /// Gives the prompt to the session of the stage before. A holder that does not answer, or has no room to write, is
    /// asked again: with the key, it is told once.
    async fn send(
        &self,
        session: SessionId,
        prompt: String,
        key: String,
        left: Option<Duration>,
    ) -> StageEvent {
        let insist = async {
            loop {
                let sent = self.engine.send(session, prompt.clone(), WhenBusy::Queue, Some(key.clone()), BY);
                match sent.await {
                    Err(error)
                        if matches!(error.code, ErrorCode::HolderUnreachable | ErrorCode::StorageFailed) =>
                    {
                        tracing::warn!(%error, %session, "a stage's prompt waits for its session");
                    }
                    other => return other,
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        let sent = tokio::select! {
            biased;
            sent = insist => sent,
            () = self.cancelled.cancelled() => return self.stop(session).await,
            () = alarm(left) => return failed(FailureKind::TimedOut, "its session did not answer in time"),
        };
        match sent {
            Ok(receipt) => StageEvent::Begun { session_id: session, receipt_id: Some(receipt.id) },
            // It may have been sent, and have ended, before anybody wrote that down.
            Err(error) if error.code == ErrorCode::SessionEnded => {
                match self.engine.past_receipt(session, &key).await {
                    Ok(Some(receipt)) => {
                        StageEvent::Begun { session_id: session, receipt_id: Some(receipt.id) }
                    }
                    Ok(None) | Err(_) => failed(FailureKind::SessionEnded, told(&error)),
                }
            }
            Err(error) => failed(FailureKind::NotDelivered, told(&error)),
        }
    }

    /// Waits for the end of the turn and reads the answer.
    async fn finish(
        &self,
        pipeline: &Pipeline,
        stage: &Stage,
        started_at: Timestamp,
        session: SessionId,
    ) -> StageEvent {
        let key = key_of(pipeline, stage);
        let over = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return self.stop(session).await,
            over = self.engine.turn_over(session, &key) => over,
            () = alarm(left(stage, started_at).map(|left| left.max(LOOK))) => {
                return self.time_out(session, stage.timeout_ms.unwrap_or_default()).await;
            }
        };
        fault::point("pipeline.stage.turn_ended");
        let receipt = match over {
            Ok(TurnOver::Answered(receipt)) => receipt,
            Ok(TurnOver::Failed(failure)) => return StageEvent::Failed(failure),
            Err(error) => return failed(FailureKind::SessionEnded, told(&error)),
        };
        let answer = self.engine.answer_of(session, &receipt).await;
        fault::point("pipeline.stage.output");
        match answer {
            Ok((output, truncated)) => StageEvent::Answered { output, truncated },
            Err(error) => failed(FailureKind::OutputUnreadable, told(&error)),
        }
    }

    /// Stops the turn and keeps the session.
    async fn time_out(&self, session: SessionId, limit_ms: u64) -> StageEvent {
        let stopped = match self.engine.interrupt(session, BY).await {
            Ok(_) => "its turn was stopped".to_owned(),
            Err(error) => format!("its turn could not be stopped: {error}"),
        };
        failed(FailureKind::TimedOut, format!("not over within {limit_ms} ms; {stopped}"))
    }

    /// Ends the session.
    async fn stop(&self, session: SessionId) -> StageEvent {
        if let Err(error) = self.engine.kill(session, false, BY).await {
            tracing::warn!(%error, %session, "the session of a cancelled stage could not be ended");
        }
        StageEvent::Stopped { session_id: Some(session) }
    }

    /// Ends what was begun of a stage, and sees to it that nothing more is.
    async fn stop_start(&self, before: Option<SessionId>, key: &str) -> StageEvent {
        let session = match before {
            Some(session) => Ok(Some(session)),
            None => self.engine.seal(key).await,
        };
        match session {
            Ok(Some(session)) => self.stop(session).await,
            Ok(None) => StageEvent::Stopped { session_id: None },
            Err(error) => {
                tracing::warn!(%error, "nobody can tell whether a cancelled stage had begun");
                StageEvent::Stopped { session_id: None }
            }
        }
    }
}

/// How much of the stage's time is left; `None` if it has no limit.
fn left(stage: &Stage, started_at: Timestamp) -> Option<Duration> {
    let used = Timestamp::now().millis_since(started_at);
    stage.timeout_ms.map(|limit| Duration::from_millis(limit.saturating_sub(used)))
}

async fn alarm(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

fn failed(kind: FailureKind, message: impl Into<String>) -> StageEvent {
    StageEvent::Failed(StageFailure::new(kind, message))
}

/// An error as a stage keeps it.
fn told(error: &OpError) -> String {
    format!("{}: {}", error.code.as_str(), error.message)
}
