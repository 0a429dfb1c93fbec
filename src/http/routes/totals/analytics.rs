//! Sums by day, by model and by key, for dashboards.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::keys::{self, KeyUse};
use super::sums::{Day, Sums, Tokens, mean};
use super::{Span, sums};
use crate::domain::Timestamp;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::refusal::Reply;
use crate::http::route::Route;

/// How many keys a summary tells.
const TOP_KEYS: usize = 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/analytics/summary", analytics)
            .says("Sums up all sessions on record by day, by model and by key.")
            .gives::<Analytics>(200),
        Route::get("/v1/analytics/costs", costs)
            .says("Sums up the cost of all sessions on record by day, by model and by key.")
            .gives::<Costs>(200),
        Route::get("/v1/analytics/tokens", tokens)
            .says("Sums up the tokens of all sessions on record by model.")
            .gives::<TokensUsed>(200),
    ]
}

/// Sums by day (in UTC, by creation) and by model.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Analytics {
    session_volume: Vec<Volume>,
    token_usage_by_model: Vec<ModelTokens>,
    cost_trends: Vec<CostOfDay>,
    /// The ten keys whose sessions cost the most; of equals those with more sessions, then messages, come first.
    top_api_keys: Vec<KeyUse>,
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
    let day = |(date, day): (&String, &Day)| CostOfDay {
        date: date.clone(),
        cost: day.cost,
        estimated_cost_usd: day.cost,
        sessions: day.sessions,
    };
    sums.days.iter().map(day).collect()
}

async fn analytics(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Analytics>> {
    let figures = door.aegis.get_figures(&call.caller).await?;
    let sums = Sums::of(&figures, |_| true);
    let mut top = keys::used(&door, &call, &figures).await?;
    top.retain(KeyUse::is_key);
    top.truncate(TOP_KEYS);
    let days: &BTreeMap<String, Day> = &sums.days;
    Ok(Json(Analytics {
        session_volume: days
            .iter()
            .map(|(date, day)| Volume { date: date.clone(), created: day.sessions })
            .collect(),
        token_usage_by_model: by_model(&sums),
        cost_trends: by_day(&sums),
        top_api_keys: top,
        duration_trends: days
            .iter()
            .map(|(date, day)| DurationOfDay {
                date: date.clone(),
                avg_duration_sec: mean(day.duration_sec, day.sessions),
                count: day.sessions,
            })
            .collect(),
        error_rates: ErrorRates {
            total_sessions: sums.created,
            failed_sessions: sums.failed,
            failure_rate: mean(sums.failed as u64, sums.created),
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
    /// By the key that the sessions belong to, the most expensive first; those that belong to none are one of them.
    by_key: Vec<KeyUse>,
    daily_trends: Vec<CostOfDay>,
    /// Models without a price, whose tokens cost nothing here.
    unpriced_models: Vec<String>,
    generated_at: Timestamp,
}

async fn costs(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Costs>> {
    let figures = door.aegis.get_figures(&call.caller).await?;
    let sums = Sums::of(&figures, |_| true);
    Ok(Json(Costs {
        total_cost_usd: sums.tokens().estimated_cost_usd,
        total_sessions: sums.created,
        by_model: by_model(&sums),
        by_key: keys::used(&door, &call, &figures).await?,
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
