//! Many sessions in one call.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::ops::{BatchCreateSessions, SessionsCreated};

#[tool_router(router = batch_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Starts up to 50 sessions side by side; gives for each, in order, the session or the error.
    #[tool(
        title = "Create sessions",
        annotations(
            title = "Create sessions",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn batch_create_sessions(
        &self,
        Parameters(req): Parameters<BatchCreateSessions>,
    ) -> Result<Json<SessionsCreated>, ToolFault> {
        Ok(Json(self.aegis.batch_create_sessions(&self.caller, req?).await?))
    }
}
