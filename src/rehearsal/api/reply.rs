//! What the scripted model says: one [`Reply`] for one call.
//!
//! A value, from code or from JSON. [`super::sse`] turns it into bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::resolve::PLAN_FILE;

/// The answer to one model call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The model speaks, thinks or calls tools.
    Message(Message),
    /// The API refuses with an HTTP status.
    Error(ApiError),
}

/// What the model says in one call: thinking, then text, then tool calls, each only if given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message {
    /// A thinking block before the text.
    pub thinking: Option<String>,
    /// The visible text.
    pub text: Option<String>,
    /// Tool calls, all in this one message.
    pub tools: Vec<ToolCall>,
    /// Why the model stopped; `tool_use` or `end_turn` by what the message holds if not given.
    pub stop_reason: Option<String>,
    /// The token counts to report.
    pub usage: Usage,
    /// How slowly the text comes; whole if not given.
    pub pace: Option<Pace>,
    /// Where the message waits for [`super::ScriptedApi::release`].
    pub hold: Option<Hold>,
    /// The stream breaks after the text instead of ending.
    pub cut: Option<Cut>,
}

/// One tool call; its `tool_use` id is made when it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name. `Agent` also reaches a program that knows that tool as `Task`.
    pub name: String,
    /// The tool's input. The value `{plan_file}` becomes the plan file of plan mode; a subagent's input
    /// loses what the program does not know; all else is sent as it is.
    pub input: Value,
}

/// Token counts as the API reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Tokens of the prompt that no cache served.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Tokens written to the cache.
    pub cache_creation_input_tokens: u64,
    /// Tokens the cache served.
    pub cache_read_input_tokens: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: 10,
            output_tokens: 20,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: 0,
        }
    }
}

/// A slow stream: the text in pieces with a pause after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Characters in a piece.
    pub chunk: usize,
    /// Milliseconds after each piece.
    pub delay_ms: u64,
}

/// A named place where a message waits until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What [`super::ScriptedApi::release`] is called with.
    pub name: String,
    /// The place.
    #[serde(default)]
    pub at: HoldAt,
}

/// Where a [`Hold`] stands in its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldAt {
    /// Before the first byte of the answer: the program waits for the first token.
    #[default]
    Start,
    /// When the first half of the text was sent.
    Text,
    /// When everything was said, before the message ends.
    End,
}

/// How a stream breaks, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// What the program sees.
    pub with: CutKind,
    /// How many calls are cut; after that the next reply of the list answers. Every call if not given.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What a broken stream looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutKind {
    /// An `error` event (`overloaded_error`), then the end.
    ErrorEvent,
    /// The end, without a word.
    Silence,
}

/// An HTTP error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiError {
    /// The HTTP status, such as 429 or 529.
    pub status: u16,
    /// The sentence in the body; a usual one for the status if not given.
    #[serde(default)]
    pub message: Option<String>,
    /// How many calls fail; after that the next reply of the list answers. Every call if not given.
    #[serde(default)]
    pub times: Option<u32>,
    /// Response headers, such as `retry-after` or `anthropic-ratelimit-unified-status`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// A question of the `AskUserQuestion` tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The full question, which is also the key of its answer.
    pub question: String,
    /// The short label of its tab.
    pub header: String,
    /// The choices, label and description.
    pub options: Vec<Choice>,
    /// Whether several may be chosen.
    #[serde(default)]
    pub multi_select: bool,
}

/// One choice of a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is chosen.
    pub label: String,
    /// What it means.
    pub description: String,
}

impl Question {
    /// Asks `question` with these labels to choose from.
    pub fn new(
        question: impl Into<String>,
        header: impl Into<String>,
        labels: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let choice = |label: String| Choice { description: format!("Choose {label}"), label };
        Self {
            question: question.into(),
            header: header.into(),
            options: labels.into_iter().map(|label| choice(label.into())).collect(),
            multi_select: false,
        }
    }

    /// Lets several be chosen.
    #[must_use]
    pub fn multi(mut self) -> Self {
        self.multi_select = true;
        self
    }
}

impl ToolCall {
    /// A call of the tool `name` with this input.
    pub fn new(name: impl Into<String>, input: Value) -> Self {
        Self { name: name.into(), input }
    }
}

impl Reply {
    /// Says `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Message(Message { text: Some(text.into()), ..Message::default() })
    }

    /// Thinks, then says `text`.
    pub fn thinking(thinking: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Message(Message {
            thinking: Some(thinking.into()),
            text: Some(text.into()),
            ..Message::default()
        })
    }

    /// Calls one tool.
    pub fn tool(name: impl Into<String>, input: Value) -> Self {
        Self::tools([ToolCall::new(name, input)])
    }

    /// Calls several tools in one message.
    pub fn tools(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        Self::Message(Message { tools: calls.into_iter().collect(), ..Message::default() })
    }

    /// Asks through `AskUserQuestion`.
    pub fn questions(questions: impl IntoIterator<Item = Question>) -> Self {
        let questions: Vec<Question> = questions.into_iter().collect();
        Self::tool("AskUserQuestion", json!({ "questions": questions }))
    }

    /// Writes the plan file the program names in plan mode, and asks to leave that mode.
    pub fn plan(plan: impl Into<String>) -> Self {
        let plan = plan.into();
        Self::tools([
            ToolCall::new("Write", json!({ "file_path": PLAN_FILE, "content": plan })),
            ToolCall::new("ExitPlanMode", json!({ "plan": plan })),
        ])
    }

    /// Starts subagents, all in one message; each is a description and a prompt. The turn waits for them
    /// where the program lets it: 2.1.197 does, an interactive 2.1.330 runs all in the background.
    pub fn agents<D: Into<String>, P: Into<String>>(agents: impl IntoIterator<Item = (D, P)>) -> Self {
        Self::spawn(agents, false)
    }

    /// Starts subagents in the background; the turn goes on without them.
    pub fn background_agents<D: Into<String>, P: Into<String>>(
        agents: impl IntoIterator<Item = (D, P)>,
    ) -> Self {
        Self::spawn(agents, true)
    }

    fn spawn<D: Into<String>, P: Into<String>>(
        agents: impl IntoIterator<Item = (D, P)>,
        background: bool,
    ) -> Self {
        Self::tools(agents.into_iter().map(|(description, prompt)| {
            ToolCall::new(
                "Agent",
                json!({
                    "description": description.into(),
                    "prompt": prompt.into(),
                    "subagent_type": "general-purpose",
                    "run_in_background": background,
                }),
            )
        }))
    }

    /// Fails with an HTTP status, each time.
    #[must_use]
    pub fn error(status: u16) -> Self {
        Self::Error(ApiError { status, message: None, times: None, headers: BTreeMap::new() })
    }
}
