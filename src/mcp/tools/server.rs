//! The server itself.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::ops::{ServerHealth, ServerHealthRequest};

#[tool_router(router = server_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Tells how Aegis itself is: version, sessions by status, whether Claude Code was found and is supported, and
    /// the store.
    #[tool(
        title = "Server health",
        annotations(
            title = "Server health",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn server_health(
        &self,
        Parameters(req): Parameters<ServerHealthRequest>,
    ) -> Result<Json<ServerHealth>, ToolFault> {
        Ok(Json(self.aegis.server_health(&self.caller, req?).await?))
    }
}
