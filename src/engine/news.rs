//! What happens in all live sessions, as their holders push it.
//!
//! All readers of an engine share one connection to each holder; the connections end with the last reader.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::Engine;
use super::link::LISTED_WITHIN;
use super::roster::{Roster, Running};
use super::wait::subscribe;
use crate::domain::{Event, OpError, Position, Session, SessionId};
use crate::holder::HolderError;
use crate::store::SessionRow;
use crate::wire::Push;

/// How much may wait for a reader; more and it is told that it missed something.
const KEPT: usize = 1024;

/// How long before a holder that cannot be reached, though it lives, is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// One piece of news.
#[derive(Clone, Debug)]
pub enum News {
    /// A session has come, or is followed again after its holder did not answer: anything may have happened in it.
    Came(Arc<Session>),
    /// Something happened in a session.
    Event(Arc<Event>),
    /// A session has ended: its last state.
    Ended(Arc<Session>),
    /// This reader was too slow: anything may have happened.
    Missed,
}

/// What the shared task tells through.
pub(super) struct Outlet {
    news: broadcast::Sender<News>,
    /// Whether every session that lived at the start is followed.
    ready: watch::Receiver<bool>,
}

/// The news from here on.
pub struct NewsReader {
    news: broadcast::Receiver<News>,
    _running: Arc<Running<Outlet>>,
    /// Whose sessions alone are told of.
    only: Option<Only>,
}

/// One key's sessions.
struct Only {
    key: String,
    roster: Roster,
    /// Those that were asked for, and whether they are the key's.
    known: HashMap<SessionId, bool>,
}

impl Only {
    fn tells(&mut self, news: &News) -> bool {
        let own = |owner: &Option<String>| owner.as_ref() == Some(&self.key);
        match news {
            News::Came(session) | News::Ended(session) => own(&session.owner_key),
            News::Missed => true,
            News::Event(event) => {
                let id = event.session_id;
                if let Some(known) = self.known.get(&id) {
                    return *known;
                }
                // One that has come and gone between two looks at the store is told of by its end alone.
                let rows = self.roster.rows();
                let Some(row) = rows.iter().find(|row| row.spec.id == id) else { return false };
                let own = own(&row.spec.owner_key);
                if self.known.len() >= KEPT {
                    self.known.retain(|id, _| rows.iter().any(|row| row.spec.id == *id));
                }
                self.known.insert(id, own);
                own
            }
        }
    }
}

impl NewsReader {
    /// Waits for the next piece of news.
    pub async fn next(&mut self) -> News {
        loop {
            let news = match self.news.recv().await {
                Ok(news) => news,
                Err(broadcast::error::RecvError::Lagged(_)) => News::Missed,
                // The sender lives as long as this reader.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            };
            if self.only.as_mut().is_none_or(|only| only.tells(&news)) {
                return news;
            }
        }
    }
}

impl Engine {
    /// Follows all live sessions. When this returns, whatever happens next is told.
    ///
    /// A session whose holder does not answer is followed once it does.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::roster`].
    pub async fn news(self: &Arc<Self>) -> Result<NewsReader, OpError> {
        self.news_of(None).await
    }

    /// As [`Engine::news`], of the sessions that belong to a key alone.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::roster`].
    pub async fn news_of(self: &Arc<Self>, key: Option<String>) -> Result<NewsReader, OpError> {
        let roster = self.roster().await?;
        let only = match key {
            Some(key) => Some(Only { key, roster: self.roster().await?, known: HashMap::new() }),
            None => None,
        };
        let running = self.news.take(|| {
            let (news, _) = broadcast::channel(KEPT);
            let (tell, ready) = watch::channel(false);
            let follow = follow_all(self.clone(), roster, news.clone(), tell);
            Ok(Running::new(Outlet { news, ready }, follow))
        })?;
        let mut ready = running.outlet.ready.clone();
        // A holder that is stopped must not hold up the others.
        let _ = timeout(LISTED_WITHIN, ready.wait_for(|ready| *ready)).await;
        Ok(NewsReader { news: running.outlet.news.subscribe(), _running: running, only })
    }
}

async fn follow_all(
    engine: Arc<Engine>,
    mut roster: Roster,
    news: broadcast::Sender<News>,
    ready: watch::Sender<bool>,
) {
    let mut tasks = JoinSet::new();
    let mut followed: HashMap<SessionId, AbortHandle> = HashMap::new();
    // Ends when each of the first followers has dropped its end.
    let (first, mut all_first) = mpsc::channel::<()>(1);
    let mut first = Some(first);
    loop {
        followed.retain(|_, follower| !follower.is_finished());
        for row in roster.rows().iter() {
            followed.entry(row.spec.id).or_insert_with(|| {
                tasks.spawn(follow(engine.clone(), row.clone(), news.clone(), first.clone()))
            });
        }
        if first.take().is_some() {
            tokio::select! {
                _ = all_first.recv() => {}
                () = roster.changed() => {}
            }
            let _ = ready.send(true);
            continue;
        }
        roster.changed().await;
        while tasks.try_join_next().is_some() {}
    }
}

/// Passes a session's events on until it has ended.
async fn follow(
    engine: Arc<Engine>,
    row: SessionRow,
    news: broadcast::Sender<News>,
    first: Option<mpsc::Sender<()>>,
) {
    let mut came = first.is_none();
    let mut first = first;
    let mut seen: Option<Position> = None;
    loop {
        match subscribe(&row, seen).await {
            Ok((snapshot, client, mut pushes)) => {
                if seen.is_none() && came {
                    // Without readers nothing is told.
                    let _ = news.send(News::Came(Arc::new(snapshot.session)));
                }
                seen = seen.or(Some(snapshot.position));
                drop(first.take());
                while let Some(pushed) = pushes.recv().await {
                    if let Push::Event { event } = pushed {
                        seen = Some(Position { epoch: event.epoch, seq: event.seq });
                        let _ = news.send(News::Event(Arc::from(event)));
                    }
                }
                drop(client);
            }
            Err(HolderError::Silent(_)) => {
                drop(first.take());
                // What happens until it is followed is not told one by one.
                came = true;
                continue;
            }
            Err(_) => {}
        }
        match engine.closed(&row).await {
            Ok(Some(session)) => {
                let _ = news.send(News::Ended(Arc::new(session)));
                return;
            }
            Ok(None) => tokio::time::sleep(AGAIN).await,
            Err(error) => {
                tracing::warn!(%error, session = %row.spec.id, "a session can no longer be followed");
                return;
            }
        }
    }
}
