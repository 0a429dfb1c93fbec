//! One line of the transcript.

use std::borrow::Cow;

use serde_json::Value;

use super::lean::{self, Json};
use super::piece::{Piece, joined, pieces};
use super::usage::{Usage, usage};
use crate::claude::command;
use crate::domain::{ErrorKind, Timestamp, beginning};

/// What a line proves about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A prompt stands in the conversation.
    Prompt {
        /// Its text.
        text: String,
        /// Claude Code's id for it.
        prompt_id: Option<String>,
    },
    /// A prompt was put into Claude Code's own queue.
    Enqueued {
        /// Its text.
        text: String,
    },
    /// A queued prompt joined the running turn. No hook tells this.
    Joined {
        /// Its text.
        text: String,
    },
    /// Somebody interrupted the turn. No hook tells this.
    Interrupted,
    /// A tool call has its result.
    ToolDone {
        /// The call.
        tool_use_id: String,
        /// Whether a person refused it.
        rejected: bool,
    },
    /// A tool call was made.
    ToolCalled {
        /// The call.
        tool_use_id: String,
        /// The tool.
        name: String,
        /// Its input; null in an [outline](Line::parse_from).
        input: Value,
    },
    /// Claude said something; the text of this line.
    Said {
        /// The text.
        text: String,
    },
    /// Claude Code ran a slash command itself, or knows none of that name.
    CommandRan {
        /// The command's own name, with its slash; an alias is told as what it stands for.
        name: String,
        /// Whether there is such a command.
        known: bool,
    },
    /// A shell line was run.
    ShellRan {
        /// The line.
        line: String,
    },
    /// A shell line's output.
    ShellSaid {
        /// Standard output and error.
        output: String,
    },
    /// The conversation was compacted: what stood in the context window does so no more.
    Compacted,
    /// The turn ended with an API failure.
    Failed {
        /// How.
        kind: ErrorKind,
        /// What Claude Code shows.
        text: String,
    },
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Claude Code's id for it.
    pub uuid: Option<String>,
    /// The line it follows. The file's own order may differ (a reply before its prompt).
    pub parent: Option<String>,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// What a reader sees of it, in order.
    pub pieces: Vec<Piece>,
    /// What it proves, in order.
    pub facts: Vec<Fact>,
    /// What its API message used, for Claude's lines.
    pub usage: Option<Box<Usage>>,
}

/// How much of a line is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    Whole,
    /// The beginnings of its texts, in characters, and of its facts those that hold no text.
    Outline(usize),
}

impl Depth {
    /// As much of a text as this keeps.
    pub(super) fn cut(self, text: &str) -> &str {
        match self {
            Self::Whole => text,
            Self::Outline(most) => beginning(text, most),
        }
    }
}

impl Line {
    /// Reads one line. `None` if it is no JSON object; a line of an unknown type is a line without pieces.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self::read(&lean::read(bytes)?, |_| Depth::Whole))
    }

    /// Reads one line as [`parse`](Self::parse) does, and of one that was written before `since` an outline only: of
    /// each text the first `most` characters, and no facts that tell what was said. A long conversation that goes on
    /// has tens of thousands of such lines.
    #[must_use]
    pub fn parse_from(bytes: &[u8], since: Timestamp, most: usize) -> Option<Self> {
        let depth = |at: Option<Timestamp>| match at {
            Some(at) if at < since => Depth::Outline(most),
            Some(_) | None => Depth::Whole,
        };
        Some(Self::read(&lean::read(bytes)?, depth))
    }

    fn read(json: &Json<'_>, depth: impl Fn(Option<Timestamp>) -> Depth) -> Self {
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let at = json["timestamp"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let depth = depth(at);
        let mut line = Self { uuid: text("uuid"), parent: text("parentUuid"), at, ..Self::default() };
        if json["type"] == "assistant" {
            line.usage = usage(json);
        }
        if json["isSidechain"] == true {
            return line;
        }
        line.pieces = pieces(json, depth);
        let whole = depth == Depth::Whole;
        match json["type"].as_str() {
            Some("user") => line.facts = user_facts(json, &line.pieces, depth),
            Some("assistant") => line.facts = assistant_facts(json, depth),
            Some("system") => {
                line.facts.extend(system_fact(json));
                line.facts.extend((json["subtype"] == "compact_boundary").then_some(Fact::Compacted));
            }
            Some("queue-operation") if json["operation"] == "enqueue" && whole => {
                let text = content_text(&json["content"]);
                line.facts.extend(text.map(|text| Fact::Enqueued { text: text.into_owned() }));
            }
            Some("attachment") if whole => {
                line.facts.extend(joined(json).map(|text| Fact::Joined { text: text.into_owned() }));
            }
            _ => {}
        }
        line
    }
}

/// The text of a content that is a string or a list of text blocks.
pub(super) fn content_text<'a>(content: &'a Json<'_>) -> Option<Cow<'a, str>> {
    match content {
        Json::Text(text) => Some(Cow::Borrowed(text)),
        Json::List(blocks) => {
            let texts: Vec<_> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            match texts[..] {
                [] => None,
                [text] => Some(Cow::Borrowed(text)),
                _ => Some(Cow::Owned(texts.join("\n"))),
            }
        }
        _ => None,
    }
}

/// The words that Claude Code writes for an interrupt (2.1.197, 2.1.330).
const INTERRUPTED: &str = "[Request interrupted by user";

fn user_facts(json: &Json<'_>, pieces: &[Piece], depth: Depth) -> Vec<Fact> {
    let content = &json["message"]["content"];
    let mut facts = Vec::new();
    for block in content.elements() {
        if let ("tool_result", Some(id)) =
            (block["type"].as_str().unwrap_or(""), block["tool_use_id"].as_str())
        {
            let rejected = block["is_error"] == true
                && (json["toolUseResult"].as_str().is_some_and(|result| result.contains("rejected"))
                    || content_text(&block["content"])
                        .is_some_and(|text| text.starts_with("The user doesn't want to")));
            facts.push(Fact::ToolDone { tool_use_id: id.to_owned(), rejected });
        }
    }
    let Some(text) = content_text(content) else { return facts };
    if text.starts_with(INTERRUPTED) {
        facts.push(Fact::Interrupted);
    } else if depth != Depth::Whole {
        return facts;
    } else if let Some(fact) = own_fact(&text) {
        facts.push(fact);
    } else if pieces.iter().any(|piece| piece.is_prompt) {
        let text = command::command_typed(&text).unwrap_or_else(|| text.into_owned());
        facts.push(Fact::Prompt { text, prompt_id: json["promptId"].as_str().map(str::to_owned) });
    }
    facts
}

/// What Claude Code wrote down of a command or shell line, in a line of its own kind or as if the user had said it.
fn own_fact(text: &str) -> Option<Fact> {
    if let Some(name) = command::command_ran(text) {
        return Some(Fact::CommandRan { name: name.to_owned(), known: true });
    }
    let ran = || Some(Fact::ShellRan { line: command::shell_input(text)?.to_owned() });
    ran().or_else(|| Some(Fact::ShellSaid { output: command::shell_output(text)? }))
}

fn system_fact(json: &Json<'_>) -> Option<Fact> {
    let text = json["content"].as_str()?;
    match json["subtype"].as_str()? {
        "local_command" => own_fact(text),
        "informational" => {
            let told = text.strip_prefix("Unknown command: ")?;
            let name = told.split_once(". ").map_or(told, |(name, _)| name).trim().to_owned();
            Some(Fact::CommandRan { name, known: false })
        }
        _ => None,
    }
}

fn assistant_facts(json: &Json<'_>, depth: Depth) -> Vec<Fact> {
    let message = &json["message"];
    if json["isApiErrorMessage"] == true {
        let text = content_text(&message["content"]).unwrap_or_default().into_owned();
        let kind = serde_json::from_value(json["error"].to_value()).unwrap_or(ErrorKind::Unknown);
        return vec![Fact::Failed { kind, text }];
    }
    let mut facts = Vec::new();
    for block in message["content"].elements() {
        match block["type"].as_str() {
            Some("tool_use") => {
                if let (Some(id), Some(name)) = (block["id"].as_str(), block["name"].as_str()) {
                    let input = if depth == Depth::Whole { block["input"].to_value() } else { Value::Null };
                    facts.push(Fact::ToolCalled { tool_use_id: id.to_owned(), name: name.to_owned(), input });
                }
            }
            Some("text") if depth == Depth::Whole => {
                facts.extend(block["text"].as_str().map(|text| Fact::Said { text: text.to_owned() }));
            }
            _ => {}
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::prompt(
        json!({"type":"user","promptId":"p1","message":{"role":"user","content":"hello there"},"origin":{"kind":"human"}}),
        vec![Fact::Prompt { text: "hello there".into(), prompt_id: Some("p1".into()) }]
    )]
    #[case::interrupt(
        json!({"type":"user","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user]"}]}}),
        vec![Fact::Interrupted]
    )]
    #[case::tool_done(
        json!({"type":"user","message":{"role":"user","content":[{"tool_use_id":"t1","type":"tool_result","content":"hi","is_error":false}]}}),
        vec![Fact::ToolDone { tool_use_id: "t1".into(), rejected: false }]
    )]
    #[case::enqueued(
        json!({"type":"queue-operation","operation":"enqueue","content":"next"}),
        vec![Fact::Enqueued { text: "next".into() }]
    )]
    #[case::joined(
        json!({"type":"attachment","attachment":{"type":"queued_command","prompt":"next","commandMode":"prompt"}}),
        vec![Fact::Joined { text: "next".into() }]
    )]
    #[case::failed(
        json!({"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: 529"}]},"error":"server_error","isApiErrorMessage":true}),
        vec![Fact::Failed { kind: ErrorKind::ServerError, text: "API Error: 529".into() }]
    )]
    #[case::command(
        json!({"type":"user","message":{"role":"user","content":"<command-name>/compact</command-name>\n<command-message>compact</command-message>"}}),
        vec![Fact::CommandRan { name: "/compact".into(), known: true }]
    )]
    #[case::local_command(
        json!({"type":"system","subtype":"local_command","content":"<command-name>/usage</command-name>"}),
        vec![Fact::CommandRan { name: "/usage".into(), known: true }]
    )]
    #[case::unknown_command(
        json!({"type":"system","subtype":"informational","content":"Unknown command: /x"}),
        vec![Fact::CommandRan { name: "/x".into(), known: false }]
    )]
    #[case::shell_line(
        json!({"type":"user","message":{"role":"user","content":"<bash-input>ls</bash-input>"}}),
        vec![Fact::ShellRan { line: "ls".into() }]
    )]
    #[case::shell_output(
        json!({"type":"user","message":{"role":"user","content":"<bash-stdout>a</bash-stdout><bash-stderr></bash-stderr>"}}),
        vec![Fact::ShellSaid { output: "a".into() }]
    )]
    #[case::compacted(
        json!({"type":"system","subtype":"compact_boundary","content":"Conversation compacted"}),
        vec![Fact::Compacted]
    )]
    #[case::meta(
        json!({"type":"user","isMeta":true,"message":{"content":"Stop hook feedback:\nx"}}),
        vec![]
    )]
    #[case::sidechain(
        json!({"type":"user","isSidechain":true,"message":{"content":"sub"}}),
        vec![]
    )]
    fn a_line_proves(#[case] json: Value, #[case] expected: Vec<Fact>) {
        assert_eq!(Line::parse(json.to_string().as_bytes()).unwrap().facts, expected);
    }

    #[test]
    fn an_older_line_is_read_in_outline() {
        let line = |at: &str| {
            let content = json!([{"type":"text","text":"áñswer"},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}]);
            json!({"type":"assistant","uuid":"u","timestamp":at,"message":{"content":content}}).to_string()
        };
        let since = "2026-01-02T00:00:00Z".parse().unwrap();
        let read = |at: &str| Line::parse_from(line(at).as_bytes(), since, 3).unwrap();
        let older = read("2026-01-01T23:59:59.999Z");
        let texts: Vec<_> = older.pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(texts, ["áñs", "{\"c"]);
        let called = Fact::ToolCalled { tool_use_id: "t1".into(), name: "Bash".into(), input: Value::Null };
        assert_eq!(older.facts, [called]);
        let at = "2026-01-02T00:00:00.000Z";
        assert_eq!(read(at), Line::parse(line(at).as_bytes()).unwrap());
    }

    #[test]
    fn noise_is_no_line() {
        assert_eq!(Line::parse(b"{\"type\":"), None);
        assert_eq!(Line::parse(b"[]"), None);
        assert_eq!(Line::parse(b"{\"type\":\"brand-new\"}"), Some(Line::default()));
    }
}
