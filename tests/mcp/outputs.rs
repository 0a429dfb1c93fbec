//! What each operation gives fits the output schema that clients were shown: some check it and refuse the rest.

use aegis::domain::{
    Action, Ask, AskId, AskKind, AskVia, Confidence, ContentType, ConversationId, Delivery, EndCause, Ending,
    Epoch, ErrorKind, Event, EventData, Evidence, How, LastMessage, Limit, Message, MessagePage, Outcome,
    PermissionMode, Receipt, ReceiptState, Resolution, Role, Session, SessionId, SessionStatus, Source,
    StatusReport, StatusWord, Timestamp, TurnError, Under,
};
use aegis::mcp::{McpDoor, ToolSet};
use aegis::ops::{HolderHealth, SessionCreated, SessionDetail, SessionHealth, SessionList, Waited, Woke};
use serde::Serialize;
use serde_json::{Value, json};

fn at() -> Timestamp {
    Timestamp::from_millis(1_795_337_042_671).unwrap()
}

fn fits(tool: &str, value: &impl Serialize) {
    let tools = McpDoor::tools(ToolSet::Full);
    let schema = tools.iter().find(|known| known.name == tool).unwrap().output_schema.clone().unwrap();
    let schema = Value::Object((*schema).clone());
    let value = serde_json::to_value(value).unwrap();
    let errors: Vec<_> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{tool}: {errors:?} in {value:#}");
}

fn ask(full: bool) -> Ask {
    let resolution =
        Resolution { by: "cli".into(), how: How::Rejected, at: at(), detail: Some("not now".into()) };
    Ask {
        id: AskId::mint(),
        kind: AskKind::Permission,
        tool: full.then(|| "Bash".into()),
        input: full.then(|| json!({"command": "ls"})),
        input_hash: "00".into(),
        title: "Bash: ls".into(),
        options: vec!["Yes".into(), "No".into()],
        opened_at: at(),
        via: AskVia::Hook,
        agent: full.then(|| "helper".into()),
        tool_use_id: full.then(|| "toolu_1".into()),
        resolution: full.then_some(resolution),
    }
}

fn ending() -> Ending {
    Ending {
        cause: EndCause::Killed,
        exit_code: Some(143),
        signal: Some("SIGTERM".into()),
        by: Some("mcp".into()),
        detail: Some("asked, then SIGTERM".into()),
    }
}

/// With everything that a session can carry, or with nothing that it can do without.
fn session(full: bool) -> Session {
    Session {
        id: SessionId::mint(),
        name: "one".into(),
        status: StatusWord::Idle,
        since: at(),
        source: Source::Hook,
        confidence: Confidence::High,
        work_dir: "/tmp".into(),
        model: full.then(|| "opus".into()),
        permission_mode: PermissionMode::AcceptEdits,
        created_at: at(),
        last_activity: at(),
        open_asks: if full { vec![ask(true), ask(false)] } else { Vec::new() },
        last_message: full.then(|| LastMessage { role: Role::Assistant, text: "done".into() }),
        conversation_id: full.then(ConversationId::mint),
        parent_id: full.then(SessionId::mint),
        worktree: full.then(|| "wt".into()),
        error: full.then(|| TurnError { kind: ErrorKind::Overloaded, message: "529".into() }),
        limit: full.then(|| Limit { resets_at: Some(at()), message: "limit".into() }),
        ending: full.then(ending),
    }
}

fn receipt(full: bool) -> Receipt {
    let key = full.then(|| "key".to_string());
    let mut receipt = Receipt::new(SessionId::mint(), key, Delivery::Paste, 5, at());
    receipt.reach(ReceiptState::Submitted, at(), "hook");
    receipt.outcome = full.then_some(Outcome::Completed);
    receipt
}

fn detail(full: bool) -> SessionDetail {
    SessionDetail {
        session: session(full),
        health: SessionHealth {
            alive: full,
            pid: full.then_some(1),
            claude_version: full.then(|| "2.1.197".into()),
            context_used_pct: full.then_some(12),
            rss_bytes: full.then_some(1 << 40),
            holder: HolderHealth {
                reachable: full,
                pid: full.then_some(2),
                version: full.then(|| "0.1.0".into()),
            },
        },
        evidence: vec![Evidence {
            at: at(),
            source: Source::Live,
            what: "busy".into(),
            accepted: full.then_some(true),
        }],
        receipts: vec![receipt(full)],
        conversations: vec!["c".into()],
        transcript_path: full.then(|| "/t.jsonl".into()),
        background_tasks: 1,
        next_steps: vec!["wait".into()],
    }
}

fn events() -> Vec<EventData> {
    let report = |status| StatusReport::new(status, at(), Source::Process);
    let status = |status| EventData::Status {
        report: report(status),
        from: StatusWord::Working,
        what: "x".into(),
        lag_ms: Some(3),
    };
    vec![
        EventData::Launched { pid: 1, claude_version: None },
        EventData::Launched { pid: 1, claude_version: Some("2".into()) },
        status(SessionStatus::Idle),
        status(SessionStatus::PermissionPrompt { under: Under::Working }),
        status(SessionStatus::Ended(ending())),
        EventData::AskOpened(ask(false)),
        EventData::AskResolved(ask(true)),
        EventData::Receipt(receipt(true)),
        EventData::Conversation {
            conversation_id: ConversationId::mint(),
            reason: "clear".into(),
            transcript_path: None,
        },
        EventData::Message {
            id: 1,
            role: Role::User,
            content_type: ContentType::Text,
            text: "hi".into(),
            tool_name: None,
        },
        EventData::Action { action: Action::Kill, by: "cli".into() },
        EventData::Gap { from: 1, to: 2 },
    ]
}

#[test]
fn every_answer_fits_its_schema_full_and_bare() {
    for full in [true, false] {
        let receipt = full.then(|| receipt(full));
        fits("create_session", &SessionCreated { session: session(full), reused: full, receipt });
        let next_cursor = full.then(|| "c".into());
        fits("list_sessions", &SessionList { sessions: vec![session(full)], next_cursor });
        fits("get_status", &detail(full));
        for tool in ["kill_session", "interrupt_session", "escape_session"] {
            fits(tool, &session(full));
        }
        for tool in ["approve_permission", "reject_permission"] {
            fits(tool, &ask(full));
        }
        let message = Message {
            id: 1,
            role: Role::Assistant,
            content_type: ContentType::ToolUse,
            text: "{}".into(),
            tool_name: full.then(|| "Bash".into()),
            tool_use_id: full.then(|| "toolu".into()),
            at: at(),
            truncated: full,
        };
        let (oldest_id, newest_id) = (full.then_some(1), full.then_some(1));
        fits(
            "get_transcript",
            &MessagePage { messages: vec![message], has_more: full, oldest_id, newest_id },
        );
    }
    fits("send_message", &receipt(true));
    fits("send_message", &receipt(false));
}

#[test]
fn every_event_that_ends_a_wait_fits_the_schema() {
    let none = Woke { session: session(false), event: None };
    fits("wait_for_session", &Waited { woke: vec![none], cursor: "c".into(), timed_out: false });
    for data in events() {
        let event = Event { epoch: Epoch::mint(), seq: 1, session_id: SessionId::mint(), at: at(), data };
        let woke = Woke { session: session(true), event: Some(event) };
        fits("wait_for_session", &Waited { woke: vec![woke], cursor: "c".into(), timed_out: false });
    }
}
