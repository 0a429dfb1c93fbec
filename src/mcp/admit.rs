//! Who calls over HTTP, and which tools they may call. On stdio it is the user of this machine, who may all.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::ErrorData;
use rmcp::model::Extensions;

use super::door::McpDoor;
use crate::access::{Identity, Needs, Permission};
use crate::ops::Caller;

impl McpDoor {
    /// The door as whoever sent this request may use it.
    pub(super) fn on_behalf(&self, extensions: &Extensions) -> Self {
        let caller = extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Caller>());
        match caller {
            Some(caller) => {
                let caller = Caller { surface: self.caller.surface.clone(), ..caller.clone() };
                Self { caller, ..self.clone() }
            }
            None => self.clone(),
        }
    }
}

/// Refuses a tool that the sender may not call.
pub(super) fn admit(tool: &str, extensions: &Extensions) -> Result<(), ErrorData> {
    let identity = extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Arc<Identity>>());
    let needs = needs(tool);
    match identity {
        Some(identity) if !identity.may(needs) => {
            let what = match needs {
                Needs::Permission(permission) => format!("missing {} permission", permission.as_str()),
                _ => "insufficient role".into(),
            };
            let message =
                format!("Forbidden: {what}; use a key that may, or ask whoever administers this server");
            Err(ErrorData::invalid_request(message, None))
        }
        _ => Ok(()),
    }
}

/// What a tool needs of its caller. One that is not known here needs all.
fn needs(tool: &str) -> Needs {
    let permission = match tool {
        "create_session" | "batch_create_sessions" | "create_pipeline" => Permission::Create,
        "send_message" | "send_command" | "send_bash" | "interrupt_session" | "escape_session"
        | "state_set" | "state_delete" => Permission::Send,
        "approve_permission" => Permission::Approve,
        "reject_permission" => Permission::Reject,
        "kill_session" => Permission::Kill,
        "list_sessions"
        | "get_status"
        | "wait_for_session"
        | "get_transcript"
        | "capture_pane"
        | "get_session_summary"
        | "get_session_metrics"
        | "get_session_latency"
        | "get_swarm"
        | "list_pipelines"
        | "state_get"
        | "server_health" => return Needs::Anyone,
        _ => return Needs::Admin,
    };
    Needs::Permission(permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::ToolSet;
    use crate::ops::OPS;

    #[test]
    fn every_tool_is_known_and_only_what_changes_nothing_is_for_anyone() {
        for tool in McpDoor::tools(ToolSet::Full) {
            let needs = needs(&tool.name);
            assert_ne!(needs, Needs::Admin, "{}", tool.name);
            let op = OPS.iter().find(|op| op.name == tool.name).unwrap();
            assert_eq!(op.read_only, needs == Needs::Anyone, "{}", tool.name);
        }
    }
}
