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
const NOTICES: [&str; 14] = [
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
    "Your response above was stopped by a safety classifier",
    "Stop hook feedback:",
    "[SYSTEM NOTIFICATION",
    // After `ToolSearch` (2.1.330).
    "Tool loaded.",
];

/// What stands before a prompt that was queued while a tool ran; 2.1.197 sends it as a `system` message,
/// 2.1.330 as a text beside the tool's result.
const QUEUED: &str = "The user sent a new message while you were working:\n";

/// What the program adds after a queued prompt.
const QUEUED_END: [&str; 2] = ["\n\nIMPORTANT: After completing", "\n\nThis is how Claude Code surfaces"];

/// What a call to the model is for.
pub(super) fn purpose(body: &Value) -> Purpose {
    let texts = latest_user_texts(body);
    if texts.iter().any(|text| text.starts_with("[SUGGESTION MODE")) {
        return Purpose::Suggestion;
    }
    if body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
        return Purpose::Turn;
    }
    if body["output_config"]["format"]["schema"]["properties"]["title"].is_object() {
        return Purpose::Title;
    }
    Purpose::Other
}

/// The text blocks of the latest user message, and of a queued prompt after it.
pub(super) fn latest_user_texts(body: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for message in messages(body).rev() {
        let texts = texts(message);
        if message["role"] == "user" {
            return texts.into_iter().chain(out).collect();
        }
        out.splice(0..0, texts.into_iter().filter(|text| queued(text).is_some()));
    }
    Vec::new()
}

/// The tool results of the latest user message.
pub(super) fn latest_tool_results(body: &Value) -> Vec<(String, Value)> {
    let latest = messages(body).rev().find(|message| message["role"] == "user");
    let blocks = latest.and_then(|message| message["content"].as_array()).into_iter().flatten();
    blocks
        .filter(|block| block["type"] == "tool_result")
        .map(|block| (block["tool_use_id"].as_str().unwrap_or_default().to_owned(), block["content"].clone()))
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
        // A failed turn leaves its prompt behind in the same message: the last one counts.
        let said = if message["role"] == "user" {
            texts(message).iter().rev().find_map(|text| human(text))
        } else {
            // `system` messages stand between the others since 2.1.197: context, but for queued prompts.
            texts(message).iter().rev().find_map(|text| queued(text))
        };
        if let Some(text) = said {
            return Some(Prompt { text, spoken });
        }
    }
    None
}

/// All that the human said in the conversation, oldest first.
pub(super) fn said(body: &Value) -> Vec<String> {
    let of = |message: &Value| -> Vec<String> {
        let read = if message["role"] == "user" { human } else { queued };
        texts(message).iter().filter_map(|text| read(text)).collect()
    };
    messages(body).filter(|message| message["role"] != "assistant").flat_map(of).collect()
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
    if let Some(prompt) = queued(block) {
        return Some(prompt);
    }
    let said = outside_reminders(block);
    let said = said.trim();
    let notice = NOTICES.iter().any(|notice| said.starts_with(notice));
    (!said.is_empty() && !notice).then(|| said.to_owned())
}

/// The prompt in a block that tells the model of a queued one.
fn queued(block: &str) -> Option<String> {
    let (_, rest) = block.rsplit_once(QUEUED)?;
    let end = QUEUED_END.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let prompt = rest[..end].trim().trim_end_matches("</system-reminder>").trim();
    (!prompt.is_empty()).then(|| prompt.to_owned())
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
