//! What waits for an answer, and who gave it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::AskId;
use super::time::Timestamp;

/// What kind of answer an ask wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AskKind {
    /// A tool wants to run.
    Permission,
    /// A plan wants to be carried out.
    Plan,
    /// Claude asks a question.
    Question,
    /// Claude Code asks whether the directory is trusted.
    Trust,
    /// Any other dialog on the screen.
    Dialog,
}

/// How an ask became known, and so how its answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AskVia {
    /// A hook waits for the decision.
    Hook,
    /// The screen shows it; the answer is pressed, by the option's text.
    Screen,
}

/// What became of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum How {
    /// It was allowed.
    Approved,
    /// It was refused.
    Rejected,
    /// A question or dialog was answered.
    Answered,
    /// It went away without an answer: the turn was interrupted or the session ended.
    Withdrawn,
    /// It was settled in the terminal, and what was chosen there is not known.
    Settled,
}

/// The one answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// Which surface answered: `mcp`, `cli`, `terminal`, `config`, `aegis`.
    pub by: String,
    /// What became of it.
    pub how: How,
    /// When.
    pub at: Timestamp,
    /// The reason or the answer, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Something that waits for an answer. Several may be open at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// Its id.
    pub id: AskId,
    /// What kind of answer it wants.
    pub kind: AskKind,
    /// The tool that wants to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool's whole input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub input: Option<Value>,
    /// SHA-256 (hex) of what is asked; an approval that names another hash is refused.
    pub input_hash: String,
    /// What is asked, in a line.
    pub title: String,
    /// The choices, by their text; those of the first question if there are several.
    pub options: Vec<String>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// How it became known.
    pub via: AskVia,
    /// The subagent that asks, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The transcript's tool call, once matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// Its answer, once given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// One question of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The full text, which is also its name.
    pub text: String,
    /// Labels and what they mean.
    pub options: Vec<(String, String)>,
    /// Whether several labels may be chosen.
    pub several: bool,
}

/// The questions of an ask, from the tool's input.
#[must_use]
pub fn questions(ask: &Ask) -> Vec<Question> {
    let Some(list) = ask.input.as_ref().and_then(|input| input.get("questions")).and_then(Value::as_array)
    else {
        return Vec::new();
    };
    let word =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.iter()
        .map(|question| Question {
            text: word(question, "question"),
            options: question
                .get("options")
                .and_then(Value::as_array)
                .map(|options| options.iter().map(|o| (word(o, "label"), word(o, "description"))).collect())
                .unwrap_or_default(),
            several: question.get("multiSelect").and_then(Value::as_bool).unwrap_or(false),
        })
        .collect()
}

/// How long an approval lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Remember {
    /// For this call only.
    #[default]
    Once,
    /// For the same call whenever it comes again in this session.
    Session,
}

/// An answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Allows it.
    Approve {
        /// The hash that the approver saw; refused if another call is open.
        input_hash: Option<String>,
        /// How long it lasts.
        remember: Remember,
    },
    /// Refuses it.
    Reject {
        /// Told to Claude.
        reason: Option<String>,
    },
    /// Answers a question: question text → label, labels joined by `, `, or free text.
    Choices {
        /// By the full question text.
        answers: BTreeMap<String, String>,
    },
    /// Answers a question or dialog by an option's text or number, else (questions) as free text.
    Text {
        /// What was said.
        text: String,
    },
}
