//! The memory: texts under keys.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::domain::{ErrorCode, MemoryEntry, OpError, SessionId};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id, Key, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::Ok as Done;
use crate::ops::{ListState, SetState, StateList, StateRef};

pub(super) fn routes() -> Vec<Route> {
    let set = |path| {
        Route::post(path, set)
            .says("Keeps a text under a key, in place of what was kept there.")
            .only()
            .needs(Permission::Send)
            .body::<Set>()
            .gives::<Kept>(200)
    };
    let get = |path| Route::get(path, get).says("Gives what is kept under a key.").only().gives::<Found>(200);
    let forget = |path| {
        Route::delete(path, forget)
            .says("Forgets what is kept under a key.")
            .only()
            .needs(Permission::Send)
            .gives::<Done>(200)
    };
    vec![
        set("/v1/memory"),
        Route::get("/v1/memory", list)
            .says("Lists what is kept, in the order of its keys.")
            .only()
            .query::<ListQuery>()
            .gives::<Listed>(200),
        get("/v1/memory/{*key}"),
        forget("/v1/memory/{*key}"),
        // The names by which older clients look for the same.
        Route::get("/v1/memories", scoped)
            .says("Lists what is kept in one of the common namespaces, or everywhere.")
            .only()
            .query::<ScopeQuery>()
            .gives::<Scoped>(200),
        set("/v1/memories"),
        get("/v1/memories/{*key}"),
        forget("/v1/memories/{*key}"),
        Route::get("/v1/sessions/{id}/memories", of_session)
            .says("Lists what is kept under the session's own namespace.")
            .only()
            .query::<PageQuery>()
            .gives::<OfSession>(200),
        Route::post("/v1/sessions/{id}/memories", set_of_session)
            .says("Keeps a text under a key in the session's own namespace.")
            .only()
            .needs(Permission::Send)
            .body::<Set>()
            .gives::<Kept>(200),
    ]
}

/// A text for a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Set {
    /// `namespace/name`, at most 256 characters; below a session the part behind its namespace.
    key: String,
    /// The text, at most 100 KiB.
    value: String,
    /// Forget it after so many seconds; never if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 2_592_000))]
    ttl_seconds: Option<u64>,
}

/// A text under its key. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Memory")]
struct Entry {
    /// The whole key.
    key: String,
    /// The part of the key before its first slash.
    namespace: String,
    value: String,
    /// Who set it last.
    owner: String,
    created_at: i64,
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl From<MemoryEntry> for Entry {
    fn from(entry: MemoryEntry) -> Self {
        let key = entry.key.to_string();
        Self {
            namespace: key.split('/').next().unwrap_or_default().into(),
            key,
            value: entry.value,
            owner: entry.owner,
            created_at: entry.created_at.millis(),
            updated_at: entry.updated_at.millis(),
            expires_at: entry.expires_at.map(crate::domain::Timestamp::millis),
        }
    }
}

/// The entry, and beside it what older clients look for at the top.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Found {
    entry: Entry,
    key: String,
    value: String,
    created_at: i64,
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl From<MemoryEntry> for Found {
    fn from(entry: MemoryEntry) -> Self {
        let entry = Entry::from(entry);
        Self {
            key: entry.key.clone(),
            value: entry.value.clone(),
            created_at: entry.created_at,
            updated_at: entry.updated_at,
            expires_at: entry.expires_at,
            entry,
        }
    }
}

/// An entry that was set.
#[derive(Serialize, JsonSchema)]
struct Kept {
    ok: bool,
    #[serde(flatten)]
    found: Found,
}

async fn keep(door: &HttpDoor, call: &Call, key: String, set: Set) -> Reply<Json<Kept>> {
    let request = SetState { key, value: set.value, ttl_seconds: set.ttl_seconds };
    let entry = door.aegis.state_set(&call.caller, request).await?;
    Ok(Json(Kept { ok: true, found: entry.into() }))
}

async fn set(State(door): State<HttpDoor>, call: Call, Body(set): Body<Set>) -> Reply<Json<Kept>> {
    keep(&door, &call, set.key.clone(), set).await
}

async fn get(State(door): State<HttpDoor>, call: Call, Key(key): Key) -> Reply<Json<Found>> {
    Ok(Json(door.aegis.state_get(&call.caller, StateRef { key }).await?.into()))
}

async fn forget(State(door): State<HttpDoor>, call: Call, Key(key): Key) -> Reply<Json<Done>> {
    let gone = door.aegis.state_delete(&call.caller, StateRef { key }).await?;
    if gone.deleted {
        return Ok(Json(Done::DONE));
    }
    let what = format!("nothing is kept under `{}`", gone.key);
    Err(OpError::new(ErrorCode::NoSuchKey, what).hint("GET /v1/memory lists the keys").into())
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct PageQuery {
    /// At most so many; 200 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Which entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ListQuery {
    /// Only keys that begin so.
    prefix: Option<String>,
    /// At most so many; 200 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Entries, in the order of their keys.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Memories")]
struct Listed {
    entries: Vec<Entry>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<StateList> for Listed {
    fn from(list: StateList) -> Self {
        Self { entries: list.entries.into_iter().map(Entry::from).collect(), next_cursor: list.next_cursor }
    }
}

async fn entries(
    door: &HttpDoor,
    call: &Call,
    prefix: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
) -> Reply<Listed> {
    let request = ListState { prefix, limit: Some(limit.unwrap_or(200)), cursor };
    Ok(door.aegis.state_list(&call.caller, request).await?.into())
}

async fn list(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<ListQuery>,
) -> Reply<Json<Listed>> {
    Ok(Json(entries(&door, &call, query.prefix, query.limit, query.cursor).await?))
}

/// A common namespace.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Scope {
    Project,
    User,
    Team,
}

impl Scope {
    fn prefix(self) -> &'static str {
        match self {
            Self::Project => "project/",
            Self::User => "user/",
            Self::Team => "team/",
        }
    }
}

/// Which namespace.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ScopeQuery {
    /// Only keys of this namespace.
    scope: Option<Scope>,
    /// At most so many; 200 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Entries of a namespace.
#[derive(Serialize, JsonSchema)]
struct Scoped {
    scope: Option<Scope>,
    #[serde(flatten)]
    listed: Listed,
}

async fn scoped(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<ScopeQuery>,
) -> Reply<Json<Scoped>> {
    let prefix = query.scope.map(|scope| scope.prefix().to_owned());
    let listed = entries(&door, &call, prefix, query.limit, query.cursor).await?;
    Ok(Json(Scoped { scope: query.scope, listed }))
}

/// Entries of a session's namespace.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OfSession {
    session_id: SessionId,
    #[serde(flatten)]
    listed: Listed,
}

fn namespace(id: SessionId) -> String {
    format!("session:{id}/")
}

async fn of_session(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<PageQuery>,
) -> Reply<Json<OfSession>> {
    let listed = entries(&door, &call, Some(namespace(id)), query.limit, query.cursor).await?;
    Ok(Json(OfSession { session_id: id, listed }))
}

async fn set_of_session(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(set): Body<Set>,
) -> Reply<Json<Kept>> {
    if set.key.is_empty() || set.key.chars().count() > 200 {
        return Err(Refusal::invalid("key has 1 to 200 characters"));
    }
    keep(&door, &call, namespace(id) + &set.key, set).await
}
