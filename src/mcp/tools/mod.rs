//! The tools, by subject. Each method is one call into [`crate::ops`].

mod ask;
mod batch;
mod memory;
mod pipeline;
mod prompt;
mod server;
mod session;
mod stats;
mod swarm;
mod watch;

use rmcp::handler::server::tool::ToolRouter;

use super::door::{McpDoor, ToolSet};
use super::schema;

/// The tools of [`ToolSet::Core`].
const CORE: [&str; 8] = [
    "create_session",
    "list_sessions",
    "wait_for_session",
    "send_message",
    "approve_permission",
    "reject_permission",
    "kill_session",
    "get_transcript",
];

/// Gathers the tools of a set, with schemas that every client can read.
pub(super) fn router(set: ToolSet) -> ToolRouter<McpDoor> {
    let mut router = McpDoor::session_tools()
        + McpDoor::batch_tools()
        + McpDoor::prompt_tools()
        + McpDoor::ask_tools()
        + McpDoor::watch_tools()
        + McpDoor::memory_tools()
        + McpDoor::pipeline_tools()
        + McpDoor::stats_tools()
        + McpDoor::swarm_tools()
        + McpDoor::server_tools();
    if set == ToolSet::Core {
        router.map.retain(|name, _| CORE.contains(&name.as_ref()));
    }
    router.map.values_mut().for_each(|route| schema::tidy(&mut route.attr));
    router
}
