//! A project's own checks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use crate::access::Permission;
use crate::domain::{SessionId, Verification};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Id;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::SessionRef;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/sessions/{id}/verify", verify)
            .says(
                "Runs the project's own checks in the session's directory: `tsc` where there is a tsconfig.json, and the \
                 scripts `build` and `test` of its package.json. 422 with the steps unless all pass.",
            )
            .needs(Permission::Send)
            .gives::<Verification>(200),
    ]
}

async fn verify(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<Verification>> {
    let request = SessionRef { session_id: id.to_string() };
    let told = door.aegis.verify_session(&call.caller, request).await?;
    if told.ok {
        return Ok(Json(told));
    }
    let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "verification_failed", told.summary.clone())
        .hint("the steps tell what each check printed; mend that and verify again");
    Err(match serde_json::to_value(&told) {
        Ok(Value::Object(fields)) => refusal.beside(fields),
        _ => refusal,
    })
}
