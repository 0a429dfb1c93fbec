//! Prompts, answers and keys.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::domain::{AskKind, Receipt, ReceiptState, Remember, SessionId, WhenBusy};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::{Done, Ok as Nothing, Sent};
use crate::ops::{AnswerValue, ApprovePermission, RejectPermission, SendLine, SendMessage, SessionRef};

pub(super) fn routes() -> Vec<Route> {
    let send = |path, handler| {
        Route::post(path, handler).needs(Permission::Send).body::<Prompt>().gives::<Sent>(200).keyed()
    };
    vec![
        send("/v1/sessions/{id}/send", send_prompt)
            .says("Sends a prompt; while a question is open, answers it."),
        send("/v1/sessions/{id}/input", send_prompt)
            .says("Sends a prompt; while a question is open, answers it."),
        Route::post("/v1/sessions/{id}/command", command)
            .says("Types a slash command.")
            .needs(Permission::Send)
            .body::<Line>()
            .gives::<Sent>(200)
            .keyed(),
        Route::post("/v1/sessions/{id}/bash", bash)
            .says("Runs a shell line in the session's directory, and tells what it prints within 10 s.")
            .needs(Permission::Send)
            .body::<Line>()
            .gives::<Sent>(200)
            .keyed(),
        Route::post("/v1/sessions/{id}/approve", approve)
            .says("Approves what waits; with several open, the one that is named.")
            .needs(Permission::Approve)
            .body::<Approval>()
            .gives::<Done>(200),
        Route::post("/v1/sessions/{id}/reject", reject)
            .says("Rejects what waits; with several open, the one that is named.")
            .needs(Permission::Reject)
            .body::<Rejection>()
            .gives::<Done>(200),
        Route::post("/v1/sessions/{id}/answer", answer)
            .says("Answers a question that is open.")
            .needs(Permission::Send)
            .body::<QuestionAnswer>()
            .gives::<Sent>(200)
            .keyed(),
        Route::post("/v1/sessions/{id}/interrupt", interrupt)
            .says("Stops the turn; tells when it has stopped.")
            .needs(Permission::Send)
            .gives::<Nothing>(200),
        Route::post("/v1/sessions/{id}/escape", escape)
            .says("Presses Escape.")
            .needs(Permission::Send)
            .gives::<Nothing>(200),
    ]
}

/// A prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prompt {
    /// The text.
    #[schemars(length(min = 1))]
    text: String,
    /// What to do while a turn runs. Default `queue`.
    #[serde(default)]
    when_busy: Option<WhenBusy>,
    /// The same key gives the same receipt. The header `Idempotency-Key` says the same.
    #[serde(default)]
    idempotency_key: Option<String>,
}

async fn send_prompt(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(prompt): Body<Prompt>,
) -> Reply<Json<Sent>> {
    let request = SendMessage {
        session_id: id.to_string(),
        text: Some(prompt.text),
        answers: None,
        when_busy: prompt.when_busy,
        idempotency_key: prompt.idempotency_key.or(call.idempotency_key),
    };
    sent(door.aegis.send_message(&call.caller, request).await?)
}

/// Nobody is told that a prompt was sent which was not.
fn sent(receipt: Receipt) -> Reply<Json<Sent>> {
    if receipt.state != ReceiptState::Refused {
        return Ok(Json(receipt.into()));
    }
    let why = receipt.steps.last().map_or("no reason was told", |step| step.evidence.as_str());
    let refusal =
        Refusal::new(StatusCode::CONFLICT, "prompt_refused", format!("The prompt was not sent: {why}"));
    let beside = serde_json::to_value(Sent::from(receipt)).ok();
    let refusal = match beside {
        Some(Value::Object(fields)) => refusal.beside(fields),
        _ => refusal,
    };
    Err(refusal.hint("GET the session to see what it is doing"))
}

/// A command or shell line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    /// The line; its mark (`/` or `!`) is added where it is missing.
    #[schemars(length(min = 1))]
    command: String,
    /// The same key gives the same receipt. The header `Idempotency-Key` says the same.
    #[serde(default)]
    idempotency_key: Option<String>,
}

fn line(id: SessionId, line: Line, key: Option<String>) -> SendLine {
    SendLine {
        session_id: id.to_string(),
        command: line.command,
        idempotency_key: line.idempotency_key.or(key),
    }
}

async fn command(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(body): Body<Line>,
) -> Reply<Json<Sent>> {
    sent(door.aegis.send_command(&call.caller, line(id, body, call.idempotency_key.clone())).await?)
}

async fn bash(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(body): Body<Line>,
) -> Reply<Json<Sent>> {
    sent(door.aegis.send_bash(&call.caller, line(id, body, call.idempotency_key.clone())).await?)
}

/// Which ask is approved, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Approval {
    /// The ask; may be left out where only one is open.
    #[serde(default)]
    ask_id: Option<String>,
    /// The hash of what was shown; another one is refused.
    #[serde(default)]
    input_hash: Option<String>,
    /// Whether the same is allowed for the rest of the session.
    #[serde(default)]
    remember: Option<Remember>,
}

async fn approve(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(body): Body<Approval>,
) -> Reply<Json<Done>> {
    let request = ApprovePermission {
        session_id: id.to_string(),
        ask_id: body.ask_id,
        input_hash: body.input_hash,
        remember: body.remember,
    };
    Ok(Json(door.aegis.approve_permission(&call.caller, request).await?.into()))
}

/// Which ask is rejected, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rejection {
    /// The ask; may be left out where only one is open.
    #[serde(default)]
    ask_id: Option<String>,
    /// What Claude is told.
    #[serde(default)]
    #[schemars(length(max = 10000))]
    reason: Option<String>,
}

async fn reject(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(body): Body<Rejection>,
) -> Reply<Json<Done>> {
    let request = RejectPermission { session_id: id.to_string(), ask_id: body.ask_id, reason: body.reason };
    Ok(Json(door.aegis.reject_permission(&call.caller, request).await?.into()))
}

/// The answer to a question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QuestionAnswer {
    /// The ask's id, or that of its tool call.
    question_id: String,
    /// A label, a number or free text; or for several questions an object: question text to label or labels.
    answer: Given,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Given {
    One(String),
    Each(BTreeMap<String, AnswerValue>),
}

async fn answer(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(body): Body<QuestionAnswer>,
) -> Reply<Json<Sent>> {
    let detail = door.aegis.get_status(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    let open = detail.session.open_asks.iter().any(|ask| {
        ask.kind == AskKind::Question
            && (ask.id.to_string() == body.question_id || ask.tool_use_id.as_ref() == Some(&body.question_id))
    });
    if !open {
        let what = "No pending question matching this questionId";
        return Err(Refusal::new(StatusCode::CONFLICT, "no_such_ask", what)
            .hint("GET the session: pendingQuestion tells the open one"));
    }
    let (text, answers) = match body.answer {
        Given::One(text) => (Some(text), None),
        Given::Each(answers) => (None, Some(answers)),
    };
    let request = SendMessage {
        session_id: id.to_string(),
        text,
        answers,
        when_busy: None,
        idempotency_key: call.idempotency_key,
    };
    sent(door.aegis.send_message(&call.caller, request).await?)
}

async fn interrupt(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<Nothing>> {
    door.aegis.interrupt_session(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    Ok(Json(Nothing::DONE))
}

async fn escape(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<Nothing>> {
    door.aegis.escape_session(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    Ok(Json(Nothing::DONE))
}
