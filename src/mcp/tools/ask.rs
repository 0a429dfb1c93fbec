//! Answering what waits for an approval.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::Ask;
use crate::ops::{ApprovePermission, RejectPermission};

#[tool_router(router = ask_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Allows what a session asks for; pass its inputHash to allow exactly what you read.
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

    /// Refuses what a session asks for, and tells Claude why.
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
