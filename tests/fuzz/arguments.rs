//! Tool arguments: the input is a line with the tool's name, then the arguments as JSON.

use std::sync::LazyLock;

use aegis::domain::ErrorCode;
use aegis::mcp::{McpDoor, ToolSet, check_arguments};
use aegis::ops::{
    ApprovePermission, BatchCreateSessions, CapturePane, CreatePipeline, CreateSession, GetSwarm,
    GetTranscript, KillSession, ListPipelines, ListSessions, RejectPermission, SendLine, SendMessage,
    ServerHealthRequest, SessionRef, SetState, StateRef, WaitForSession,
};
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| McpDoor::tools(ToolSet::Full));

/// The longest complaint, in bytes: it goes into a model's context.
const COMPLAINT: usize = 2048;

/// Arguments are refused as a coded fault with a next step, or are what the operation takes. The check changes them
/// once and then no more.
pub fn check(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let named = TOOLS.iter().find(|tool| tool.name.as_bytes() == &bytes[..cut]);
    let tool = named.unwrap_or_else(|| &TOOLS[bytes.len() % TOOLS.len()]);
    let Ok(given) = serde_json::from_slice::<JsonObject>(&bytes[cut..]) else { return };
    let mut arguments = given.clone();
    match check_arguments(tool, &mut arguments) {
        Ok(()) => {
            let checked = arguments.clone();
            check_arguments(tool, &mut arguments).expect("accepted twice");
            assert_eq!(arguments, checked, "changed twice");
            let taken = taken(&tool.name, checked.into());
            assert!(taken.is_ok(), "{}: the schema takes what the type refuses: {taken:?}", tool.name);
        }
        Err(error) => {
            assert_eq!(error.code, ErrorCode::InvalidArgument);
            assert!(!error.message.is_empty() && !error.hint.is_empty(), "no next step: {error:?}");
            let told = error.to_json().to_string();
            assert!(told.len() <= COMPLAINT, "a complaint of {} bytes", told.len());
            assert_eq!(check_arguments(tool, &mut given.clone()), Err(error), "refused twice, not the same");
        }
    }
}

fn taken(tool: &str, arguments: Value) -> serde_json::Result<()> {
    use serde_json::from_value;
    match tool {
        "approve_permission" => from_value::<ApprovePermission>(arguments).map(drop),
        "batch_create_sessions" => from_value::<BatchCreateSessions>(arguments).map(drop),
        "capture_pane" => from_value::<CapturePane>(arguments).map(drop),
        "create_pipeline" => from_value::<CreatePipeline>(arguments).map(drop),
        "create_session" => from_value::<CreateSession>(arguments).map(drop),
        "escape_session"
        | "get_status"
        | "get_session_latency"
        | "get_session_metrics"
        | "get_session_summary"
        | "interrupt_session" => from_value::<SessionRef>(arguments).map(drop),
        "get_swarm" => from_value::<GetSwarm>(arguments).map(drop),
        "get_transcript" => from_value::<GetTranscript>(arguments).map(drop),
        "kill_session" => from_value::<KillSession>(arguments).map(drop),
        "list_pipelines" => from_value::<ListPipelines>(arguments).map(drop),
        "list_sessions" => from_value::<ListSessions>(arguments).map(drop),
        "reject_permission" => from_value::<RejectPermission>(arguments).map(drop),
        "send_message" => from_value::<SendMessage>(arguments).map(drop),
        "send_command" | "send_bash" => from_value::<SendLine>(arguments).map(drop),
        "server_health" => from_value::<ServerHealthRequest>(arguments).map(drop),
        "state_delete" | "state_get" => from_value::<StateRef>(arguments).map(drop),
        "state_set" => from_value::<SetState>(arguments).map(drop),
        "wait_for_session" => from_value::<WaitForSession>(arguments).map(drop),
        other => panic!("{other} has no row in {}", file!()),
    }
}
