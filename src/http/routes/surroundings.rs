//! What goes on around the sessions: other Claude Code processes, what went wrong, and advice on models.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{SessionId, StatusWord, Timestamp};
use crate::http::call::Call;
use crate::http::diagnostics::{Entry, KEPT};
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::{GetSwarm, ModelTiers, RouteTask, SwarmProcess, TaskRoute};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/swarm", swarm)
            .says("Tells every Claude Code process of this user, Aegis' own marked, and their teams.")
            .gives::<Swarm>(200),
        Route::get("/v1/diagnostics", diagnostics)
            .says("Tells what went wrong lately in this server, oldest first; without anything that sessions run or say.")
            .query::<Latest>()
            .gives::<Told>(200),
        Route::post("/v1/dev/route-task", route_task)
            .says("Advises on the model for a task. It changes no session.")
            .body::<Task>()
            .gives::<Advice>(200),
        Route::get("/v1/dev/model-tiers", model_tiers)
            .says("Tells the model of each tier.")
            .gives::<Tiers>(200),
    ]
}

/// Claude Code's processes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Swarm {
    /// The oldest first, at most 200.
    processes: Vec<SwarmProcess>,
    /// How many more there are.
    left_off: usize,
    /// Those that lead a team.
    swarms: Vec<Team>,
    /// How many lead a team.
    total_sockets: usize,
    /// How many members all teams have.
    total_teammates: usize,
    /// How many processes there are.
    monitors: usize,
    /// How many of them work.
    active_windows: usize,
    scanned_at: Timestamp,
}

/// A team, in the words of older clients.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Team {
    /// The leading process.
    socket_name: String,
    pid: u32,
    /// The session of Aegis that leads it.
    parent_session: Option<Parent>,
    teammates: Vec<Member>,
    /// `all_idle`, `some_working`, or `unknown` where a member does not tell.
    aggregated_status: String,
    last_scanned_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
struct Parent {
    id: SessionId,
    name: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Member {
    window_name: String,
    agent_type: Option<String>,
    /// `running`, `idle` or `unknown`.
    status: String,
}

impl Team {
    fn of(process: &SwarmProcess, now: Timestamp) -> Option<Self> {
        if process.teammates.is_empty() {
            return None;
        }
        let member = |mate: &crate::ops::Teammate| Member {
            window_name: mate.name.clone(),
            agent_type: mate.agent_type.clone(),
            status: match mate.active {
                Some(true) => "running",
                Some(false) => "idle",
                None => "unknown",
            }
            .into(),
        };
        let teammates: Vec<_> = process.teammates.iter().map(member).collect();
        let any = |status: &str| teammates.iter().any(|mate| mate.status == status);
        let aggregated = match (any("running"), any("unknown")) {
            (true, _) => "some_working",
            (false, true) => "unknown",
            (false, false) => "all_idle",
        };
        Some(Self {
            socket_name: format!("pid-{}", process.pid),
            pid: process.pid,
            parent_session: process.session_id.map(|id| Parent { id, name: process.session_name.clone() }),
            teammates,
            aggregated_status: aggregated.into(),
            last_scanned_at: now,
        })
    }
}

async fn swarm(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Swarm>> {
    let found = door.aegis.get_swarm(&call.caller, GetSwarm {}).await?;
    let swarms: Vec<_> =
        found.processes.iter().filter_map(|process| Team::of(process, found.scanned_at)).collect();
    let working = |process: &&SwarmProcess| process.status == Some(StatusWord::Working);
    Ok(Json(Swarm {
        left_off: found.left_off,
        total_sockets: swarms.len(),
        total_teammates: swarms.iter().map(|team| team.teammates.len()).sum(),
        monitors: found.processes.len(),
        active_windows: found.processes.iter().filter(working).count(),
        processes: found.processes,
        swarms,
        scanned_at: found.scanned_at,
    }))
}

/// How many to tell.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Latest {
    /// At most so many; 50 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// What went wrong lately.
#[derive(Serialize, JsonSchema)]
struct Told {
    count: usize,
    /// Oldest first.
    events: Vec<Entry>,
}

async fn diagnostics(State(door): State<HttpDoor>, Query(query): Query<Latest>) -> Reply<Json<Told>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=KEPT).contains(&limit) {
        return Err(Refusal::invalid("Invalid diagnostics query params: limit is from 1 to 100"));
    }
    let events = door.settings.diagnostics.latest(limit);
    Ok(Json(Told { count: events.len(), events }))
}

/// A task. Some clients call its title `task` and its description `context`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Task {
    /// What is to be done.
    #[serde(alias = "task")]
    #[schemars(length(min = 1, max = 500))]
    title: String,
    /// Its labels.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(max = 100)))]
    labels: Vec<String>,
    /// More about it.
    #[serde(default, alias = "context")]
    #[schemars(length(max = 10_000))]
    description: String,
}

/// The advice, and the same in the words of other clients.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Advice {
    #[serde(flatten)]
    route: TaskRoute,
    /// The tier again.
    recommended_tier: String,
    /// The sentences in one.
    reason: String,
}

async fn route_task(State(door): State<HttpDoor>, call: Call, Body(task): Body<Task>) -> Reply<Json<Advice>> {
    let request = RouteTask { title: task.title, labels: task.labels, description: task.description };
    let route = door.aegis.route_task(&call.caller, &request)?;
    let (recommended_tier, reason) = (route.tier.clone(), route.reasoning.join(" "));
    Ok(Json(Advice { route, recommended_tier, reason }))
}

/// The tiers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tiers {
    /// Tier to model.
    tiers: ModelTiers,
    /// The same as a list, from the least to the most.
    tier_list: Vec<TierInfo>,
}

#[derive(Serialize, JsonSchema)]
struct TierInfo {
    tier: String,
    model: String,
}

async fn model_tiers(State(door): State<HttpDoor>, call: Call) -> Json<Tiers> {
    let tiers = door.aegis.model_tiers(&call.caller);
    let tier_list = [("fast", &tiers.fast), ("standard", &tiers.standard), ("power", &tiers.power)]
        .map(|(tier, model)| TierInfo { tier: tier.into(), model: model.clone() })
        .into();
    Json(Tiers { tiers, tier_list })
}
