//! The settings file of one session: our hooks, and nothing of the user's.
//!
//! Claude Code merges it with the user's and the project's own. An event that the installed version does not know
//! opens a blocking dialog, so only events of the oldest supported version stand here (2.1.139).

use std::path::Path;

use serde_json::{Value, json};

/// How long Claude Code lets a hook wait that may carry a decision: seven days, in seconds. When it runs out the
/// dialog stays and can still be answered by keys. (Claude Code's timer takes at most 24 days.)
pub const DECISION_TIMEOUT_SECONDS: u64 = 7 * 24 * 3600;

/// How long it lets the others run, in seconds. They take milliseconds; the limit only bounds a stuck machine.
const NOTICE_TIMEOUT_SECONDS: u64 = 10;

/// The events that only inform, beside the start. Never WorktreeCreate or WorktreeRemove: who registers those must do
/// the work.
const NOTICES: &[&str] = &[
    "SessionEnd",
    "UserPromptSubmit",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "StopFailure",
    "Notification",
    "SubagentStop",
    "PreCompact",
    "Elicitation",
    "ElicitationResult",
];

/// The events that wait for a decision.
const DECISIONS: &[&str] = &["PermissionRequest"];

/// Where a conversation begins that was not there before, the first prompt need not wait until its hook has run: that
/// takes some 30 ms (2.1.197). What comes with another source, as after `/clear`, names a conversation that
/// everything after it belongs to, and must be told first.
const NEW: &str = "startup";

/// The event before each tool call, registered only for tools that a permission policy may deny or ask about: it costs
/// every such call a process.
pub const BEFORE_TOOLS: &str = "PreToolUse";

/// Tells whether a hook for `event` waits for a decision.
#[must_use]
pub fn decides(event: &str) -> bool {
    DECISIONS.contains(&event) || event == BEFORE_TOOLS
}

/// Gives the settings that make Claude Code call `program hook <Event>` for each event, and before each call of the
/// tools that `guarded` matches.
#[must_use]
pub fn settings(program: &Path, guarded: Option<&str>) -> Value {
    let hook = |event: &str, timeout: u64| {
        json!([{ "hooks": [{
            "type": "command",
            "command": program.to_string_lossy(),
            "args": ["hook", event],
            "timeout": timeout,
        }] }])
    };
    let start = || {
        let [mut new, mut other] =
            ["SessionStart"; 2].map(|event| hook(event, NOTICE_TIMEOUT_SECONDS)[0].take());
        new["matcher"] = NEW.into();
        new["hooks"][0]["async"] = true.into();
        other["matcher"] = format!("^(?!{NEW}$)").into();
        ("SessionStart".to_owned(), json!([new, other]))
    };
    let notices = NOTICES.iter().map(|event| ((*event).to_owned(), hook(event, NOTICE_TIMEOUT_SECONDS)));
    let decisions =
        DECISIONS.iter().map(|event| ((*event).to_owned(), hook(event, DECISION_TIMEOUT_SECONDS)));
    let guard = guarded.map(|matcher| {
        let mut entry = hook(BEFORE_TOOLS, DECISION_TIMEOUT_SECONDS);
        entry[0]["matcher"] = matcher.into();
        (BEFORE_TOOLS.to_owned(), entry)
    });
    json!({
        // A project may turn hooks off; these ones are how a person far away learns what is asked.
        "disableAllHooks": false,
        // Halves the processor time of a working session (2.1.197: 48 % to 27 % of a core while streaming).
        "prefersReducedMotion": true,
        "hooks": notices.chain(decisions).chain(guard).chain([start()]).collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_calls_us_with_its_own_name() {
        let settings = settings(Path::new("/bin/aegis"), Some("Bash|Edit"));
        let hooks = settings["hooks"].as_object().unwrap();
        assert_eq!(hooks.len(), NOTICES.len() + DECISIONS.len() + 2);
        assert_eq!(hooks[BEFORE_TOOLS][0]["matcher"], "Bash|Edit");
        for (event, entry) in hooks {
            for entry in entry.as_array().unwrap() {
                assert_eq!(entry["hooks"][0]["args"], json!(["hook", event]));
            }
        }
        let starts = |at: usize| &hooks["SessionStart"][at];
        assert_eq!(
            (&starts(0)["matcher"], &starts(0)["hooks"][0]["async"]),
            (&json!("startup"), &json!(true))
        );
        assert_eq!(starts(1)["matcher"], "^(?!startup$)");
        assert_eq!(starts(1)["hooks"][0]["async"], Value::Null);
        assert!(!hooks.keys().any(|event| event.starts_with("Worktree")));
        assert_eq!(settings["disableAllHooks"], json!(false));
    }
}
