//! The handler: what the server says of itself, and how a call finds its tool.

#![expect(deprecated, reason = "the older protocol, which hosts still speak, has log messages")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::handler::server::tool::{ToolCallContext, ToolRouter};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::args::{brief, nearest};
use super::guard::Slots;
use super::notices::{Notices, Warnings};
use super::page::page;
use super::{prompts, resources, tools};
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

/// The MCP server of one connection. Cheap to clone; clones serve the same connection.
#[derive(Clone)]
pub struct McpDoor {
    pub(super) aegis: Aegis,
    pub(super) caller: Caller,
    pub(super) set: ToolSet,
    /// Built when they are first asked for: their schemas take longer than all else before the first answer.
    pub(super) tools: Arc<OnceLock<ToolRouter<Self>>>,
    pub(super) slots: Arc<Slots>,
    /// Fires when the client is gone: whatever waits for something else may stop.
    pub(super) closing: CancellationToken,
    /// Fires that when the last clone goes, as over HTTP, where nothing else tells the end.
    pub(super) _ends: Arc<DropGuard>,
    pub(super) progress_every: Duration,
    pub(super) notices: Arc<Notices>,
    pub(super) warnings: Warnings,
    /// Whether asks are put to the person in front of the host.
    pub(super) elicits: bool,
}

impl McpDoor {
    /// Builds the door over the operations.
    #[must_use]
    pub fn new(aegis: Aegis, caller: Caller, set: ToolSet) -> Self {
        let closing = CancellationToken::new();
        Self {
            aegis,
            caller,
            set,
            tools: Arc::default(),
            slots: Arc::default(),
            _ends: Arc::new(closing.clone().drop_guard()),
            closing,
            progress_every: PROGRESS_EVERY,
            notices: Arc::default(),
            warnings: Warnings::default(),
            elicits: false,
        }
    }

    /// Also puts every open ask that the caller may answer to the person in front of the host, if the host has forms.
    #[must_use]
    pub fn eliciting(self, elicits: bool) -> Self {
        Self { elicits, ..self }
    }

    /// Also tells clients that ask for log messages of these.
    #[must_use]
    pub fn with_warnings(self, warnings: Warnings) -> Self {
        Self { warnings, ..self }
    }

    /// The same door for another peer, who is told and ended apart. The tools and the bound on calls are shared.
    pub(super) fn for_peer(&self) -> Self {
        let closing = CancellationToken::new();
        Self {
            _ends: Arc::new(closing.clone().drop_guard()),
            closing,
            notices: Arc::default(),
            ..self.clone()
        }
    }

    /// Lists the tools of a set as clients see them, in the order of their names.
    #[must_use]
    pub fn tools(set: ToolSet) -> Vec<Tool> {
        tools::router(set).list_all()
    }

    pub(super) fn router(&self) -> &ToolRouter<Self> {
        self.tools.get_or_init(|| tools::router(self.set))
    }

    fn unknown_tool(&self, name: &str) -> ErrorData {
        let shown = brief(name);
        let known: Vec<_> = self.router().map.keys().map(AsRef::as_ref).collect();
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("unknown tool `{shown}`; did you mean `{near}`?"),
            None => format!("unknown tool `{shown}`"),
        };
        ErrorData::invalid_params(message, None)
    }
}

#[tool_handler(router = self.router())]
impl ServerHandler for McpDoor {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("aegis", env!("CARGO_PKG_VERSION"))
            .with_title("Aegis")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .build();
        ServerConfig::new(capabilities).with_server_info(about).with_instructions(INSTRUCTIONS)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !self.router().has_route(&request.name) {
            return Err(self.unknown_tool(&request.name));
        }
        let name = request.name.clone();
        let cancelled = context.ct.clone();
        let door = self.on_behalf(&context.extensions);
        let call = self.router().call(ToolCallContext::new(&door, request, context));
        self.slots.run(&name, call, &cancelled, &self.closing).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (tools, next_cursor) = page("tools", self.router().list_all(), request.as_ref())?;
        let mut result = ListToolsResult::with_all_items(tools);
        result.next_cursor = next_cursor;
        Ok(result)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (resources, next_cursor) = page("resources", resources::list(), request.as_ref())?;
        let mut result = ListResourcesResult::with_all_items(resources);
        result.next_cursor = next_cursor;
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let (templates, next_cursor) = page("templates", resources::templates(), request.as_ref())?;
        let mut result = ListResourceTemplatesResult::with_all_items(templates);
        result.next_cursor = next_cursor;
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let door = self.on_behalf(&context.extensions);
        let reading = door.read(&request.uri, is_modern(&context));
        self.slots.ask("resources/read", reading, &context.ct).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.follow(&context.peer, &request.uri).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.unfollow(&context.peer, &request.uri).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.tell_listener(&context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.slots.ask("completion/complete", self.completion(&request), &context.ct).await
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            // There a request carries the level that it wants, and nobody else is told.
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.log_from(&context.peer, request.level).await
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let (prompts, next_cursor) = page("prompts", prompts::list(), request.as_ref())?;
        let mut result = ListPromptsResult::with_all_items(prompts);
        result.next_cursor = next_cursor;
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let result = self.slots.ask("prompts/get", self.prompt(&request), &context.ct).await?;
        Ok(result.into())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.tell_unasked(&context.peer);
    }
}

/// Whether the request is of the newer, stateless protocol.
fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}
