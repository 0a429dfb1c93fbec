//! What stands before every call.
//!
//! `outer` is around the whole door: it knows a web page's request from a program's, names each request, and writes
//! refusals. `inner` is around each route, since it needs to know what the route needs: a token, a permission.

mod origin;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub use origin::Hosts;

use super::call::Call;
use super::door::HttpDoor;
use super::refusal::Refusal;
use crate::access::{Denied, Identity, Needs};
use crate::ops::Caller;

/// The longest request id and idempotency key that a client may choose, in bytes.
const LONGEST_ID: usize = 200;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// On every answer of the versioned paths; `aegis` knows another Aegis by it.
pub(super) const API_VERSION: HeaderName = HeaderName::from_static("x-aegis-api-version");

/// The first of January 2027, a Friday.
const SUNSET: &str = "Fri, 01 Jan 2027 00:00:00 GMT";

/// What is around the whole door.
pub(super) async fn outer(State(door): State<HttpDoor>, request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers());
    let versioned = request.uri().path().starts_with("/v1/");
    let refused = origin::check(&door.settings.hosts, &request).and_then(|()| content_type(&request));
    let mut response = match refused {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let bare = response;
        response = refusal.render(&request_id);
        // What layers in between have said of it.
        for (name, value) in bare.headers() {
            response.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if versioned {
        headers.entry(API_VERSION).or_insert(HeaderValue::from_static("1"));
    }
    response
}

/// What is around one route.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) door: HttpDoor,
    pub(super) needs: Needs,
}

pub(super) async fn inner(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let identity = match admit(&gate, request.headers()) {
        Ok(identity) => Arc::new(identity),
        Err(refusal) => return refusal.into_response(),
    };
    let idempotency_key = match idempotency_key(request.headers()) {
        Ok(key) => key,
        Err(refusal) => return refusal.into_response(),
    };
    let caller = Caller { surface: "http".into(), inside: None };
    request.extensions_mut().insert(Call { caller, identity, idempotency_key });
    next.run(request).await
}

/// Shows a mounted service who calls, in types that it knows.
pub(super) async fn introduce(mut request: Request, next: Next) -> Response {
    if let Some(Call { caller, identity, .. }) = request.extensions().get().cloned() {
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(identity);
    }
    next.run(request).await
}

fn admit(gate: &Gate, headers: &HeaderMap) -> Result<Identity, Refusal> {
    let identity = match gate.door.access.identify(bearer(headers)) {
        Ok(identity) => identity,
        Err(_) if gate.needs == Needs::Nothing => return Ok(Identity::nobody()),
        Err(denied) => return Err(unauthorized(denied)),
    };
    if identity.may(gate.needs) {
        return Ok(identity);
    }
    let what = match gate.needs {
        Needs::Permission(permission) => format!("Forbidden: missing {} permission", permission.as_str()),
        _ => "Forbidden: insufficient role".into(),
    };
    Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", what)
        .hint("use a key that may, or ask whoever administers this server"))
}

pub(super) fn unauthorized(denied: Denied) -> Refusal {
    let what = match denied {
        Denied::NoToken => "Unauthorized — Bearer token required",
        Denied::BadToken => "Unauthorized — invalid API key",
    };
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", what)
        .hint("send `Authorization: Bearer TOKEN`")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// The bearer token.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match given.filter(|id| (1..=LONGEST_ID).contains(&id.len())) {
        Some(id) => id.to_owned(),
        None => uuid::Uuid::new_v4().to_string(),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=LONGEST_ID).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Refusal::invalid(format!("Idempotency-Key has 1 to {LONGEST_ID} visible ASCII characters"))),
    }
}

/// Whether a request brings a body, as its head says.
fn has_body(request: &Request) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.is_some_and(|length| length.trim() != "0") || headers.contains_key(header::TRANSFER_ENCODING)
}

/// A body must say that it is JSON: forms of web pages cannot, without asking first.
fn content_type(request: &Request) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::GET | Method::HEAD) || !has_body(request) {
        return Ok(());
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map_or("", |kind| kind.split(';').next().unwrap_or_default().trim());
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let what = match kind {
        "" => "the body has no content type".to_owned(),
        _ => "the body's content type is not application/json".to_owned(),
    };
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", what)
        .hint("send `Content-Type: application/json`"))
}

/// Nothing is there.
pub(super) async fn unknown(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(100).collect();
    Refusal::new(StatusCode::NOT_FOUND, "no_such_route", format!("Not found: {path}"))
        .hint("/v1/openapi.json lists every path")
}

pub(super) async fn wrong_method(method: Method) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{method} is not for this path"),
    )
    .hint("the header Allow lists those that are")
}

/// Says of an older spelling what the newer one is.
pub(super) async fn deprecated(template: String, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert("deprecation", HeaderValue::from_static("true"));
    headers.insert("sunset", HeaderValue::from_static(SUNSET));
    if let Ok(instead) = HeaderValue::from_str(&format!("Use {template} instead")) {
        headers.insert("x-api-deprecated", instead);
    }
    response
}
