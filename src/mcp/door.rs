//! The handler: what the server says of itself, and how a call finds its tool.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::tool::{ToolCallContext, ToolRouter};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};
use tokio_util::sync::CancellationToken;

use super::args::{brief, nearest};
use super::guard::Slots;
use super::tools;
use crate::ops::{Aegis, Caller};

/// What the server tells every client about delegating well.
const INSTRUCTIONS: &str = include_str!("../../prompts/instructions.md");

/// How often a wait tells how it stands: often enough that a person sees it is alive and no client takes it for
/// hung, seldom enough to cost nothing.
const PROGRESS_EVERY: Duration = Duration::from_secs(4);

/// Which tools are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolSet {
    /// The eight that delegation cannot do without, for hosts that pay for every description.
    Core,
    /// All.
    #[default]
    Full,
}

/// The MCP server. Cheap to clone.
#[derive(Clone)]
pub struct McpDoor {
    pub(super) aegis: Aegis,
    pub(super) caller: Caller,
    pub(super) tools: Arc<ToolRouter<Self>>,
    pub(super) slots: Arc<Slots>,
    /// Fires when the client is gone: whatever waits for something else may stop.
    pub(super) closing: CancellationToken,
    pub(super) progress_every: Duration,
}

impl McpDoor {
    /// Builds the door over the operations.
    #[must_use]
    pub fn new(aegis: Aegis, caller: Caller, set: ToolSet) -> Self {
        Self {
            aegis,
            caller,
            tools: Arc::new(tools::router(set)),
            slots: Arc::default(),
            closing: CancellationToken::new(),
            progress_every: PROGRESS_EVERY,
        }
    }

    /// Lists the tools of a set as clients see them, in the order of their names.
    #[must_use]
    pub fn tools(set: ToolSet) -> Vec<Tool> {
        tools::router(set).list_all()
    }

    fn unknown_tool(&self, name: &str) -> ErrorData {
        let shown = brief(name);
        let known: Vec<_> = self.tools.map.keys().map(AsRef::as_ref).collect();
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("unknown tool `{shown}`; did you mean `{near}`?"),
            None => format!("unknown tool `{shown}`"),
        };
        ErrorData::invalid_params(message, None)
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for McpDoor {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("aegis", env!("CARGO_PKG_VERSION"))
            .with_title("Aegis")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !self.tools.has_route(&request.name) {
            return Err(self.unknown_tool(&request.name));
        }
        let name = request.name.clone();
        let cancelled = context.ct.clone();
        let call = self.tools.call(ToolCallContext::new(self, request, context));
        self.slots.run(&name, call, &cancelled, &self.closing).await
    }
}
