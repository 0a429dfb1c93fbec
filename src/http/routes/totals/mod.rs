//! Sums over all sessions: for dashboards, for Prometheus, and for whoever pays.
//!
//! A caller that sees only its own sessions is told sums over those.

mod aggregate;
mod analytics;
mod keys;
mod limits;
mod metrics;
mod prometheus;
mod sums;
mod usage;

use schemars::JsonSchema;
use serde::Deserialize;

use self::sums::Sums;
use crate::domain::Timestamp;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;

pub(super) fn routes() -> Vec<Route> {
    [metrics::routes(), aggregate::routes(), usage::routes(), analytics::routes(), limits::routes()].concat()
}

async fn sums(door: &HttpDoor, call: &Call, span: &Span) -> Reply<Sums> {
    Ok(Sums::of(&door.aegis.get_figures(&call.caller).await?, |at| span.has(at)))
}

/// A span of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Span {
    /// Only sessions that were created at this time or later, in ISO 8601.
    from: Option<Timestamp>,
    /// Only sessions that were created at this time or before.
    to: Option<Timestamp>,
}

impl Span {
    /// Refuses one that ends before it begins.
    fn check(&self) -> Reply<()> {
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return Err(Refusal::invalid("Invalid query params: from is after to"));
        }
        Ok(())
    }

    fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }
}
