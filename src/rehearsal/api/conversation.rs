//! Who said what in the `messages` of a call.
//!
//! Pure: a request body goes in.

use serde_json::Value;

use super::request::Purpose;

/// A human's prompt and how far the model has come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    /// What the human wrote.
    pub(super) text: String,
    /// How often the model has spoken since.
    pub(super) spoken: usize,
}

/// What the program itself writes into `user` messages as blocks of their own.
const NOTICES: [&str; 12] = [
    "<task-notification>",
    "<local-command-",
    "<command-name>",
    "<command-message>",
    "<bash-input>",
    "<bash-stdout>",
    "<new-diagnostics>",
    "[Request interrupted by user",
    "Caveat: The messages below",
    "Output token limit hit",
    "Stop hook feedback:",
    "[SYSTEM NOTIFICATION",
];

/// What a call to the model is for.
pub(super) fn purpose(body: &Value) -> Purpose {
    let texts = latest_user_texts(body);
    if texts.iter().any(|text| text.starts_with("[SUGGESTION MODE")) {
        return Purpose::Suggestion;
    }
    if body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
        return Purpose::Turn;
    }
    if text_of(&body["system"]).contains("title") {
        return Purpose::Title;
    }
    Purpose::Other
}

/// The text blocks of the latest user message.
pub(super) fn latest_user_texts(body: &Value) -> Vec<String> {
    messages(body).rev().find(|message| message["role"] == "user").map(texts).unwrap_or_default()
}

/// The tool results of the latest user message.
pub(super) fn latest_tool_results(body: &Value) -> Vec<(String, Value)> {
    let latest = messages(body).rev().find(|message| message["role"] == "user");
    let blocks = latest.and_then(|message| message["content"].as_array()).into_iter().flatten();
    blocks
        .filter(|block| block["type"] == "tool_result")
        .map(|block| {
            (block["tool_use_id"].as_str().unwrap_or_default().to_owned(), block["content"].clone())
        })
        .collect()
}

/// The human's latest prompt.
pub(super) fn latest_prompt(body: &Value) -> Option<Prompt> {
    let mut spoken = 0;
    for message in messages(body).rev() {
        if message["role"] == "assistant" {
            spoken += 1;
            continue;
        }
        // `system` messages stand between the others since 2.1.197: context, never a human.
        if message["role"] != "user" {
            continue;
        }
        let said: Vec<String> = texts(message).iter().filter_map(|text| human(text)).collect();
        if !said.is_empty() {
            return Some(Prompt { text: said.join("\n"), spoken });
        }
    }
    None
}

/// All text of a content field, which is a string or a list of blocks.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

fn messages(body: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    body["messages"].as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn texts(message: &Value) -> Vec<String> {
    match &message["content"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            let text = |block: &Value| block["text"].as_str().map(str::to_owned);
            blocks.iter().filter(|block| block["type"] == "text").filter_map(text).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// What of a text block a human wrote.
fn human(block: &str) -> Option<String> {
    let said = outside_reminders(block);
    let said = said.trim();
    let notice = NOTICES.iter().any(|notice| said.starts_with(notice));
    (!said.is_empty() && !notice).then(|| said.to_owned())
}

/// The block without its `<system-reminder>` parts.
fn outside_reminders(block: &str) -> String {
    const OPEN: &str = "<system-reminder>";
    const CLOSE: &str = "</system-reminder>";
    let mut rest = block;
    let mut out = String::new();
    while let Some((before, inside)) = rest.split_once(OPEN) {
        let Some((_reminder, after)) = inside.split_once(CLOSE) else {
            break;
        };
        out.push_str(before);
        rest = after;
    }
    out.push_str(rest);
    out
}
