//! What a client may ask, stated once: request and response types, who may, and one call into the engine.
//!
//! Doors translate into these types, call one method of [`Aegis`] and render what comes back; they add nothing.
//! [`OPS`] is the catalogue that tests hold the doors against.

mod act;
mod ask;
mod audit;
mod batch;
mod catalogue;
mod channels;
mod chat;
mod family;
mod figures;
mod key;
mod live;
mod memory;
mod pipeline;
mod policy;
mod prompt;
mod route;
mod schema;
mod screenshot;
mod server;
mod session;
mod stats;
mod swarm;
mod template;
mod verify;
mod watch;

use std::sync::Arc;

use crate::access::Identity;
use crate::access::audit::AuditLog;
use crate::browser::Browser;
use crate::channel::Channels;
use crate::domain::{ErrorCode, OpError, SessionId};
use crate::engine::Engine;

pub use crate::channel::AlertStats;
pub use crate::engine::{
    AttachInput, Attachment, Fed, Feed, Mark, Newcomer, News, NewsReader, Place, Project, Replay, Repository,
    Roster,
};
pub use ask::{ApprovePermission, RejectPermission};
pub use audit::{AuditPage, AuditQuery, ExportAudit, GetAudit, VerifyAudit};
pub use batch::{BatchCreateSessions, BatchItem, BatchResult, Failure, SessionsCreated};
pub use catalogue::{Door, OPS, Op};
pub use channels::{
    AlertsTested, ChannelHealthView, ChannelInfo, ChannelRef, ChannelTested, DeadLetter, DeliveryView,
    RefusalView, Retried, RetryDeliveries,
};
pub use chat::ChatSessions;
pub use family::{ForkSession, SpawnSession};
pub use figures::{Figures, SessionFigures};
pub use key::{CreateKey, KeyDeleted, KeyList, KeyMade, KeyRef, ListKeys, RotateKey};
pub use live::{AnswerAsk, HookCall};
pub use memory::{ListState, SetState, StateDeleted, StateList, StateRef};
pub use pipeline::{CreatePipeline, ListPipelines, PipelineList, PipelineRef, PipelineStep};
pub use policy::SetPolicy;
pub use prompt::{AnswerValue, SendLine, SendMessage};
pub use route::{ModelTiers, RouteTask, TaskRoute};
pub use screenshot::{Screenshot, ScreenshotTaken};
pub use server::{ClaudeHealth, ServerHealth, ServerHealthRequest, StewardPlace, StoreHealth};
pub use session::{
    CreateSession, HolderHealth, KillSession, ListSessions, SessionCreated, SessionDetail, SessionHealth,
    SessionList, SessionRef,
};
pub use stats::{
    ModelUse, SessionLatency, SessionMetrics, SessionSummary, StatusChange, Tail, TokenUsage, ToolUse,
};
pub use swarm::{GetSwarm, Swarm, SwarmAgent, SwarmProcess, Teammate};
pub use template::{CreateTemplate, ListTemplates, TemplateList, TemplateRef, TemplateView, UpdateTemplate};
pub use watch::{CapturePane, Counted, Explanation, GetTranscript, ScreenPane, WaitForSession, Waited, Woke};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The surface, as asks and events name it: `mcp`, `cli`.
    pub surface: String,
    /// The session that the caller runs inside of, if it does.
    pub inside: Option<SessionId>,
    /// Whom the caller's token or key stands for. None is this machine's user, who may everything and sees all.
    pub key: Option<Arc<Identity>>,
}

/// Every operation, for every door.
#[derive(Clone)]
pub struct Aegis {
    engine: Arc<Engine>,
    browser: Option<Arc<Browser>>,
    channels: Option<Arc<Channels>>,
    audit: Option<Arc<AuditLog>>,
}

impl Aegis {
    /// Builds the operations over an engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, browser: None, channels: None, audit: None }
    }

    /// The same with what takes pictures of pages.
    #[must_use]
    pub fn with_browser(mut self, browser: Arc<Browser>) -> Self {
        self.browser = Some(browser);
        self
    }

    /// The same with the channels of the configuration.
    #[must_use]
    pub fn with_channels(mut self, channels: Arc<Channels>) -> Self {
        self.channels = Some(channels);
        self
    }

    /// Writes down in a log what is done through them.
    #[must_use]
    pub fn audited(self, log: Arc<AuditLog>) -> Self {
        Self { audit: Some(log), ..self }
    }

    /// Finds the session, which the caller must see, and refuses if it runs inside it or below it: nobody approves
    /// their own asks.
    async fn guard_own(&self, caller: &Caller, reference: &str) -> Result<SessionId, OpError> {
        let id = self.engine.resolve_seen(reference, caller.confined()).await?;
        if let Some(inside) = caller.inside
            && self.engine.lineage(inside).await?.contains(&id)
        {
            return Err(OpError::new(
                ErrorCode::OwnSession,
                format!("session {id} is the caller's own, or one that it descends from"),
            ));
        }
        Ok(id)
    }
}

/// How many a page of a list may have, 50 unless the caller says.
fn page_limit(limit: Option<u32>) -> Result<usize, OpError> {
    match limit.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit as usize),
        _ => Err(OpError::new(ErrorCode::InvalidArgument, "limit must be from 1 to 200")),
    }
}
