//! How often keys may call, and what they hold.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::keys;
use crate::access::Limit;
use crate::domain::Timestamp;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::refusal::Reply;
use crate::http::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/analytics/rate-limits", rate_limits)
            .says("Tells how often callers may call, and what each key holds.")
            .gives::<RateLimits>(200),
    ]
}

/// How often callers may call. Aegis limits calls, not what sessions use: the fields of quotas are null.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RateLimits {
    global: GlobalLimits,
    /// All keys, oldest first; to a key that sees only its own sessions, itself.
    per_key: Vec<KeyLimits>,
    forecast: Forecast,
    generated_at: Timestamp,
    /// Whether records are missing, so that sessions may be too few.
    partial: bool,
}

/// What holds unless a key says otherwise. The configured token is never limited.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GlobalLimits {
    /// How many calls a key without a limit of its own may make in a window; null if nobody is limited.
    max: Option<u32>,
    /// The window.
    time_window_ms: Option<u64>,
    /// How many calls one address may make in the same window without a token where one is needed.
    max_without_token: Option<u32>,
}

/// One key's limits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeyLimits {
    key_id: String,
    key_name: String,
    /// How many calls it may make in a window; null if nobody is limited.
    max_calls: Option<u32>,
    /// That window.
    calls_window_ms: Option<u64>,
    /// Sessions of its that live.
    active_sessions: usize,
    /// Always null: there is no quota of sessions.
    max_sessions: Option<usize>,
    /// Always null: tokens are not counted by windows.
    tokens_in_window: Option<u64>,
    /// Always null: there is no quota of tokens.
    max_tokens: Option<u64>,
    /// Always null: cost is not counted by windows.
    spend_in_window_usd: Option<f64>,
    /// Always null: there is no quota of cost.
    max_spend_usd: Option<f64>,
    /// Always null: quotas have no window.
    window_ms: Option<u64>,
}

/// When quotas are used up. There are none, so nothing is foretold.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Forecast {
    /// Always null: there is no quota of sessions.
    estimated_sessions_remaining: Option<usize>,
    /// Always null: no quota is reached first.
    bottleneck: Option<String>,
}

fn millis(limit: Limit) -> u64 {
    u64::try_from(limit.window.as_millis()).unwrap_or(u64::MAX)
}

async fn rate_limits(State(door): State<HttpDoor>, call: Call) -> Reply<Json<RateLimits>> {
    let figures = door.aegis.get_figures(&call.caller).await?;
    let sums = keys::sums(&figures, |_| true);
    let per_key = door.aegis.figured_keys(&call.caller).await?.into_iter().map(|key| {
        let limit = door.access.limit_of_key(key.rate_limit);
        KeyLimits {
            active_sessions: sums.get(&Some(key.id.clone())).map_or(0, |sums| sums.active),
            key_id: key.id,
            key_name: key.name,
            max_calls: limit.map(|limit| limit.calls),
            calls_window_ms: limit.map(millis),
            max_sessions: None,
            tokens_in_window: None,
            max_tokens: None,
            spend_in_window_usd: None,
            max_spend_usd: None,
            window_ms: None,
        }
    });
    let usual = door.access.limit_of_key(None);
    Ok(Json(RateLimits {
        global: GlobalLimits {
            max: usual.map(|limit| limit.calls),
            time_window_ms: usual.map(millis),
            max_without_token: door.access.limit_of_unknown().map(|limit| limit.calls),
        },
        per_key: per_key.collect(),
        forecast: Forecast { estimated_sessions_remaining: None, bottleneck: None },
        generated_at: Timestamp::now(),
        partial: figures.partial,
    }))
}
