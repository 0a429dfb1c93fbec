//! Events for everything that channels tell.

use aegis::domain::{
    Action, Ask, AskId, AskKind, AskVia, ContentType, EndCause, Ending, ErrorKind, EventData, How, Limit,
    NOBODY_ANSWERED, Resolution, Role, SessionStatus, Source, StatusReport, StatusWord, Timestamp, TurnError,
};
use serde_json::json;

pub fn ask(kind: AskKind) -> Ask {
    Ask {
        id: AskId::mint(),
        kind,
        tool: (kind == AskKind::Permission).then(|| "Bash".into()),
        input: Some(json!({"command": "touch made"})),
        input_hash: "hash".into(),
        title: "Bash".into(),
        options: Vec::new(),
        opened_at: Timestamp::now(),
        via: AskVia::Hook,
        agent: None,
        tool_use_id: None,
        resolution: None,
    }
}

pub fn resolved(ask: &Ask, by: &str, how: How, detail: Option<&str>) -> EventData {
    let detail = detail.map(str::to_owned);
    let at = Timestamp::from_millis(ask.opened_at.millis() + 1000).unwrap();
    let resolution = Resolution { by: by.into(), how, at, detail };
    EventData::AskResolved(Ask { resolution: Some(resolution), ..ask.clone() })
}

pub fn status(status: SessionStatus, from: StatusWord) -> EventData {
    let report = StatusReport::new(status, Timestamp::now(), Source::Hook);
    EventData::Status { report, from, what: "said".into(), lag_ms: None }
}

pub fn message(role: Role, content_type: ContentType, text: &str) -> EventData {
    EventData::Message { id: 1, role, content_type, text: text.into(), tool_name: None }
}

/// Events that tell every topic, and the topics that webhooks tell of them, in order.
pub fn every_topic() -> (Vec<EventData>, Vec<&'static str>) {
    let all = every_topic_apart();
    let topics = all.iter().flat_map(|(_, topics)| topics.iter().copied()).collect();
    (all.into_iter().map(|(event, _)| event).collect(), topics)
}

/// As [`every_topic`], each event with its topics.
pub fn every_topic_apart() -> Vec<(EventData, &'static [&'static str])> {
    use SessionStatus as Is;
    use StatusWord as Was;
    let permission = ask(AskKind::Permission);
    let late = ask(AskKind::Permission);
    let error = TurnError { kind: ErrorKind::Overloaded, message: "Overloaded".into() };
    let limit = Limit { resets_at: Some(Timestamp::now()), message: "resets at 3pm".into() };
    let ending = Ending {
        cause: EndCause::Signaled,
        exit_code: None,
        signal: Some("SIGSEGV".into()),
        by: None,
        detail: None,
    };
    vec![
        (EventData::Launched { pid: 1, claude_version: None }, &["session.created"][..]),
        (status(Is::Working, Was::Idle), &["status.working"]),
        (message(Role::User, ContentType::Text, "do it"), &["message.user"]),
        (message(Role::Assistant, ContentType::Thinking, "hm"), &["message.thinking"]),
        (message(Role::Assistant, ContentType::ToolUse, "{}"), &["message.tool_use"]),
        (EventData::AskOpened(permission.clone()), &["status.permission"]),
        (resolved(&permission, "cli", How::Approved, None), &[]),
        (message(Role::User, ContentType::ToolResult, "done"), &["message.tool_result"]),
        (message(Role::Assistant, ContentType::Text, "It is done."), &["message.assistant"]),
        (status(Is::Idle, Was::Working), &["status.idle"]),
        (EventData::AskOpened(ask(AskKind::Question)), &["status.question"]),
        (EventData::AskOpened(ask(AskKind::Plan)), &["status.plan"]),
        (EventData::AskOpened(late.clone()), &["status.permission"]),
        (resolved(&late, "config", How::Rejected, Some(NOBODY_ANSWERED)), &["status.permission_timeout"]),
        (status(Is::Stalled, Was::Working), &["status.stall"]),
        (status(Is::Working, Was::Stalled), &["status.recovered"]),
        (EventData::ContextFilled { used_pct: 91 }, &["status.context_warning"]),
        (EventData::Action { action: Action::Interrupt, by: "cli".into() }, &["status.stopped"]),
        (status(Is::Error(error), Was::Working), &["status.error"]),
        (status(Is::RateLimited(limit), Was::Working), &["status.rate_limited"]),
        (status(Is::Ended(ending), Was::Working), &["status.dead", "session.ended"]),
    ]
}
