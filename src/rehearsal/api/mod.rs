//! A Messages API on loopback that says what a script tells it to.
//!
//! It speaks to the real Claude Code CLI (streams, tool calls, errors) and records every request, so that a
//! rehearsal knows what the model would have been told. It never reaches any other address.

mod conversation;
mod reply;
mod request;
mod resolve;
mod script;
mod server;
mod shape;
mod sse;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use reply::{
    ApiError, Choice, Cut, CutKind, Hold, HoldAt, Message, Pace, Question, Reply, ToolCall, Usage,
};
pub use request::{Purpose, Recorded};
pub use script::{Rule, Script};

use server::Shared;

/// How long [`ScriptedApi::wait_for`] waits.
///
/// A cold start of the program on a loaded two-core machine took up to ten seconds; the rest is room.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the scripted API cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiFault {
    /// No port on loopback.
    #[error("cannot listen on 127.0.0.1: {source}; check that loopback is up and ports are free")]
    Listen {
        /// What the system said.
        source: std::io::Error,
    },
    /// The awaited request did not come.
    #[error("{what} did not come within {waited:?}; {seen} requests came, the last was {last}")]
    NeverCame {
        /// What was awaited.
        what: String,
        /// How long.
        waited: Duration,
        /// How many requests came in all.
        seen: usize,
        /// The last of them, in a few words.
        last: String,
    },
}

/// A running scripted API; it stops when this is dropped.
#[derive(Debug)]
pub struct ScriptedApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl ScriptedApi {
    /// Starts it on a free port of loopback.
    pub async fn start(script: Script) -> Result<Self, ApiFault> {
        let listen = |source| ApiFault::Listen { source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            requests: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(HashSet::new()),
            stopped: CancellationToken::new(),
        });
        let stopped = shared.stopped.clone().cancelled_owned();
        let server = axum::serve(listener, server::router(Arc::clone(&shared)));
        let task = tokio::spawn(async move {
            if let Err(error) = server.with_graceful_shutdown(stopped).await {
                tracing::warn!(%error, "the scripted API stopped");
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Where it listens, for `ANTHROPIC_BASE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        self.shared.requests.borrow().clone()
    }

    /// Adds a rule; it goes before all that stand.
    pub fn add(&self, rule: Rule) {
        self.shared.script().add(rule);
    }

    /// Lets every message go on that waits, or will wait, for `name`.
    pub fn release(&self, name: impl Into<String>) {
        self.shared.released.send_modify(|names| {
            names.insert(name.into());
        });
    }

    /// Waits for the first request, past or to come, that `predicate` accepts; `what` names it in the error.
    pub async fn wait_for(
        &self,
        what: &str,
        predicate: impl Fn(&Recorded) -> bool,
    ) -> Result<Arc<Recorded>, ApiFault> {
        self.wait_for_within(PATIENCE, what, predicate).await
    }

    /// Like [`ScriptedApi::wait_for`], with a limit of its own.
    pub async fn wait_for_within(
        &self,
        limit: Duration,
        what: &str,
        predicate: impl Fn(&Recorded) -> bool,
    ) -> Result<Arc<Recorded>, ApiFault> {
        let mut requests = self.shared.requests.subscribe();
        let find = |all: &[Arc<Recorded>]| all.iter().find(|request| predicate(request)).cloned();
        let waiting = requests.wait_for(|all| find(all).is_some());
        let found = match tokio::time::timeout(limit, waiting).await {
            Ok(Ok(all)) => find(&all),
            Ok(Err(_)) | Err(_) => None,
        };
        found.ok_or_else(|| self.never_came(limit, what))
    }

    fn never_came(&self, waited: Duration, what: &str) -> ApiFault {
        let requests = self.shared.requests.borrow();
        let describe = |request: &Arc<Recorded>| {
            format!("{} {} ({:?}, {:?})", request.method, request.path, request.purpose(), request.prompt())
        };
        ApiFault::NeverCame {
            what: what.to_owned(),
            waited,
            seen: requests.len(),
            last: requests.last().map_or_else(|| "none".to_owned(), describe),
        }
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        self.shared.stopped.cancel();
        self.task.abort();
    }
}
