//! What every call may use, and the router made of all routes.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio_util::sync::CancellationToken;

use super::guard::{self, Hosts};
use super::route::Route;
use super::{openapi, repeat, routes};
use crate::access::Access;
use crate::ops::Aegis;

/// What the door is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which hosts the door answers to.
    pub hosts: Hosts,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// What went wrong lately in this process.
    pub diagnostics: super::Diagnostics,
}

/// The door. A clone is another handle on the same one.
#[derive(Clone)]
pub struct HttpDoor {
    pub(super) aegis: Aegis,
    pub(super) access: Arc<Access>,
    pub(super) settings: Arc<Settings>,
    pub(super) started: Instant,
    pub(super) repeats: repeat::Repeats,
    /// Cancelled when the server is to end: streams say so and close.
    pub(super) closing: CancellationToken,
}

impl HttpDoor {
    /// Builds the door over the operations.
    #[must_use]
    pub fn new(aegis: Aegis, access: Arc<Access>, settings: Settings, closing: CancellationToken) -> Self {
        let (settings, repeats) = (Arc::new(settings), repeat::Repeats::default());
        Self { aegis, access, settings, started: Instant::now(), repeats, closing }
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

    /// Gives the method and the path of every route, for tests of the description.
    #[must_use]
    pub fn routes() -> Vec<(&'static str, &'static str)> {
        routes::all().iter().map(|route| (route.method, route.path)).collect()
    }

    fn add(&self, router: Router<Self>, route: Route) -> Router<Self> {
        let once = route.mutates() && !route.keyed;
        let Route { path, needs, older, handler, .. } = route;
        let gate = guard::Gate { door: self.clone(), needs };
        let handler =
            if once { handler.layer(from_fn_with_state(self.clone(), repeat::once)) } else { handler };
        let handler = handler.layer(from_fn_with_state(gate, guard::inner));
        let router = router.route(path, handler.clone());
        match older {
            // axum's braces, as the older spelling of a parameter tells them.
            Some(older) => {
                let template = path.replace("{*", ":").replace('{', ":").replace('}', "");
                let handler = handler
                    .layer(from_fn(move |request, next| guard::deprecated(template.clone(), request, next)));
                router.route(older, handler)
            }
            None => router,
        }
    }
}
