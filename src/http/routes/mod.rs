//! The handlers, a file a resource. Each reads, calls one operation and tells what came of it.

mod actions;
mod audit;
mod auth;
mod batch;
mod catalog;
mod channels;
mod family;
mod figures;
mod handshake;
mod hooks;
mod memory;
mod overview;
mod pipelines;
mod policy;
mod reading;
mod screenshot;
mod server;
mod sessions;
mod streams;
mod surroundings;
mod templates;
mod totals;
mod verify;

use super::refusal::Refusal;
use super::route::Route;
use crate::domain::PermissionMode;

/// Every route.
pub(super) fn all() -> Vec<Route> {
    [
        server::routes(),
        sessions::routes(),
        actions::routes(),
        auth::routes(),
        audit::routes(),
        hooks::routes(),
        screenshot::routes(),
        streams::routes(),
        handshake::routes(),
        overview::routes(),
        batch::routes(),
        reading::routes(),
        figures::routes(),
        family::routes(),
        policy::routes(),
        catalog::routes(),
        channels::routes(),
        memory::routes(),
        templates::routes(),
        pipelines::routes(),
        surroundings::routes(),
        totals::routes(),
        verify::routes(),
    ]
    .concat()
}

/// Reads a permission mode.
fn permission_mode(word: &str) -> Result<PermissionMode, Refusal> {
    PermissionMode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| {
        let known = PermissionMode::ALL.map(PermissionMode::as_str).join(", ");
        Refusal::invalid(format!("permissionMode must be one of {known}"))
    })
}
