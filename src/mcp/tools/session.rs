//! Creating, listing, describing and ending sessions.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::Session;
use crate::ops::{
    CreateSession, KillSession, ListSessions, SessionCreated, SessionDetail, SessionList, SessionRef,
};

#[tool_router(router = session_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Starts a Claude Code session, or takes an idle one; follow with wait_for_session.
    #[tool(
        title = "Create session",
        annotations(
            title = "Create session",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn create_session(
        &self,
        Parameters(req): Parameters<CreateSession>,
    ) -> Result<Json<SessionCreated>, ToolFault> {
        Ok(Json(self.aegis.create_session(&self.caller, req?).await?))
    }

    /// Lists sessions, newest first.
    #[tool(
        title = "List sessions",
        annotations(
            title = "List sessions",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_sessions(
        &self,
        Parameters(req): Parameters<ListSessions>,
    ) -> Result<Json<SessionList>, ToolFault> {
        Ok(Json(self.aegis.list_sessions(&self.caller, req?).await?))
    }

    /// Tells all that is known about one session: status and the evidence for it, process health, open asks,
    /// receipts and what can be done next.
    #[tool(
        title = "Get status",
        annotations(
            title = "Get status",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_status(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<SessionDetail>, ToolFault> {
        Ok(Json(self.aegis.get_status(&self.caller, req?).await?))
    }

    /// Ends a session and all it started; create_session can resume it.
    #[tool(
        title = "Kill session",
        annotations(
            title = "Kill session",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn kill_session(
        &self,
        Parameters(req): Parameters<KillSession>,
    ) -> Result<Json<Session>, ToolFault> {
        Ok(Json(self.aegis.kill_session(&self.caller, req?).await?))
    }
}
