//! What all sessions have done, as JSON and for Prometheus.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::figures::Latencies;
use super::sums::Tokens;
use super::{Span, prometheus, sums};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::refusal::Reply;
use crate::http::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/metrics", metrics)
            .says("Sums up all sessions on record.")
            .only()
            .gives::<Metrics>(200),
        Route::get("/metrics", text)
            .says("Sums up all sessions on record, for Prometheus.")
            .only()
            .text(200, prometheus::CONTENT_TYPE),
    ]
}

/// Sums over all sessions on record: those that live and the latest 2000 that ended.
#[derive(Serialize, JsonSchema)]
struct Metrics {
    /// How long this server runs, in seconds.
    uptime: f64,
    sessions: SessionSums,
    /// Asks that somebody allowed.
    approvals: u64,
    /// Asks that a rule allowed.
    auto_approvals: u64,
    rejections: u64,
    turns: u64,
    messages: u64,
    tool_calls: u64,
    prompt_delivery: Delivered,
    latency: Latencies,
    tokens: Tokens,
    /// Whether records are missing, so that sums are too low.
    partial: bool,
}

#[derive(Serialize, JsonSchema)]
struct SessionSums {
    total_created: usize,
    currently_active: usize,
    /// Of those that ended: as somebody meant them to.
    completed: usize,
    /// The others that ended.
    failed: usize,
    avg_duration_sec: f64,
    avg_messages_per_session: f64,
}

#[derive(Serialize, JsonSchema)]
struct Delivered {
    /// Prompts that Claude Code said it took.
    delivered: u64,
}

async fn metrics(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Metrics>> {
    let sums = sums(&door, &call, &Span::default()).await?;
    Ok(Json(Metrics {
        uptime: door.started.elapsed().as_secs_f64(),
        sessions: SessionSums {
            total_created: sums.created,
            currently_active: sums.active,
            completed: sums.completed,
            failed: sums.failed,
            avg_duration_sec: sums.mean(sums.duration_sec),
            avg_messages_per_session: sums.mean(sums.messages),
        },
        approvals: sums.approvals,
        auto_approvals: sums.auto_approvals,
        rejections: sums.rejections,
        turns: sums.turns,
        messages: sums.messages,
        tool_calls: sums.tool_calls,
        prompt_delivery: Delivered { delivered: sums.submitted.count() },
        latency: Latencies::of(&sums.hook, &sums.answer, &sums.submitted, &sums.turn),
        tokens: sums.tokens(),
        partial: sums.partial,
    }))
}

async fn text(State(door): State<HttpDoor>, call: Call) -> Reply<Response> {
    let sums = sums(&door, &call, &Span::default()).await?;
    let mut response = prometheus::text(&sums, door.started.elapsed()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(prometheus::CONTENT_TYPE));
    Ok(response)
}
