//! What one session has done, used and waited for.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Histogram, SessionId};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Id;
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::http::shape::Spread;
use crate::ops::{SessionMetrics, SessionRef, SessionSummary};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions/{id}/summary", summary)
            .says("Tells what a session has done, also after its end.")
            .gives::<SummaryInfo>(200),
        Route::get("/v1/sessions/{id}/metrics", metrics)
            .says("Tells what a session has used, also after its end.")
            .gives::<MetricsInfo>(200),
        Route::get("/v1/sessions/{id}/latency", latency)
            .says("Tells how long things take in a session, also after its end.")
            .gives::<LatencyInfo>(200),
        Route::get("/v1/sessions/{id}/tools", tools)
            .says("Counts a session's tool calls, also after its end.")
            .gives::<ToolCalls>(200),
    ]
}

fn named(id: SessionId) -> SessionRef {
    SessionRef { session_id: id.to_string() }
}

/// What a session has done. Times that are numbers are in milliseconds since 1970.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryInfo {
    session_id: SessionId,
    name: String,
    /// The name again, for clients that know windows.
    window_name: String,
    status: crate::domain::StatusWord,
    work_dir: String,
    permission_mode: crate::domain::PermissionMode,
    created_at: i64,
    last_activity: i64,
    /// From creation to its end, or to now, in seconds.
    duration_sec: u64,
    /// Of that in turns, in seconds.
    working_sec: u64,
    turns: u64,
    total_messages: u64,
    /// Messages that a resumed conversation brought along.
    history_messages: u64,
    by_role: crate::domain::RoleCounts,
    /// The most used first.
    tools: Vec<crate::ops::ToolUse>,
    /// Files in tool calls, the latest last; at most 200.
    files: Vec<crate::domain::FileUse>,
    /// Shell commands, cut, the latest last; at most 50.
    commands: Vec<String>,
    commands_run: u64,
    /// The latest 100 changes.
    status_history: Vec<crate::ops::StatusChange>,
    /// The last 20 messages, each cut at 500 characters.
    messages: Vec<crate::ops::Tail>,
    /// Whether records are missing, so that counts are too low.
    partial: bool,
}

impl From<SessionSummary> for SummaryInfo {
    fn from(summary: SessionSummary) -> Self {
        Self {
            session_id: summary.session_id,
            window_name: summary.name.clone(),
            name: summary.name,
            status: summary.status,
            work_dir: summary.work_dir,
            permission_mode: summary.permission_mode,
            created_at: summary.created_at.millis(),
            last_activity: summary.last_activity.millis(),
            duration_sec: summary.duration_sec,
            working_sec: summary.working_sec,
            turns: summary.turns,
            total_messages: summary.total_messages,
            history_messages: summary.history_messages,
            by_role: summary.by_role,
            tools: summary.tools,
            files: summary.files,
            commands: summary.commands,
            commands_run: summary.commands_run,
            status_history: summary.status_history,
            messages: summary.messages,
            partial: summary.partial,
        }
    }
}

async fn summary(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<SummaryInfo>> {
    Ok(Json(door.aegis.get_session_summary(&call.caller, named(id)).await?.into()))
}

/// What a session has used.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MetricsInfo {
    session_id: SessionId,
    /// From creation to its end, or to now, in seconds.
    duration_sec: u64,
    messages: u64,
    turns: u64,
    tool_calls: u64,
    /// Of these failed or refused.
    tool_errors: u64,
    subagents: u64,
    /// Asks.
    asks: u64,
    /// Asks that somebody allowed.
    approvals: u64,
    /// Asks that a rule allowed.
    auto_approvals: u64,
    /// Asks refused.
    rejections: u64,
    /// Asks answered, by surface.
    answered_by: std::collections::BTreeMap<String, u64>,
    /// The latest statuses, oldest first; at most 100.
    status_changes: Vec<String>,
    /// Status changes in all.
    status_change_count: u64,
    token_usage: crate::ops::TokenUsage,
    /// Tokens by model.
    models: Vec<crate::ops::ModelUse>,
    /// The day of the price table.
    prices_as_of: String,
    /// Why there is no cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_cost: Option<String>,
    /// Whether records are missing, so that counts are too low.
    partial: bool,
}

async fn metrics(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<MetricsInfo>> {
    let (_, stats) = door.aegis.get_session_stats(&call.caller, named(id)).await?;
    let told: SessionMetrics = door.aegis.get_session_metrics(&call.caller, named(id)).await?;
    let statuses = stats.events.status_history.iter();
    Ok(Json(MetricsInfo {
        session_id: told.session_id,
        duration_sec: told.duration_sec,
        messages: told.messages,
        turns: told.turns,
        tool_calls: told.tool_calls,
        tool_errors: told.tool_errors,
        subagents: told.subagents,
        asks: told.asks,
        approvals: told.approvals,
        auto_approvals: told.auto_approvals,
        rejections: told.rejections,
        answered_by: told.answered_by,
        status_changes: statuses.map(|step| step.status.as_str().to_owned()).collect(),
        status_change_count: told.status_changes,
        token_usage: told.token_usage,
        models: told.models,
        prices_as_of: told.prices_as_of,
        no_cost: told.no_cost,
        partial: told.partial,
    }))
}

/// How long things take in a session, in milliseconds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LatencyInfo {
    session_id: SessionId,
    /// Always null: single measurements are not kept.
    realtime: Option<()>,
    /// Null while nothing was measured.
    aggregated: Option<Latencies>,
    /// Whether records are missing.
    partial: bool,
}

/// Latencies; the names are those of older clients.
#[derive(Serialize, JsonSchema)]
pub(super) struct Latencies {
    /// From the start of a hook to the status that it led to.
    pub(super) hook_latency_ms: Spread,
    /// The same: hooks tell what changes.
    pub(super) state_change_detection_ms: Spread,
    /// From an ask to its answer.
    pub(super) permission_response_ms: Spread,
    /// Nothing: no channel delivers yet.
    pub(super) channel_delivery_ms: Spread,
    /// From the moment a prompt was stored until Claude Code said that it took it.
    pub(super) prompt_delivery_ms: Spread,
    /// From a turn's begin to its end.
    pub(super) turn_ms: Spread,
}

impl Latencies {
    pub(super) fn of(hook: &Histogram, answer: &Histogram, submitted: &Histogram, turn: &Histogram) -> Self {
        Self {
            hook_latency_ms: hook.into(),
            state_change_detection_ms: hook.into(),
            permission_response_ms: answer.into(),
            channel_delivery_ms: (&Histogram::default()).into(),
            prompt_delivery_ms: submitted.into(),
            turn_ms: turn.into(),
        }
    }
}

async fn latency(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<LatencyInfo>> {
    let (session, stats) = door.aegis.get_session_stats(&call.caller, named(id)).await?;
    let events = stats.events;
    let all = [&events.hook, &events.answer, &events.submitted, &events.turn];
    let any = all.iter().any(|histogram| histogram.count() > 0);
    let [hook, answer, submitted, turn] = all;
    Ok(Json(LatencyInfo {
        session_id: session.id,
        realtime: None,
        aggregated: any.then(|| Latencies::of(hook, answer, submitted, turn)),
        partial: events.partial,
    }))
}

/// A session's tool calls.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ToolCalls {
    session_id: SessionId,
    /// The most used first.
    tools: Vec<ToolCount>,
    total_calls: u64,
}

#[derive(Serialize, JsonSchema)]
struct ToolCount {
    name: String,
    count: u64,
    /// Of these failed or refused.
    errors: u64,
}

async fn tools(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<ToolCalls>> {
    let (session, stats) = door.aegis.get_session_stats(&call.caller, named(id)).await?;
    let total_calls = stats.talk.tool_calls().calls;
    let tools = stats.talk.tools.into_iter();
    let mut tools: Vec<_> =
        tools.map(|(name, counts)| ToolCount { name, count: counts.calls, errors: counts.errors }).collect();
    tools.sort_by_key(|tool| std::cmp::Reverse(tool.count));
    Ok(Json(ToolCalls { session_id: session.id, tools, total_calls }))
}
