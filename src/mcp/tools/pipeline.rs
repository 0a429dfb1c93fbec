//! Pipelines.

use rmcp::{tool, tool_router};

use super::super::args::Parameters;
use super::super::door::McpDoor;
use super::super::reply::{Json, ToolFault};
use crate::domain::Pipeline;
use crate::ops::{CreatePipeline, ListPipelines, PipelineList};

#[tool_router(router = pipeline_tools, vis = "pub(in crate::mcp)")]
impl McpDoor {
    /// Runs prompts as steps, each in a session, that wait for each other; list_pipelines tells how far it is.
    #[tool(
        title = "Create pipeline",
        annotations(
            title = "Create pipeline",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn create_pipeline(
        &self,
        Parameters(req): Parameters<CreatePipeline>,
    ) -> Result<Json<Pipeline>, ToolFault> {
        Ok(Json(self.aegis.create_pipeline(&self.caller, req?).await?))
    }

    /// Lists pipelines, newest first, with their stages, answers and sessions; finished ones too.
    #[tool(
        title = "List pipelines",
        annotations(
            title = "List pipelines",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_pipelines(
        &self,
        Parameters(req): Parameters<ListPipelines>,
    ) -> Result<Json<PipelineList>, ToolFault> {
        Ok(Json(self.aegis.list_pipelines(&self.caller, req?).await?))
    }
}
