//! The HTTP side: records each request and plays the reply the script has for it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, routing};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::reply::{ApiError, HoldAt, Message, Reply};
use super::request::{Purpose, Recorded};
use super::resolve::resolve;
use super::script::Script;
use super::sse::{self, Envelope, Step};

/// The largest request taken: the API's own limit of 32 MB.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// What a stream may be ahead of its reader.
const STREAM_BUFFER: usize = 64 * 1024;

/// Headers that are never recorded.
const SECRET: [&str; 3] = ["authorization", "x-api-key", "cookie"];

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The rules.
    pub(super) script: Mutex<Script>,
    /// All requests so far.
    pub(super) requests: watch::Sender<Vec<Arc<Recorded>>>,
    /// The names that were released.
    pub(super) released: watch::Sender<HashSet<String>>,
    /// Set when the API stops.
    pub(super) stopped: CancellationToken,
}

impl Shared {
    /// The script, whoever panicked with it in hand.
    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `name` is released; false if the API stops first.
    async fn wait_for(&self, name: &str) -> bool {
        let mut released = self.released.subscribe();
        tokio::select! {
            () = self.stopped.cancelled() => false,
            found = released.wait_for(|names| names.contains(name)) => found.is_ok(),
        }
    }

    fn record(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Value) -> Arc<Recorded> {
        let headers = headers.iter().filter(|(name, _)| !SECRET.contains(&name.as_str()));
        let mut recorded = Recorded {
            number: 0,
            at: Timestamp::now(),
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            body,
        };
        let mut number = 0;
        self.requests.send_modify(|requests| {
            number = requests.len();
            recorded.number = number;
            requests.push(Arc::new(recorded));
        });
        Arc::clone(&self.requests.borrow()[number])
    }
}

/// The routes of the API.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/messages", routing::post(messages))
        .route("/v1/messages/count_tokens", routing::post(count_tokens))
        .fallback(anything)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(shared)
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(body) => body,
        Err(error) => {
            let refusal = Reply::error(400).because(format!("the body is not JSON: {error}"));
            return respond(&shared, refusal, &Value::Null).await;
        }
    };
    let recorded = shared.record(&method, &uri, &headers, body);
    let purpose = recorded.purpose();
    tracing::debug!(number = recorded.number, ?purpose, "model call");
    let reply = match purpose {
        Purpose::Turn => {
            let prompt = recorded.prompt().unwrap_or_default();
            shared.script().reply(&prompt, recorded.spoken())
        }
        Purpose::Title => {
            let title = shared.script().title.clone().unwrap_or_else(|| "Rehearsal".to_owned());
            Reply::text(json!({ "title": title }).to_string())
        }
        Purpose::Suggestion => Reply::text(shared.script().suggestion.clone().unwrap_or_default()),
        Purpose::Other => Reply::text("ok"),
    };
    respond(&shared, reply, &recorded.body).await
}

async fn count_tokens(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let length = body.len();
    shared.record(&method, &uri, &headers, serde_json::from_slice(&body).unwrap_or_default());
    // Four bytes a token is the usual rule of thumb.
    Json(json!({ "input_tokens": length / 4 })).into_response()
}

async fn anything(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.record(&method, &uri, &headers, serde_json::from_slice(&body).unwrap_or_default());
    Json(json!({})).into_response()
}

async fn respond(shared: &Arc<Shared>, reply: Reply, request: &Value) -> Response {
    let message = match reply {
        Reply::Message(message) => message,
        Reply::Error(error) => return refuse(&error),
    };
    if let Some(hold) = message.hold.as_ref().filter(|hold| hold.at == HoldAt::Start)
        && !shared.wait_for(&hold.name).await
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let message = resolve(message, request);
    let envelope = Envelope {
        id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
        model: request["model"].as_str().unwrap_or("claude-rehearsal").to_owned(),
    };
    if request["stream"] != true {
        return Json(sse::whole(&message, &envelope)).into_response();
    }
    stream(Arc::clone(shared), &message, &envelope)
}

fn stream(shared: Arc<Shared>, message: &Message, envelope: &Envelope) -> Response {
    let (reader, writer) = tokio::io::duplex(STREAM_BUFFER);
    tokio::spawn(play(shared, sse::steps(message, envelope), writer));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(ReaderStream::new(reader))).into_response()
}

/// Writes the steps until they end, the reader goes away or the API stops.
async fn play(shared: Arc<Shared>, steps: Vec<Step>, mut writer: DuplexStream) {
    for step in steps {
        let goes_on = match step {
            Step::Event(name, data) => writer.write_all(sse::frame(name, &data).as_bytes()).await.is_ok(),
            Step::Hold(name) => shared.wait_for(&name).await,
            Step::Pause(delay) => tokio::select! {
                () = shared.stopped.cancelled() => false,
                () = tokio::time::sleep(delay) => true,
            },
        };
        if !goes_on {
            return;
        }
    }
}

fn refuse(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(sse::error_body(error))).into_response();
    for (name, value) in &error.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().insert(name, value);
            }
            _ => tracing::warn!(name, value, "not a header, left out"),
        }
    }
    response
}
