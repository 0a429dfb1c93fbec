//! Real samples of every kind of input. Each is also checked as it is.

use std::path::Path;

use aegis::domain::{
    Action, Answer, AskId, Epoch, Event, EventData, MessageQuery, Position, ReceiptId, SessionId, Timestamp,
    WhenBusy,
};
use aegis::mcp::{McpDoor, ToolSet};
use aegis::term::Grid;
use aegis::wire::{
    Call, Events, Hello, HookReply, Outcome, PROTOCOL, Pane, Push, Refusal, RefusalCode, Reply, Request,
    encode,
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

const ID: &str = "06c89f1c-2dad-43ac-bffc-9723d61b9c8b";

fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn event() -> Event {
    Event {
        epoch: Epoch::mint(),
        seq: 7,
        session_id: SessionId::mint(),
        at: Timestamp::from_millis(1_795_337_042_671).expect("a time"),
        data: EventData::Action { action: Action::Attach, by: "cli".into() },
    }
}

pub fn wire() -> Vec<Vec<u8>> {
    let event = event();
    let position = Position { epoch: event.epoch, seq: 7 };
    let hook = json!({"session_id": ID, "tool_input": {"n": 1.5, "deep": [[{"a": null}]]}});
    let requests = [
        Request::Snapshot,
        Request::Session,
        Request::Subscribe { after: Some(position) },
        Request::Send { text: "grüße\n".into(), when_busy: WhenBusy::Queue, key: None, by: "mcp".into() },
        Request::AwaitReceipt { id: ReceiptId::mint(), timeout_ms: u64::MAX, output: true },
        Request::Answer {
            ask_id: Some(AskId::mint()),
            answer: Answer::Reject { reason: None },
            by: "cli".into(),
        },
        Request::Choose { answers: [("Which?".into(), "A, B".into())].into(), key: None, by: "cli".into() },
        Request::Messages(MessageQuery { limit: 5, max_chars: 100, ..MessageQuery::default() }),
        Request::Attach { cols: 120, rows: 40, watch: true, by: "cli".into() },
        Request::Hook { secret: "s".into(), event: "Stop".into(), payload: hook, called: Some(7) },
        Request::Stats,
    ];
    let refusal = Refusal::new(RefusalCode::AmbiguousAsk, "two are open").about(&["a", "b"]);
    let pane = Pane { pane: "x".into(), cols: 120, rows: 40, cursor: (1, 2), title: "✳".into() };
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut add = |value: &dyn ErasedFrame| frames.push(value.frame());
    add(&Hello {
        protocol: PROTOCOL,
        version: "0.1.0".into(),
        session_id: Some(event.session_id),
        epoch: None,
    });
    for (call, request) in (1..).zip(requests) {
        add(&Call { call, until: (call % 2 == 0).then_some(call), request });
    }
    add(&json!({"call": 9, "kind": "of_a_newer_version", "more": [1, 2.5e-8, "x"]}));
    add(&Reply {
        call: 1,
        outcome: Outcome::Done(to_raw_value(&json!({"share": 0.618_033_988_7, "n": u64::MAX})).unwrap()),
    });
    add(&Reply { call: 2, outcome: Outcome::Failed(refusal) });
    add(&Push::Output { bytes: "G1s/MjAyNmg=".into() });
    add(&Events { events: vec![event.clone()], position });
    add(&Push::Event { event: Box::new(event) });
    add(&HookReply { stdout: "{}".into() });
    add(&pane);
    // A length of 64 MiB and nothing else.
    frames.push(b"\0\0\0\x04".to_vec());
    frames
}

/// Values of many types in one list.
trait ErasedFrame {
    fn frame(&self) -> Vec<u8>;
}

impl<T: Serialize> ErasedFrame for T {
    fn frame(&self) -> Vec<u8> {
        encode(self).expect("a sample fits a frame")
    }
}

pub fn hooks() -> Vec<Vec<u8>> {
    let common = json!({"session_id": ID, "transcript_path": "/h/.claude/projects/-w/a.jsonl", "cwd": "/w",
        "permission_mode": "default", "hook_event_name": "X"});
    let bash = json!({"tool_name": "Bash", "tool_input": {"command": "touch A1", "description": "d"}});
    let edit = json!({"tool_name": "Edit", "tool_input": {"file_path": "/w/a", "old_string": "a", "new_string": "b"},
        "tool_use_id": "toolu_01", "tool_response": {"ok": true}, "agent_id": "a1", "agent_type": "general-purpose"});
    let suggestions = json!({"permission_suggestions": [
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
        {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "touch:*"}], "behavior": "allow",
         "destination": "localSettings"},
        {"type": "addDirectories", "directories": ["/tmp"], "destination": "session"}]});
    let events = [
        ("SessionStart", vec![json!({"source": "startup", "model": "m"})]),
        ("SessionEnd", vec![json!({"reason": "clear"})]),
        ("UserPromptSubmit", vec![json!({"prompt": "hello\nthere", "prompt_id": "p1"})]),
        ("PermissionRequest", vec![bash.clone(), suggestions.clone()]),
        ("PermissionRequest", vec![edit.clone(), suggestions]),
        ("PostToolUse", vec![edit]),
        ("PostToolUseFailure", vec![bash, json!({"error": "exit 1", "is_interrupt": false})]),
        (
            "Stop",
            vec![json!({"last_assistant_message": "done", "stop_hook_active": false, "background_tasks": [
            {"type": "shell", "status": "running"}, {"type": "subagent", "status": "completed"}]})],
        ),
        (
            "StopFailure",
            vec![json!({"error": "rate_limit", "last_assistant_message": "limit · resets 3am (UTC)"})],
        ),
        (
            "Notification",
            vec![json!({"notification_type": "permission_prompt", "message": "Claude needs you"})],
        ),
        ("Elicitation", vec![json!({"message": "Which one?", "mcp_server_name": "s"})]),
        ("SubagentStop", vec![json!({"agent_id": "a1"})]),
        ("BrandNew", vec![json!({"anything": [1, 2]})]),
    ];
    // A field that is null or of another type must not take the others with it.
    let odd = [
        ("Stop", json!({"session_id": ID, "last_assistant_message": "done", "background_tasks": null})),
        (
            "UserPromptSubmit",
            json!({"session_id": ID, "prompt": "hi", "prompt_id": 7, "message": {"text": "x"}}),
        ),
    ];
    let whole = events.into_iter().map(|(event, parts)| {
        let mut payload = common.clone();
        for part in parts {
            payload.as_object_mut().expect("an object").extend(part.as_object().expect("an object").clone());
        }
        (event, payload)
    });
    whole.chain(odd).map(|(event, payload)| format!("{event}\n{payload}").into_bytes()).collect()
}

pub fn transcript() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"type":"user","uuid":"u1","parentUuid":null,"timestamp":"2026-11-22T08:44:02.671Z","promptId":"p1","message":{"role":"user","content":"hello there"},"origin":{"kind":"human"}}"#,
        r#"{"type":"user","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user]"}]}}"#,
        r#"{"type":"user","message":{"content":[{"tool_use_id":"t1","type":"tool_result","content":[{"type":"text","text":"hi"}],"is_error":true}]},"toolUseResult":"User rejected tool use"}"#,
        r#"{"type":"user","isMeta":true,"message":{"content":"Stop hook feedback:\nx"}}"#,
        r#"{"type":"user","message":{"content":[{"type":"image","source":{"type":"base64","data":"AAAA"}},{"type":"text","text":"<pasted_content id=\"1a\">\na\n</pasted_content id=\"1a\">"}]}}"#,
        r#"{"type":"queue-operation","operation":"enqueue","timestamp":"2026-11-22T08:44:02.671Z","content":"next"}"#,
        r#"{"type":"attachment","attachment":{"type":"queued_command","prompt":[{"type":"text","text":"next"}],"commandMode":"prompt"}}"#,
        r#"{"type":"assistant","uuid":"a1","parentUuid":"u1","message":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I will look."},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls","n":1e9}}]}}"#,
        r#"{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"You've hit your session limit · resets 9:19am (UTC)"}]},"error":"rate_limit","isApiErrorMessage":true}"#,
        r#"{"type":"system","subtype":"compact_boundary","content":"Conversation compacted","level":"info"}"#,
        r#"{"type":"user","isSidechain":true,"message":{"content":"sub"}}"#,
        r#"{"pid":1135,"sessionId":"06c89f1c-2dad-43ac-bffc-9723d61b9c8b","cwd":"/w","startedAt":1795337042671,"procStart":"458100","version":"2.1.197","status":"waiting","waitingFor":"permission prompt","statusUpdatedAt":1795337048950,"updatedAt":1795337048951}"#,
    ])
}

pub fn prompts() -> Vec<Vec<u8>> {
    texts(&[
        "hello\nthere\tyou\r\n",
        "!ls",
        " /cost",
        "/etc/hosts is a path",
        " Exit \n",
        ":wq!",
        "a\\",
        "look at @src",
        "e\u{301}\u{212b} 日本 👩\u{200d}👩\u{200d}👧",
        "\u{feff}exit",
        "\u{feff}/cost",
        "\u{feff} \n",
        "<pasted_content id=\"1a2b\">\na\nb\n</pasted_content id=\"1a2b\">\n",
        "<pasted_content id=\"x @y\">\na\n</pasted_content id=\"x @y\">",
        "a\u{1b}[201~b",
    ])
}

/// Recorded screens as what was printed, and as the text that then stood there.
pub fn screens() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens");
    let mut files: Vec<_> = folders(&root).iter().flat_map(|version| folders(version)).collect();
    files.sort();
    let mut samples =
        texts(&["xxxxxx\x1b]0;✳ Fix it\x07\x1b[c\x1b[6n\x1b[?2026$p\x1b[?2026h日本\x1b[1;31mx\x1b[?2026l"]);
    // Every sixteenth: the others differ in version, in size or in a word.
    for file in files.iter().step_by(16) {
        let printed = std::fs::read(file.join("screen.ansi")).expect("a recorded screen");
        let mut grid = Grid::new(80, 24, 0);
        let _ = grid.feed(&printed);
        let end = printed.len() - printed.len().min(2000);
        samples.push([b"P\x18x\x28\x80\x05", &printed[end..]].concat());
        samples.push([b"P\x18x\x28\x80\x05", grid.screen().text().as_bytes()].concat());
    }
    samples
}

fn folders(at: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(at).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).collect()
}

pub fn configs() -> Vec<Vec<u8>> {
    let long = "x".repeat(6000);
    let mut samples = texts(&[
        "{}",
        r#"{"terminal": {"cols": 100, "rows": 50}, "stallThresholdMs": 2000, "model": "opus", "logLevel": "warn"}"#,
        r#"{"stateDir": "~/s", "runtimeDir": "r", "claudePath": "claude", "trustedRoots": ["/a", "~"], "passEnv": ["A"]}"#,
        r#"{"permissionMode": "plan", "onTimeout": "deny", "maxPromptBytes": 4096, "hookAskTimeoutMs": 1000, "startupTimeoutMs": 1000}"#,
        r#"{"terminal": {"columns": 1}}"#,
        r#"{"terminal.cols": 100, "stallTresholdMs": 2000}"#,
        "{}\x0080\0plan\0/a:~/b\0A,B\x004096\0s\0./claude\0warn\0deny\0opus\0/a\0r\x002000\x0040\x002000\x002000",
        "{}\x0080x\0",
    ]);
    samples.push(format!(r#"{{"logLevel": "{long}, expected {long}"}}"#).into_bytes());
    samples.push(format!(r#"{{"{long}": 1}}"#).into_bytes());
    samples.push(format!(r#"{{"passEnv": ["="], "terminal": ["{long}"]}}"#).into_bytes());
    samples.push(format!("{{}}\0{long}").into_bytes());
    samples
}

pub fn arguments() -> Vec<Vec<u8>> {
    let long = "x".repeat(6000);
    let mut samples = texts(&[
        r#"create_session
{"workDir": "/w", "prompt": "hi", "name": "n", "permissionMode": "plan", "model": "opus", "env": {"A": "b"}}"#,
        r#"send_message
{"session": "abc", "text": "hi", "whenBusy": "queue", "idempotencyKey": "k"}"#,
        r#"wait_for_session
{"session_ids": ["a", "b"], "timeoutMs": 5.0, "until": null}"#,
        "get_transcript\n{\"limit\": 1e400}",
    ]);
    // What each argument could be, as its own schema says.
    for tool in McpDoor::tools(ToolSet::Full) {
        let empty = serde_json::Map::new();
        let properties = tool.input_schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        samples.push(format!("{}\n{}", tool.name, examples(properties)).into_bytes());
        for name in properties.keys() {
            samples.push(format!("{}\n{}", tool.name, json!({name: long})).into_bytes());
        }
    }
    samples.push(format!("get_status\n{}", json!({ long: 1 })).into_bytes());
    samples
}

fn examples(properties: &serde_json::Map<String, Value>) -> Value {
    properties.iter().map(|(name, schema)| (name.clone(), example(schema))).collect()
}

fn example(schema: &Value) -> Value {
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(1.into()),
        Some("boolean") => true.into(),
        Some("array") => json!([example(&schema["items"])]),
        Some("object") if schema["properties"].is_object() => {
            examples(schema["properties"].as_object().unwrap())
        }
        Some("object") => json!({"a": example(&schema["additionalProperties"])}),
        _ => ID.into(),
    }
}

pub fn records() -> Vec<Vec<u8>> {
    let event = serde_json::to_string(&event()).expect("writable");
    let row = r#"{"id":1,"role":"user","kind":"text","at":"2026-11-22T08:44:02.671Z","path":"TRANSCRIPT","offset":0,"len":77,"piece":0}"#;
    let told = r#"{"id":2,"role":"assistant","kind":"text","at":"2026-11-22T08:44:02.671Z","text":"hi"}"#;
    texts(&[
        "",
        "{\"epoch\":",
        &event,
        &format!("{event}\n"),
        &format!("{}\n{event}\n{event}", &event[..event.len() / 2]),
        &format!("{row}\n{told}\n"),
        &format!("{}\n{told}", row.replace("\"len\":77", "\"len\":1152921504606846976")),
        &format!("{}\n{told}", row.replace("\"offset\":0", "\"offset\":18446744073709551615")),
        &format!("{}\n", row.replace("\"id\":1", "\"id\":0")),
        &row.replace("TRANSCRIPT", "/"),
    ])
}
