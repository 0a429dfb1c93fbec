//! Waiting for sessions, and reading what they said and show.

use std::convert::Infallible;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use tokio::time::Instant;

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use super::super::say;
use crate::domain::{MessagePage, OpError};
use crate::ops::{CapturePane, GetTranscript, ListSessions, ScreenPane, WaitForSession, Waited};

#[tool_router(router = watch_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Waits, at most 50 s, until a session is done or needs you; pass the cursor to the next call.
    #[tool(
        title = "Wait for session",
        annotations(
            title = "Wait for session",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn wait_for_session(
        &self,
        Parameters(req): Parameters<WaitForSession>,
        cx: RequestContext<RoleServer>,
    ) -> Result<Json<Waited>, ToolFault> {
        let req = req?;
        let sessions = req.session_ids.clone();
        let wait = self.aegis.wait_for_session(&self.caller, req);
        Ok(Json(self.patiently(&cx, sessions.as_deref(), wait).await?))
    }

    /// Reads a session's conversation, also after its end.
    #[tool(
        title = "Get transcript",
        annotations(
            title = "Get transcript",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_transcript(
        &self,
        Parameters(req): Parameters<GetTranscript>,
    ) -> Result<Json<MessagePage>, ToolFault> {
        Ok(Json(self.aegis.get_transcript(&self.caller, req?).await?))
    }

    /// Reads what a session's terminal shows, for when the status does not say enough.
    #[tool(
        title = "Capture pane",
        annotations(
            title = "Capture pane",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn capture_pane(
        &self,
        Parameters(req): Parameters<CapturePane>,
    ) -> Result<Json<ScreenPane>, ToolFault> {
        Ok(Json(self.aegis.capture_pane(&self.caller, req?).await?))
    }
}

impl McpDoor {
    /// Waits for `wait`, telling a client that asked for it how the sessions stand, until the client takes the call
    /// back or leaves.
    pub(in crate::mcp) async fn patiently<T>(
        &self,
        cx: &RequestContext<RoleServer>,
        sessions: Option<&[String]>,
        wait: impl Future<Output = Result<T, OpError>>,
    ) -> Result<T, ToolFault> {
        tokio::select! {
            biased;
            over = wait => Ok(over?),
            () = cx.ct.cancelled() => Err(ToolFault::withdrawn()),
            () = self.closing.cancelled() => Err(ToolFault::withdrawn()),
            never = self.tell_progress(cx, sessions) => match never {},
        }
    }

    /// Tells a client that asked for it how the wait stands, until the wait is over.
    async fn tell_progress(
        &self,
        cx: &RequestContext<RoleServer>,
        sessions: Option<&[String]>,
    ) -> Infallible {
        let Some(token) = cx.meta.get_progress_token() else { return std::future::pending().await };
        let started = Instant::now();
        loop {
            tokio::time::sleep(self.progress_every).await;
            let elapsed = started.elapsed();
            let all = ListSessions { limit: Some(200), ..ListSessions::default() };
            let standing = match self.aegis.list_sessions(&self.caller, all).await {
                Ok(list) => say::standing(&list.sessions, sessions),
                Err(_) => "waiting".into(),
            };
            let note = ProgressNotificationParam::new(token.clone(), elapsed.as_secs_f64())
                .with_message(format!("{standing}; {} s", elapsed.as_secs()));
            // A client that does not take it has gone, and the wait ends by that.
            let _ = cx.peer.notify_progress(note).await;
        }
    }
}
