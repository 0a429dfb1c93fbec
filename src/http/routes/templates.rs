//! Templates: what sessions are made from.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::domain::{PermissionMode, SecretEnv, SessionId, TemplateField, TemplateId};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::Ok as Done;
use crate::ops::{CreateTemplate, ListTemplates, SessionRef, TemplateRef, TemplateView, UpdateTemplate};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/templates", create)
            .says("Makes a template.")
            .needs(Permission::Send)
            .body::<NewTemplate>()
            .gives::<TemplateInfo>(201),
        Route::get("/v1/templates", list)
            .says("Lists all templates as a bare array, last changed first.")
            .gives::<Vec<TemplateInfo>>(200),
        Route::get("/v1/templates/{id}", get).says("Tells a template.").gives::<TemplateInfo>(200),
        Route::put("/v1/templates/{id}", update)
            .says("Changes a template; what is not given stays.")
            .needs(Permission::Send)
            .body::<Change>()
            .gives::<TemplateInfo>(200),
        Route::delete("/v1/templates/{id}", delete)
            .says("Removes a template.")
            .needs(Permission::Send)
            .gives::<Done>(200),
    ]
}

/// A new template.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTemplate {
    /// Its name, unique among templates.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: Option<String>,
    /// A session whose directory, model and permission mode it takes where it names none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    session_id: Option<SessionId>,
    /// The first prompt, with `{{variables}}`.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    prompt: Option<String>,
    /// Absolute path of the directory to work in.
    #[serde(default)]
    work_dir: Option<String>,
    /// Claude Code's permission mode.
    #[serde(default)]
    permission_mode: Option<PermissionMode>,
    /// An older spelling: true is `bypassPermissions`, false is `default`.
    #[serde(default)]
    auto_approve: Option<bool>,
    /// Claude Code's name of the model.
    #[serde(default)]
    model: Option<String>,
    /// Environment variables to add; their values are never told again.
    #[serde(default)]
    env: Option<SecretEnv>,
    /// Memory keys whose values go before the prompt.
    #[serde(default)]
    #[schemars(length(max = 20))]
    memory_keys: Option<Vec<String>>,
}

/// A change of a template.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Change {
    /// Another name.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// Another description.
    #[schemars(length(max = 500))]
    description: Option<String>,
    /// Another prompt.
    #[schemars(length(max = 100_000))]
    prompt: Option<String>,
    /// Another directory.
    work_dir: Option<String>,
    /// Another permission mode.
    permission_mode: Option<PermissionMode>,
    /// An older spelling: true is `bypassPermissions`, false is `default`.
    auto_approve: Option<bool>,
    /// Another model.
    model: Option<String>,
    /// Environment variables in place of all that there were.
    env: Option<SecretEnv>,
    /// Memory keys in place of all that there were.
    #[schemars(length(max = 20))]
    memory_keys: Option<Vec<String>>,
    /// Parts to take out first.
    clear: Option<Vec<TemplateField>>,
}

fn mode(mode: Option<PermissionMode>, auto_approve: Option<bool>) -> Option<PermissionMode> {
    mode.or_else(|| {
        Some(if auto_approve? { PermissionMode::BypassPermissions } else { PermissionMode::Default })
    })
}

/// A template; of its environment only the names. Times are in milliseconds since 1970.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Template")]
struct TemplateInfo {
    id: TemplateId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// The variables of the prompt, in its order.
    variables: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_mode: Option<PermissionMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The names of the environment variables.
    env_names: Vec<String>,
    memory_keys: Vec<String>,
    created_at: i64,
    updated_at: i64,
}

impl From<TemplateView> for TemplateInfo {
    fn from(template: TemplateView) -> Self {
        Self {
            id: template.id,
            name: template.name,
            description: template.description,
            prompt: template.prompt,
            variables: template.variables,
            work_dir: template.work_dir,
            permission_mode: template.permission_mode,
            model: template.model,
            env_names: template.env_names,
            memory_keys: template.memory_keys.iter().map(ToString::to_string).collect(),
            created_at: template.created_at.millis(),
            updated_at: template.updated_at.millis(),
        }
    }
}

async fn create(
    State(door): State<HttpDoor>,
    call: Call,
    Body(new): Body<NewTemplate>,
) -> Reply<(StatusCode, Json<TemplateInfo>)> {
    let mut request = CreateTemplate {
        name: new.name,
        description: new.description,
        prompt: new.prompt,
        work_dir: new.work_dir,
        permission_mode: mode(new.permission_mode, new.auto_approve),
        model: new.model,
        env: new.env,
        memory_keys: new.memory_keys,
    };
    if let Some(id) = new.session_id {
        let session =
            door.aegis.get_status(&call.caller, SessionRef { session_id: id.to_string() }).await?.session;
        request.work_dir = request.work_dir.or(Some(session.work_dir));
        request.model = request.model.or(session.model);
        request.permission_mode = request.permission_mode.or(Some(session.permission_mode));
    }
    let made = door.aegis.create_template(&call.caller, request).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn list(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<TemplateInfo>>> {
    let mut request = ListTemplates { limit: Some(200), cursor: None };
    let mut found = Vec::new();
    loop {
        let page = door.aegis.list_templates(&call.caller, request.clone()).await?;
        found.extend(page.templates.into_iter().map(TemplateInfo::from));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(Json(found)),
        }
    }
}

fn named(id: TemplateId) -> TemplateRef {
    TemplateRef { template_id: id.to_string() }
}

async fn get(State(door): State<HttpDoor>, call: Call, Id(id): Id<TemplateId>) -> Reply<Json<TemplateInfo>> {
    Ok(Json(door.aegis.get_template(&call.caller, named(id)).await?.into()))
}

async fn update(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<TemplateId>,
    Body(change): Body<Change>,
) -> Reply<Json<TemplateInfo>> {
    if change.name.as_ref().is_some_and(String::is_empty) {
        return Err(Refusal::invalid("name is empty"));
    }
    let request = UpdateTemplate {
        template_id: id.to_string(),
        name: change.name,
        description: change.description,
        prompt: change.prompt,
        work_dir: change.work_dir,
        permission_mode: mode(change.permission_mode, change.auto_approve),
        model: change.model,
        env: change.env,
        memory_keys: change.memory_keys,
        clear: change.clear,
    };
    Ok(Json(door.aegis.update_template(&call.caller, request).await?.into()))
}

async fn delete(State(door): State<HttpDoor>, call: Call, Id(id): Id<TemplateId>) -> Reply<Json<Done>> {
    door.aegis.delete_template(&call.caller, named(id)).await?;
    Ok(Json(Done::DONE))
}
