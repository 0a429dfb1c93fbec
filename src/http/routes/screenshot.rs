//! Pictures of web pages.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Permission;
use crate::domain::SessionId;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id};
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::ops::{Screenshot, ScreenshotTaken};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/sessions/{id}/screenshot", take)
            .says("Takes a picture of a web page with a browser of this machine; 501 where there is none.")
            .needs(Permission::Send)
            .body::<Page>()
            .gives::<ScreenshotTaken>(200),
    ]
}

/// What to take a picture of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScreenshotOf")]
struct Page {
    /// The page, http or https.
    url: String,
    /// All of the page, not only what fits the window. Default false.
    #[serde(default)]
    full_page: Option<bool>,
    /// The window's width in pixels. Default 1280.
    #[serde(default)]
    #[schemars(range(min = 1, max = 7680))]
    width: Option<u32>,
    /// The window's height in pixels. Default 720.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4320))]
    height: Option<u32>,
}

async fn take(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(page): Body<Page>,
) -> Reply<Json<ScreenshotTaken>> {
    let request = Screenshot {
        session_id: id.to_string(),
        url: page.url,
        full_page: page.full_page,
        width: page.width,
        height: page.height,
    };
    Ok(Json(door.aegis.screenshot(&call.caller, request).await?))
}
