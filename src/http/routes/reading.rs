//! What a session said and shows.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{MessagePage, Role, SessionId, StatusWord};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::MessageInfo;
use crate::ops::{CapturePane, GetTranscript, ScreenPane, SessionRef};

/// The most messages of one answer.
const MOST: u32 = 200;

/// The most characters of text of one answer; what is cut says so.
const MOST_CHARS: u32 = 1_000_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions/{id}/read", read)
            .says("Reads the newest messages, or those after a cursor; reading takes nothing away from anybody.")
            .query::<ReadQuery>()
            .gives::<News>(200),
        Route::get("/v1/sessions/{id}/transcript", transcript)
            .says("Reads the conversation by pages, oldest first.")
            .query::<PageQuery>()
            .gives::<TranscriptPage>(200),
        Route::get("/v1/sessions/{id}/transcript/cursor", by_cursor)
            .says("Reads the conversation backwards from an id that never shifts.")
            .query::<CursorQuery>()
            .gives::<CursorPage>(200),
        Route::get("/v1/sessions/{id}/pane", pane)
            .says("Reads the screen.")
            .query::<PaneQuery>()
            .gives::<ScreenPane>(200),
    ]
}

/// Where to read from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ReadQuery {
    /// Only messages after this id: the `cursor` of the answer before. The newest messages otherwise.
    #[serde(alias = "cursor")]
    since: Option<u64>,
    /// At most so many; 200 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// What was said, and what the session is doing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct News {
    /// Oldest first.
    messages: Vec<MessageInfo>,
    status: StatusWord,
    /// What keeps the session, where that is known: the failure or the limit.
    status_text: Option<String>,
    /// What waits for an answer.
    interactive_content: Option<String>,
    /// For `since` of the next call.
    cursor: u64,
    /// Whether there are more: after these with `since`, else before.
    has_more: bool,
}

/// A page of the conversation.
async fn page(door: &HttpDoor, call: &Call, request: GetTranscript) -> Reply<MessagePage> {
    let request = GetTranscript { include_thinking: Some(true), max_chars: Some(MOST_CHARS), ..request };
    Ok(door.aegis.get_transcript(&call.caller, request).await?)
}

async fn read(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<ReadQuery>,
) -> Reply<Json<News>> {
    let session_id = id.to_string();
    let status = SessionRef { session_id: session_id.clone() };
    let session = door.aegis.get_status(&call.caller, status).await?.session;
    let request = GetTranscript {
        session_id,
        after_id: query.since,
        limit: Some(query.limit.unwrap_or(MOST)),
        ..GetTranscript::default()
    };
    let page = page(&door, &call, request).await?;
    let error = session.error.as_ref().map(|error| error.message.clone());
    let limit = session.limit.as_ref().map(|limit| match limit.resets_at {
        Some(at) => format!("The account's limit is reached until {at}."),
        None => "The account's limit is reached.".into(),
    });
    Ok(Json(News {
        cursor: page.newest_id.or(query.since).unwrap_or(0),
        has_more: page.has_more,
        messages: page.messages.into_iter().map(MessageInfo::from).collect(),
        status: session.status,
        status_text: error.or(limit),
        interactive_content: session.open_asks.first().map(|ask| ask.title.clone()),
    }))
}

/// Which page of the conversation.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct PageQuery {
    /// Which page, from 1.
    #[schemars(range(min = 1))]
    page: Option<u64>,
    /// How many messages a page has; 50 unless given, 200 at most.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// Only those of this role.
    role: Option<Role>,
}

/// A page of the conversation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TranscriptPage {
    /// Oldest first.
    messages: Vec<MessageInfo>,
    /// How many there are in all.
    total: u64,
    page: u64,
    limit: u64,
    has_more: bool,
}

/// The bounds of a limit that is cut to what is allowed, as older clients expect.
fn clamped(limit: Option<u64>) -> u64 {
    limit.unwrap_or(50).clamp(1, MOST.into())
}

async fn transcript(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<PageQuery>,
) -> Reply<Json<TranscriptPage>> {
    let (number, limit) = (query.page.unwrap_or(1), clamped(query.limit));
    if number == 0 {
        return Err(Refusal::invalid("Invalid query params: page counts from 1"));
    }
    let skip = (number - 1).saturating_mul(limit);
    let found = door.aegis.read_from(&call.caller, &id.to_string(), query.role, skip, limit).await?;
    Ok(Json(TranscriptPage {
        has_more: found.total > skip.saturating_add(limit),
        messages: found.messages.into_iter().map(MessageInfo::from).collect(),
        total: found.total,
        page: number,
        limit,
    }))
}

/// Where to read backwards from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct CursorQuery {
    /// Only messages before this id: the `oldest_id` of the page before. The newest otherwise.
    #[schemars(range(min = 1))]
    before_id: Option<i64>,
    /// How many messages a page has; 50 unless given, 200 at most.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// Only those of this role.
    role: Option<Role>,
}

/// A page of the conversation, and where the next one begins.
#[derive(Serialize, JsonSchema)]
struct CursorPage {
    /// Oldest first.
    messages: Vec<MessageInfo>,
    /// Whether there are older ones.
    has_more: bool,
    oldest_id: Option<u64>,
    newest_id: Option<u64>,
}

async fn by_cursor(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<CursorQuery>,
) -> Reply<Json<CursorPage>> {
    let before_id = match query.before_id {
        Some(id) => match u64::try_from(id) {
            Ok(id) if id > 0 => Some(id),
            _ => return Err(Refusal::invalid("before_id must be a positive integer")),
        },
        None => None,
    };
    let request = GetTranscript {
        session_id: id.to_string(),
        before_id,
        limit: u32::try_from(clamped(query.limit)).ok(),
        role: query.role,
        ..GetTranscript::default()
    };
    let page = page(&door, &call, request).await?;
    Ok(Json(CursorPage {
        messages: page.messages.into_iter().map(MessageInfo::from).collect(),
        has_more: page.has_more,
        oldest_id: page.oldest_id,
        newest_id: page.newest_id,
    }))
}

/// How to read the screen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct PaneQuery {
    /// With colours, as escape sequences.
    ansi: Option<bool>,
    /// So many lines above the screen too.
    #[schemars(range(max = 1000))]
    scrollback: Option<u32>,
}

async fn pane(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Query(query): Query<PaneQuery>,
) -> Reply<Json<ScreenPane>> {
    let request = CapturePane { session_id: id.to_string(), ansi: query.ansi, scrollback: query.scrollback };
    Ok(Json(door.aegis.capture_pane(&call.caller, request).await?))
}
