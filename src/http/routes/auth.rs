//! Keys, and the tickets for streams.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Permission, Role};
use crate::domain::{ApiKey, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::guard;
use crate::http::input::{Body, Word};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::Ok as Done;
use crate::ops::{CreateKey, KeyMade, KeyRef, ListKeys, RotateKey};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/auth/verify", verify)
            .says("Tells what a token may do.")
            .public()
            .body::<Token>()
            .gives::<Verified>(200),
        Route::post("/v1/auth/sse-token", ticket)
            .says("Gives a one-time token for a stream, which stands for the caller for a minute.")
            .gives::<TicketInfo>(201),
        Route::get("/v1/auth/keys", list)
            .says("Lists the keys, oldest first.")
            .admin()
            .gives::<Vec<KeyInfo>>(200),
        Route::post("/v1/auth/keys", create)
            .says("Makes a key; its text is told this once.")
            .admin()
            .body::<CreateKey>()
            .gives::<KeyText>(201),
        Route::post("/v1/auth/keys/rotate", rotate)
            .says("Gives a key another text; the old one counts for a while longer.")
            .admin()
            .body::<RotateKey>()
            .gives::<KeyText>(200),
        Route::delete("/v1/auth/keys/{key}", revoke).says("Removes a key.").admin().gives::<Done>(200),
        Route::post("/v1/auth/keys/{key}/rotate", rotate_at_once)
            .says("Gives a key another text; the old one is refused at once.")
            .admin()
            .body::<Life>()
            .gives::<KeyText>(200),
    ]
}

/// A token.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Token {
    /// The configured token, or a key's text.
    #[schemars(length(min = 1))]
    token: String,
}

/// What a token may do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Verified {
    /// True.
    valid: bool,
    role: Role,
    permissions: Vec<Permission>,
    /// The key's id, where it is one.
    key_id: Option<String>,
    /// The key's name, where it is one.
    name: Option<String>,
}

async fn verify(State(door): State<HttpDoor>, call: Call, Body(body): Body<Token>) -> Reply<Json<Verified>> {
    let (identity, _) = door.access.admit(Some(body.token.trim()), call.from).map_err(guard::denied)?;
    Ok(Json(Verified {
        valid: true,
        role: identity.role,
        permissions: identity.permissions,
        key_id: identity.key,
        name: identity.name,
    }))
}

/// A one-time token for a stream.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TicketInfo {
    /// `sse_` and 64 hexadecimal digits.
    token: String,
    /// Until when it counts, in milliseconds since the Unix epoch.
    expires_at: i64,
}

async fn ticket(State(door): State<HttpDoor>, call: Call) -> Reply<(StatusCode, Json<TicketInfo>)> {
    let ticket = door.access.ticket(&call.identity)?.ok_or_else(|| {
        Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_tickets",
            "SSE token limit reached (5 outstanding)",
        )
        .hint("use those you have; each ends after a minute")
    })?;
    let told = TicketInfo { token: ticket.token, expires_at: ticket.expires_at.millis() };
    Ok((StatusCode::CREATED, Json(told)))
}

/// A key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeyInfo {
    id: String,
    name: String,
    /// In milliseconds since the Unix epoch.
    created_at: i64,
    /// In milliseconds since the Unix epoch, to the minute; 0 if it never was.
    last_used_at: i64,
    /// How many calls it may make in a minute; the configuration's number if null.
    rate_limit: Option<u32>,
    /// In milliseconds since the Unix epoch; null if it stays.
    expires_at: Option<i64>,
    role: Role,
    permissions: Vec<Permission>,
}

impl From<ApiKey> for KeyInfo {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            created_at: key.created_at.millis(),
            last_used_at: key.last_used_at.map_or(0, Timestamp::millis),
            rate_limit: key.rate_limit,
            expires_at: key.expires_at.map(Timestamp::millis),
            role: key.role,
            permissions: key.permissions,
        }
    }
}

/// A key with its text.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeyText {
    /// What calls bring: `aegis_` and 64 hexadecimal digits.
    key: String,
    #[serde(flatten)]
    info: KeyInfo,
    /// Until when the old text counts, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_expires_at: Option<i64>,
}

impl From<KeyMade> for KeyText {
    fn from(KeyMade { key, made, grace_expires_at }: KeyMade) -> Self {
        Self { key, info: made.into(), grace_expires_at: grace_expires_at.map(Timestamp::millis) }
    }
}

/// Where no token is needed nobody is told apart; the first key closes the door, and the command line makes it.
fn enabled(door: &HttpDoor) -> Reply<()> {
    if door.access.required() {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "auth_disabled", "Auth is not enabled")
        .hint("set AEGIS_AUTH_TOKEN, or make the first key with `aegis keys create NAME --role admin`"))
}

async fn list(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<KeyInfo>>> {
    let list = door.aegis.list_keys(&call.caller, ListKeys {}).await?;
    Ok(Json(list.keys.into_iter().map(KeyInfo::from).collect()))
}

async fn create(
    State(door): State<HttpDoor>,
    call: Call,
    Body(body): Body<CreateKey>,
) -> Reply<(StatusCode, Json<KeyText>)> {
    enabled(&door)?;
    let made = door.aegis.create_key(&call.caller, body).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn rotate(
    State(door): State<HttpDoor>,
    call: Call,
    Body(body): Body<RotateKey>,
) -> Reply<Json<KeyText>> {
    enabled(&door)?;
    Ok(Json(door.aegis.rotate_key(&call.caller, body).await?.into()))
}

/// How long a key is to stay.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Life {
    /// In how many days it ends from now; its end stays unless given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 36500))]
    ttl_days: Option<u32>,
}

async fn rotate_at_once(
    State(door): State<HttpDoor>,
    call: Call,
    Word(key_id): Word,
    Body(body): Body<Life>,
) -> Reply<Json<KeyText>> {
    enabled(&door)?;
    let request = RotateKey { key_id, grace_period_seconds: Some(0), ttl_days: body.ttl_days };
    Ok(Json(door.aegis.rotate_key(&call.caller, request).await?.into()))
}

async fn revoke(State(door): State<HttpDoor>, call: Call, Word(key_id): Word) -> Reply<Json<Done>> {
    enabled(&door)?;
    door.aegis.revoke_key(&call.caller, KeyRef { key_id }).await?;
    Ok(Json(Done::DONE))
}
