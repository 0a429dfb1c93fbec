//! The memory: texts under keys, which all sessions and servers share.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::MemoryEntry;
use crate::ops::{SetState, StateDeleted, StateRef};

#[tool_router(router = memory_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Keeps a text under a key for all sessions and servers, in place of what was there.
    #[tool(
        title = "Set state",
        annotations(
            title = "Set state",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn state_set(&self, Parameters(req): Parameters<SetState>) -> Result<Json<MemoryEntry>, ToolFault> {
        Ok(Json(self.aegis.state_set(&self.caller, req?).await?))
    }

    /// Gives what is kept under a key.
    #[tool(
        title = "Get state",
        annotations(
            title = "Get state",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn state_get(&self, Parameters(req): Parameters<StateRef>) -> Result<Json<MemoryEntry>, ToolFault> {
        Ok(Json(self.aegis.state_get(&self.caller, req?).await?))
    }

    /// Forgets what is kept under a key, and tells whether there was anything.
    #[tool(
        title = "Delete state",
        annotations(
            title = "Delete state",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn state_delete(
        &self,
        Parameters(req): Parameters<StateRef>,
    ) -> Result<Json<StateDeleted>, ToolFault> {
        Ok(Json(self.aegis.state_delete(&self.caller, req?).await?))
    }
}
