//! Answering what waits for an approval.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::Ask;
use crate::ops::{ApprovePermission, RejectPermission};

#[tool_router(router = ask_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Allows the tool call or plan that a session asks about; read the ask first and pass its inputHash, so that
    /// exactly what was shown is allowed.
    #[tool(
        title = "Approve permission",
        annotations(
            title = "Approve permission",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn approve_permission(
        &self,
        Parameters(req): Parameters<ApprovePermission>,
    ) -> Result<Json<Ask>, ToolFault> {
        Ok(Json(self.aegis.approve_permission(&self.caller, req?).await?))
    }

    /// Refuses the tool call or plan that a session asks about and tells Claude why, so that it goes on another way.
    #[tool(
        title = "Reject permission",
        annotations(
            title = "Reject permission",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn reject_permission(
        &self,
        Parameters(req): Parameters<RejectPermission>,
    ) -> Result<Json<Ask>, ToolFault> {
        Ok(Json(self.aegis.reject_permission(&self.caller, req?).await?))
    }
}
