//! What a slash command opens.

use aegis::rehearsal::Reply;

use crate::scenario::{Scenario, case};

/// The keys that a menu names at its bottom.
const KEYS: &str = r"(?i)\besc to (?:cancel|close|clear|exit|go back)|Enter to |Esc to";

/// The cases.
pub(super) fn cases() -> Vec<Scenario> {
    let menu = |name, command: &'static str| case(name).ready().enter(command).until(KEYS);
    vec![
        menu("menu-add-dir", "/add-dir"),
        case("menu-agents").ready().enter("/agents").until(r"(?i)esc to|Enter to|removed|No agents"),
        menu("menu-config", "/config"),
        menu("menu-effort", "/effort"),
        case("menu-export")
            .asks("hello", [Reply::text("Hello from the model.")])
            .sees("Hello from the model")
            .ready()
            .enter("/export")
            .until(KEYS),
        menu("menu-help", "/help"),
        menu("menu-hooks", "/hooks"),
        case("menu-mcp").ready().enter("/mcp").until("No MCP servers|Manage MCP|Esc to"),
        menu("menu-memory", "/memory"),
        menu("menu-model", "/model"),
        menu("menu-permissions", "/permissions"),
        case("menu-rewind")
            .asks("hello", [Reply::text("Hello from the model.")])
            .sees("Hello from the model")
            .ready()
            .enter("/rewind")
            .until(KEYS),
        menu("menu-skills", "/skills"),
        case("menu-status").ready().enter("/status").until("Anthropic base URL:"),
        menu("menu-theme", "/theme"),
    ]
}
