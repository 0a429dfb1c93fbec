//! What else runs.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::ops::{GetSwarm, Swarm};

#[tool_router(router = swarm_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Lists every Claude Code process of this user, ours marked, with subagents and teammates; touches none.
    #[tool(
        title = "Swarm",
        annotations(
            title = "Swarm",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_swarm(&self, Parameters(req): Parameters<GetSwarm>) -> Result<Json<Swarm>, ToolFault> {
        Ok(Json(self.aegis.get_swarm(&self.caller, req?).await?))
    }
}
