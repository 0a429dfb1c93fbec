//! A [`Message`] as the steps of a stream, or as one JSON object.
//!
//! Pure: [`steps`] says what to send and where to wait, [`super::server`] does it.

use std::time::Duration;

use serde_json::{Value, json};

use super::reply::{ApiError, CutKind, HoldAt, Message};

/// What goes into the answer beside the message itself.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    /// The message's id.
    pub(super) id: String,
    /// The model that was asked for.
    pub(super) model: String,
}

/// One step of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Send this event.
    Event(&'static str, Value),
    /// Wait, as a slow model does.
    Pause(Duration),
    /// Wait until this name is released.
    Hold(String),
}

/// The bytes of one server-sent event.
pub(super) fn frame(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// A message as a stream, without a hold at its start, which comes before the stream.
pub(super) fn steps(message: &Message, envelope: &Envelope) -> Vec<Step> {
    let mut out = vec![
        event("message_start", json!({ "message": opening(message, envelope) })),
        event("ping", json!({})),
    ];
    for (index, block) in blocks(message).into_iter().enumerate() {
        block_steps(message, index, &block, &mut out);
        let text_is_over = block["type"] == "text";
        if text_is_over && let Some(cut) = message.cut {
            return broken(out, cut.with);
        }
    }
    if let Some(cut) = message.cut {
        return broken(out, cut.with);
    }
    out.extend(hold(message, HoldAt::End));
    let delta = json!({ "stop_reason": stop_reason(message), "stop_sequence": null });
    out.push(event("message_delta", json!({ "delta": delta, "usage": message.usage })));
    out.push(event("message_stop", json!({})));
    out
}

/// A message as one object, for a call that does not stream.
pub(super) fn whole(message: &Message, envelope: &Envelope) -> Value {
    let mut value = opening(message, envelope);
    value["content"] = Value::Array(blocks(message));
    value["stop_reason"] = json!(stop_reason(message));
    value["usage"] = json!(message.usage);
    value
}

/// The body of an API error.
pub(super) fn error_body(error: &ApiError) -> Value {
    let (kind, usual) = match error.status {
        400 => ("invalid_request_error", "The request is not valid"),
        401 => ("authentication_error", "invalid x-api-key"),
        403 => ("permission_error", "Your key may not use this resource"),
        404 => ("not_found_error", "No such resource"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed the rate limit for your organization"),
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    let message = error.message.as_deref().unwrap_or(usual);
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_rehearsal" })
}

fn event(name: &'static str, mut data: Value) -> Step {
    data["type"] = json!(name);
    Step::Event(name, data)
}

fn broken(mut steps: Vec<Step>, with: CutKind) -> Vec<Step> {
    // An open block, then nothing: what a lost connection leaves behind.
    if matches!(steps.last(), Some(Step::Event("content_block_stop", _))) {
        steps.pop();
    }
    if with == CutKind::ErrorEvent {
        let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
        steps.push(event("error", json!({ "error": error })));
    }
    steps
}

fn hold(message: &Message, at: HoldAt) -> Option<Step> {
    message.hold.as_ref().filter(|hold| hold.at == at).map(|hold| Step::Hold(hold.name.clone()))
}

fn opening(message: &Message, envelope: &Envelope) -> Value {
    let mut usage = json!(message.usage);
    usage["output_tokens"] = json!(1);
    json!({
        "id": envelope.id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn stop_reason(message: &Message) -> &str {
    match &message.stop_reason {
        Some(reason) => reason,
        None if message.tools.is_empty() => "end_turn",
        None => "tool_use",
    }
}

fn blocks(message: &Message) -> Vec<Value> {
    let thinking = message
        .thinking
        .iter()
        .map(|thinking| json!({ "type": "thinking", "thinking": thinking, "signature": "cmVoZWFyc2Fs" }));
    let text = message.text.iter().map(|text| json!({ "type": "text", "text": text }));
    let tools = message.tools.iter().map(|call| {
        json!({
            "type": "tool_use",
            "id": format!("toolu_{}", uuid::Uuid::new_v4().simple()),
            "name": call.name,
            "input": call.input,
        })
    });
    thinking.chain(text).chain(tools).collect()
}

fn block_steps(message: &Message, index: usize, block: &Value, out: &mut Vec<Step>) {
    let delta = |delta: Value| event("content_block_delta", json!({ "index": index, "delta": delta }));
    let mut start = block.clone();
    match block["type"].as_str() {
        Some("text") => {
            start["text"] = json!("");
            out.push(event("content_block_start", json!({ "index": index, "content_block": start })));
            let pieces = pieces(block["text"].as_str().unwrap_or_default(), message);
            let middle = pieces.len().div_ceil(2);
            for (at, piece) in pieces.into_iter().enumerate() {
                if at == middle {
                    out.extend(hold(message, HoldAt::Text));
                }
                out.push(delta(json!({ "type": "text_delta", "text": piece })));
                out.extend(message.pace.map(|pace| Step::Pause(Duration::from_millis(pace.delay_ms))));
            }
        }
        Some("thinking") => {
            start["thinking"] = json!("");
            start["signature"] = json!("");
            out.push(event("content_block_start", json!({ "index": index, "content_block": start })));
            out.push(delta(json!({ "type": "thinking_delta", "thinking": block["thinking"] })));
            out.push(delta(json!({ "type": "signature_delta", "signature": block["signature"] })));
        }
        _ => {
            start["input"] = json!({});
            out.push(event("content_block_start", json!({ "index": index, "content_block": start })));
            let input = block["input"].to_string();
            out.push(delta(json!({ "type": "input_json_delta", "partial_json": input })));
        }
    }
    out.push(event("content_block_stop", json!({ "index": index })));
}

/// The text in the pieces its pace asks for; in two when it is held in the middle.
fn pieces(text: &str, message: &Message) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let held = message.hold.as_ref().is_some_and(|hold| hold.at == HoldAt::Text);
    let size = match message.pace {
        Some(pace) => pace.chunk,
        None if held => characters.len().div_ceil(2),
        None => characters.len(),
    };
    characters.chunks(size.max(1)).map(|piece| piece.iter().collect()).collect()
}
