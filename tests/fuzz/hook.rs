//! Hook payloads: the input is a line with the event's name, then what Claude Code gives the hook.

use aegis::claude::hook::{HookCall, HookEvent, allow, deny, slim};
use aegis::domain::{ConversationId, ErrorKind};
use serde_json::Value;

/// A field that cannot be read costs nothing but itself, and an approval never reaches beyond its call.
pub fn check(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let event = String::from_utf8_lossy(&bytes[..cut]);
    let Ok(payload) = serde_json::from_slice::<Value>(bytes.get(cut..).unwrap_or_default()) else { return };
    let call = HookCall::read(&event, payload.clone());
    assert_eq!(call, HookCall::read(&event, payload.clone()), "read twice, not the same");

    let text = |key: &str| payload[key].as_str().map(str::to_owned);
    let id = text("session_id").and_then(|id| id.parse::<ConversationId>().ok());
    assert_eq!(call.conversation_id, id, "the conversation");
    assert_eq!(call.transcript_path, text("transcript_path"), "the transcript's path");
    assert_eq!(call.agent.map(|agent| agent.id), text("agent_id"), "the subagent");

    let slimmed = slim(payload.clone());
    assert!(slimmed.get("tool_response").is_none(), "what may be very large is still there");
    assert_eq!(HookCall::read(&event, slimmed).event, call.event, "slimming changed the event");
    match call.event {
        HookEvent::PermissionRequest(call) => {
            assert_eq!(call.name, text("tool_name").unwrap_or_default(), "the tool");
            assert_eq!(call.input, payload["tool_input"], "the input that a person approves");
            let said: Value = serde_json::from_str(&allow(Some(call.input.clone()))).expect("JSON");
            let decision = &said["hookSpecificOutput"]["decision"];
            assert_eq!(decision["updatedInput"], call.input);
            assert!(decision.get("updatedPermissions").is_none(), "an approval that reaches beyond the call");
            let said: Value = serde_json::from_str(&deny(&event, true)).expect("JSON");
            assert_eq!(said["hookSpecificOutput"]["decision"]["behavior"], "deny");
        }
        HookEvent::UserPromptSubmit { prompt, prompt_id } => {
            assert_eq!(prompt, text("prompt").unwrap_or_default(), "the prompt");
            assert_eq!(prompt_id, text("prompt_id"), "the prompt's id");
        }
        HookEvent::PreToolUse(call) | HookEvent::PostToolUse { call, .. } => {
            assert_eq!(call.tool_use_id, text("tool_use_id"), "the call");
        }
        HookEvent::Stop { last_message, background, .. } => {
            assert_eq!(last_message, text("last_assistant_message"), "the reply");
            let tasks = payload["background_tasks"].as_array().map_or(0, Vec::len);
            assert!(background.len() <= tasks, "more background work than was told");
        }
        HookEvent::StopFailure { kind, message } => {
            let word = serde_json::from_value(payload["error"].clone()).unwrap_or(ErrorKind::Unknown);
            assert_eq!((kind, message), (word, text("last_assistant_message").unwrap_or_default()));
        }
        HookEvent::Notification { message, .. } | HookEvent::Elicitation { message } => {
            assert_eq!(message, text("message").unwrap_or_default(), "the message");
        }
        HookEvent::SessionStart { source: word, .. } => assert_eq!(word, text("source").unwrap_or_default()),
        HookEvent::SessionEnd { reason: word } => assert_eq!(word, text("reason").unwrap_or_default()),
        HookEvent::Other(name) => assert_eq!(name, event),
        HookEvent::SubagentStop | HookEvent::PreCompact | HookEvent::ElicitationResult => {}
    }
}
