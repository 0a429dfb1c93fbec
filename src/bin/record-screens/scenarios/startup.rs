//! What stands between the start and the first prompt.

use serde_json::{Value, json};

use crate::scenario::{Scenario, Set, case};

/// A server that never answers; nobody waits for it.
const SERVER: &str = r#"{"command":"true","args":[]}"#;

/// The cases.
pub(super) fn cases() -> Vec<Scenario> {
    vec![
        case("trust").set(Set::Untrusted).until("Yes, I trust this folder"),
        case("trust-preapproved")
            .set(Set::Untrusted)
            .project(".claude/settings.json", r#"{"permissions":{"allow":["Bash(git *)"]}}"#)
            .until("Yes, I trust this folder"),
        case("imports")
            .project("CLAUDE.md", "@{home}/ext.md\n")
            .set(Set::Home("ext.md", "Be kind.\n".into()))
            .until("Yes, allow external imports"),
        case("mcp-one")
            .project(".mcp.json", format!(r#"{{"mcpServers":{{"one":{SERVER}}}}}"#))
            .until("MCP server found in"),
        case("mcp-two")
            .project(".mcp.json", format!(r#"{{"mcpServers":{{"one":{SERVER},"two":{SERVER}}}}}"#))
            .until("MCP servers found in"),
        case("settings-error")
            .project(".claude/settings.json", "{ not json")
            .until("Settings Error|Enter to"),
        case("settings-warning")
            .arguments(&[
                "--permission-mode",
                "default",
                "--settings",
                r#"{"hooks":{"NoSuch":[{"hooks":[{"type":"command","command":"true"}]}]}}"#,
            ])
            .until("Enter to|^❯\u{a0}"),
        case("config-broken")
            .set(Set::Home(".claude.json", "{ \"projects\": tr".into()))
            .until("onfiguration"),
        case("api-key").set(Set::State("customApiKeyResponses", Value::Null)).until("custom API key"),
        // The program refuses to skip permissions for root, but in a sandbox.
        case("bypass")
            .arguments(&["--dangerously-skip-permissions"])
            .var("IS_SANDBOX", "1")
            .until("Yes, I accept"),
        not_onboarded("not-onboarded").until("looks best"),
        case("inline-idle").set(Set::Inline).ready(),
        case("promotion").since("2.1.260").set(Set::Promotions).until("Not now"),
        case("accept-edits").arguments(&["--permission-mode", "acceptEdits"]).ready(),
        case("auto-mode-consent")
            .before("2.1.197")
            .arguments(&["--permission-mode", "auto"])
            .until("Enable auto mode"),
        case("plan-mode").arguments(&["--permission-mode", "plan"]).ready(),
    ]
}

fn not_onboarded(name: &'static str) -> Scenario {
    case(name).set(Set::State("hasCompletedOnboarding", json!(false))).set(Set::State("theme", Value::Null))
}
