//! Starting, listing and ending sessions.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::domain::{PolicyRule, Session, SessionId, StatusWord};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::{Created, Ok as Done, Page, SessionDetailInfo, SessionInfo, SessionPage};
use crate::ops::{CreateSession, KillSession, ListSessions, SessionRef};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/sessions", create)
            .says("Starts a session, or takes an idle one of the same directory and settings.")
            .needs(Permission::Create)
            .body::<NewSession>()
            .gives::<Created>(201)
            .gives::<Created>(200)
            .keyed(),
        Route::get("/v1/sessions", list)
            .says("Lists live sessions, newest first; ended ones if asked for by status.")
            .only()
            .query::<ListQuery>()
            .gives::<SessionPage>(200),
        Route::get("/sessions", bare_list)
            .says("Lists all live sessions as a bare array.")
            .only()
            .gives::<Vec<SessionInfo>>(200),
        Route::get("/v1/sessions/{id}", detail)
            .says("Tells all that is known about a session.")
            .gives::<SessionDetailInfo>(200),
        Route::delete("/v1/sessions/{id}", kill)
            .says("Ends a session and everything it started.")
            .needs(Permission::Kill)
            .gives::<Done>(200),
        Route::post("/v1/sessions/{id}/kill", kill)
            .says("Ends a session and everything it started.")
            .needs(Permission::Kill)
            .gives::<Done>(200),
        Route::post("/v1/sessions/{id}/terminate", kill)
            .says("Ends a session and everything it started.")
            .needs(Permission::Kill)
            .gives::<Done>(200),
        Route::post("/v1/sessions/{id}/stop", kill)
            .says("Ends a session and everything it started.")
            .needs(Permission::Kill)
            .gives::<Done>(200),
    ]
}

/// A new session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewSession {
    /// The directory it works in; may be left out where a template has one.
    #[serde(default, alias = "work_dir")]
    work_dir: String,
    /// Its name.
    #[serde(default)]
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// The first prompt.
    #[serde(default)]
    prompt: Option<String>,
    /// The permission mode.
    #[serde(default, alias = "permission_mode")]
    permission_mode: Option<String>,
    /// An older spelling: true is `bypassPermissions`, false is `default`.
    #[serde(default)]
    auto_approve: Option<bool>,
    /// The model.
    #[serde(default)]
    model: Option<String>,
    /// A session or conversation whose conversation it continues.
    #[serde(default)]
    resume_session_id: Option<String>,
    /// Text added to the system prompt.
    #[serde(default, alias = "systemPrompt", alias = "system_prompt")]
    append_system_prompt: Option<String>,
    /// More directories that Claude may work in.
    #[serde(default)]
    add_dirs: Option<Vec<String>>,
    /// Environment variables to add.
    #[serde(default)]
    env: Option<BTreeMap<String, String>>,
    /// The name of a git worktree to make.
    #[serde(default)]
    worktree: Option<String>,
    /// The session from inside which it is created.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    parent_id: Option<SessionId>,
    /// A template, by id or name.
    #[serde(default)]
    template_id: Option<String>,
    /// Values of the variables in the template's prompt.
    #[serde(default)]
    template_variables: Option<BTreeMap<String, String>>,
    /// Keys of the memory whose values go before the prompt.
    #[serde(default)]
    memory_keys: Option<Vec<String>>,
    /// Rules that decide on its tool calls.
    #[serde(default)]
    permission_policy: Option<Vec<PolicyRule>>,
    /// Silence after which a turn counts as stalled, in milliseconds.
    #[serde(default)]
    #[schemars(range(min = 1000, max = 86_400_000))]
    stall_threshold_ms: Option<u64>,
    /// Read and ignored: no session is ended for its age.
    #[serde(default)]
    max_session_age_ms: Option<Value>,
    /// Whether an idle session may be taken. Default true.
    #[serde(default)]
    reuse: Option<bool>,
    /// The same key gives the same session. The header `Idempotency-Key` says the same.
    #[serde(default)]
    idempotency_key: Option<String>,
}

impl NewSession {
    pub(super) fn request(self, key: Option<String>) -> Result<(CreateSession, Option<SessionId>), Refusal> {
        let _ = self.max_session_age_ms;
        let mode = self.permission_mode.or_else(|| {
            let mode = if self.auto_approve? { "bypassPermissions" } else { "default" };
            Some(mode.into())
        });
        let request = CreateSession {
            work_dir: self.work_dir,
            name: self.name,
            prompt: self.prompt,
            permission_mode: mode.map(|word| super::permission_mode(&word)).transpose()?,
            model: self.model,
            resume_session_id: self.resume_session_id,
            append_system_prompt: self.append_system_prompt,
            add_dirs: self.add_dirs,
            env: self.env,
            worktree: self.worktree,
            template_id: self.template_id,
            template_variables: self.template_variables,
            memory_keys: self.memory_keys,
            permission_policy: self.permission_policy,
            stall_threshold_ms: self.stall_threshold_ms,
            reuse: self.reuse,
            idempotency_key: self.idempotency_key.or(key),
        };
        Ok((request, self.parent_id))
    }
}

async fn create(
    State(door): State<HttpDoor>,
    call: Call,
    Body(new): Body<NewSession>,
) -> Reply<(StatusCode, Json<Created>)> {
    let mut caller = call.caller;
    let (request, parent) = new.request(call.idempotency_key)?;
    // As if it were created from inside of its parent.
    caller.inside = parent.or(caller.inside);
    let created = door.aegis.create_session(&caller, request).await?;
    let status = if created.reused { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Created::of(created))))
}

/// Which sessions to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ListQuery {
    /// Which page, from 1.
    #[schemars(range(min = 1))]
    page: Option<usize>,
    /// How many a page has; 20 unless given.
    #[serde(alias = "pageSize")]
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// How many to leave out before the page, in place of `page`.
    offset: Option<usize>,
    /// Only those in this status.
    status: Option<StatusWord>,
    /// Only those whose directory has this in it, whatever the case.
    project: Option<String>,
    /// Only those that work here.
    work_dir: Option<String>,
}

async fn list(State(door): State<HttpDoor>, call: Call, Query(query): Query<ListQuery>) -> Reply<Response> {
    let limit = query.limit.unwrap_or(20);
    let page = query.page.unwrap_or(1);
    if !(1..=100).contains(&limit) || page == 0 {
        return Err(Refusal::invalid("Invalid query params: page counts from 1, limit is from 1 to 100"));
    }
    let all = query.status.is_none() && query.project.is_none() && query.work_dir.is_none();
    if all
        && query.offset.is_none()
        && let Some(sessions) = door.aegis.glance(&call.caller)
    {
        let body = door.listed.page(sessions, (page, limit), |sessions| {
            let shown = shown(sessions.iter().map(|session| (**session).clone()), page, None, limit);
            Bytes::from(serde_json::to_vec(&shown).unwrap_or_default())
        });
        return Ok(([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response());
    }
    let mut sessions = every(&door, &call, query.status, query.work_dir).await?;
    if let Some(project) = query.project.map(|project| project.to_lowercase()) {
        sessions.retain(|session| session.work_dir.to_lowercase().contains(&project));
    }
    Ok(Json(shown(sessions.into_iter(), page, query.offset, limit)).into_response())
}

/// A page of sessions.
fn shown(
    sessions: impl ExactSizeIterator<Item = Session>,
    page: usize,
    offset: Option<usize>,
    limit: usize,
) -> SessionPage {
    let total = sessions.len();
    let skip = offset.unwrap_or_else(|| (page - 1).saturating_mul(limit));
    let sessions = sessions.skip(skip).take(limit).map(SessionInfo::of).collect();
    let page = offset.map_or(page, |offset| offset / limit + 1);
    let pagination = Page { page, limit, total, total_pages: total.div_ceil(limit) };
    SessionPage { sessions, pagination, total }
}

async fn bare_list(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<SessionInfo>>> {
    let sessions = every(&door, &call, None, None).await?;
    Ok(Json(sessions.into_iter().map(SessionInfo::of).collect()))
}

/// All sessions that fit, newest first.
pub(super) async fn every(
    door: &HttpDoor,
    call: &Call,
    status: Option<StatusWord>,
    work_dir: Option<String>,
) -> Reply<Vec<Session>> {
    let mut request = ListSessions { status, work_dir, limit: Some(200), cursor: None };
    let mut found = Vec::new();
    loop {
        let page = door.aegis.list_sessions(&call.caller, request.clone()).await?;
        found.extend(page.sessions);
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

async fn detail(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<SessionDetailInfo>> {
    let detail = door.aegis.get_status(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    Ok(Json(SessionDetailInfo::of(detail)))
}

async fn kill(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<Done>> {
    let request = KillSession { session_id: id.to_string(), force: None };
    door.aegis.kill_session(&call.caller, request).await?;
    Ok(Json(Done::DONE))
}
