//! What stands before every call.
//!
//! `outer` is around the whole door: it knows a web page's request from a program's, names each request, and writes
//! refusals. `inner` is around each route, since it needs to know what the route needs: a token, a permission.

mod origin;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

pub use origin::Hosts;

use super::call::Call;
use super::door::HttpDoor;
use super::refusal::Refusal;
use crate::access::{Denied, Identity, Left, Needs};
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
    /// Whether a ticket in the query counts: browsers give streams no headers.
    pub(super) tickets: bool,
}

pub(super) async fn inner(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let from = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (identity, left) = match admit(&gate, &request, from) {
        Ok((identity, left)) => (Arc::new(identity), left),
        Err(refusal) => return refusal.into_response(),
    };
    let idempotency_key = match idempotency_key(request.headers()) {
        Ok(key) => key,
        Err(refusal) => return refusal.into_response(),
    };
    let caller = Caller::keyed("http", identity.clone());
    request.extensions_mut().insert(Call { caller, identity, from, idempotency_key });
    let mut response = next.run(request).await;
    if let Some(left) = left {
        for (name, value) in limit_headers(&left) {
            response.headers_mut().entry(name).or_insert(value);
        }
    }
    response
}

/// Shows a mounted service who calls, in types that it knows. A stream that it answers with ends when its caller no
/// longer counts.
pub(super) async fn introduce(State(door): State<HttpDoor>, mut request: Request, next: Next) -> Response {
    let Some(Call { caller, identity, .. }) = request.extensions().get().cloned() else {
        return next.run(request).await;
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(identity.clone());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return response;
    }
    let standing = door.access.standing(&identity);
    let lost = async move { standing.lost().await };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(lost))))
}

fn admit(gate: &Gate, request: &Request, from: IpAddr) -> Result<(Identity, Option<Left>), Refusal> {
    let (access, headers) = (&gate.door.access, request.headers());
    if gate.tickets
        && bearer(headers).is_none()
        && let Some(ticket) = ticket(request.uri())
    {
        return access.redeem(&ticket).map(|identity| (identity, None)).ok_or_else(|| {
            denied(Denied::BadToken).hint("get a new ticket from POST /v1/auth/sse-token: each counts once")
        });
    }
    // What anybody may is told to everybody; a token that counts may be told more.
    if gate.needs == Needs::Nothing {
        let identity = access.identify(bearer(headers));
        return Ok((identity.unwrap_or_else(|_| Identity::nobody()), None));
    }
    let (identity, left) = access.admit(bearer(headers), from).map_err(denied)?;
    if identity.may(gate.needs) {
        return Ok((identity, left));
    }
    let what = match gate.needs {
        Needs::Permission(permission) => format!("Forbidden: missing {} permission", permission.as_str()),
        _ => "Forbidden: insufficient role".into(),
    };
    Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", what)
        .hint("use a key that may, or ask whoever administers this server"))
}

/// Tells why a caller is not let in.
pub(in crate::http) fn denied(denied: Denied) -> Refusal {
    let unauthorized = |reason, what| {
        Refusal::new(StatusCode::UNAUTHORIZED, reason, what)
            .hint("send `Authorization: Bearer TOKEN`")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    };
    match denied {
        Denied::NoToken => unauthorized("unauthorized", "Unauthorized — Bearer token required"),
        Denied::BadToken => unauthorized("unauthorized", "Unauthorized — invalid API key"),
        Denied::Expired => unauthorized("key_expired", "Unauthorized — API key expired")
            .family("KEY_EXPIRED")
            .hint("rotate the key, or use another"),
        Denied::Unavailable => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "storage_failed",
            "the keys cannot be read, so nobody is let in",
        )
        .hint("check space and permissions of the state directory"),
        Denied::KeyOften(left) => {
            often(left, format!("Rate limit exceeded — {} req/min per key", left.limit))
        }
        Denied::UnknownOften(left) => {
            often(left, "Rate limit exceeded — too many unauthenticated requests".into())
        }
        Denied::BadOften(left) => often(left, "Too many auth failures — try again later".into()),
    }
}

fn often(left: Left, what: String) -> Refusal {
    let wait = whole_seconds(left.retry_after.unwrap_or_default()).max(1);
    let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", what)
        .hint(format!("wait {wait} s"))
        .header(header::RETRY_AFTER, wait.into());
    for (name, value) in limit_headers(&left) {
        refusal = refusal.header(name, value);
    }
    refusal
}

/// What is left of a limit: how many calls, how many of them are left, in how many seconds all are there again.
fn limit_headers(left: &Left) -> [(HeaderName, HeaderValue); 3] {
    [
        (HeaderName::from_static("x-ratelimit-limit"), left.limit.into()),
        (HeaderName::from_static("x-ratelimit-remaining"), left.remaining.into()),
        (HeaderName::from_static("x-ratelimit-reset"), whole_seconds(left.reset).into()),
    ]
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The one-time ticket in the query. A token that lasts does not count there: addresses are written into logs.
fn ticket(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let found = serde_urlencoded::from_str::<Vec<(String, String)>>(query).ok()?;
    found
        .into_iter()
        .find(|(name, value)| name == "token" && value.starts_with("sse_"))
        .map(|(_, value)| value)
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
