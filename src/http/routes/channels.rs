//! Who is told what happens: how the channels do, what did not arrive, and trying them out.

use axum::Json;
use axum::extract::{RawPathParams, State};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::{
    AlertStats, AlertsTested, ChannelHealthView, ChannelInfo, ChannelRef, ChannelTested, DeadLetter,
    DeliveryView, RefusalView, Retried, RetryDeliveries,
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/channels", list)
            .says("Lists the channels of the configuration, without what is secret.")
            .admin()
            .gives::<Vec<ChannelInfo>>(200),
        Route::get("/v1/channels/health", health)
            .says("Tells how each channel does, whichever process runs it.")
            .gives::<Vec<ChannelHealthView>>(200),
        Route::post("/v1/channels/test", test)
            .says("Sends a test notice through one channel or all, and tells what became of it.")
            .admin()
            .body::<ChannelRef>()
            .gives::<Vec<ChannelTested>>(200),
        Route::post("/v1/channels/retry", retry)
            .says("Sends again what was given up.")
            .admin()
            .body::<RetryDeliveries>()
            .gives::<Retried>(200),
        Route::get("/v1/channels/refusals", refusals)
            .says("Lists what came in from people who may not, newest last.")
            .admin()
            .gives::<Vec<RefusalView>>(200),
        Route::get("/v1/webhooks/dead-letter", dead_letters)
            .says("Lists what was given up, newest last.")
            .admin()
            .query::<ChannelQuery>()
            .gives::<Vec<DeadLetter>>(200),
        Route::get("/v1/hooks/{id}/deliveries", deliveries)
            .says("Lists a webhook's newest deliveries, newest first; it is named by its place or its channel's name.")
            .admin()
            .only()
            .gives::<Vec<DeliveryView>>(200),
        Route::get("/v1/alerts/stats", alert_stats)
            .says("Tells how alerts stand.")
            .gives::<AlertStats>(200),
        Route::post("/v1/alerts/test", test_alerts)
            .says("Sends a test alert to every receiver of alerts, and tells what became of it.")
            .operator()
            .gives::<AlertsTested>(200),
    ]
}

/// Which channel.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct ChannelQuery {
    /// Its name; all channels if left out.
    channel: Option<String>,
}

async fn list(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<ChannelInfo>>> {
    Ok(Json(door.aegis.list_channels(&call.caller).await?))
}

async fn health(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<ChannelHealthView>>> {
    Ok(Json(door.aegis.channels_health(&call.caller).await?))
}

async fn test(
    State(door): State<HttpDoor>,
    call: Call,
    Body(body): Body<ChannelRef>,
) -> Reply<Json<Vec<ChannelTested>>> {
    Ok(Json(door.aegis.test_channels(&call.caller, body).await?))
}

async fn retry(
    State(door): State<HttpDoor>,
    call: Call,
    Body(body): Body<RetryDeliveries>,
) -> Reply<Json<Retried>> {
    Ok(Json(door.aegis.retry_deliveries(&call.caller, body).await?))
}

async fn refusals(State(door): State<HttpDoor>, call: Call) -> Reply<Json<Vec<RefusalView>>> {
    Ok(Json(door.aegis.list_refusals(&call.caller).await?))
}

async fn dead_letters(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<ChannelQuery>,
) -> Reply<Json<Vec<DeadLetter>>> {
    let request = ChannelRef { channel: query.channel };
    Ok(Json(door.aegis.list_dead_letters(&call.caller, request).await?))
}

async fn deliveries(
    State(door): State<HttpDoor>,
    call: Call,
    params: RawPathParams,
) -> Reply<Json<Vec<DeliveryView>>> {
    let named = params.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value).to_owned();
    let channel = match named.parse::<usize>() {
        // Older clients count the webhooks.
        Ok(place) => {
            let all = door.aegis.list_channels(&call.caller).await?;
            let found = all.into_iter().filter(|channel| channel.kind == "webhook").nth(place);
            let missing =
                || Refusal::new(axum::http::StatusCode::NOT_FOUND, "no_such_channel", "Endpoint not found");
            found.ok_or_else(|| missing().hint("GET /v1/channels lists them"))?.name
        }
        Err(_) => named,
    };
    let request = ChannelRef { channel: Some(channel) };
    Ok(Json(door.aegis.list_deliveries(&call.caller, request).await?))
}

async fn alert_stats(State(door): State<HttpDoor>, call: Call) -> Reply<Json<AlertStats>> {
    Ok(Json(door.aegis.alert_stats(&call.caller).await?))
}

async fn test_alerts(State(door): State<HttpDoor>, call: Call) -> Reply<Json<AlertsTested>> {
    Ok(Json(door.aegis.test_alerts(&call.caller).await?))
}
