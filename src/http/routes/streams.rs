//! Streams of events, and terminals.

use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Denied;
use crate::domain::SessionId;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::guard::{bearer, denied};
use crate::http::input::{Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::stream::{all_sessions, one_session, seat};
use crate::http::terminal::{LONGEST, Viewer};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/events", events)
            .says("Streams what happens in all sessions.")
            .query::<StreamQuery>()
            .streams(),
        Route::get("/v1/sessions/{id}/events", session_events)
            .says("Streams what happens in a session, to its end.")
            .query::<StreamQuery>()
            .streams(),
        Route::get("/v1/sessions/{id}/stream", session_events)
            .says("Streams what happens in a session, to its end.")
            .query::<StreamQuery>()
            .streams(),
        Route::get("/v1/sessions/{id}/terminal", terminal)
            .says("Shows a session's terminal over a WebSocket, and takes keys.")
            // It has its own: the token may come in the first frame.
            .public()
            .only()
            .query::<TerminalQuery>()
            .upgrades(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StreamQuery {
    /// The id of the last event that was received: what came after it is told first. As the header `Last-Event-ID`,
    /// which counts before it.
    last_event_id: Option<String>,
}

async fn events(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Reply<Response> {
    all_sessions(&door, call.caller, &headers, query.last_event_id.as_deref()).await
}

async fn session_events(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Reply<Response> {
    one_session(&door, call.caller, id, &headers, query.last_event_id.as_deref()).await
}

#[derive(Deserialize, JsonSchema)]
struct TerminalQuery {
    /// Whether the viewer only looks: its keys are refused, and its size does not count.
    #[serde(default)]
    readonly: bool,
}

async fn terminal(
    State(door): State<HttpDoor>,
    call: Call,
    Id(session): Id<SessionId>,
    Query(TerminalQuery { readonly }): Query<TerminalQuery>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Reply<Response> {
    let identity = match door.access.admit(bearer(&headers), call.from) {
        Ok((identity, _)) => Some(identity),
        Err(Denied::NoToken) => None,
        Err(why) => return Err(denied(why)),
    };
    let upgrade = upgrade.map_err(|rejection| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", rejection.body_text())
            .hint("connect with a WebSocket client")
            .header(header::UPGRADE, HeaderValue::from_static("websocket"))
    })?;
    let place = seat(&door.streams)?;
    // From here on, not from when the connection has been taken over: the server's end waits for it.
    let open = door.terminals.token();
    let viewer = Viewer { door, session, readonly, from: call.from };
    Ok(upgrade.max_message_size(LONGEST).max_frame_size(LONGEST).on_upgrade(move |socket| async move {
        viewer.serve(socket, identity).await;
        drop((place, open));
    }))
}
