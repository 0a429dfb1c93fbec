//! The task that renders each event once, for all streams.
//!
//! It starts with the first stream and stays: what it costs is one connection a session, and streams come back.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, broadcast};
use tokio_util::task::AbortOnDropHandle;

use super::frame::Frame;
use crate::domain::{Event, OpError, SessionId};
use crate::ops::{Aegis, Fed, Feed, Mark, Newcomer, Place};

/// How many frames are kept for streams that are behind; beyond that they are told a gap. At two hundred events a
/// second that is ten seconds.
const KEPT: usize = 2048;

/// How many of one session's.
const KEPT_OF_ONE: usize = 1024;

pub(in crate::http) type Frames = broadcast::Receiver<Arc<Frame>>;

/// The events of all sessions, rendered.
pub(in crate::http) struct Hub {
    aegis: Aegis,
    running: OnceCell<Running>,
}

struct Running {
    outlet: Arc<Mutex<Outlet>>,
    _task: AbortOnDropHandle<()>,
}

struct Outlet {
    /// The last event that was told.
    mark: Mark,
    all: broadcast::Sender<Arc<Frame>>,
    sessions: HashMap<SessionId, broadcast::Sender<Arc<Frame>>>,
}

impl Hub {
    pub(in crate::http) fn new(aegis: Aegis) -> Self {
        Self { aegis, running: OnceCell::new() }
    }

    async fn outlet(&self) -> Result<&Arc<Mutex<Outlet>>, OpError> {
        let running = self.running.get_or_try_init(|| async {
            let feed = self.aegis.feed().await?;
            let (all, _) = broadcast::channel(KEPT);
            let outlet = Outlet { mark: feed.mark(), all, sessions: HashMap::new() };
            let outlet = Arc::new(Mutex::new(outlet));
            let task = tokio::spawn(tell(self.aegis.clone(), feed, outlet.clone()));
            Ok::<_, OpError>(Running { outlet, _task: AbortOnDropHandle::new(task) })
        });
        Ok(&running.await?.outlet)
    }

    /// The frames of all sessions from here on, and where here is.
    pub(super) async fn follow_all(&self) -> Result<(Mark, Frames), OpError> {
        let outlet = self.outlet().await?.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((outlet.mark, outlet.all.subscribe()))
    }

    /// The frames of one session from here on. They end with it; of one that has ended there are none.
    pub(in crate::http) async fn follow(&self, session: SessionId) -> Result<Frames, OpError> {
        let mut outlet = self.outlet().await?.lock().unwrap_or_else(PoisonError::into_inner);
        outlet.sessions.retain(|_, frames| frames.receiver_count() > 0);
        let frames = outlet.sessions.entry(session).or_insert_with(|| broadcast::channel(KEPT_OF_ONE).0);
        Ok(frames.subscribe())
    }

    /// The session of an event that is its first.
    pub(super) async fn newcomer(&self, event: &Event) -> Option<Newcomer> {
        newcomer(&self.aegis, event).await
    }
}

async fn newcomer(aegis: &Aegis, event: &Event) -> Option<Newcomer> {
    if event.seq == 1 { aegis.newcomer(event.session_id).await.ok() } else { None }
}

/// The keys that sessions belong to, each looked up once.
#[derive(Default)]
pub(super) struct Owners(HashMap<SessionId, Option<String>>);

impl Owners {
    /// The key that the session belongs to. One that cannot be told belongs to none, so no key sees it.
    pub(super) async fn of(&mut self, aegis: &Aegis, id: SessionId) -> Option<String> {
        if let Some(known) = self.0.get(&id) {
            return known.clone();
        }
        let owner = aegis.newcomer(id).await.ok()?.owner_key;
        self.0.insert(id, owner.clone());
        owner
    }
}

async fn tell(aegis: Aegis, mut feed: Feed, outlet: Arc<Mutex<Outlet>>) {
    // Those whose end was told.
    let mut ended = HashSet::new();
    let mut owners = Owners::default();
    loop {
        let fed = feed.next().await;
        let (session, mark, frame) = match fed {
            Fed::Event { mark, event } => {
                let new = newcomer(&aegis, &event).await;
                let frame = Frame::of(&event, &Place::from(mark).to_string(), new.as_ref());
                if frame.last {
                    ended.insert(event.session_id);
                }
                (event.session_id, Some(mark), Some(frame))
            }
            Fed::Ended(session) if ended.remove(&session.id) => (session.id, None, None),
            Fed::Ended(session) => (session.id, None, Some(Frame::ended(&session))),
        };
        let owner_key = owners.of(&aegis, session).await;
        if mark.is_none() {
            owners.0.remove(&session);
        }
        let frame = frame.map(|frame| Frame { owner_key, ..frame });
        let mut outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner);
        outlet.mark = mark.unwrap_or(outlet.mark);
        if let Some(frame) = frame.map(Arc::new) {
            // Nobody may listen.
            let _ = outlet.all.send(frame.clone());
            if let Some(one) = outlet.sessions.get(&session) {
                let _ = one.send(frame);
            }
        }
        if mark.is_none() {
            outlet.sessions.remove(&session);
        }
    }
}
