//! What Claude Code tells a hook, and what a hook tells Claude Code.
//!
//! Payloads as seen in 2.1.197 and 2.1.330; a field that is missing or new never makes an event unreadable.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::{ConversationId, ErrorKind, PermissionMode};

/// One hook call.
#[derive(Clone, Debug, PartialEq)]
pub struct HookCall {
    /// The conversation. For a fork's SessionStart this is the old one (2.1.197).
    pub conversation_id: Option<ConversationId>,
    /// The transcript file of the conversation.
    pub transcript_path: Option<String>,
    /// The permission mode that the session is in.
    pub permission_mode: Option<PermissionMode>,
    /// The subagent that the event is about.
    pub agent: Option<Agent>,
    /// The event.
    pub event: HookEvent,
}

/// A subagent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its type, such as `general-purpose`.
    pub kind: String,
}

/// A tool call, as far as an event tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its input.
    pub input: Value,
    /// The transcript's id for the call; a permission request has none.
    pub tool_use_id: Option<String>,
}

/// A hook event, with what Aegis uses of it.
#[derive(Clone, Debug, PartialEq)]
pub enum HookEvent {
    /// A conversation began: `startup`, `resume`, `clear`, `compact`.
    SessionStart {
        /// Why.
        source: String,
        /// The model, under the name that it was chosen by: with a mark for a window of a million tokens.
        model: Option<String>,
    },
    /// A conversation ended; the process may go on with another (`clear`).
    SessionEnd {
        /// Why.
        reason: String,
    },
    /// Claude Code took a prompt.
    UserPromptSubmit {
        /// Its text, as taken.
        prompt: String,
        /// Claude Code's id for it, which the transcript repeats.
        prompt_id: Option<String>,
    },
    /// A tool is about to be called; Claude Code has not looked at its own rules yet.
    PreToolUse(ToolCall),
    /// A tool wants to run.
    PermissionRequest(ToolCall),
    /// A tool ran.
    PostToolUse {
        /// Which.
        call: ToolCall,
        /// Whether it failed.
        failed: bool,
    },
    /// The turn ended.
    Stop {
        /// Claude Code's id for the prompt whose turn it was.
        prompt_id: Option<String>,
        /// The reply.
        last_message: Option<String>,
        /// Kinds of background work that goes on: `subagent`, `shell`.
        background: Vec<String>,
    },
    /// The turn failed.
    StopFailure {
        /// How.
        kind: ErrorKind,
        /// What Claude Code shows.
        message: String,
    },
    /// Claude Code would notify its user.
    Notification {
        /// Which kind.
        kind: String,
        /// The text.
        message: String,
    },
    /// A subagent ended.
    SubagentStop,
    /// A compaction begins.
    PreCompact,
    /// An MCP server asks the user something; nothing else shows it.
    Elicitation {
        /// The question.
        message: String,
    },
    /// That question is settled.
    ElicitationResult,
    /// Another event.
    Other(String),
}

impl HookCall {
    /// Reads a payload. What cannot be read is left out.
    #[must_use]
    pub fn read(event: &str, mut payload: Value) -> Self {
        let mut raw = Raw(&mut payload);
        let event = match event {
            "SessionStart" => {
                HookEvent::SessionStart { source: raw.text("source"), model: raw.take("model") }
            }
            "SessionEnd" => HookEvent::SessionEnd { reason: raw.text("reason") },
            "UserPromptSubmit" => {
                HookEvent::UserPromptSubmit { prompt: raw.text("prompt"), prompt_id: raw.take("prompt_id") }
            }
            "PreToolUse" => HookEvent::PreToolUse(raw.call()),
            "PermissionRequest" => HookEvent::PermissionRequest(raw.call()),
            "PostToolUse" => HookEvent::PostToolUse { call: raw.call(), failed: false },
            "PostToolUseFailure" => HookEvent::PostToolUse { call: raw.call(), failed: true },
            "Stop" => HookEvent::Stop {
                prompt_id: raw.take("prompt_id"),
                last_message: raw.take("last_assistant_message"),
                background: raw
                    .take::<Vec<Value>>("background_tasks")
                    .iter()
                    .flatten()
                    .filter_map(running)
                    .collect(),
            },
            "StopFailure" => HookEvent::StopFailure {
                kind: raw.take("error").unwrap_or(ErrorKind::Unknown),
                message: raw.text("last_assistant_message"),
            },
            "Notification" => {
                HookEvent::Notification { kind: raw.text("notification_type"), message: raw.text("message") }
            }
            "SubagentStop" => HookEvent::SubagentStop,
            "PreCompact" => HookEvent::PreCompact,
            "Elicitation" => HookEvent::Elicitation { message: raw.text("message") },
            "ElicitationResult" => HookEvent::ElicitationResult,
            other => HookEvent::Other(other.to_owned()),
        };
        Self {
            conversation_id: raw.take("session_id"),
            transcript_path: raw.take("transcript_path"),
            permission_mode: raw.take("permission_mode"),
            agent: raw.take("agent_id").map(|id| Agent { id, kind: raw.text("agent_type") }),
            event,
        }
    }
}

/// A payload, taken apart field by field, so that one of another type does not cost the others.
struct Raw<'a>(&'a mut Value);

impl Raw<'_> {
    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        serde_json::from_value(self.0.get_mut(key)?.take()).ok()
    }

    fn text(&mut self, key: &str) -> String {
        self.take(key).unwrap_or_default()
    }

    fn call(&mut self) -> ToolCall {
        ToolCall {
            name: self.text("tool_name"),
            input: self.take("tool_input").unwrap_or_default(),
            tool_use_id: self.take("tool_use_id"),
        }
    }
}

/// The type of a background task that still runs.
fn running(task: &Value) -> Option<String> {
    let status = task.get("status").and_then(Value::as_str).unwrap_or("running");
    (status == "running").then(|| task.get("type").and_then(Value::as_str).unwrap_or("task").to_owned())
}

/// The events that Claude Code has.
pub const HOOK_EVENTS: [&str; 27] = [
    "Stop",
    "StopFailure",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Notification",
    "PermissionRequest",
    "PermissionDenied",
    "SessionStart",
    "SessionEnd",
    "SubagentStart",
    "SubagentStop",
    "TaskCreated",
    "TaskCompleted",
    "TeammateIdle",
    "PreCompact",
    "PostCompact",
    "UserPromptSubmit",
    "WorktreeCreate",
    "WorktreeRemove",
    "Elicitation",
    "ElicitationResult",
    "FileChanged",
    "CwdChanged",
    "Setup",
    "ConfigChange",
    "InstructionsLoaded",
];

/// Leaves out of a payload what Aegis does not use and what may be very large.
#[must_use]
pub fn slim(mut payload: Value) -> Value {
    if let Some(map) = payload.as_object_mut() {
        map.remove("tool_response");
    }
    payload
}

/// The hook's output that allows a permission request. `updated_input` replaces the tool's input. Claude Code is given no
/// rule to remember: its own are wider than what was asked, and what they allow nobody here would hear of.
#[must_use]
pub fn allow(updated_input: Option<Value>) -> String {
    let mut decision = json!({ "behavior": "allow" });
    if let Some(input) = updated_input {
        decision["updatedInput"] = input;
    }
    output(&decision)
}

/// The hook's output that denies a permission request. With `interrupt` the turn ends.
#[must_use]
pub fn deny(message: &str, interrupt: bool) -> String {
    output(&json!({ "behavior": "deny", "message": message, "interrupt": interrupt }))
}

/// The hook's output that denies a tool call before Claude Code looks at its own rules, or makes it ask.
#[must_use]
pub fn before_tool(decision: Before, reason: &str) -> String {
    let word = match decision {
        Before::Deny => "deny",
        Before::Ask => "ask",
    };
    json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": word,
        "permissionDecisionReason": reason,
    } })
    .to_string()
}

/// What can be said before a tool is called. Never `allow`: that would pass Claude Code's own rules by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The call is refused; the model is told the reason.
    Deny,
    /// The dialog opens even where Claude Code would not ask.
    Ask,
}

fn output(decision: &Value) -> String {
    json!({ "hookSpecificOutput": { "hookEventName": "PermissionRequest", "decision": decision } })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_request_is_read() {
        let call = HookCall::read(
            "PermissionRequest",
            json!({"session_id":"f2d1758e-0000-4000-8000-000000000000","permission_mode":"default","effort":{"level":"high"},
                "tool_name":"Bash","tool_input":{"command":"touch A1"},"agent_id":"a1","agent_type":"general-purpose",
                "permission_suggestions":[{"type":"setMode","mode":"acceptEdits","destination":"session"}]}),
        );
        assert_eq!(call.permission_mode, Some(PermissionMode::Default));
        assert_eq!(call.agent, Some(Agent { id: "a1".into(), kind: "general-purpose".into() }));
        let HookEvent::PermissionRequest(call) = call.event else { panic!("another event") };
        assert_eq!(call.input, json!({"command":"touch A1"}));
    }

    #[test]
    fn a_failure_with_a_new_word_is_unknown() {
        let call =
            HookCall::read("StopFailure", json!({"error":"brand_new","last_assistant_message":"oops"}));
        assert_eq!(call.event, HookEvent::StopFailure { kind: ErrorKind::Unknown, message: "oops".into() });
    }

    #[test]
    fn an_unreadable_payload_still_names_its_event() {
        assert_eq!(
            HookCall::read("Stop", json!([1])).event,
            HookEvent::Stop { prompt_id: None, last_message: None, background: vec![] }
        );
    }

    #[test]
    fn a_field_of_another_type_costs_only_itself() {
        let id = "f2d1758e-0000-4000-8000-000000000000";
        let call = HookCall::read(
            "Stop",
            json!({"session_id":id,"last_assistant_message":"done","background_tasks":null,"prompt":7}),
        );
        assert_eq!(call.conversation_id, id.parse().ok());
        assert_eq!(
            call.event,
            HookEvent::Stop { prompt_id: None, last_message: Some("done".into()), background: vec![] }
        );
    }

    #[test]
    fn finished_background_work_does_not_count() {
        let call = HookCall::read(
            "Stop",
            json!({"background_tasks":[{"type":"shell","status":"running"},{"type":"subagent","status":"completed"}]}),
        );
        assert_eq!(
            call.event,
            HookEvent::Stop { prompt_id: None, last_message: None, background: vec!["shell".into()] }
        );
    }
}
