//! Sums over all sessions: for dashboards, for Prometheus, and for whoever pays.

mod prometheus;
mod sums;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::sums::{Sums, Tokens};
use super::figures::Latencies;
use crate::claude::prices;
use crate::domain::{SessionId, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::SessionRef;

/// The version of the shapes below `/v1/usage`.
const SCHEMA_VERSION: u32 = 1;

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
        Route::get("/v1/usage", usage)
            .says("Sums up the tokens of sessions that were created in a span of time, and their cost by list price.")
            .query::<Span>()
            .gives::<Usage>(200),
        Route::get("/v1/usage/tiers", tiers).says("Tells the price table.").gives::<Tiers>(200),
        Route::get("/v1/usage/sessions/{id}", usage_of)
            .says("Tells a session's tokens by model.")
            .gives::<UsageOf>(200),
        Route::get("/v1/analytics/summary", analytics)
            .says("Sums up all sessions on record by day and by model.")
            .gives::<Analytics>(200),
        Route::get("/v1/analytics/costs", costs)
            .says("Sums up the cost of all sessions on record by day and by model.")
            .gives::<Costs>(200),
        Route::get("/v1/analytics/tokens", tokens)
            .says("Sums up the tokens of all sessions on record by model.")
            .gives::<TokensUsed>(200),
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

async fn sums(door: &HttpDoor, call: &Call, span: &Span) -> Reply<Sums> {
    Ok(Sums::of(&door.aegis.get_figures(&call.caller).await?, |at| span.has(at)))
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

/// A span of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Span {
    /// Only sessions that were created at this time or later, in ISO 8601.
    from: Option<Timestamp>,
    /// Only sessions that were created at this time or before.
    to: Option<Timestamp>,
}

impl Span {
    fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }
}

/// Tokens and their cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(rename = "schema_version")]
    schema_version: u32,
    total_input_tokens: u64,
    total_output_tokens: u64,
    total_cache_creation_tokens: u64,
    total_cache_read_tokens: u64,
    /// US dollars by list price, of the models whose price is known.
    total_cost_usd: f64,
    /// Models without a price, whose tokens cost nothing here.
    unpriced_models: Vec<String>,
    /// Answers of the API.
    record_count: u64,
    sessions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    #[serde(rename = "rate_tiers")]
    rate_tiers: Vec<Price>,
    /// Whether records are missing, so that sums are too low.
    partial: bool,
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Price {
    name: String,
    model_pattern: String,
    input_cost_per_m: f64,
    output_cost_per_m: f64,
    /// Into the cache for five minutes.
    cache_write_cost_per_m: f64,
    cache_read_cost_per_m: f64,
}

fn price_table() -> Vec<Price> {
    prices::table()
        .map(|row| Price {
            name: row.model.into(),
            // With or without a date behind it.
            model_pattern: format!("{}*", row.model),
            input_cost_per_m: row.input,
            output_cost_per_m: row.output,
            cache_write_cost_per_m: row.cache_write,
            cache_read_cost_per_m: row.cache_read,
        })
        .collect()
}

async fn usage(State(door): State<HttpDoor>, call: Call, Query(span): Query<Span>) -> Reply<Json<Usage>> {
    if let (Some(from), Some(to)) = (span.from, span.to)
        && from > to
    {
        return Err(Refusal::invalid("Invalid query params: from is after to"));
    }
    let sums = sums(&door, &call, &span).await?;
    let tokens = sums.tokens();
    Ok(Json(Usage {
        schema_version: SCHEMA_VERSION,
        total_input_tokens: tokens.input_tokens,
        total_output_tokens: tokens.output_tokens,
        total_cache_creation_tokens: tokens.cache_creation_tokens,
        total_cache_read_tokens: tokens.cache_read_tokens,
        total_cost_usd: tokens.estimated_cost_usd,
        unpriced_models: sums.unpriced(),
        record_count: sums.api_messages,
        sessions: sums.created,
        from: span.from,
        to: span.to,
        rate_tiers: price_table(),
        partial: sums.partial,
    }))
}

/// The price table.
#[derive(Serialize, JsonSchema)]
struct Tiers {
    schema_version: u32,
    /// The day of the table.
    as_of: String,
    tiers: Vec<Price>,
}

async fn tiers() -> Json<Tiers> {
    Json(Tiers { schema_version: SCHEMA_VERSION, as_of: prices::AS_OF.into(), tiers: price_table() })
}

/// A session's tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsageOf {
    #[serde(rename = "schema_version")]
    schema_version: u32,
    session_id: SessionId,
    /// One for each model.
    records: Vec<crate::ops::ModelUse>,
    #[serde(rename = "total_records")]
    total_records: usize,
}

async fn usage_of(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<UsageOf>> {
    let request = SessionRef { session_id: id.to_string() };
    let told = door.aegis.get_session_metrics(&call.caller, request).await?;
    Ok(Json(UsageOf {
        schema_version: SCHEMA_VERSION,
        session_id: told.session_id,
        total_records: told.models.len(),
        records: told.models,
    }))
}

/// Sums by day (in UTC, by creation) and by model.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Analytics {
    session_volume: Vec<Volume>,
    token_usage_by_model: Vec<ModelTokens>,
    cost_trends: Vec<CostOfDay>,
    /// Always empty: sessions are not counted by key.
    top_api_keys: Vec<()>,
    duration_trends: Vec<DurationOfDay>,
    error_rates: ErrorRates,
    generated_at: Timestamp,
    /// Whether records are missing, so that sums are too low.
    partial: bool,
}

#[derive(Serialize, JsonSchema)]
struct Volume {
    date: String,
    created: usize,
}

/// One model's tokens.
#[derive(Clone, Serialize, JsonSchema)]
struct ModelTokens {
    model: String,
    #[serde(flatten)]
    tokens: Tokens,
}

#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CostOfDay {
    date: String,
    /// US dollars.
    cost: f64,
    /// The same.
    estimated_cost_usd: f64,
    sessions: usize,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DurationOfDay {
    date: String,
    avg_duration_sec: f64,
    count: usize,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorRates {
    total_sessions: usize,
    failed_sessions: usize,
    /// From 0 to 1.
    failure_rate: f64,
    permission_prompts: u64,
    approvals: u64,
    auto_approvals: u64,
}

fn by_model(sums: &Sums) -> Vec<ModelTokens> {
    sums.models.iter().map(|(model, tokens)| ModelTokens { model: model.clone(), tokens: *tokens }).collect()
}

fn by_day(sums: &Sums) -> Vec<CostOfDay> {
    let day = |(date, day): (&String, &sums::Day)| CostOfDay {
        date: date.clone(),
        cost: day.cost,
        estimated_cost_usd: day.cost,
        sessions: day.sessions,
    };
    sums.days.iter().map(day).collect()
}

async fn analytics(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Analytics>> {
    let sums = sums(&door, &call, &Span::default()).await?;
    let days: &BTreeMap<String, sums::Day> = &sums.days;
    Ok(Json(Analytics {
        session_volume: days
            .iter()
            .map(|(date, day)| Volume { date: date.clone(), created: day.sessions })
            .collect(),
        token_usage_by_model: by_model(&sums),
        cost_trends: by_day(&sums),
        top_api_keys: Vec::new(),
        duration_trends: days
            .iter()
            .map(|(date, day)| DurationOfDay {
                date: date.clone(),
                avg_duration_sec: sums::mean(day.duration_sec, day.sessions),
                count: day.sessions,
            })
            .collect(),
        error_rates: ErrorRates {
            total_sessions: sums.created,
            failed_sessions: sums.failed,
            failure_rate: sums::mean(sums.failed as u64, sums.created),
            permission_prompts: sums.asks,
            approvals: sums.approvals,
            auto_approvals: sums.auto_approvals,
        },
        generated_at: Timestamp::now(),
        partial: sums.partial,
    }))
}

/// Costs by list price.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Costs {
    total_cost_usd: f64,
    total_sessions: usize,
    by_model: Vec<ModelTokens>,
    /// Always empty: sessions are not counted by key.
    by_key: Vec<()>,
    daily_trends: Vec<CostOfDay>,
    /// Models without a price, whose tokens cost nothing here.
    unpriced_models: Vec<String>,
    generated_at: Timestamp,
}

async fn costs(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Costs>> {
    let sums = sums(&door, &call, &Span::default()).await?;
    Ok(Json(Costs {
        total_cost_usd: sums.tokens().estimated_cost_usd,
        total_sessions: sums.created,
        by_model: by_model(&sums),
        by_key: Vec::new(),
        daily_trends: by_day(&sums),
        unpriced_models: sums.unpriced(),
        generated_at: Timestamp::now(),
    }))
}

/// Tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokensUsed {
    total_tokens: u64,
    total_cost_usd: f64,
    model_distribution: Vec<ModelTokens>,
    daily_cost: Vec<CostOfDay>,
    generated_at: Timestamp,
}

async fn tokens(State(door): State<HttpDoor>, call: Call) -> Reply<Json<TokensUsed>> {
    let sums = sums(&door, &call, &Span::default()).await?;
    let all = sums.tokens();
    Ok(Json(TokensUsed {
        total_tokens: all.total(),
        total_cost_usd: all.estimated_cost_usd,
        model_distribution: by_model(&sums),
        daily_cost: by_day(&sums),
        generated_at: Timestamp::now(),
    }))
}
