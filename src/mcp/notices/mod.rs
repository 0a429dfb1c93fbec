//! What a client is told without having asked: resources that changed, sessions that came and went, log messages.
//!
//! One task a connection, started by the client's first sign that it listens and ended with the connection. It sleeps
//! until a holder pushes something. A client of the newer protocol has no such task: each of its `listen` requests is
//! one, for as long as it is open.

#![expect(deprecated, reason = "the older protocol, which hosts still speak, has log messages")]

mod follow;
mod log;
mod pace;
mod screen;

use std::sync::OnceLock;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, LoggingLevel, ResourceUpdatedNotificationParam};
use rmcp::service::{Peer, SubscriptionContext, SubscriptionSink};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::door::McpDoor;
use super::elicit::Asks;
use super::resources;
use crate::domain::OpError;
use follow::{Following, Happened, Notice};
use log::Entry;
pub use log::Warnings;

/// What the connection's task is asked for; it answers when it is done.
enum Request {
    Subscribe(String, oneshot::Sender<Result<(), OpError>>),
    Unsubscribe(String, oneshot::Sender<Result<(), OpError>>),
    Level(LoggingLevel, oneshot::Sender<Result<(), OpError>>),
}

/// The way to a connection's task.
#[derive(Default)]
pub(super) struct Notices(OnceLock<mpsc::Sender<Request>>);

impl McpDoor {
    /// Begins to tell the client what it did not ask for. The first call counts.
    pub(super) fn tell_unasked(&self, peer: &Peer<RoleServer>) {
        let _ = self.notify(peer);
    }

    /// Follows a resource for the client: whatever changes after the answer is told.
    pub(super) async fn follow(&self, peer: &Peer<RoleServer>, uri: &str) -> Result<(), ErrorData> {
        let done = self.request(peer, |done| Request::Subscribe(uri.to_owned(), done)).await;
        done.map_err(|error| resources::fault(&error, uri))
    }

    /// Follows a resource no more.
    pub(super) async fn unfollow(&self, peer: &Peer<RoleServer>, uri: &str) -> Result<(), ErrorData> {
        let done = self.request(peer, |done| Request::Unsubscribe(uri.to_owned(), done)).await;
        done.map_err(|error| resources::fault(&error, uri))
    }

    /// Tells the client what is at least as grave as this, from here on.
    pub(super) async fn log_from(
        &self,
        peer: &Peer<RoleServer>,
        level: LoggingLevel,
    ) -> Result<(), ErrorData> {
        self.request(peer, |done| Request::Level(level, done)).await.map_err(|error| {
            let data = error.to_json();
            ErrorData::internal_error(error.message, Some(data))
        })
    }

    /// Tells a client of the newer protocol what it listens to, until it stops listening or leaves.
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext) -> Result<(), ErrorData> {
        let mut following = Following::new(self.aegis.clone(), self.caller.clone());
        let accepted = context.accepted();
        if accepted.resources_list_changed == Some(true) {
            following.list().await;
        }
        for uri in accepted.resource_subscriptions.iter().flatten() {
            following.subscribe(uri).await.map_err(|error| resources::fault(&error, uri))?;
        }
        // The client was told that it is followed before it was: what changed in between is told so.
        following.tell_all();
        let outlet = Outlet::Listener(context.sink().clone());
        let telling = async {
            loop {
                if let Happened::Due(notices) = following.next().await {
                    outlet.tell(notices).await;
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = context.cancelled() => {}
            () = self.closing.cancelled() => {}
        }
        Ok(())
    }

    async fn request(
        &self,
        peer: &Peer<RoleServer>,
        request: impl FnOnce(oneshot::Sender<Result<(), OpError>>) -> Request,
    ) -> Result<(), OpError> {
        let (done, answer) = oneshot::channel();
        let gone = || OpError::new(crate::domain::ErrorCode::Internal, "the connection is ending");
        self.notify(peer).send(request(done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    fn notify(&self, peer: &Peer<RoleServer>) -> &mpsc::Sender<Request> {
        self.notices.0.get_or_init(|| {
            let (ask, asked) = mpsc::channel(16);
            let task = Task {
                following: Following::new(self.aegis.clone(), self.caller.clone()),
                outlet: Outlet::Client(peer.clone()),
                peer: peer.clone(),
                warnings: self.warnings.clone(),
                log: None,
                asks: if self.elicits {
                    Asks::new(self.aegis.clone(), &self.caller, peer.clone())
                } else {
                    None
                },
            };
            let closing = self.closing.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = task.run(asked) => {}
                    () = closing.cancelled() => {}
                }
            });
            ask
        })
    }
}

/// The task of one connection.
struct Task {
    following: Following,
    outlet: Outlet,
    peer: Peer<RoleServer>,
    warnings: Warnings,
    /// What the client wants to be told of the log; nothing until it says so.
    log: Option<(LoggingLevel, broadcast::Receiver<Entry>)>,
    /// The forms for the person in front of the host, where there are any.
    asks: Option<Asks>,
}

impl Task {
    async fn run(mut self, mut asked: mpsc::Receiver<Request>) {
        self.following.list().await;
        if let Some(asks) = &mut self.asks {
            match self.following.news().await {
                Ok(()) => asks.look().await,
                Err(error) => tracing::warn!(%error, "asks cannot be put to the host's user"),
            }
        }
        loop {
            tokio::select! {
                request = asked.recv() => match request {
                    Some(request) => self.take(request).await,
                    None => return,
                },
                happened = self.following.next() => match happened {
                    Happened::Due(notices) => self.outlet.tell(notices).await,
                    Happened::News(news) => {
                        if let Some(entry) = Entry::of(&news) {
                            self.log(entry).await;
                        }
                        if let Some(asks) = &mut self.asks {
                            asks.hear(&news).await;
                        }
                    }
                },
                entry = warned(self.log.as_mut()) => self.log(entry).await,
                () = tend(self.asks.as_mut()) => {}
            }
        }
    }

    async fn take(&mut self, request: Request) {
        match request {
            Request::Subscribe(uri, done) => {
                let _ = done.send(self.following.subscribe(&uri).await);
            }
            Request::Unsubscribe(uri, done) => {
                self.following.unsubscribe(&uri);
                let _ = done.send(Ok(()));
            }
            Request::Level(level, done) => {
                self.log = Some((level, self.warnings.listen()));
                let _ = done.send(self.following.news().await);
            }
        }
        if !self.following.follows_any() && self.log.is_none() && self.asks.is_none() {
            self.following.no_news();
        }
    }

    async fn log(&self, entry: Entry) {
        let wanted = self.log.as_ref().and_then(|(level, _)| entry.for_level(*level));
        if let Some(message) = wanted {
            // A client that does not take it has gone, and the task ends by that.
            let _ = self.peer.notify_logging_message(message).await;
        }
    }
}

async fn tend(asks: Option<&mut Asks>) {
    match asks {
        Some(asks) => asks.tend().await,
        None => std::future::pending().await,
    }
}

async fn warned(log: Option<&mut (LoggingLevel, broadcast::Receiver<Entry>)>) -> Entry {
    let Some((_, warnings)) = log else { return std::future::pending().await };
    loop {
        match warnings.recv().await {
            Ok(entry) => return entry,
            // What was missed is on standard error.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Where notices go.
enum Outlet {
    /// To the client, which did not have to ask.
    Client(Peer<RoleServer>),
    /// To one `listen` request.
    Listener(SubscriptionSink),
}

impl Outlet {
    /// Tells it. A client that does not take it has gone, and the task ends by that.
    async fn tell(&self, notices: Vec<Notice>) {
        for notice in notices {
            match (self, notice) {
                (Self::Client(peer), Notice::List) => {
                    let _ = peer.notify_resource_list_changed().await;
                }
                (Self::Client(peer), Notice::Updated(uri)) => {
                    let _ = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await;
                }
                (Self::Listener(sink), Notice::List) => {
                    let _ = sink.notify_resource_list_changed().await;
                }
                (Self::Listener(sink), Notice::Updated(uri)) => {
                    let _ = sink.notify_resource_updated(uri).await;
                }
            }
        }
    }
}
