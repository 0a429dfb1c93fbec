//! All sessions at once: how many, how well, and those that were.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sessions::every;
use crate::domain::{EndCause, Ending, ErrorCode, Session, SessionId, StatusWord, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::{HealthInfo, Page};
use crate::ops::SessionRef;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions/stats", stats)
            .says("Counts sessions: live ones by status, and all on record.")
            .gives::<Stats>(200),
        Route::get("/v1/sessions/health", all_health)
            .says("Tells how each live session's process is, by session id.")
            .gives::<BTreeMap<String, HealthInfo>>(200),
        Route::get("/v1/sessions/history", history)
            .says("Lists sessions that live and lived, newest first.")
            .query::<HistoryQuery>()
            .gives::<History>(200),
        Route::get("/v1/sessions/{id}/health", health)
            .says("Tells how a session's process is.")
            .gives::<HealthInfo>(200),
    ]
}

/// How many sessions there are and were.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Stats {
    /// Those that live.
    active: usize,
    /// Those that live, by status.
    by_status: BTreeMap<String, usize>,
    /// All on record.
    total_created: usize,
    /// Of those that ended: exited without an error, or were ended by somebody.
    total_completed: usize,
    /// The others that ended.
    total_failed: usize,
}

/// Whether a session ended as somebody meant it to.
pub(super) fn ended_well(ending: Option<&Ending>) -> bool {
    ending.is_some_and(|ending| match ending.cause {
        EndCause::Killed => true,
        EndCause::Exited => ending.exit_code == Some(0),
        EndCause::Signaled | EndCause::LaunchFailed | EndCause::HolderLost => false,
    })
}

async fn stats(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Stats>> {
    let live = every(&door, &call, None, None).await?;
    let ended = every(&door, &call, Some(StatusWord::Ended), None).await?;
    let mut by_status = BTreeMap::new();
    for session in &live {
        *by_status.entry(session.status.as_str().to_owned()).or_insert(0) += 1;
    }
    let well = ended.iter().filter(|session| ended_well(session.ending.as_ref())).count();
    Ok(Json(Stats {
        active: live.len(),
        by_status,
        total_created: live.len() + ended.len(),
        total_completed: well,
        total_failed: ended.len() - well,
    }))
}

async fn health(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<HealthInfo>> {
    let detail = door.aegis.get_status(&call.caller, SessionRef { session_id: id.to_string() }).await?;
    Ok(Json(HealthInfo::of(detail, Timestamp::now())))
}

async fn all_health(State(door): State<HttpDoor>, call: Call) -> Reply<Json<BTreeMap<String, HealthInfo>>> {
    let live = every(&door, &call, None, None).await?;
    let asked = live.iter().map(|session| {
        let request = SessionRef { session_id: session.id.to_string() };
        door.aegis.get_status(&call.caller, request)
    });
    let now = Timestamp::now();
    let mut told = BTreeMap::new();
    for (session, detail) in live.iter().zip(join_all(asked).await) {
        match detail {
            Ok(detail) => drop(told.insert(session.id.to_string(), HealthInfo::of(detail, now))),
            Err(error) if error.code == ErrorCode::NoSuchSession => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(told))
}

/// Which sessions of all there were.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct HistoryQuery {
    /// Which page, from 1.
    #[schemars(range(min = 1))]
    page: Option<usize>,
    /// How many a page has; 50 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// `active` for those that live, `killed` for those that ended, `unknown` for those of which it is not known.
    status: Option<Past>,
    /// Only those of this owner.
    owner_key_id: Option<String>,
}

/// How a session is, in the three words of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Past {
    Active,
    Killed,
    Unknown,
}

/// A page of sessions that live and lived.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct History {
    /// Newest first.
    records: Vec<Record>,
    pagination: Page,
}

/// One session that lives or lived. Times are in milliseconds since 1970.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: SessionId,
    name: String,
    work_dir: String,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    last_seen_at: i64,
    final_status: Past,
    /// The status in Aegis' own words.
    status: StatusWord,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<Ending>,
    /// Where this is from: `live`, or `store` for those that ended.
    source: String,
}

impl Record {
    fn of(session: Session) -> Self {
        let ended = session.status == StatusWord::Ended;
        Self {
            id: session.id,
            name: session.name,
            work_dir: session.work_dir,
            created_at: session.created_at.millis(),
            ended_at: ended.then(|| session.since.millis()),
            last_seen_at: session.last_activity.millis(),
            final_status: past(session.status),
            status: session.status,
            ending: session.ending,
            source: if ended { "store" } else { "live" }.into(),
        }
    }
}

fn past(status: StatusWord) -> Past {
    match status {
        StatusWord::Ended => Past::Killed,
        StatusWord::Unknown => Past::Unknown,
        _ => Past::Active,
    }
}

async fn history(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<HistoryQuery>,
) -> Reply<Json<History>> {
    let (page, limit) = (query.page.unwrap_or(1), query.limit.unwrap_or(50));
    if !(1..=200).contains(&limit) || page == 0 {
        return Err(Refusal::invalid("Invalid query params: page counts from 1, limit is from 1 to 200"));
    }
    let mut sessions = every(&door, &call, None, None).await?;
    sessions.extend(every(&door, &call, Some(StatusWord::Ended), None).await?);
    if let Some(wanted) = query.status {
        sessions.retain(|session| past(session.status) == wanted);
    }
    if query.owner_key_id.is_some_and(|owner| !owner.is_empty()) {
        // No session has an owner that is a key.
        sessions.clear();
    }
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    let total = sessions.len();
    let skip = (page - 1).saturating_mul(limit);
    let records = sessions.into_iter().skip(skip).take(limit).map(Record::of).collect();
    let pagination = Page { page, limit, total, total_pages: total.div_ceil(limit) };
    Ok(Json(History { records, pagination }))
}
