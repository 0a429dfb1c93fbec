//! What Claude Code brings, and what is not offered here and why.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Permission;
use crate::claude::builtin::{self, Builtin};
use crate::domain::SessionId;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Id;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/tools", tools)
            .says("Lists the tools that Claude Code itself brings.")
            .gives::<Tools>(200),
        Route::post("/v1/sessions/{id}/discover-commands", commands)
            .says("Not offered: Claude Code tells its commands on no channel but its screen.")
            .needs(Permission::Send),
    ]
}

/// Claude Code's own tools.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tools {
    tools: Vec<Tool>,
    /// The kinds there are.
    categories: Vec<String>,
    total_tools: usize,
    /// The version of Claude Code that this was taken from.
    as_of_version: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tool {
    name: String,
    category: String,
    description: String,
    /// `none`: it runs unasked; `ask`: the default permission mode asks; `always`: it is itself a question;
    /// `unknown`: it was not tried.
    permission_level: String,
}

async fn tools() -> Json<Tools> {
    let mut categories: Vec<String> = Vec::new();
    for tool in builtin::TOOLS {
        if !categories.iter().any(|known| known == tool.category) {
            categories.push(tool.category.into());
        }
    }
    let told = |tool: &Builtin| Tool {
        name: tool.name.into(),
        category: tool.category.into(),
        description: tool.description.into(),
        permission_level: tool.asks.as_str().into(),
    };
    let tools: Vec<_> = builtin::TOOLS.iter().map(told).collect();
    let total_tools = tools.len();
    Json(Tools { tools, categories, total_tools, as_of_version: builtin::AS_OF.into() })
}

/// Refuses what is not offered, for a session that there is.
async fn commands(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<StatusCode> {
    door.aegis.find(&call.caller, &id.to_string()).await?;
    let what = "the commands of a session cannot be told without typing into its terminal";
    let hint = "POST .../command with `/help`, then GET .../pane shows them";
    Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_offered", what).hint(hint))
}
