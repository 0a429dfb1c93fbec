//! What every call may use, and the router made of all routes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any_service};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::guard::{self, Hosts};
use super::listed::Listed;
use super::route::Route;
use super::stream::{Hub, MOST_STREAMS};
use super::{openapi, repeat, routes};
use crate::access::{Access, Needs};
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
    /// How often a stream without news shows that it lives.
    pub heartbeat: Duration,
}

/// The door. A clone is another handle on the same one.
#[derive(Clone)]
pub struct HttpDoor {
    pub(super) aegis: Aegis,
    pub(super) access: Arc<Access>,
    pub(super) settings: Arc<Settings>,
    pub(super) started: Instant,
    pub(super) listed: Arc<Listed>,
    pub(super) repeats: repeat::Repeats,
    /// Cancelled when the server is to end: streams say so and close.
    pub(super) closing: CancellationToken,
    /// The events of all sessions, for streams.
    pub(super) hub: Arc<Hub>,
    /// The places of streams and terminals.
    pub(super) streams: Arc<Semaphore>,
    /// Terminals that are open: the listener no longer knows their connections.
    pub(super) terminals: TaskTracker,
    /// What is served beside the routes, by path.
    mounts: Vec<(&'static str, MethodRouter<Self>)>,
}

impl HttpDoor {
    /// Builds the door over the operations.
    #[must_use]
    pub fn new(aegis: Aegis, access: Arc<Access>, settings: Settings, closing: CancellationToken) -> Self {
        Self {
            hub: Arc::new(Hub::new(aegis.clone())),
            aegis,
            access,
            settings: Arc::new(settings),
            started: Instant::now(),
            listed: Arc::default(),
            repeats: repeat::Repeats::default(),
            closing,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            terminals: TaskTracker::new(),
            mounts: Vec::new(),
        }
    }

    /// Also serves something else under a path, behind the same guards: hosts, origins, tokens. It finds the
    /// [`Caller`](crate::ops::Caller) and an [`Identity`](crate::access::Identity) among the request's extensions.
    #[must_use]
    pub fn mount<T>(mut self, path: &'static str, service: T) -> Self
    where
        T: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        T::Future: Send + 'static,
    {
        self.mounts.push((path, any_service(service)));
        self
    }

    /// Waits until the terminals that are open have been told that the server ends.
    pub async fn drained(&self) {
        self.terminals.close();
        self.terminals.wait().await;
    }

    /// Gives what answers every request.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            router = self.add(router, route);
        }
        for (path, service) in &self.mounts {
            let gate = guard::Gate { door: self.clone(), needs: Needs::Anyone, tickets: false };
            let service = service.clone().layer(from_fn_with_state(self.clone(), guard::introduce));
            router = router.route(path, service.layer(from_fn_with_state(gate, guard::inner)));
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
        let Route { path, needs, older, handler, answers, .. } = route;
        let tickets = answers.iter().any(|answer| answer.content == "text/event-stream");
        let gate = guard::Gate { door: self.clone(), needs, tickets };
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
