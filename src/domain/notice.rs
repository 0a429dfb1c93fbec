//! What people and programs outside are told: an event of a session as a notice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ask::{Ask, AskKind, How};
use super::event::{Action, Event, EventData};
use super::id::{AskId, SessionId};
use super::message::{ContentType, Role};
use super::status::{EndCause, Ending, SessionStatus, StatusWord};
use super::time::Timestamp;
use super::topic::Topic;
use super::visible::visible;

/// The longest text of a notice, in characters; what is longer ends in an ellipsis.
pub const LONGEST_DETAIL: usize = 2000;

/// The longest tool input that a notice carries as it is, in bytes of JSON. Receivers expect bodies of some kilobytes;
/// a file that Claude wants to write may be megabytes.
const LONGEST_INPUT: usize = 16 * 1024;

/// The session that a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeSession {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// The directory it works in.
    pub work_dir: String,
}

/// What a notice refers to, for channels that do more than show it. Not told to receivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// An ask that opened.
    Ask(OpenAsk),
    /// An ask that was settled.
    Settled(SettledAsk),
    /// A message of the conversation, by its id.
    Message(u64),
}

/// As much of an open ask as an answer needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAsk {
    /// Its id.
    pub id: AskId,
    /// What kind of answer it wants.
    pub kind: AskKind,
    /// SHA-256 (hex) of what is asked.
    pub input_hash: String,
    /// The choices.
    pub options: Vec<String>,
    /// How many questions it has; 0 for what is no question.
    pub questions: usize,
    /// Several questions, if each can be answered by choosing; else none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Whether all of what is asked is in the notice's text.
    pub whole: bool,
}

/// One of several questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Its full text, which is also its name.
    pub question: String,
    /// The labels of its choices.
    pub options: Vec<String>,
}

/// How an ask was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledAsk {
    /// Its id.
    pub id: AskId,
    /// Which surface settled it.
    pub by: String,
    /// What became of it.
    pub how: How,
    /// When.
    pub at: Timestamp,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub event: Topic,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened, for a person.
    pub detail: String,
    /// More, for a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
    /// Where.
    pub session: NoticeSession,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

impl Notice {
    /// What is to be told of an event: nothing, one thing, or, for a process that died, two.
    #[must_use]
    pub fn of(event: &Event, session: &NoticeSession) -> Vec<Self> {
        let notice = |topic: Topic, detail: String, meta: Value, about: Option<About>| Self {
            event: topic,
            timestamp: event.at,
            detail: cut(&visible(&detail), LONGEST_DETAIL),
            meta: match meta {
                Value::Object(map) if !map.is_empty() => Some(map),
                Value::Object(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => None,
            },
            session: session.clone(),
            about,
        };
        match &event.data {
            EventData::Launched { .. } => {
                vec![notice(
                    Topic::SessionCreated,
                    format!("Session {} was started", session.name),
                    Value::Null,
                    None,
                )]
            }
            EventData::Status { report, from, what, .. } => status(&report.status, *from, what)
                .into_iter()
                .map(|(topic, detail, meta)| notice(topic, detail, meta, None))
                .collect(),
            EventData::AskOpened(ask) => {
                let (detail, meta, whole) = shown(ask);
                let open = OpenAsk {
                    id: ask.id,
                    kind: ask.kind,
                    input_hash: ask.input_hash.clone(),
                    options: ask.options.clone(),
                    questions: super::ask::questions(ask).len(),
                    asked: asked(ask),
                    whole: whole && detail.chars().count() <= LONGEST_DETAIL,
                };
                let topic = match ask.kind {
                    AskKind::Permission | AskKind::Trust | AskKind::Dialog => Topic::StatusPermission,
                    AskKind::Question => Topic::StatusQuestion,
                    AskKind::Plan => Topic::StatusPlan,
                };
                vec![notice(topic, detail, meta, Some(About::Ask(open)))]
            }
            EventData::AskResolved(ask) => {
                let Some(resolution) = &ask.resolution else { return Vec::new() };
                // A rule decided before anybody was asked.
                if resolution.at == ask.opened_at {
                    return Vec::new();
                }
                let settled = SettledAsk {
                    id: ask.id,
                    by: resolution.by.clone(),
                    how: resolution.how,
                    at: resolution.at,
                };
                let meta = json!({"ask_id": ask.id, "by": resolution.by, "how": resolution.how});
                let text = format!("{} ({} by {})", ask.title, how(resolution.how), resolution.by);
                let mut told =
                    vec![notice(Topic::AskResolved, text, meta.clone(), Some(About::Settled(settled)))];
                if resolution.by == "config" && resolution.detail.as_deref() == Some(NOBODY_ANSWERED) {
                    let text = format!("Nobody answered in time, so it was refused: {}", ask.title);
                    told.push(notice(Topic::StatusPermissionTimeout, text, meta, None));
                }
                told
            }
            EventData::Message { id, role, content_type, text, tool_name } => {
                let Some(topic) = spoken(*role, *content_type) else { return Vec::new() };
                let meta = match tool_name {
                    Some(tool) => json!({"tool_name": tool}),
                    None => Value::Null,
                };
                vec![notice(topic, text.clone(), meta, Some(About::Message(*id)))]
            }
            EventData::Action { action: Action::Interrupt, by } => {
                let text = format!("The turn was stopped by {by}");
                vec![notice(Topic::StatusStopped, text, json!({"by": by}), None)]
            }
            EventData::ContextFilled { used_pct } => {
                let text = format!("{used_pct}% of the context window is in use; /compact makes room");
                vec![notice(Topic::StatusContextWarning, text, json!({"context_used_pct": used_pct}), None)]
            }
            EventData::Action { .. }
            | EventData::Verified { .. }
            | EventData::Receipt(_)
            | EventData::Conversation { .. }
            | EventData::Gap { .. } => Vec::new(),
        }
    }

    /// A notice by which somebody tries a channel out.
    #[must_use]
    pub fn test(at: Timestamp) -> Self {
        let nobody: SessionId =
            "00000000-0000-0000-0000-000000000000".parse().unwrap_or_else(|_| SessionId::mint());
        Self {
            event: Topic::ChannelTest,
            timestamp: at,
            detail: "This is a test: the channel works".into(),
            meta: None,
            session: NoticeSession { id: nobody, name: "test".into(), work_dir: String::new() },
            about: None,
        }
    }
}

/// What a holder says of a permission that was refused because the wait was over.
pub const NOBODY_ANSWERED: &str = "nobody answered in time";

fn spoken(role: Role, content: ContentType) -> Option<Topic> {
    Some(match (role, content) {
        (Role::System, _) | (_, ContentType::Error) => return None,
        (_, ContentType::Thinking) => Topic::MessageThinking,
        (_, ContentType::ToolUse) => Topic::MessageToolUse,
        (_, ContentType::ToolResult | ContentType::ToolError) => Topic::MessageToolResult,
        (Role::User, ContentType::Text | ContentType::Attachment) => Topic::MessageUser,
        (Role::Assistant, ContentType::Text | ContentType::Attachment) => Topic::MessageAssistant,
    })
}

/// What a change of status tells. One that only has other grounds tells nothing, and open asks tell of themselves.
fn status(status: &SessionStatus, from: StatusWord, what: &str) -> Vec<(Topic, String, Value)> {
    if status.word() == from {
        return Vec::new();
    }
    match status {
        SessionStatus::Idle => {
            let text = match from {
                StatusWord::Starting => "Session is ready for a prompt",
                StatusWord::Working
                | StatusWord::Idle
                | StatusWord::PermissionPrompt
                | StatusWord::Asking
                | StatusWord::Stalled
                | StatusWord::RateLimited
                | StatusWord::Error
                | StatusWord::Ended
                | StatusWord::Unknown => "Session finished working, awaiting input",
            };
            vec![(Topic::StatusIdle, text.into(), Value::Null)]
        }
        SessionStatus::Working if from == StatusWord::Stalled => {
            vec![(Topic::StatusRecovered, "The stalled turn shows life again".into(), Value::Null)]
        }
        SessionStatus::Working => vec![(Topic::StatusWorking, "A turn is running".into(), Value::Null)],
        SessionStatus::Stalled => {
            vec![(Topic::StatusStall, format!("The turn shows no sign of life: {what}"), Value::Null)]
        }
        SessionStatus::RateLimited(limit) => {
            let meta = match limit.resets_at {
                Some(at) => json!({"resets_at": at}),
                None => Value::Null,
            };
            vec![(Topic::StatusRateLimited, limit.message.clone(), meta)]
        }
        SessionStatus::Error(error) => {
            vec![(Topic::StatusError, error.message.clone(), json!({"error": error.kind}))]
        }
        SessionStatus::Ended(ending) => ended(ending),
        SessionStatus::Starting
        | SessionStatus::PermissionPrompt { .. }
        | SessionStatus::Asking { .. }
        | SessionStatus::Unknown => Vec::new(),
    }
}

fn ended(ending: &Ending) -> Vec<(Topic, String, Value)> {
    let how = match ending.cause {
        EndCause::Killed => format!("killed by {}", ending.by.as_deref().unwrap_or("somebody")),
        EndCause::Exited => format!("exit code {}", ending.exit_code.unwrap_or_default()),
        EndCause::Signaled => format!("signal {}", ending.signal.as_deref().unwrap_or("unknown")),
        EndCause::LaunchFailed => "it could not be started".into(),
        EndCause::HolderLost => "its holder vanished".into(),
    };
    let meta = json!({"cause": ending.cause});
    let mut told = Vec::new();
    let orderly = match ending.cause {
        EndCause::Killed => true,
        EndCause::Exited => ending.exit_code == Some(0),
        EndCause::Signaled | EndCause::LaunchFailed | EndCause::HolderLost => false,
    };
    if !orderly {
        told.push((Topic::StatusDead, format!("The session's process is gone: {how}"), meta.clone()));
    }
    told.push((Topic::SessionEnded, format!("Session ended: {how}"), meta));
    told
}

/// What became of an ask, in a word.
#[must_use]
pub fn how(how: How) -> &'static str {
    match how {
        How::Approved => "approved",
        How::Rejected => "rejected",
        How::Answered => "answered",
        How::Withdrawn => "withdrawn",
        How::Settled => "settled",
    }
}

/// The questions of an ask that has several, if each has choices and they can be told apart by their texts.
fn asked(ask: &Ask) -> Vec<Asked> {
    let questions = super::ask::questions(ask);
    let mut texts: Vec<_> = questions.iter().map(|question| question.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    let length: usize = questions
        .iter()
        .flat_map(|question| {
            question.options.iter().map(|(label, _)| label.len()).chain([question.text.len()])
        })
        .sum();
    let choosable = |question: &super::ask::Question| {
        !question.text.trim().is_empty()
            && !question.options.is_empty()
            && question.options.iter().all(|(label, _)| !label.trim().is_empty())
    };
    let fits = questions.len() > 1 && texts.len() == questions.len() && length <= LONGEST_INPUT;
    if !fits || !questions.iter().all(choosable) {
        return Vec::new();
    }
    let asked = questions.into_iter().map(|question| Asked {
        question: question.text,
        options: question.options.into_iter().map(|(label, _)| label).collect(),
    });
    asked.collect()
}

/// What is asked, as text and for programs, and whether the text has all of it.
fn shown(ask: &Ask) -> (String, Value, bool) {
    let mut text = ask.title.clone();
    let mut whole = true;
    let questions = super::ask::questions(ask);
    if ask.kind == AskKind::Question && !questions.is_empty() {
        for (at, question) in questions.into_iter().enumerate() {
            // The title is the first one's text.
            if at > 0 || question.text != ask.title {
                text.push_str(&format!("\n\n{}", question.text));
            }
            for (label, meaning) in question.options {
                let meaning = if meaning.is_empty() { meaning } else { format!(": {meaning}") };
                text.push_str(&format!("\n• {label}{meaning}"));
            }
        }
    } else if let Some(Value::Object(input)) = &ask.input {
        for (name, value) in input {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            if !ask.title.contains(&value) {
                text.push_str(&format!("\n{name}: {value}"));
            }
        }
    }
    let mut meta = json!({"ask_id": ask.id, "kind": ask.kind});
    if let Some(tool) = &ask.tool {
        meta["tool_name"] = tool.as_str().into();
    }
    if let Some(input) = &ask.input {
        let json = input.to_string();
        meta["tool_input"] = if json.len() <= LONGEST_INPUT {
            input.clone()
        } else {
            whole = false;
            Value::String(cut(&json, LONGEST_DETAIL))
        };
    }
    if !ask.options.is_empty() {
        meta["options"] = json!(ask.options);
    }
    (text, meta, whole)
}

/// The text, or its beginning and an ellipsis: at most so many characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::{Epoch, Limit, Source, StatusReport, TurnError};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn told(data: EventData) -> Vec<(&'static str, String)> {
        let id = SessionId::mint();
        let session = NoticeSession { id, name: "s1".into(), work_dir: "/work".into() };
        let event = Event { epoch: Epoch::mint(), seq: 1, session_id: id, at: at(5), data };
        Notice::of(&event, &session)
            .into_iter()
            .map(|notice| (notice.event.as_str(), notice.detail))
            .collect()
    }

    fn change(status: SessionStatus, from: StatusWord) -> Vec<&'static str> {
        let report = StatusReport::new(status, at(5), Source::Hook);
        let data = EventData::Status { report, from, what: "said".into(), lag_ms: None };
        told(data).into_iter().map(|(topic, _)| topic).collect()
    }

    fn ending(cause: EndCause, exit_code: Option<i32>) -> SessionStatus {
        SessionStatus::Ended(Ending { cause, exit_code, signal: None, by: None, detail: None })
    }

    #[rstest]
    #[case::idle(SessionStatus::Idle, StatusWord::Working, &["status.idle"])]
    #[case::other_grounds(SessionStatus::Idle, StatusWord::Idle, &[])]
    #[case::working(SessionStatus::Working, StatusWord::Idle, &["status.working"])]
    #[case::recovered(SessionStatus::Working, StatusWord::Stalled, &["status.recovered"])]
    #[case::stalled(SessionStatus::Stalled, StatusWord::Working, &["status.stall"])]
    #[case::killed(ending(EndCause::Killed, None), StatusWord::Idle, &["session.ended"])]
    #[case::exited(ending(EndCause::Exited, Some(0)), StatusWord::Idle, &["session.ended"])]
    #[case::crashed(ending(EndCause::Exited, Some(1)), StatusWord::Idle, &["status.dead", "session.ended"])]
    #[case::lost(ending(EndCause::HolderLost, None), StatusWord::Working, &["status.dead", "session.ended"])]
    fn a_status_is_told_at_its_edge(
        #[case] status: SessionStatus,
        #[case] from: StatusWord,
        #[case] topics: &[&str],
    ) {
        assert_eq!(change(status, from), topics);
    }

    #[test]
    fn failures_are_told_with_their_words() {
        let error = TurnError { kind: crate::domain::ErrorKind::Overloaded, message: "Overloaded".into() };
        assert_eq!(change(SessionStatus::Error(error), StatusWord::Working), ["status.error"]);
        let limit = Limit { resets_at: Some(at(9)), message: "resets 3pm".into() };
        assert_eq!(change(SessionStatus::RateLimited(limit), StatusWord::Working), ["status.rate_limited"]);
    }

    #[test]
    fn an_ask_is_told_with_its_call_and_hidden_characters_shown() {
        let ask = Ask {
            id: AskId::mint(),
            kind: AskKind::Permission,
            tool: Some("Bash".into()),
            input: Some(json!({"command": "rm -rf \u{202e}x"})),
            input_hash: "h".into(),
            title: "Bash".into(),
            options: Vec::new(),
            opened_at: at(1),
            via: crate::domain::AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        };
        let told = told(EventData::AskOpened(ask));
        assert_eq!(told, [("status.permission", "Bash\ncommand: rm -rf \\u{202e}x".to_owned())]);
    }

    fn asks(questions: serde_json::Value) -> Ask {
        Ask {
            id: AskId::mint(),
            kind: AskKind::Question,
            tool: Some("AskUserQuestion".into()),
            input: Some(json!({ "questions": questions })),
            input_hash: "h".into(),
            title: "One?".into(),
            options: Vec::new(),
            opened_at: at(1),
            via: crate::domain::AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        }
    }

    #[rstest]
    #[case::two(&[("One?", &["a", "b"][..]), ("Two?", &["c"])], 2)]
    #[case::one(&[("One?", &["a", "b"][..])], 0)]
    #[case::without_choices(&[("One?", &["a"][..]), ("Two?", &[])], 0)]
    #[case::not_told_apart(&[("One?", &["a"][..]), ("One?", &["b"])], 0)]
    #[case::without_a_label(&[("One?", &["a"][..]), ("Two?", &[" "])], 0)]
    fn several_questions_are_told_with_their_choices(
        #[case] questions: &[(&str, &[&str])],
        #[case] told: usize,
    ) {
        let questions: Vec<_> = questions
            .iter()
            .map(|(text, labels)| {
                let options: Vec<_> = labels.iter().map(|label| json!({"label": label})).collect();
                json!({"question": text, "options": options})
            })
            .collect();
        let asked = asked(&asks(json!(questions)));
        assert_eq!(asked.len(), told);
        assert!(asked.first().is_none_or(|first| first.options == ["a", "b"]), "{asked:?}");
    }

    #[test]
    fn questions_are_told_as_people_read_them() {
        let option = |label: &str, meaning: &str| json!({"label": label, "description": meaning});
        let questions = json!([
            {"question": "One?", "header": "1", "options": [option("a", "first"), option("b", "")]},
            {"question": "Two?", "header": "2", "options": []}
        ]);
        let text = "One?\n• a: first\n• b\n\nTwo?".to_owned();
        assert_eq!(told(EventData::AskOpened(asks(questions))), [("status.question", text)]);
    }

    #[test]
    fn what_a_rule_decided_was_never_asked() {
        let resolution =
            crate::domain::Resolution { by: "config".into(), how: How::Approved, at: at(1), detail: None };
        let decided = Ask {
            id: AskId::mint(),
            kind: AskKind::Permission,
            tool: None,
            input: None,
            input_hash: "h".into(),
            title: "Bash".into(),
            options: Vec::new(),
            opened_at: at(1),
            via: crate::domain::AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: Some(resolution.clone()),
        };
        assert_eq!(told(EventData::AskResolved(decided.clone())), []);
        let later = crate::domain::Resolution { at: at(2), ..resolution };
        let answered = Ask { resolution: Some(later), ..decided };
        let text = "Bash (approved by config)".to_owned();
        assert_eq!(told(EventData::AskResolved(answered)), [("ask.resolved", text)]);
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = "ä".repeat(3000);
        let data = EventData::Message {
            id: 1,
            role: Role::Assistant,
            content_type: ContentType::Text,
            text,
            tool_name: None,
        };
        let told = told(data);
        assert_eq!((told[0].0, told[0].1.chars().count()), ("message.assistant", LONGEST_DETAIL));
        assert!(told[0].1.ends_with('…'));
    }

    #[test]
    fn a_context_that_fills_up_is_told_with_its_figure() {
        let text = "86% of the context window is in use; /compact makes room".to_owned();
        let told = told(EventData::ContextFilled { used_pct: 86 });
        assert_eq!(told, [("status.context_warning", text)]);
    }
}
