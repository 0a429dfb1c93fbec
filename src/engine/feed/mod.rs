//! The events of all sessions in one order, without holes, which a reader can take up again where it stopped: in
//! another life of this server too.
//!
//! A session's own numbers order its events; what comes between those of different sessions is only decided here.
//! `order` writes each decision down before anybody is told of it, a few bytes an event. A [`Place`] names how far a
//! reader has come in such an order; `replay` gives what lies between two of them out of the sessions' journals.

mod order;
mod place;
mod replay;

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Engine;
use super::news::{News, NewsReader};
use crate::domain::{Epoch, Event, EventData, OpError, Position, Session, SessionId, Timestamp};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{SessionDir, journal};
use crate::store::SessionRow;
use crate::wire::{Events, Request};
use order::Order;

pub use place::{Mark, NoPlace, Place};
pub use replay::Replay;

/// How many events are read from a journal at a time.
const PAGE: usize = 200;

/// One thing that a feed tells.
#[derive(Clone, Debug)]
pub enum Fed {
    /// Something happened in a session.
    Event {
        /// Where in the order it stands.
        mark: Mark,
        /// What happened.
        event: Arc<Event>,
    },
    /// A session has ended: its last state. Nothing more comes of it.
    Ended(Arc<Session>),
}

/// What is told of a session that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name.
    pub name: String,
    /// The directory it works in.
    pub work_dir: String,
    /// The key that it belongs to, if one created it.
    pub owner_key: Option<String>,
}

/// The events of all sessions from here on. Each is told once; what this reader was too slow for, or what happened
/// before a new session was followed, is read from the journals.
pub struct Feed {
    engine: Arc<Engine>,
    news: NewsReader,
    order: Order,
    waiting: VecDeque<Fed>,
}

impl Engine {
    /// Follows all sessions in one order.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::news`]; `storage_failed` if the order cannot be written down.
    pub async fn feed(self: &Arc<Self>) -> Result<Feed, OpError> {
        let news = self.news().await?;
        let started = Timestamp::now();
        let rows = self.db(|store| store.live_sessions()).await?;
        let known = join_all(rows.iter().map(|row| self.position(row))).await;
        let positions = known.into_iter().flatten().collect();
        let order = Order::begin(&self.paths.streams_dir, started, positions)?;
        Ok(Feed { engine: self.clone(), news, order, waiting: VecDeque::new() })
    }

    /// The session's last event, as far as anybody can tell.
    async fn position(&self, row: &SessionRow) -> Option<(SessionId, Position)> {
        let id = row.spec.id;
        let asked = Request::Events { after: None, limit: 0 };
        let position = match self.ask::<Events>(row, asked, ANSWERS_WITHIN).await {
            Ok(events) => Some(events.position),
            Err(_) => self.db(move |store| store.last_position(id)).await.ok().flatten(),
        };
        position.map(|position| (id, position))
    }

    /// Tells what a session is called and where it works, as it was created.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn newcomer(&self, id: SessionId) -> Result<Newcomer, OpError> {
        let spec = self.row_of(id).await?.spec;
        Ok(Newcomer {
            name: spec.name,
            work_dir: spec.work_dir.to_string_lossy().into_owned(),
            owner_key: spec.owner_key,
        })
    }

    /// Gives a session's events after a position, oldest first, at most `limit` and a few hundred. Where some are
    /// gone a gap stands in their place.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn events_after(
        &self,
        id: SessionId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Event>, OpError> {
        let row = self.row_of(id).await?;
        let limit = limit.min(PAGE);
        // None would mean all that the holder still has in memory; its journal has more.
        let after = after.or_else(|| Some(Position { epoch: Epoch::mint(), seq: 0 }));
        if row.ended.is_none()
            && let Ok(told) = self.ask::<Events>(&row, Request::Events { after, limit }, ANSWERS_WITHIN).await
        {
            return Ok(told.events);
        }
        let path = SessionDir::new(&row.session_dir).journal();
        let read = tokio::task::spawn_blocking(move || journal::read(&path, after, limit)).await;
        // A journal that was removed by hand has nothing more to tell.
        Ok(read.ok().and_then(Result::ok).unwrap_or_default())
    }
}

impl Feed {
    /// How far the feed has come.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.order.mark()
    }

    /// Waits for what comes next.
    pub async fn next(&mut self) -> Fed {
        loop {
            if let Some(fed) = self.waiting.pop_front() {
                return fed;
            }
            match self.news.next().await {
                News::Event(event) => self.hear(event).await,
                News::Came(session) => self.catch_up(session.id).await,
                News::Ended(session) => {
                    self.catch_up(session.id).await;
                    self.order.ended(session.id);
                    self.waiting.push_back(Fed::Ended(session));
                }
                News::Missed => {
                    for id in self.order.living() {
                        self.catch_up(id).await;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, event: Arc<Event>) {
        let follows = |known: Position| known.epoch == event.epoch && known.seq + 1 == event.seq;
        match self.order.position(event.session_id) {
            Some(known) if follows(known) && !matches!(event.data, EventData::Gap { .. }) => self.tell(event),
            Some(known) if known.epoch == event.epoch && event.seq <= known.seq => {}
            _ => {
                self.catch_up(event.session_id).await;
                let known = self.order.position(event.session_id);
                if known.is_none_or(|known| known.epoch != event.epoch || known.seq < event.seq) {
                    // The journal does not have it: it cannot be written just now.
                    self.tell(event);
                }
            }
        }
    }

    /// Tells what the session's journal has beyond what was told.
    async fn catch_up(&mut self, id: SessionId) {
        loop {
            let known = self.order.position(id);
            match self.engine.events_after(id, known, PAGE).await {
                Ok(events) if !events.is_empty() => {
                    for event in events {
                        self.tell(Arc::new(event));
                    }
                }
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, session = %id, "a session's events cannot be read");
                    return;
                }
            }
        }
    }

    fn tell(&mut self, event: Arc<Event>) {
        let mark = self.order.push(&event);
        self.waiting.push_back(Fed::Event { mark, event });
    }
}
