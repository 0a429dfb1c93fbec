//! A call as the program made it, and what it says about the conversation.
//!
//! The program mixes what a human wrote with reminders, notices and tool results in the same `user`
//! messages; [`conversation`] tells them apart.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::conversation;

/// One request the API received.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// Its number, from 0, in the order of arrival.
    pub number: usize,
    /// When it arrived.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its query, empty if it has none.
    pub query: String,
    /// Its headers but those that carry a secret, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body; null if it has none or none that is JSON.
    pub body: Value,
}

/// What a call to the model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A turn of a session or of a subagent.
    Turn,
    /// The session's title.
    Title,
    /// A guess at the next prompt.
    Suggestion,
    /// Anything else: token counts, quota probes, checks.
    Other,
}

impl Recorded {
    /// What the call is for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        if self.path != "/v1/messages" || self.method != "POST" {
            return Purpose::Other;
        }
        conversation::purpose(&self.body)
    }

    /// Whether this is the agent's real loop (a session's or a subagent's), not hidden traffic.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.purpose() == Purpose::Turn
    }

    /// The text blocks of the latest user message, exactly as the model received them.
    #[must_use]
    pub fn user_texts(&self) -> Vec<String> {
        conversation::latest_user_texts(&self.body)
    }

    /// The human's latest prompt, without the reminders around it.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        conversation::latest_prompt(&self.body).map(|prompt| prompt.text)
    }

    /// All that the human said in the conversation so far, oldest first.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        conversation::said(&self.body)
    }

    /// How often the model has spoken since that prompt.
    #[must_use]
    pub fn spoken(&self) -> usize {
        conversation::latest_prompt(&self.body).map_or(0, |prompt| prompt.spoken)
    }

    /// The names of the tools the program offers.
    #[must_use]
    pub fn tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
    }

    /// The results of tools in the latest user message: `tool_use` id and content.
    #[must_use]
    pub fn tool_results(&self) -> Vec<(String, Value)> {
        conversation::latest_tool_results(&self.body)
    }

    /// Whether the latest user message holds `text`, in whatever block.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let result = |(_, content): &(String, Value)| conversation::text_of(content).contains(text);
        self.user_texts().iter().any(|block| block.contains(text)) || self.tool_results().iter().any(result)
    }
}
