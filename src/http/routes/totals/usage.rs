//! The tokens that sessions used, and what they cost.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::keys::{self, NO_KEY};
use super::sums::Sums;
use super::{Span, sums};
use crate::claude::prices;
use crate::domain::{SessionId, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Id, Query};
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::ops::SessionRef;

/// The version of the shapes below `/v1/usage`.
const SCHEMA_VERSION: u32 = 1;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/usage", usage)
            .says("Sums up the tokens of sessions that were created in a span of time, and their cost by list price.")
            .query::<Span>()
            .gives::<Usage>(200),
        Route::get("/v1/usage/by-key", usage_by_key)
            .says("Sums up the same by the key that the sessions belong to.")
            .admin()
            .query::<Span>()
            .gives::<UsageByKey>(200),
        Route::get("/v1/usage/tiers", tiers).says("Tells the price table.").gives::<Tiers>(200),
        Route::get("/v1/usage/sessions/{id}", usage_of)
            .says("Tells a session's tokens by model.")
            .gives::<UsageOf>(200),
    ]
}

/// Tokens and their cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsageSums {
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
}

impl UsageSums {
    fn of(sums: &Sums) -> Self {
        let tokens = sums.tokens();
        Self {
            total_input_tokens: tokens.input_tokens,
            total_output_tokens: tokens.output_tokens,
            total_cache_creation_tokens: tokens.cache_creation_tokens,
            total_cache_read_tokens: tokens.cache_read_tokens,
            total_cost_usd: tokens.estimated_cost_usd,
            unpriced_models: sums.unpriced(),
            record_count: sums.api_messages,
            sessions: sums.created,
        }
    }
}

/// Tokens of a span of time, and their cost.
#[derive(Serialize, JsonSchema)]
struct Usage {
    schema_version: u32,
    #[serde(flatten)]
    sums: UsageSums,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
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
    span.check()?;
    let sums = sums(&door, &call, &span).await?;
    Ok(Json(Usage {
        schema_version: SCHEMA_VERSION,
        sums: UsageSums::of(&sums),
        from: span.from,
        to: span.to,
        rate_tiers: price_table(),
        partial: sums.partial,
    }))
}

/// Tokens of a span of time by key.
#[derive(Serialize, JsonSchema)]
struct UsageByKey {
    schema_version: u32,
    /// Those with sessions, by id.
    keys: Vec<UsageOfKey>,
    /// How many of these there are.
    total_keys: usize,
    /// Whether records are missing, so that sums are too low.
    partial: bool,
}

/// One key's tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsageOfKey {
    /// The key's id, also after it was removed; `__none__` for sessions that belong to no key.
    key_id: String,
    usage: UsageSums,
}

async fn usage_by_key(
    State(door): State<HttpDoor>,
    call: Call,
    Query(span): Query<Span>,
) -> Reply<Json<UsageByKey>> {
    span.check()?;
    let figures = door.aegis.get_figures(&call.caller).await?;
    let told = |(key, sums): (Option<String>, Sums)| UsageOfKey {
        key_id: key.unwrap_or_else(|| NO_KEY.into()),
        usage: UsageSums::of(&sums),
    };
    let keys: Vec<_> = keys::sums(&figures, |at| span.has(at)).into_iter().map(told).collect();
    Ok(Json(UsageByKey {
        schema_version: SCHEMA_VERSION,
        total_keys: keys.len(),
        keys,
        partial: figures.partial,
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
