//! Many sessions in one call.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sessions::{NewSession, every};
use crate::access::Permission;
use crate::domain::{ErrorCode, OpError, SessionId, StatusWord};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Body;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::{Created, PromptDelivery};
use crate::ops::{BatchCreateSessions, BatchItem, BatchResult, Failure, KillSession};

/// The most sessions that one call ends.
const MOST_ENDED: usize = 100;

/// How many are ended side by side.
const AT_ONCE: usize = 8;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/sessions/batch", create)
            .says("Starts up to 50 sessions side by side; each succeeds or fails by itself.")
            .needs(Permission::Create)
            .body::<NewSessions>()
            .gives::<Batch>(201)
            .gives::<Batch>(200),
        Route::delete("/v1/sessions/batch", end)
            .says("Ends sessions: those that are named, or all in a status.")
            .needs(Permission::Kill)
            .body::<Which>()
            .gives::<Ended>(200),
    ]
}

/// Several new sessions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSessions {
    /// Each as for one session, but `reuse` is false unless given.
    #[schemars(length(min = 1, max = 50))]
    sessions: Vec<NewSession>,
}

/// What became of several new sessions. The answer is 201 if there is any, else 200.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Batch {
    /// Those that were started, in order.
    sessions: Vec<Started>,
    created: usize,
    failed: usize,
    /// A sentence for each that was not.
    errors: Vec<String>,
    /// For each that was asked for, in order, the session or the error.
    results: Vec<Outcome>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Started {
    id: SessionId,
    name: String,
    prompt_delivery: Option<PromptDelivery>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Created>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

async fn create(
    State(door): State<HttpDoor>,
    call: Call,
    Body(new): Body<NewSessions>,
) -> Reply<(StatusCode, Json<Batch>)> {
    let mut sessions = Vec::new();
    for one in new.sessions {
        let (request, parent) = one.request(None)?;
        if parent.is_some() {
            return Err(Refusal::invalid("parentId is not taken in a batch")
                .hint("POST /v1/sessions/{id}/spawn starts a session below another"));
        }
        sessions.push(BatchItem(request));
    }
    let made = door.aegis.batch_create_sessions(&call.caller, BatchCreateSessions { sessions }).await?;
    let started = |result: &BatchResult| {
        let created = result.session.as_ref()?;
        Some(Started {
            id: created.session.id,
            name: created.session.name.clone(),
            prompt_delivery: created.receipt.as_ref().map(PromptDelivery::of),
        })
    };
    let status = if made.created > 0 { StatusCode::CREATED } else { StatusCode::OK };
    let batch = Batch {
        sessions: made.results.iter().filter_map(started).collect(),
        created: made.created,
        failed: made.failed,
        errors: made
            .results
            .iter()
            .filter_map(|result| result.error.as_ref().map(|error| error.message.clone()))
            .collect(),
        results: made
            .results
            .into_iter()
            .map(|result| Outcome { session: result.session.map(Created::of), error: result.error })
            .collect(),
    };
    Ok((status, Json(batch)))
}

/// Which sessions to end; at least one of the two.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Which {
    /// These.
    #[schemars(with = "Option<Vec<String>>", length(max = 100))]
    ids: Option<Vec<SessionId>>,
    /// All in this status.
    status: Option<StatusWord>,
}

/// What became of sessions that were to end.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Ended {
    /// How many were ended.
    deleted: usize,
    not_found: Vec<String>,
    /// A sentence for each that was not ended.
    errors: Vec<String>,
}

async fn end(State(door): State<HttpDoor>, call: Call, Body(which): Body<Which>) -> Reply<Json<Ended>> {
    if which.ids.is_none() && which.status.is_none() {
        return Err(Refusal::invalid("ids or status must be given"));
    }
    let mut ids = which.ids.unwrap_or_default();
    if ids.len() > MOST_ENDED {
        return Err(Refusal::invalid(format!("ids names more than {MOST_ENDED} sessions")));
    }
    if let Some(status) = which.status.filter(|status| *status != StatusWord::Ended) {
        let live = every(&door, &call, Some(status), None).await?;
        ids.extend(live.into_iter().map(|session| session.id));
    }
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    let mut told = Ended::default();
    for some in ids.chunks(AT_ONCE) {
        let ended = join_all(some.iter().map(|id| {
            let request = KillSession { session_id: id.to_string(), force: None };
            door.aegis.kill_session(&call.caller, request)
        }));
        for (id, result) in some.iter().zip(ended.await) {
            match result {
                Ok(_) => told.deleted += 1,
                Err(OpError { code: ErrorCode::NoSuchSession, .. }) => told.not_found.push(id.to_string()),
                Err(error) => told.errors.push(format!("{id}: {}", error.message)),
            }
        }
    }
    Ok(Json(told))
}
