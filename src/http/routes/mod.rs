//! The handlers, a file a resource. Each reads, calls one operation and tells what came of it.

mod actions;
mod audit;
mod auth;
mod hooks;
mod screenshot;
mod server;
mod sessions;
mod streams;

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
