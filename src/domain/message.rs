//! The conversation as a reader sees it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Role {
    /// A person, or whoever drives the session.
    User,
    /// Claude.
    Assistant,
    /// Claude Code itself.
    System,
}

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ContentType {
    /// Text.
    Text,
    /// Claude's thinking.
    Thinking,
    /// A tool call; the text is its input as JSON.
    ToolUse,
    /// A tool's result.
    ToolResult,
    /// A tool's failure, or its refusal.
    ToolError,
    /// A picture or document; the text names its type.
    Attachment,
    /// An API failure told in place of an answer.
    Error,
}

/// One message. Its id is given once, counts from 1 over the unfiltered stream, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: u64,
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content_type: ContentType,
    /// The text, cut where the reader's limit was reached.
    pub text: String,
    /// The tool, for calls and results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// The tool call that a call or result belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// When it was written.
    pub at: Timestamp,
    /// Present and true where `text` was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Which messages to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageQuery {
    /// Only those before this id.
    pub before_id: Option<u64>,
    /// Only those after this id.
    pub after_id: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Only those of this role.
    pub role: Option<Role>,
    /// Thinking too.
    pub include_thinking: bool,
    /// At most so many characters of text in all.
    pub max_chars: usize,
    /// At most so many characters of each text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_each: Option<usize>,
}

/// A run of messages, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether more lie beyond this page in the direction of reading.
    pub has_more: bool,
    /// The first id of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_id: Option<u64>,
    /// The last id of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_id: Option<u64>,
}
