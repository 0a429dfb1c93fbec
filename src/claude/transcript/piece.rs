//! What a reader sees of a line.

use std::borrow::Cow;

use super::lean::{self, Json};
use super::line::{Depth, content_text};
use crate::claude::command::command_typed;
use crate::claude::prompt::unwrapped;
use crate::domain::{ContentType, Role};

/// One message in the making: a line with several blocks has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content_type: ContentType,
    /// The text; of an [outline](super::Line::parse_from) its beginning.
    pub text: String,
    /// The tool, for calls.
    pub tool_name: Option<String>,
    /// The call, for calls and results.
    pub tool_use_id: Option<String>,
    /// Whether it is a prompt: something a person, or whoever drives the session, said.
    pub is_prompt: bool,
    /// Claude Code's id for the prompt.
    pub prompt_id: Option<String>,
}

impl Piece {
    /// A piece without a tool.
    #[must_use]
    pub fn new(role: Role, content_type: ContentType, text: String) -> Self {
        Self {
            role,
            content_type,
            text,
            tool_name: None,
            tool_use_id: None,
            is_prompt: false,
            prompt_id: None,
        }
    }

    /// The pieces of a line, whole. None if it is no JSON object or has nothing that a reader sees.
    #[must_use]
    pub fn of_line(bytes: &[u8]) -> Vec<Self> {
        let json = lean::read(bytes);
        json.map(|json| pieces(&json, Depth::Whole)).unwrap_or_default()
    }

    /// A prompt.
    #[must_use]
    pub fn prompt(text: String, prompt_id: Option<String>) -> Self {
        Self { is_prompt: true, prompt_id, ..Self::new(Role::User, ContentType::Text, text) }
    }
}

/// Beginnings of user lines that no user wrote: what Claude Code says about commands and background work.
const NOT_SAID: &[&str] = &[
    "<command-name>",
    "<command-message>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<task-notification>",
    "<system-reminder>",
    "Caveat: The messages below",
];

/// Reads the pieces of a line. A subagent's own lines stand in its own file; older versions put them here.
pub(super) fn pieces(json: &Json<'_>, depth: Depth) -> Vec<Piece> {
    if json["isSidechain"] == true {
        return Vec::new();
    }
    match json["type"].as_str() {
        Some("user") => user(json, depth),
        Some("assistant") => assistant(json, depth),
        Some("system") => system(json, depth),
        Some("attachment") => {
            joined(json).map(|text| Piece::prompt(depth.cut(&text).to_owned(), None)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The text of a queued prompt that joined the running turn.
pub(super) fn joined<'a>(json: &'a Json<'_>) -> Option<Cow<'a, str>> {
    let attachment = &json["attachment"];
    if attachment["type"] == "queued_command" { content_text(&attachment["prompt"]) } else { None }
}

fn user(json: &Json<'_>, depth: Depth) -> Vec<Piece> {
    let content = &json["message"]["content"];
    let prompt_id = json["promptId"].as_str().map(str::to_owned);
    let said = |text: &str| {
        if json["isMeta"] != true
            && let Some(typed) = command_typed(text)
        {
            return Piece::prompt(depth.cut(&typed).to_owned(), prompt_id.clone());
        }
        let foreign = json["isMeta"] == true
            || json["isCompactSummary"] == true
            || json["promptSource"] == "system"
            || text.starts_with("[Request interrupted by user")
            || NOT_SAID.iter().any(|start| text.trim_start().starts_with(start));
        if foreign {
            Piece::new(Role::System, ContentType::Text, depth.cut(text).to_owned())
        } else {
            Piece::prompt(depth.cut(&unwrapped(text)).to_owned(), prompt_id.clone())
        }
    };
    let blocks = match content {
        Json::Text(text) => return vec![said(text)],
        Json::List(blocks) => blocks,
        _ => return Vec::new(),
    };
    blocks
        .iter()
        .filter_map(|block| match block["type"].as_str()? {
            "text" => Some(said(block["text"].as_str()?)),
            "tool_result" => {
                let failed = block["is_error"] == true;
                let content_type = if failed { ContentType::ToolError } else { ContentType::ToolResult };
                let text = content_text(&block["content"]).unwrap_or_default();
                let mut piece = Piece::new(Role::Assistant, content_type, depth.cut(&text).to_owned());
                piece.tool_use_id = block["tool_use_id"].as_str().map(str::to_owned);
                Some(piece)
            }
            other => Some(Piece::new(Role::User, ContentType::Attachment, format!("[{other}]"))),
        })
        .collect()
}

fn assistant(json: &Json<'_>, depth: Depth) -> Vec<Piece> {
    let failed = json["isApiErrorMessage"] == true;
    let text_type = if failed { ContentType::Error } else { ContentType::Text };
    let block_piece = |block: &Json<'_>| {
        let text = |key: &str| depth.cut(block[key].as_str().unwrap_or_default()).to_owned();
        match block["type"].as_str()? {
            "text" => Some(Piece::new(Role::Assistant, text_type, text("text"))),
            "thinking" => Some(Piece::new(Role::Assistant, ContentType::Thinking, text("thinking"))),
            "tool_use" | "server_tool_use" => {
                // A character has at most four bytes.
                let input = match depth {
                    Depth::Whole => block["input"].to_string(),
                    Depth::Outline(most) => block["input"].beginning(most.saturating_mul(4)),
                };
                let mut piece =
                    Piece::new(Role::Assistant, ContentType::ToolUse, depth.cut(&input).to_owned());
                piece.tool_name = Some(block["name"].as_str().unwrap_or_default().to_owned());
                piece.tool_use_id = Some(block["id"].as_str().unwrap_or_default().to_owned());
                Some(piece)
            }
            _ => None,
        }
    };
    match &json["message"]["content"] {
        Json::Text(text) => vec![Piece::new(Role::Assistant, text_type, depth.cut(text).to_owned())],
        Json::List(blocks) => blocks.iter().filter_map(block_piece).collect(),
        _ => Vec::new(),
    }
}

/// Of the system lines only those that a reader would miss: a compaction, a notice.
fn system(json: &Json<'_>, depth: Depth) -> Vec<Piece> {
    let told = matches!(json["subtype"].as_str(), Some("compact_boundary" | "informational"));
    match json["content"].as_str() {
        Some(text) if told => vec![Piece::new(Role::System, ContentType::Text, depth.cut(text).to_owned())],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(line: &Value) -> Vec<Piece> {
        pieces(&lean::read(line.to_string().as_bytes()).unwrap(), Depth::Whole)
    }

    #[test]
    fn blocks_become_pieces_in_order() {
        let line = json!({"type":"assistant","message":{"content":[
            {"type":"thinking","thinking":"hm"},
            {"type":"text","text":"I will look."},
            {"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}]}});
        let kinds: Vec<_> = read(&line).into_iter().map(|piece| (piece.content_type, piece.text)).collect();
        assert_eq!(
            kinds,
            [
                (ContentType::Thinking, "hm".to_owned()),
                (ContentType::Text, "I will look.".to_owned()),
                (ContentType::ToolUse, r#"{"command":"ls"}"#.to_owned()),
            ]
        );
    }

    #[test]
    fn a_command_that_became_a_prompt_is_one() {
        let text = "<command-message>my</command-message>\n<command-name>/my</command-name>\n<command-args>a</command-args>";
        let line = json!({"type":"user","promptId":"p1","message":{"content":text}});
        assert_eq!(read(&line), [Piece::prompt("/my a".into(), Some("p1".into()))]);
    }

    #[test]
    fn what_nobody_said_is_no_prompt() {
        for text in [
            "<command-name>/compact</command-name>",
            "<task-notification>\nx",
            "[Request interrupted by user]",
        ] {
            let line = json!({"type":"user","message":{"content":text}});
            assert!(!read(&line)[0].is_prompt, "{text}");
        }
    }
}
