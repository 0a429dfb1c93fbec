//! The steward's loops: one over all pipelines, one for each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::stage::Work;
use super::{AGAIN, Changes, Engine};
use crate::domain::{ErrorCode, OpError, Pipeline, PipelineEvent, PipelineId, PipelineStatus, SessionId};
use crate::fault;

/// How many stages of one pipeline are under way at once.
///
/// Each is a Claude Code of some 200 MB: a laptop bears these, and fifty independent stages still run in seven rounds.
const AT_ONCE: usize = 8;

/// The longest pause between two tries. What lasts longer than some seconds lasts until somebody mends it.
const PAUSE_AT_MOST: Duration = Duration::from_secs(30);

/// Runs all pipelines until the future is dropped.
pub(in crate::engine) async fn serve(engine: Arc<Engine>) {
    let mut changes = match Changes::watch(&engine.paths.pipelines_mark) {
        Ok(changes) => changes,
        Err(error) => {
            return tracing::error!(%error, "pipelines are not run: their changes cannot be watched");
        }
    };
    let mut running: HashMap<PipelineId, AbortHandle> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let open = patiently("the open pipelines", || engine.db(|store| store.open_pipelines())).await;
        running.retain(|_, task| !task.is_finished());
        for id in open.unwrap_or_default() {
            running.entry(id).or_insert_with(|| tasks.spawn(run(engine.clone(), id, changes.also())));
        }
        tokio::select! {
            () = changes.next() => {}
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Runs one pipeline to its end.
async fn run(engine: Arc<Engine>, id: PipelineId, mut changes: watch::Receiver<()>) {
    let cancelled = CancellationToken::new();
    let mut at_work: HashMap<usize, AbortHandle> = HashMap::new();
    let mut ended = HashSet::new();
    let mut tasks = JoinSet::new();
    loop {
        // Whatever is written from here on is told.
        changes.mark_unchanged();
        let Some(pipeline) = engine.kept(id).await.filter(|pipeline| !pipeline.status.over()) else { return };
        if pipeline.status == PipelineStatus::Cancelling {
            cancelled.cancel();
        }
        at_work.retain(|_, task| !task.is_finished());
        for at in pipeline.due(AT_ONCE) {
            let work = || Work { engine: engine.clone(), id, at, cancelled: cancelled.clone() };
            at_work.entry(at).or_insert_with(|| tasks.spawn(work().run()));
        }
        for session in pipeline.spent().into_iter().filter(|session| ended.insert(*session)) {
            let engine = engine.clone();
            tasks.spawn(async move { engine.end_spent(session).await });
        }
        if pipeline.settled() && tasks.is_empty() {
            fault::point("pipeline.closing");
            engine.note(id, PipelineEvent::Close).await;
            fault::point("pipeline.done");
            return;
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            Some(_) = tasks.join_next() => {}
        }
    }
}

impl Engine {
    /// Reads a pipeline, however long that takes; `None` if there is none.
    pub(super) async fn kept(&self, id: PipelineId) -> Option<Pipeline> {
        let row = patiently("a pipeline", || self.db(move |store| store.pipeline(id))).await;
        row.flatten().map(|row| row.pipeline)
    }

    /// Writes down what happened to a pipeline, however long that takes, and gives it as it is then; `None` if there is
    /// none any more.
    pub(super) async fn note(&self, id: PipelineId, event: PipelineEvent) -> Option<Pipeline> {
        patiently("a pipeline's progress", || self.advance(id, event.clone())).await
    }

    /// Ends a session that no stage needs any more.
    async fn end_spent(&self, session: SessionId) {
        if let Err(error) = self.kill(session, false, super::BY).await {
            tracing::warn!(%error, %session, "a pipeline's session could not be ended");
        }
        fault::point("pipeline.session.ended");
    }
}

/// Does it again until the store takes it: a full disk is mended, a busy one gets free. `None` if what it is about is
/// not there.
async fn patiently<T, F>(what: &str, call: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, OpError>>,
{
    let mut pause = AGAIN;
    loop {
        match call().await {
            Ok(done) => return Some(done),
            Err(error) if error.code == ErrorCode::NoSuchPipeline => return None,
            Err(error) => tracing::warn!(%error, "{what}: the store failed; tried again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_AT_MOST);
    }
}
