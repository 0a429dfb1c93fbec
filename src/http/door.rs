//! What every call may use, and the router made of all routes.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio_util::sync::CancellationToken;

use super::guard::{self, Hosts};
use super::listed::Listed;
use super::route::Route;
use super::{openapi, routes};
use crate::access::Access;
use crate::ops::Aegis;

/// What the door is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which hosts the door answers to.
    pub hosts: Hosts,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// Silence after which a running turn counts as stalled, in milliseconds, as sessions are told.
    pub stall_threshold_ms: u64,
}

/// The door. A clone is another handle on the same one.
#[derive(Clone)]
pub struct HttpDoor {
    pub(super) aegis: Aegis,
    pub(super) access: Arc<Access>,
    pub(super) settings: Arc<Settings>,
    pub(super) started: Instant,
    pub(super) listed: Arc<Listed>,
    /// Cancelled when the server is to end: streams say so and close.
    pub(super) closing: CancellationToken,
}

impl HttpDoor {
    /// Builds the door over the operations.
    #[must_use]
    pub fn new(aegis: Aegis, access: Arc<Access>, settings: Settings, closing: CancellationToken) -> Self {
        Self {
            aegis,
            access,
            settings: Arc::new(settings),
            started: Instant::now(),
            listed: Arc::default(),
            closing,
        }
    }

    /// Gives what answers every request.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            router = self.add(router, route);
        }
        router
            .fallback(guard::unknown)
            .method_not_allowed_fallback(guard::wrong_method)
            .with_state(self.clone())
            .layer(from_fn_with_state(self.clone(), guard::outer))
    }

    /// Describes every route, as `/v1/openapi.json` tells it.
    #[must_use]
    pub fn openapi() -> serde_json::Value {
        openapi::describe(&routes::all())
    }

    fn add(&self, router: Router<Self>, route: Route) -> Router<Self> {
        let Route { path, needs, older, handler, .. } = route;
        let gate = guard::Gate { door: self.clone(), needs };
        let handler = handler.layer(from_fn_with_state(gate, guard::inner));
        let router = router.route(path, handler.clone());
        match older {
            // axum's braces, as the older spelling of a parameter tells them.
            Some(older) => {
                let template = path.replace('{', ":").replace('}', "");
                let handler = handler
                    .layer(from_fn(move |request, next| guard::deprecated(template.clone(), request, next)));
                router.route(older, handler)
            }
            None => router,
        }
    }
}
