//! Sessions that come from other sessions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::domain::{Session, SessionId, StatusWord};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id};
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::http::shape::Created;
use crate::ops::{ForkSession, SessionRef, SpawnSession};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions/{id}/children", children)
            .says("Lists the sessions that were created below this one, newest first; ended ones too.")
            .gives::<Children>(200),
        Route::post("/v1/sessions/{id}/spawn", spawn)
            .says("Starts a session below this one, with its directory, model and permission mode.")
            .needs(Permission::Create)
            .body::<Spawn>()
            .gives::<Created>(201)
            .keyed(),
        Route::post("/v1/sessions/{id}/fork", fork)
            .says("Copies a session with its conversation up to now; both go on by themselves.")
            .needs(Permission::Create)
            .body::<Fork>()
            .gives::<Forked>(201)
            .keyed(),
    ]
}

#[derive(Serialize, JsonSchema)]
struct Children {
    children: Vec<Child>,
}

/// A session below another.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Child {
    id: SessionId,
    name: String,
    /// The name again, for clients that know windows.
    window_name: String,
    status: StatusWord,
    /// In milliseconds since 1970.
    created_at: i64,
}

impl From<Session> for Child {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            window_name: session.name.clone(),
            name: session.name,
            status: session.status,
            created_at: session.created_at.millis(),
        }
    }
}

async fn children(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<Children>> {
    let found = door.aegis.list_children(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    Ok(Json(Children { children: found.into_iter().map(Child::from).collect() }))
}

/// A session below another.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Spawn {
    /// Its name; the parent's with `-child` behind it unless given.
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// The first prompt.
    prompt: Option<String>,
    /// The directory; the parent's unless given.
    work_dir: Option<String>,
    /// The permission mode; the parent's unless given.
    permission_mode: Option<String>,
    /// The model; the parent's unless given.
    model: Option<String>,
}

async fn spawn(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(spawn): Body<Spawn>,
) -> Reply<(StatusCode, Json<Created>)> {
    let request = SpawnSession {
        session_id: id.to_string(),
        name: spawn.name,
        prompt: spawn.prompt,
        work_dir: spawn.work_dir,
        permission_mode: spawn.permission_mode.map(|word| super::permission_mode(&word)).transpose()?,
        model: spawn.model,
        idempotency_key: call.idempotency_key,
    };
    let created = door.aegis.spawn_session(&call.caller, request).await?;
    Ok((StatusCode::CREATED, Json(Created::of(created))))
}

/// A copy of a session.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Fork {
    /// Its name.
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// Its first prompt.
    prompt: Option<String>,
}

/// A session that was made as a copy.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Forked {
    #[serde(flatten)]
    created: Created,
    /// The session that it is a copy of.
    forked_from: SessionId,
}

async fn fork(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(fork): Body<Fork>,
) -> Reply<(StatusCode, Json<Forked>)> {
    let request = ForkSession {
        session_id: id.to_string(),
        name: fork.name,
        prompt: fork.prompt,
        idempotency_key: call.idempotency_key,
    };
    let (forked_from, created) = door.aegis.fork_session(&call.caller, request).await?;
    Ok((StatusCode::CREATED, Json(Forked { created: Created::of(created), forked_from })))
}
