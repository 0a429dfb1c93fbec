//! Hook events of sessions whose Claude Code cannot reach its holder's socket: one that runs in a container, or on
//! another machine.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::Denied;
use crate::domain::{ErrorCode, Secret, SessionId};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::guard;
use crate::http::input::{Body, Query, Word};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::HookCall;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/hooks/{event}", hook)
            .says("Takes a hook event of Claude Code; the session's secret stands for the caller.")
            .public()
            .only()
            .query::<Asked>()
            .body::<Value>()
            .gives::<Value>(200),
    ]
}

/// Whose event it is, where no header says so.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// The session; better in the header `X-Session-Id`.
    session_id: Option<String>,
    /// The session's secret; better in the header `X-Hook-Secret`, which no log tells.
    secret: Option<String>,
}

async fn hook(
    State(door): State<HttpDoor>,
    call: Call,
    headers: HeaderMap,
    Word(event): Word,
    Query(asked): Query<Asked>,
    Body(payload): Body<Map<String, Value>>,
) -> Reply<Response> {
    let unauthorized = |what| {
        Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", what)
            .hint("send the headers X-Session-Id and X-Hook-Secret")
    };
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let session = told("x-session-id").or(asked.session_id);
    let session =
        session.ok_or_else(|| unauthorized("Unauthorized — hook endpoint requires valid session ID"))?;
    let session_id: SessionId = Some(session.as_str())
        .filter(|text| text.len() == 36)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::invalid("Invalid session ID — must be a UUID"))?;
    let in_query = asked.secret.is_some();
    if in_query && door.access.hook_secret_in_header_only() {
        return Err(unauthorized("Unauthorized — the hook secret must come in a header"));
    }
    let header = told("x-hook-secret");
    let by_query = header.is_none() && in_query;
    let wrong = || match door.access.wrong_secret(call.from) {
        Denied::BadToken => unauthorized("Unauthorized — invalid hook secret"),
        often => guard::denied(often),
    };
    let secret = header.or(asked.secret).map(Secret::new).ok_or_else(wrong)?;
    let request = HookCall { session_id, secret, event, payload: Value::Object(payload) };
    let stdout = door.aegis.hook(request).await.map_err(|error| match error.code {
        ErrorCode::Forbidden => wrong(),
        _ => error.into(),
    })?;
    // No opinion: Claude Code goes on as if there were no hook.
    let body = if stdout.trim().is_empty() { json!({ "ok": true }).to_string() } else { stdout };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if by_query {
        tracing::warn!(
            "a hook's secret came in the query, which logs may tell; send the header X-Hook-Secret"
        );
        headers.insert("deprecation", HeaderValue::from_static("true"));
        headers.insert(
            header::WARNING,
            HeaderValue::from_static("299 - \"send the secret in the header X-Hook-Secret\""),
        );
    }
    Ok(response)
}
