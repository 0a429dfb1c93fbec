//! The conversation as clients read it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{ContentType, Message, Role};

/// One message. Its id is given once, over the whole conversation, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct MessageInfo {
    id: u64,
    /// The id again, as older clients look for it.
    #[serde(rename = "_cursor_id")]
    cursor_id: u64,
    role: Role,
    content_type: ContentType,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_id: Option<String>,
    /// When it was written, in ISO 8601.
    timestamp: crate::domain::Timestamp,
    /// Present and true where the text was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl From<Message> for MessageInfo {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            cursor_id: message.id,
            role: message.role,
            content_type: message.content_type,
            text: message.text,
            tool_name: message.tool_name,
            tool_use_id: message.tool_use_id,
            timestamp: message.at,
            truncated: message.truncated,
        }
    }
}
