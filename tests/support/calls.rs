//! Every tool of the surface: a call that succeeds, calls that are refused, and whether it needs the session's holder.

use serde_json::Value;

/// One tool. In arguments `$id` and `$dir` stand for a session and a directory.
pub struct Call {
    pub tool: &'static str,
    pub arguments: &'static str,
    /// The prompt that brings the session into the status that the call needs.
    pub before: Option<(&'static str, &'static str)>,
    /// Whether it can do nothing while the session's holder stands still.
    pub needs_holder: bool,
    /// Arguments that fit the schema and are refused, each with the code.
    pub refused: &'static [(&'static str, &'static str)],
}

const fn call(tool: &'static str, arguments: &'static str) -> Call {
    Call { tool, arguments, before: None, needs_holder: false, refused: &[] }
}

const fn held(call: Call) -> Call {
    Call { needs_holder: true, ..call }
}

const fn after(prompt: &'static str, status: &'static str, call: Call) -> Call {
    Call { before: Some((prompt, status)), ..call }
}

const fn refuses(refused: &'static [(&'static str, &'static str)], call: Call) -> Call {
    Call { refused, ..call }
}

const INVALID: &str = "invalid_argument";

/// Refused of every key.
const KEYS: &[(&str, &str)] = &[
    (r#"{"key": "plain"}"#, INVALID),
    (r#"{"key": "a/"}"#, INVALID),
    (r#"{"key": "a/\u0007"}"#, INVALID),
    (r#"{"key": "none/such"}"#, "no_such_key"),
];

/// Every tool, in an order in which each call succeeds. A new tool gets a line here: both SDKs drive it, and it is held
/// against everything that can be wrong with a call.
pub const CALLS: &[Call] = &[
    call("server_health", "{}"),
    refuses(
        &[
            (r#"{"key": "plain", "value": "x"}"#, INVALID),
            (r#"{"key": "a/b", "value": "x", "ttlSeconds": 0}"#, INVALID),
        ],
        call("state_set", r#"{"key": "team/rules", "value": "Greet first."}"#),
    ),
    refuses(KEYS, call("state_get", r#"{"key": "team/rules"}"#)),
    refuses(KEYS.split_at(3).0, call("state_delete", r#"{"key": "team/rules"}"#)),
    refuses(
        &[
            (r#"{"name": "n", "steps": [{"prompt": "x"}]}"#, INVALID),
            (r#"{"name": "n", "workDir": "/none/such", "steps": [{"prompt": "x"}]}"#, "work_dir_refused"),
            (r#"{"name": "n", "workDir": "$dir", "steps": []}"#, "invalid_pipeline"),
            (
                r#"{"name": "n", "workDir": "$dir", "steps": [{"name": "a", "prompt": "x", "dependsOn": ["a"]}]}"#,
                "invalid_pipeline",
            ),
            (
                r#"{"name": "n", "workDir": "$dir", "steps": [{"name": "a", "prompt": "x", "dependsOn": ["b"]}]}"#,
                "invalid_pipeline",
            ),
            (
                r#"{"name": "n", "workDir": "$dir", "steps": [{"name": "a", "prompt": "x"}, {"name": "a", "prompt": "y"}]}"#,
                "invalid_pipeline",
            ),
            (r#"{"name": "", "workDir": "$dir", "steps": [{"prompt": "x"}]}"#, "invalid_pipeline"),
            (
                r#"{"name": "n", "workDir": "$dir", "permissionMode": "yolo", "steps": [{"prompt": "x"}]}"#,
                INVALID,
            ),
        ],
        call(
            "create_pipeline",
            r#"{"name": "ship", "workDir": "$dir", "steps": [{"name": "one", "prompt": "hello"}]}"#,
        ),
    ),
    refuses(&[(r#"{"cursor": "x"}"#, INVALID)], call("list_pipelines", "{}")),
    call("batch_create_sessions", r#"{"sessions": [{"workDir": "/none/such"}]}"#),
    refuses(
        &[
            (r#"{"workDir": "/none/such"}"#, "work_dir_refused"),
            (r#"{"workDir": "relative"}"#, "work_dir_refused"),
            (r#"{"workDir": "$dir", "name": ""}"#, INVALID),
            (r#"{"workDir": "$dir", "name": "worker", "reuse": false}"#, "name_taken"),
            (r#"{"workDir": "$dir", "prompt": "a\u0007b"}"#, "prompt_refused"),
            (r#"{"workDir": "$dir", "addDirs": ["/none/such"]}"#, "work_dir_refused"),
            (r#"{"workDir": "$dir", "env": {"CLAUDECODE": "1"}}"#, INVALID),
            (r#"{"workDir": "$dir", "env": {"A=B": "1"}}"#, INVALID),
            (r#"{"workDir": "$dir", "worktree": "../up"}"#, INVALID),
            (r#"{"workDir": "$dir", "templateId": "none"}"#, "no_such_template"),
            (r#"{"workDir": "$dir", "templateVariables": {"a": "b"}}"#, INVALID),
            (r#"{"workDir": "$dir", "memoryKeys": ["a/b"]}"#, INVALID),
            (r#"{"workDir": "$dir", "prompt": "x", "memoryKeys": ["none/such"]}"#, "no_such_key"),
            (r#"{"workDir": "$dir", "permissionPolicy": [{"tool": "", "decision": "allow"}]}"#, INVALID),
            (r#"{"workDir": "$dir", "resumeSessionId": "none"}"#, "no_such_conversation"),
        ],
        call("create_session", r#"{"workDir": "$dir", "name": "worker", "reuse": false}"#),
    ),
    refuses(
        &[(r#"{"sessionIds": ["$id"], "cursor": "x"}"#, INVALID), (r#"{"until": []}"#, INVALID)],
        held(call("wait_for_session", r#"{"sessionIds": ["$id"], "until": ["idle"]}"#)),
    ),
    refuses(&[(r#"{"cursor": "x"}"#, INVALID)], call("list_sessions", r#"{"workDir": "$dir"}"#)),
    call("get_status", r#"{"sessionId": "$id"}"#),
    refuses(
        &[
            (r#"{"sessionId": "$id"}"#, "nothing_to_approve"),
            (r#"{"sessionId": "$id", "askId": "none"}"#, "no_such_ask"),
        ],
        held(after("MAKE", "permission_prompt", call("approve_permission", r#"{"sessionId": "$id"}"#))),
    ),
    refuses(
        &[
            (r#"{"sessionId": "$id"}"#, "nothing_to_approve"),
            (r#"{"sessionId": "$id", "askId": "none"}"#, "no_such_ask"),
        ],
        held(after(
            "MAKE",
            "permission_prompt",
            call("reject_permission", r#"{"sessionId": "$id", "reason": "no"}"#),
        )),
    ),
    refuses(
        &[
            (r#"{"sessionId": "$id"}"#, INVALID),
            (r#"{"sessionId": "$id", "text": "x", "answers": {"Q?": "A"}}"#, INVALID),
            (r#"{"sessionId": "$id", "text": ""}"#, "prompt_refused"),
            (r#"{"sessionId": "$id", "text": "a\u0007b"}"#, "prompt_refused"),
            (r#"{"sessionId": "$id", "answers": {"Q?": "A"}}"#, "nothing_to_approve"),
        ],
        held(call("send_message", r#"{"sessionId": "$id", "text": "hello"}"#)),
    ),
    refuses(
        &[(r#"{"sessionId": "$id", "beforeId": 1, "afterId": 2}"#, INVALID)],
        held(call("get_transcript", r#"{"sessionId": "$id"}"#)),
    ),
    held(call("capture_pane", r#"{"sessionId": "$id"}"#)),
    held(after("HOLD", "working", call("interrupt_session", r#"{"sessionId": "$id"}"#))),
    held(call("escape_session", r#"{"sessionId": "$id"}"#)),
    held(call("get_session_summary", r#"{"sessionId": "$id"}"#)),
    held(call("get_session_metrics", r#"{"sessionId": "$id"}"#)),
    held(call("get_session_latency", r#"{"sessionId": "$id"}"#)),
    call("get_swarm", "{}"),
    refuses(
        &[
            (r#"{"sessionId": "$id", "command": ""}"#, "prompt_refused"),
            (r#"{"sessionId": "$id", "command": "/a\nb"}"#, "prompt_refused"),
        ],
        held(call("send_command", r#"{"sessionId": "$id", "command": "/compact"}"#)),
    ),
    refuses(
        &[
            (r#"{"sessionId": "$id", "command": ""}"#, "prompt_refused"),
            (r#"{"sessionId": "$id", "command": "a\u0007"}"#, "prompt_refused"),
        ],
        held(call("send_bash", r#"{"sessionId": "$id", "command": "echo here"}"#)),
    ),
    held(call("kill_session", r#"{"sessionId": "$id"}"#)),
];

/// Arguments with a session and a directory in their places.
pub fn filled(text: &str, id: &str, dir: &str) -> Value {
    serde_json::from_str(&text.replace("$id", id).replace("$dir", dir)).unwrap()
}

/// What the stand-in for Claude Code does when a call needs it.
pub fn script() -> Value {
    let ask = serde_json::json!({"tool": {"name": "Bash", "input": {"command": "touch made"}}});
    let hold = serde_json::json!({"wait": {"file": "never"}});
    serde_json::json!({"rules": [
        {"on": "MAKE", "steps": [ask, {"say": "Made."}]},
        {"on": "HOLD", "steps": [{"say": "Now."}, hold]},
    ]})
}
