//! Prompts, answers to questions, and stopping a turn.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::{Receipt, Session};
use crate::ops::{SendLine, SendMessage, SessionRef};

#[tool_router(router = prompt_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Sends a prompt, or answers the open question; follow with wait_for_session.
    #[tool(
        title = "Send message",
        annotations(
            title = "Send message",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn send_message(
        &self,
        Parameters(req): Parameters<SendMessage>,
    ) -> Result<Json<Receipt>, ToolFault> {
        Ok(Json(self.aegis.send_message(&self.caller, req?).await?))
    }

    /// Types a slash command such as /compact or /model into a session, after the running turn.
    #[tool(
        title = "Send command",
        annotations(
            title = "Send command",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn send_command(&self, Parameters(req): Parameters<SendLine>) -> Result<Json<Receipt>, ToolFault> {
        Ok(Json(self.aegis.send_command(&self.caller, req?).await?))
    }

    /// Runs a shell command in a session's directory without a permission prompt, after the running turn, and gives its
    /// output if it ends within 10 s.
    #[tool(
        title = "Send shell command",
        annotations(
            title = "Send shell command",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn send_bash(&self, Parameters(req): Parameters<SendLine>) -> Result<Json<Receipt>, ToolFault> {
        Ok(Json(self.aegis.send_bash(&self.caller, req?).await?))
    }

    /// Stops the running turn and withdraws its open asks; the session stays and takes the next prompt.
    #[tool(
        title = "Interrupt session",
        annotations(
            title = "Interrupt session",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn interrupt_session(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<Session>, ToolFault> {
        Ok(Json(self.aegis.interrupt_session(&self.caller, req?).await?))
    }

    /// Presses Escape once in a session's terminal, for dialogs and menus; to stop a turn use interrupt_session.
    #[tool(
        title = "Press Escape",
        annotations(
            title = "Press Escape",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn escape_session(
        &self,
        Parameters(req): Parameters<SessionRef>,
    ) -> Result<Json<Session>, ToolFault> {
        Ok(Json(self.aegis.escape_session(&self.caller, req?).await?))
    }
}
