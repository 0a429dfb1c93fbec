//! What each operation gives fits the output schema that clients were shown: some check it and refuse the rest.

use aegis::domain::{
    Action, Ask, AskId, AskKind, AskVia, Confidence, ContentType, ConversationId, Delivery, EndCause, Ending,
    Epoch, ErrorCode, ErrorKind, Event, EventData, Evidence, FailureKind, FileUse, Histogram, How,
    LastMessage, Limit, MemoryEntry, Message, MessagePage, OpError, Outcome, Percentiles, PermissionMode,
    Pipeline, PipelineId, PipelineStatus, Receipt, ReceiptId, ReceiptState, Resolution, Role, RoleCounts,
    Session, SessionId, SessionStatus, Source, Stage, StageFailure, StageState, StatusReport, StatusWord,
    Timestamp, TurnError, Under,
};
use aegis::mcp::{McpDoor, ToolSet};
use aegis::ops::{
    BatchResult, HolderHealth, ModelUse, PipelineList, SessionCreated, SessionDetail, SessionHealth,
    SessionLatency, SessionList, SessionMetrics, SessionSummary, SessionsCreated, StateDeleted, StatusChange,
    Swarm, SwarmAgent, SwarmProcess, Tail, Teammate, TokenUsage, ToolUse, Waited, Woke,
};
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
        owner_key: None,
        worktree: full.then(|| "wt".into()),
        error: full.then(|| TurnError { kind: ErrorKind::Overloaded, message: "529".into() }),
        limit: full.then(|| Limit { resets_at: Some(at()), message: "limit".into() }),
        ending: full.then(ending),
        stall_threshold_ms: full.then_some(1000),
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

/// With a stage in each state.
fn pipeline(full: bool) -> Pipeline {
    let session_id = SessionId::mint();
    let receipt_id = full.then(ReceiptId::mint);
    let (started_at, ended_at) = (at(), at());
    let error = StageFailure { kind: FailureKind::TimedOut, message: "late".into() };
    let states = [
        StageState::Pending,
        StageState::Starting { started_at },
        StageState::Running { started_at, session_id, receipt_id },
        StageState::Completed {
            started_at,
            ended_at,
            session_id,
            receipt_id,
            output: "done".into(),
            truncated: full,
        },
        StageState::Failed {
            started_at,
            ended_at,
            session_id: full.then_some(session_id),
            receipt_id,
            error,
        },
        StageState::Skipped { ended_at, because: "a".into() },
        StageState::Cancelled {
            started_at: full.then_some(started_at),
            ended_at,
            session_id: full.then_some(session_id),
        },
    ];
    let stages = states.into_iter().map(|state| Stage {
        name: "a".into(),
        depends_on: vec!["b".into()],
        prompt: "do".into(),
        work_dir: "/w".into(),
        permission_mode: PermissionMode::Plan,
        model: full.then(|| "opus".into()),
        timeout_ms: full.then_some(1000),
        state,
        session_status: full.then_some(StatusWord::Asking),
    });
    Pipeline {
        id: PipelineId::mint(),
        name: "p".into(),
        status: PipelineStatus::Running,
        created_at: at(),
        ended_at: full.then(at),
        reuse: full,
        parent_id: full.then(SessionId::mint),
        owner_key: None,
        cancelled_by: full.then(|| "cli".into()),
        stages: stages.collect(),
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
        fits("create_pipeline", &pipeline(full));
        let next_cursor = full.then(|| "c".into());
        fits("list_pipelines", &PipelineList { pipelines: vec![pipeline(full)], next_cursor });
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
    for full in [true, false] {
        let expires_at = full.then(at);
        let (created_at, updated_at) = (at(), at());
        let (key, value, owner) = ("a/b".parse().unwrap(), "x".into(), "mcp".into());
        let entry = MemoryEntry { key, value, owner, created_at, updated_at, expires_at };
        fits("state_set", &entry);
        fits("state_get", &entry);
        fits("state_delete", &StateDeleted { key: "a/b".into(), deleted: full });
        let receipt = full.then(|| receipt(full));
        let made = SessionCreated { session: session(full), reused: full, receipt };
        let failed = OpError::new(ErrorCode::NameTaken, "taken").details(full.then(|| json!(["x"])));
        let results = vec![
            BatchResult { session: Some(made), error: None },
            BatchResult { session: None, error: Some(failed.into()) },
        ];
        fits("batch_create_sessions", &SessionsCreated { results, created: 1, failed: 1 });
    }
    fits("send_message", &receipt(true));
    fits("send_message", &receipt(false));
}

#[test]
fn every_event_that_ends_a_wait_fits_the_schema() {
    let none = Woke { session: session(false), event: None, earlier: Vec::new() };
    fits("wait_for_session", &Waited { woke: vec![none], cursor: "c".into(), timed_out: false });
    for data in events() {
        let event = Event { epoch: Epoch::mint(), seq: 1, session_id: SessionId::mint(), at: at(), data };
        let woke = Woke { session: session(true), event: Some(event.clone()), earlier: vec![event] };
        fits("wait_for_session", &Waited { woke: vec![woke], cursor: "c".into(), timed_out: false });
    }
}

fn summary(full: bool) -> SessionSummary {
    let tail = Tail {
        id: 1,
        role: Role::User,
        content_type: ContentType::Text,
        text: "x".into(),
        tool_name: full.then(|| "Bash".into()),
    };
    SessionSummary {
        session_id: SessionId::mint(),
        name: "n".into(),
        status: StatusWord::Idle,
        work_dir: "/w".into(),
        permission_mode: PermissionMode::Plan,
        created_at: at(),
        last_activity: at(),
        duration_sec: 1,
        working_sec: 0,
        turns: 1,
        total_messages: 1,
        history_messages: 0,
        by_role: RoleCounts { user: 1, ..RoleCounts::default() },
        tools: vec![ToolUse { tool: "Bash".into(), calls: 1, errors: 0 }],
        files: vec![FileUse { path: "/a".into(), writes: 1, reads: 0 }],
        commands: vec!["ls".into()],
        commands_run: 1,
        status_history: vec![StatusChange { status: StatusWord::Idle, at: at() }],
        messages: vec![tail],
        partial: full,
    }
}

fn metrics(full: bool) -> SessionMetrics {
    let usage = TokenUsage { estimated_cost_usd: full.then_some(0.5), ..TokenUsage::default() };
    SessionMetrics {
        session_id: SessionId::mint(),
        duration_sec: 1,
        messages: 1,
        turns: 1,
        tool_calls: 1,
        tool_errors: 0,
        subagents: 0,
        token_usage: usage,
        models: vec![ModelUse { model: "m".into(), api_messages: 1, tokens: usage }],
        prices_as_of: "2026-01-01".into(),
        no_cost: (!full).then(|| "why".into()),
        asks: 1,
        approvals: 1,
        auto_approvals: 0,
        rejections: 0,
        answered_by: [("cli".to_owned(), 1)].into(),
        status_changes: 1,
        partial: full,
    }
}

fn swarm(full: bool) -> Swarm {
    let agent =
        SwarmAgent { id: "a".into(), agent_type: full.then(|| "Explore".into()), last_activity: at() };
    let mate =
        Teammate { name: "bob".into(), agent_type: full.then(|| "x".into()), active: full.then_some(true) };
    let process = SwarmProcess {
        pid: 1,
        session_id: full.then(SessionId::mint),
        session_name: full.then(|| "n".into()),
        work_dir: full.then(|| "/w".into()),
        conversation_id: full.then(ConversationId::mint),
        status: full.then_some(StatusWord::Idle),
        started_at: full.then(at),
        kind: full.then(|| "interactive".into()),
        version: full.then(|| "2.1.197".into()),
        job_state: full.then(|| "working".into()),
        subagents: vec![agent],
        teammates: vec![mate],
    };
    Swarm { processes: vec![process], left_off: 0, scanned_at: at() }
}

#[test]
fn figures_fit_their_schemas_full_and_bare() {
    let mut histogram = Histogram::default();
    histogram.add(7);
    for full in [true, false] {
        fits("get_session_summary", &summary(full));
        fits("get_session_metrics", &metrics(full));
        fits("get_swarm", &swarm(full));
        let told = if full { histogram.percentiles() } else { Percentiles::default() };
        fits(
            "get_session_latency",
            &SessionLatency {
                session_id: SessionId::mint(),
                prompt_to_submitted: told,
                turn: told,
                ask_to_answer: told,
                hook_to_status: told,
                partial: full,
            },
        );
    }
}

/// What a host pays for these, which nobody chooses by reading schemas.
#[test]
fn figures_are_cheap_to_offer() {
    for tool in McpDoor::tools(ToolSet::Full) {
        if !["get_session_summary", "get_session_metrics", "get_session_latency", "get_swarm"]
            .contains(&&*tool.name)
        {
            continue;
        }
        let asked =
            json!({"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema});
        let told = serde_json::to_string(&tool.output_schema).unwrap();
        let (asked, told) = (asked.to_string().len(), told.len());
        assert!(asked <= 350 && told <= 2048, "{}: {asked} bytes to ask, {told} to tell", tool.name);
    }
}
