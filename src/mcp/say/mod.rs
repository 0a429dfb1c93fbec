//! The text twin of each answer: short, readable, and enough to act on.
//!
//! Many hosts show a model only the text, so ids, hashes and cursors stand in it whole. What is cut says so.

mod stats;
mod swarm;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use crate::domain::{
    Ask, Event, EventData, MemoryEntry, Message, MessagePage, Pipeline, Receipt, Session, Stage, StageState,
};
use crate::ops::{
    PipelineList, ScreenPane, ServerHealth, SessionCreated, SessionDetail, SessionList, SessionsCreated,
    StateDeleted, Waited,
};

/// The most of a tool's input that an ask quotes: the whole of nearly every command, a good part of an edit.
const INPUT: usize = 4_000;

/// The most of a last message that a list quotes.
const GLANCE: usize = 120;

/// Told as text.
pub(super) trait Say {
    /// Gives the text.
    fn say(&self) -> String;
}

impl Say for SessionCreated {
    fn say(&self) -> String {
        let mut text = session(&self.session, usize::MAX);
        if self.reused {
            text.push_str("\nan idle session was taken");
        }
        if let Some(receipt) = &self.receipt {
            let _ = write!(text, "\n{}", receipt.say());
        }
        text
    }
}

impl Say for SessionsCreated {
    fn say(&self) -> String {
        let mut lines = vec![format!("{} created, {} failed", self.created, self.failed)];
        for (at, result) in self.results.iter().enumerate() {
            let told = match (&result.session, &result.error) {
                (Some(created), _) => created.say(),
                (None, Some(error)) => format!("{}: {} ({})", word(&error.code), error.message, error.hint),
                (None, None) => continue,
            };
            lines.push(format!("[{at}] {told}"));
        }
        lines.join("\n")
    }
}

impl Say for MemoryEntry {
    fn say(&self) -> String {
        let until = self.expires_at.map(|at| format!(", until {at}")).unwrap_or_default();
        let Self { key, value, owner, updated_at, .. } = self;
        format!("{key}, set by {owner} at {updated_at}{until}:\n{value}")
    }
}

impl Say for StateDeleted {
    fn say(&self) -> String {
        format!("{} {}", self.key, if self.deleted { "is deleted" } else { "was not there" })
    }
}

impl Say for SessionList {
    fn say(&self) -> String {
        let mut lines: Vec<_> = self.sessions.iter().map(|one| session(one, GLANCE)).collect();
        if lines.is_empty() {
            lines.push("no sessions".into());
        }
        lines.extend(self.next_cursor.iter().map(|cursor| format!("more: cursor {cursor}")));
        lines.join("\n")
    }
}

impl Say for Session {
    fn say(&self) -> String {
        session(self, usize::MAX)
    }
}

impl Say for Waited {
    fn say(&self) -> String {
        let mut lines = Vec::new();
        for woke in &self.woke {
            lines.push(session(&woke.session, usize::MAX));
            if !woke.earlier.is_empty() {
                let earlier: Vec<_> = woke.earlier.iter().filter_map(edge).collect();
                lines.push(format!("before that: {}", earlier.join(", ")));
            }
        }
        if self.timed_out {
            lines.push("nothing happened in time; wait again with the cursor".into());
        }
        lines.push(format!("cursor {}", self.cursor));
        lines.join("\n")
    }
}

impl Say for Receipt {
    fn say(&self) -> String {
        let mut text = format!("receipt {} for session {}: {}", self.id, self.session_id, word(&self.state));
        if let Some(step) = self.steps.last() {
            let _ = write!(text, " ({})", step.evidence);
        }
        if let Some(outcome) = &self.outcome {
            let _ = write!(text, ", {}", word(outcome));
        }
        if let Some(output) = &self.output {
            let _ = write!(text, "\noutput:\n{output}");
        }
        text
    }
}

impl Say for Ask {
    fn say(&self) -> String {
        let mut text = format!("ask {} {}: {}", self.id, word(&self.kind), self.title);
        if let Some(resolution) = &self.resolution {
            let _ = write!(text, "\n{} by {} at {}", word(&resolution.how), resolution.by, resolution.at);
            return text;
        }
        if let Some(input) = &self.input {
            let _ = write!(text, "\n  input: {}", cut(&input.to_string(), INPUT));
        }
        if !self.options.is_empty() {
            let _ = write!(text, "\n  options: {}", self.options.join(" | "));
        }
        let _ = write!(text, "\n  inputHash: {}", self.input_hash);
        text
    }
}

impl Say for MessagePage {
    fn say(&self) -> String {
        let mut blocks: Vec<_> = self.messages.iter().map(message).collect();
        if blocks.is_empty() {
            blocks.push("no messages".into());
        }
        if self.has_more
            && let (Some(oldest), Some(newest)) = (self.oldest_id, self.newest_id)
        {
            blocks.push(format!("there is more: beforeId {oldest} or afterId {newest}"));
        }
        blocks.join("\n\n")
    }
}

impl Say for ScreenPane {
    fn say(&self) -> String {
        self.pane.clone()
    }
}

impl Say for Pipeline {
    fn say(&self) -> String {
        let mut text = format!("pipeline {} {}: {}", self.name, self.id, self.status.as_str());
        for one in &self.stages {
            let _ = write!(text, "\n{}", stage(one));
        }
        text
    }
}

impl Say for PipelineList {
    fn say(&self) -> String {
        let mut blocks: Vec<_> = self.pipelines.iter().map(Say::say).collect();
        if blocks.is_empty() {
            blocks.push("no pipelines".into());
        }
        blocks.extend(self.next_cursor.iter().map(|cursor| format!("more: cursor {cursor}")));
        blocks.join("\n\n")
    }
}

impl Say for SessionDetail {
    fn say(&self) -> String {
        compact(self)
    }
}

impl Say for ServerHealth {
    fn say(&self) -> String {
        compact(self)
    }
}

/// Tells how many sessions are in which status, of those that `references` name.
pub(super) fn standing(sessions: &[Session], references: Option<&[String]>) -> String {
    let named = |session: &Session| {
        references.is_none_or(|references| {
            let id = session.id.to_string();
            references.iter().any(|name| *name == session.name || id.starts_with(name.as_str()))
        })
    };
    let mut counts = BTreeMap::<&str, usize>::new();
    for session in sessions.iter().filter(|session| named(session)) {
        *counts.entry(session.status.as_str()).or_default() += 1;
    }
    if counts.is_empty() {
        return "no live session".into();
    }
    counts.iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
}

fn session(session: &Session, quoted: usize) -> String {
    let mut text = format!(
        "{} {}: {} since {} in {}",
        session.name,
        session.id,
        session.status.as_str(),
        session.since,
        session.work_dir
    );
    for ask in &session.open_asks {
        let _ = write!(text, "\n{}", ask.say());
    }
    if let Some(error) = &session.error {
        let _ = write!(text, "\n{}: {}", word(&error.kind), error.message);
    }
    if let Some(limit) = &session.limit {
        let _ = write!(text, "\nlimit: {}", limit.message);
        if let Some(at) = limit.resets_at {
            let _ = write!(text, " (resets {at})");
        }
    }
    if let Some(ending) = &session.ending {
        let _ = write!(text, "\nending: {}", compact(ending));
    }
    if let Some(last) = &session.last_message {
        let _ = write!(text, "\n{}: {}", word(&last.role), cut(&last.text, quoted));
    }
    text
}

fn stage(stage: &Stage) -> String {
    let mut text = format!("- {}: {}", stage.name, stage.state.as_str());
    if let Some(session) = stage.state.session_id() {
        let _ = write!(text, ", session {session}");
    }
    if let Some(status) = stage.session_status {
        let _ = write!(text, " {}", status.as_str());
    }
    match &stage.state {
        StageState::Pending if stage.depends_on.is_empty() => {}
        StageState::Pending => {
            let _ = write!(text, ", after {}", stage.depends_on.join(", "));
        }
        StageState::Completed { output, .. } => {
            let _ = write!(text, "\n  {output}");
        }
        StageState::Failed { error, .. } => {
            let _ = write!(text, "\n  {}: {}", word(&error.kind), error.message);
        }
        StageState::Skipped { because, .. } => {
            let _ = write!(text, ", since {because} failed");
        }
        StageState::Starting { .. } | StageState::Running { .. } | StageState::Cancelled { .. } => {}
    }
    text
}

fn message(message: &Message) -> String {
    let tool = message.tool_name.as_ref().map(|tool| format!(" {tool}")).unwrap_or_default();
    let kind = word(&message.content_type);
    let cut = if message.truncated { " […]" } else { "" };
    format!("#{} {} {kind}{tool}:\n{}{cut}", message.id, word(&message.role), message.text)
}

/// Gives an enum's value as the wire spells it.
/// What of an event can end a wait.
fn edge(event: &Event) -> Option<String> {
    match &event.data {
        EventData::Status { report, .. } => Some(report.status.word().as_str().to_owned()),
        EventData::AskOpened(ask) => Some(format!("an ask opened ({})", cut(&ask.title, 100))),
        EventData::Gap { from, to } => Some(format!("events {from} to {to} are lost")),
        EventData::Launched { .. }
        | EventData::AskResolved(_)
        | EventData::Receipt(_)
        | EventData::Conversation { .. }
        | EventData::Message { .. }
        | EventData::ContextFilled { .. }
        | EventData::Verified { .. }
        | EventData::Action { .. } => None,
    }
}

fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => "?".into(),
    }
}

fn compact(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("cannot be told: {error}"))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} […]", text.get(..end).unwrap_or(text)),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AskId, AskKind, AskVia, Timestamp};

    #[test]
    fn an_open_ask_says_all_that_an_approval_needs() {
        let ask = Ask {
            id: AskId::mint(),
            kind: AskKind::Permission,
            tool: Some("Bash".into()),
            input: Some(json!({"command": "rm -r target"})),
            input_hash: "c0ffee".into(),
            title: "Bash: rm -r target".into(),
            options: vec!["Yes".into(), "No".into()],
            opened_at: Timestamp::from_millis(0).unwrap(),
            via: AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        };
        let text = format!(
            "ask {} permission: Bash: rm -r target\n  input: {{\"command\":\"rm -r target\"}}\n  options: Yes | No\n  \
             inputHash: c0ffee",
            ask.id
        );
        assert_eq!(ask.say(), text);
    }

    #[test]
    fn a_wait_that_timed_out_says_how_to_go_on() {
        let waited = Waited { woke: Vec::new(), cursor: "c7".into(), timed_out: true };
        assert_eq!(waited.say(), "nothing happened in time; wait again with the cursor\ncursor c7");
    }

    #[test]
    fn a_cut_is_marked_and_never_splits_a_character() {
        assert_eq!(cut("größer", 4), "größ […]");
        assert_eq!(cut("größer", 6), "größer");
    }
}
