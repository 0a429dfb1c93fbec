//! Events as streams tell them: an optional `id:` line, one `data:` line, a blank line.
//!
//! There is no `event:` line, since clients listen to all messages at once and look at `data.event`. Names are those
//! that clients know; the stream of all sessions has longer ones. `type` and `data` beside them are Aegis' own, and
//! `data` also has the older fields. Where one event is told by several frames only the last has the id: whoever is cut
//! off in between gets them all again.

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::{
    AskKind, EndCause, Ending, Epoch, Event, EventData, How, Position, Role, Session, SessionId,
    SessionStatus, StatusWord, Timestamp,
};
use crate::ops::Newcomer;

/// One event, ready for every stream.
#[derive(Debug)]
pub(in crate::http) struct Frame {
    /// Where it stands in its session; none for an end that no journal tells.
    pub(super) position: Option<Position>,
    /// As the stream of all sessions tells it.
    pub(super) all: Bytes,
    /// As the session's own stream tells it.
    pub(super) one: Bytes,
    /// The status that it tells.
    pub(in crate::http) status: Option<StatusWord>,
    /// Whether it is the session's last.
    pub(super) last: bool,
    /// The key that the session belongs to, as the stream of all sessions needs it.
    pub(super) owner_key: Option<String>,
}

/// What a frame says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    /// Milliseconds since 1970.
    emitted_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// One name and what comes with it.
struct Part {
    /// On the session's own stream.
    one: &'static str,
    /// On the stream of all; none where it is told there by another.
    all: Option<&'static str>,
    data: Value,
}

/// The id of an event on its session's own stream.
pub(super) fn own_id(position: Position) -> String {
    format!("{}-{}", position.epoch, position.seq)
}

/// Reads such an id.
pub(super) fn own_position(id: &str) -> Option<Position> {
    let (epoch, seq) = id.rsplit_once('-')?;
    let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(Position { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? })
}

impl Frame {
    /// Renders an event. `id` is its id on the stream of all sessions; `new` the session's name, if this is its first event.
    pub(super) fn of(event: &Event, id: &str, new: Option<&Newcomer>) -> Self {
        let position = Position { epoch: event.epoch, seq: event.seq };
        let status = match &event.data {
            EventData::Status { report, .. } => Some(report.status.word()),
            _ => None,
        };
        Self {
            position: Some(position),
            all: all(event, id, new),
            one: one(event),
            status,
            last: status == Some(StatusWord::Ended),
            owner_key: None,
        }
    }

    /// The end of a session that no journal tells.
    pub(super) fn ended(session: &Session) -> Self {
        let data = ended(session.ending.as_ref());
        let told = |event| bare(event, Some(session.id), Some(&data));
        Self {
            position: None,
            all: told("session_ended"),
            one: told("ended"),
            status: Some(StatusWord::Ended),
            last: true,
            owner_key: None,
        }
    }
}

/// Renders an event for its session's own stream.
pub(super) fn one(event: &Event) -> Bytes {
    let id = own_id(Position { epoch: event.epoch, seq: event.seq });
    let (kind, parts) = parts(event);
    let parts: Vec<_> = parts.iter().map(|part| (part.one, &part.data)).collect();
    lines(event, &kind, &parts, &id)
}

/// Renders an event for the stream of all sessions.
pub(super) fn all(event: &Event, id: &str, new: Option<&Newcomer>) -> Bytes {
    let (kind, parts) = parts(event);
    let created = new.map(|new| json!({ "name": new.name, "workDir": new.work_dir }));
    let created = created.as_ref().map(|data| ("session_created", data));
    let told = parts.iter().filter_map(|part| Some((part.all?, &part.data)));
    let parts: Vec<_> = created.into_iter().chain(told).collect();
    lines(event, &kind, &parts, id)
}

fn lines(event: &Event, kind: &str, parts: &[(&str, &Value)], id: &str) -> Bytes {
    let mut text = Vec::with_capacity(512);
    for (at, (name, data)) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let told = Told {
            event: name,
            session_id: Some(event.session_id),
            timestamp: event.at,
            data: Some(data),
            emitted_at: Timestamp::now().millis(),
            epoch: Some(event.epoch),
            seq: Some(event.seq),
            kind: Some(kind),
            id: last.then_some(id),
        };
        write(&mut text, &told);
    }
    text.into()
}

/// A frame that stands for no event: it has no id.
pub(super) fn bare(event: &str, session: Option<SessionId>, data: Option<&Value>) -> Bytes {
    bare_at(event, session, data, None)
}

/// A frame that stands for no event, with the id from which a reader who sees nothing more can take up.
pub(super) fn bare_at(
    event: &str,
    session: Option<SessionId>,
    data: Option<&Value>,
    id: Option<&str>,
) -> Bytes {
    let now = Timestamp::now();
    let told = Told {
        event,
        session_id: session,
        timestamp: now,
        data,
        emitted_at: now.millis(),
        epoch: None,
        seq: None,
        kind: None,
        id,
    };
    let mut text = Vec::with_capacity(192);
    write(&mut text, &told);
    text.into()
}

fn write(text: &mut Vec<u8>, told: &Told<'_>) {
    let Ok(json) = serde_json::to_vec(told) else { return };
    if let Some(id) = told.id {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(id.as_bytes());
        text.push(b'\n');
    }
    // JSON has no line ends of its own.
    text.extend_from_slice(b"data: ");
    text.extend_from_slice(&json);
    text.extend_from_slice(b"\n\n");
}

/// What is told of an event, and Aegis' own word for it.
fn parts(event: &Event) -> (String, Vec<Part>) {
    let Ok(Value::Object(mut own)) = serde_json::to_value(&event.data) else { return Default::default() };
    let kind = own.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = match own.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    let part = |one, all, data: Map<String, Value>| Part { one, all: Some(all), data: Value::Object(data) };
    let parts = match &event.data {
        EventData::Status { report, what, .. } => status(&report.status, what, data),
        EventData::AskOpened(ask) if ask.kind == AskKind::Question => {
            let more = json!({ "questionId": ask.id, "question": ask.title });
            vec![part("question", "session_question", with(data, more))]
        }
        EventData::AskOpened(ask) => {
            vec![part("approval", "session_approval", with(data, json!({ "prompt": ask.title })))]
        }
        EventData::AskResolved(ask) => match &ask.resolution {
            Some(resolution) if resolution.how == How::Rejected => {
                let more = json!({ "toolName": ask.tool, "reason": resolution.detail });
                vec![part("permission_denied", "session_permission_denied", with(data, more))]
            }
            _ => vec![part("approval_resolved", "session_approval_resolved", data)],
        },
        EventData::Message { role: Role::System, .. } => {
            vec![part("system", "session_message", with(data, json!({ "isSystem": true })))]
        }
        EventData::Message { tool_name, .. } => {
            let more = tool_name.as_ref().map_or(json!({}), |name| json!({ "tool_name": name }));
            vec![part("message", "session_message", with(data, more))]
        }
        EventData::Launched { .. } => vec![part("launched", "session_launched", data)],
        EventData::Receipt(_) => vec![part("receipt", "session_receipt", data)],
        EventData::Conversation { .. } => vec![part("conversation", "session_conversation", data)],
        EventData::ContextFilled { .. } => {
            vec![part("context_warning", "session_context_warning", data)]
        }
        EventData::Verified { outcome, .. } => {
            let mut data = data;
            data.remove("outcome");
            let told = serde_json::to_value(outcome).unwrap_or_default();
            vec![part("verification", "session_verification", with(data, told))]
        }
        EventData::Action { .. } => vec![part("action", "session_action", data)],
        EventData::Gap { .. } => vec![part("gap", "gap", data)],
    };
    (kind, parts)
}

/// Every status change is a `status`; two of them are something more besides.
fn status(status: &SessionStatus, what: &str, data: Map<String, Value>) -> Vec<Part> {
    let told = Value::Object(with(data, json!({ "detail": what })));
    let mut parts = vec![Part { one: "status", all: Some("session_status_change"), data: told }];
    let mut more = |one, all, data| parts.push(Part { one, all: Some(all), data });
    match status {
        SessionStatus::Stalled => {
            more("stall", "session_stall", json!({ "stallType": "silence", "detail": what }));
        }
        SessionStatus::Ended(ending) => {
            if matches!(ending.cause, EndCause::Signaled | EndCause::LaunchFailed | EndCause::HolderLost) {
                more("dead", "session_dead", json!({ "reason": what }));
            }
            more("ended", "session_ended", ended(Some(ending)));
        }
        _ => {}
    }
    parts
}

fn ended(ending: Option<&Ending>) -> Value {
    let mut told = match ending.and_then(|ending| serde_json::to_value(ending).ok()) {
        Some(Value::Object(told)) => told,
        _ => Map::new(),
    };
    let reason = told.get("cause").cloned().unwrap_or_else(|| "unknown".into());
    told.insert("reason".into(), reason);
    Value::Object(told)
}

fn with(mut data: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        data.extend(more);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Source, StatusReport, Verification};

    fn event(data: EventData) -> Event {
        let at = Timestamp::from_millis(1000).unwrap();
        Event { epoch: Epoch::mint(), seq: 9, session_id: SessionId::mint(), at, data }
    }

    fn status(status: SessionStatus) -> Event {
        let report = StatusReport::new(status, Timestamp::from_millis(1000).unwrap(), Source::Process);
        event(EventData::Status { report, from: StatusWord::Working, what: "why".into(), lag_ms: None })
    }

    /// The frames of a text: the id line, and what was told.
    fn read(text: &Bytes) -> Vec<(Option<String>, Value)> {
        let text = std::str::from_utf8(text).unwrap();
        assert!(text.ends_with("\n\n"), "{text}");
        let read = |frame: &str| {
            let mut lines = frame.lines();
            let mut line = lines.next().unwrap();
            let id = line.strip_prefix("id: ").map(str::to_owned);
            if id.is_some() {
                line = lines.next().unwrap();
            }
            assert_eq!(lines.next(), None);
            (id, serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap())
        };
        text.trim_end().split("\n\n").map(read).collect()
    }

    #[test]
    fn every_status_is_told_and_an_end_besides() {
        let ending = Ending {
            cause: EndCause::Killed,
            exit_code: None,
            signal: None,
            by: Some("cli".into()),
            detail: None,
        };
        let event = status(SessionStatus::Ended(ending));
        let frame = Frame::of(&event, "there-1", None);
        assert!(frame.last);
        let told = read(&frame.all);
        let names: Vec<_> = told.iter().map(|(_, told)| told["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["session_status_change", "session_ended"]);
        assert_eq!(told[0].1["data"]["status"], "ended");
        assert_eq!(told[0].1["data"]["detail"], "why");
        assert_eq!(
            (&told[1].1["data"]["reason"], &told[1].1["data"]["by"]),
            (&json!("killed"), &json!("cli"))
        );
        // Whoever is cut off between the two gets both again.
        assert_eq!((&told[0].0, told[1].0.as_deref()), (&None, Some("there-1")));
        let told = read(&frame.one);
        assert_eq!(told[1].0, Some(own_id(frame.position.unwrap())));
        assert_eq!(own_position(told[1].0.as_deref().unwrap()), frame.position);
        assert_eq!(told[1].1["id"], json!(told[1].0));
    }

    #[test]
    fn a_status_that_no_older_client_knows_is_told_like_the_others() {
        for word in [SessionStatus::Idle, SessionStatus::Unknown] {
            let told = read(&Frame::of(&status(word), "x", None).one);
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].1["event"], "status");
        }
    }

    #[test]
    fn what_came_of_a_projects_checks_is_told_as_it_is() {
        let outcome = Verification {
            ok: true,
            steps: Vec::new(),
            total_duration_ms: 7,
            summary: "passed: test".into(),
        };
        let frame = Frame::of(&event(EventData::Verified { outcome, by: "http".into() }), "x", None);
        let (one, all) = (read(&frame.one), read(&frame.all));
        assert_eq!(
            (&one[0].1["event"], &all[0].1["event"]),
            (&json!("verification"), &json!("session_verification"))
        );
        let told =
            json!({"ok": true, "steps": [], "totalDurationMs": 7, "summary": "passed: test", "by": "http"});
        assert_eq!((&one[0].1["data"], &all[0].1["data"]), (&told, &told));
    }

    #[test]
    fn a_context_that_fills_up_is_told_to_both() {
        let frame = Frame::of(&event(EventData::ContextFilled { used_pct: 86 }), "x", None);
        let (one, all) = (read(&frame.one), read(&frame.all));
        assert_eq!(
            (&one[0].1["event"], &all[0].1["event"]),
            (&json!("context_warning"), &json!("session_context_warning"))
        );
        assert_eq!((&one[0].1["data"]["usedPct"], &all[0].1["data"]["usedPct"]), (&json!(86), &json!(86)));
    }

    #[test]
    fn a_message_has_the_fields_of_both() {
        let told = read(
            &Frame::of(
                &event(EventData::Message {
                    id: 4,
                    role: Role::Assistant,
                    content_type: crate::domain::ContentType::ToolUse,
                    text: "two\nlines".into(),
                    tool_name: Some("Bash".into()),
                }),
                "x",
                None,
            )
            .one,
        );
        let told = &told[0].1;
        assert_eq!((&told["event"], &told["type"]), (&json!("message"), &json!("message")));
        assert_eq!(told["data"]["tool_name"], "Bash");
        assert_eq!(told["data"]["contentType"], "tool_use");
        assert_eq!(told["data"]["text"], "two\nlines");
        assert_eq!(told["timestamp"], "1970-01-01T00:00:01.000Z");
    }

    #[test]
    fn ids_of_others_name_no_position() {
        for id in [
            "",
            "17",
            "x-1",
            "00000000-0000-4000-8000-000000000000-",
            "00000000-0000-4000-8000-000000000000-+1",
        ] {
            assert_eq!(own_position(id), None, "{id}");
        }
    }
}
