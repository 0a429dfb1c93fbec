//! The server itself: health, capabilities, the description of its routes.

use std::sync::LazyLock;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::{StatusWord, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::guard::API_VERSION;
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::ops::ServerHealthRequest;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/health", health)
            .says("Tells how this server is; the bare word to callers without a valid token.")
            .public()
            .gives::<Health>(200),
        Route::get("/v1/openapi.json", openapi).says("This description.").only().gives::<Value>(200),
        Route::get("/v2/", next_version)
            .says("Tells that there is no second version yet.")
            .only()
            .gives::<Value>(200),
    ]
}

/// The health of the server and of what it stands on. Callers without a valid token are told `status` alone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `ok`, `degraded` if something it stands on fails, `draining` while it ends.
    status: String,
    #[serde(flatten)]
    #[schemars(with = "Option<Details>")]
    details: Option<Details>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Details {
    timestamp: Timestamp,
    version: String,
    /// `linux`, `darwin` or `win32`.
    platform: String,
    /// In seconds.
    uptime: f64,
    sessions: Counts,
    claude: Claude,
    /// Where the steward runs: `here`, `elsewhere` or `none`.
    steward: crate::ops::StewardPlace,
    store: crate::ops::StoreHealth,
    /// Aegis needs no tmux; older clients look for this.
    tmux: Tmux,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Those that live.
    active: usize,
    /// Those that are on record.
    total: usize,
    /// By status.
    by_status: std::collections::BTreeMap<String, usize>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Claude {
    available: bool,
    healthy: bool,
    version: Option<String>,
    minimum_version: String,
    error: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Tmux {
    healthy: bool,
    error: Option<String>,
}

/// Node's name of the platform, which clients know.
fn platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}

async fn health(State(door): State<HttpDoor>, call: Call) -> Reply<Response> {
    let draining = door.closing.is_cancelled();
    if door.access.required() && call.identity.key.is_none() {
        let status = if draining { "draining" } else { "ok" };
        let health = Health { status: status.into(), details: None };
        return Ok((code(draining), Json(health)).into_response());
    }
    let health = door.aegis.server_health(&call.caller, ServerHealthRequest {}).await?;
    let well = health.claude.supported && health.store.ok;
    let total: usize = health.sessions.values().sum();
    let ended = health.sessions.get(StatusWord::Ended.as_str()).copied().unwrap_or(0);
    let status = if draining {
        "draining"
    } else if well {
        "ok"
    } else {
        "degraded"
    };
    let details = Details {
        timestamp: Timestamp::now(),
        version: health.version,
        platform: platform().into(),
        uptime: door.started.elapsed().as_secs_f64(),
        sessions: Counts { active: total - ended, total, by_status: health.sessions },
        claude: Claude {
            available: health.claude.found,
            healthy: health.claude.supported,
            version: health.claude.version,
            minimum_version: crate::claude::version::OLDEST_SUPPORTED.to_string(),
            error: health.claude.hint,
        },
        steward: health.steward,
        store: health.store,
        tmux: Tmux { healthy: true, error: None },
    };
    let health = Health { status: status.into(), details: Some(details) };
    Ok((code(draining), Json(health)).into_response())
}

fn code(draining: bool) -> StatusCode {
    if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// Made at the first call: it says the same as long as the program runs.
static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| HttpDoor::openapi().to_string().into());

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.clone()).into_response()
}

async fn next_version() -> Response {
    let body = json!({
        "version": 2,
        "status": "planned",
        "message": "There is no second version yet.",
        "migration_guide": "/v1/openapi.json",
        "v1_base": "/v1/",
    });
    let mut response = Json(body).into_response();
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("2"));
    response
}
