//! MCP over HTTP: both eras on one path, as a service that the HTTP door mounts behind its own guards.
//!
//! A client of the older protocol has a session here: a handler of its own, which lives until the client ends it or is
//! quiet for [`QUIET`]. The newer protocol has none; each of its requests gets a handler, which shares all that is
//! costly with the others. Hosts and origins are the HTTP door's matter, and so is who may call.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::door::McpDoor;

/// How long a session of the older protocol may be without a word in either direction. The library's five minutes end
/// those of hosts whose user is only thinking; a session that nobody ends costs some ten kilobytes until then.
const QUIET: Duration = Duration::from_secs(2 * 60 * 60);

/// How many sessions of the older protocol there may be at once. Programs that never end theirs reach it.
const MOST_SESSIONS: usize = 1000;

/// The first version of the protocol that has no sessions.
const SESSIONLESS: &str = "2026-07-28";

/// The service.
pub struct Streamable<S = McpDoor> {
    service: StreamableHttpService<S, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
}

impl<S> Clone for Streamable<S> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), sessions: self.sessions.clone() }
    }
}

impl Streamable {
    /// Serves the tools, resources and prompts of `door`, in requests of at most so many bytes, until `closing`.
    #[must_use]
    pub fn new(door: McpDoor, most_bytes: usize, closing: CancellationToken) -> Self {
        Self::of(move || door.for_peer(), most_bytes, closing)
    }
}

impl<S: ServerHandler + Send + 'static> Streamable<S> {
    /// As [`Streamable::new`], with any handler: one for each session, or for each request that has none.
    #[must_use]
    pub fn of(
        handler: impl Fn() -> S + Send + Sync + 'static,
        most_bytes: usize,
        closing: CancellationToken,
    ) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(QUIET);
        let sessions = Arc::new(sessions);
        // The door that this is mounted in has checked both, by its own list.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(most_bytes)
            .with_cancellation_token(closing);
        let service = StreamableHttpService::new(move || Ok(handler()), sessions.clone(), config);
        Self { service, sessions }
    }
}

impl<S: ServerHandler + Send + 'static> Service<Request<Body>> for Streamable<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut service, sessions) = (self.service.clone(), self.sessions.clone());
        Box::pin(async move {
            if may_open(request.method(), request.headers())
                && sessions.sessions.read().await.len() >= MOST_SESSIONS
            {
                return Ok(full());
            }
            Ok(service.call(request).await?.map(Body::new))
        })
    }
}

/// Whether a request may open a session: it names none, and speaks the older protocol.
fn may_open(method: &Method, headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").map(|version| version.as_bytes());
    *method == Method::POST
        && !headers.contains_key("mcp-session-id")
        && version.is_none_or(|version| version < SESSIONLESS.as_bytes())
}

fn full() -> Response {
    let what = format!(
        "there are {MOST_SESSIONS} MCP sessions already: end some with DELETE, or speak {SESSIONLESS}"
    );
    let mut response = Response::new(Body::from(what));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::initialize("POST", &[], true)]
    #[case::old_version("POST", &[("mcp-protocol-version", "2025-11-25")], true)]
    #[case::in_a_session("POST", &[("mcp-session-id", "a")], false)]
    #[case::sessionless("POST", &[("mcp-protocol-version", "2026-07-28")], false)]
    #[case::stream("GET", &[], false)]
    fn only_what_may_open_a_session_is_counted(
        #[case] method: Method,
        #[case] headers: &[(&'static str, &'static str)],
        #[case] expected: bool,
    ) {
        let headers = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
        });
        assert_eq!(may_open(&method, &headers.collect()), expected);
    }
}
