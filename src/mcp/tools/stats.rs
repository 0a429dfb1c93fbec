//! What sessions have done and cost, in numbers.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::ops::{SessionLatency, SessionMetrics, SessionRef, SessionSummary};

#[tool_router(router = stats_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Sums up what a session did: messages, tools, files, commands, statuses, last words.
    #[tool(
        title = "Session summary",
        annotations(
            title = "Session summary",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_session_summary(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<SessionSummary>, ToolFault> {
        Ok(Json(self.aegis.get_session_summary(&self.caller, req?).await?))
    }

    /// Counts a session's turns, tool calls, approvals, tokens and their cost.
    #[tool(
        title = "Session metrics",
        annotations(
            title = "Session metrics",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_session_metrics(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<SessionMetrics>, ToolFault> {
        Ok(Json(self.aegis.get_session_metrics(&self.caller, req?).await?))
    }

    /// Tells how long prompts, turns, answers and hooks take in a session.
    #[tool(
        title = "Session latency",
        annotations(
            title = "Session latency",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_session_latency(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<SessionLatency>, ToolFault> {
        Ok(Json(self.aegis.get_session_latency(&self.caller, req?).await?))
    }
}
