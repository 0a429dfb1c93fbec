//! Waiting for sessions, without losing what happens between two waits.
//!
//! A cursor names, for each session, the last event that was seen. With it only what came after counts, each edge
//! once, also those of a session that has ended meanwhile; without it a session that already is in a wanted status ends
//! the wait at once.

use std::collections::HashMap;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::cursor::{self, Seen};
use super::find::owned;
use super::link::{Observed, outline, silent};
use super::{Engine, WaitQuery, WaitResult, Woken};
use crate::domain::{ErrorCode, Event, EventData, OpError, Position, Session, SessionId, StatusWord};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{HolderClient, HolderError, SessionDir, journal};
use crate::store::SessionRow;
use crate::wire::{Push, Request, Snapshot};

/// How many edges one answer tells; the cursor goes on behind them. More is no news but a history, and journals keep
/// that.
const EDGES: usize = 100;

/// What a watched session told.
enum Told {
    Event(Box<Event>),
    /// Its holder answers again; nothing was known of it before.
    Back(Box<Snapshot>),
    Gone(Box<SessionRow>),
}

/// What a wait has found so far.
struct Finds {
    until: Vec<StatusWord>,
    seen: Seen,
    /// In the order in which they were found, each session once.
    woke: Vec<Find>,
    edges: usize,
    /// Up to which event each session was when it was asked: until they are here the answer is not whole.
    behind: HashMap<SessionId, u64>,
}

/// What ended a wait about one session.
struct Find {
    id: SessionId,
    /// As it was told together with what was found; asked for at the end if it was not.
    session: Option<Session>,
    events: Vec<Event>,
}

impl Finds {
    fn find(&mut self, id: SessionId, session: Option<Session>, event: Option<Event>) {
        self.edges += 1;
        match self.woke.iter_mut().find(|find| find.id == id) {
            Some(find) => {
                // What was told before the event is not how it is now.
                find.session = session;
                find.events.extend(event);
            }
            None => self.woke.push(Find { id, session, events: event.into_iter().collect() }),
        }
    }

    /// A session as it is, without an event that led there.
    fn stands(&mut self, session: Session) {
        if self.until.contains(&session.status) {
            self.find(session.id, Some(session), None);
        }
    }

    /// A session that is met for the first time.
    fn meet(&mut self, snapshot: Snapshot) {
        let Snapshot { session, position, .. } = snapshot;
        self.seen.insert(session.id, position);
        if session.status == StatusWord::Ended {
            cursor::end(&mut self.seen, session.id);
        }
        self.stands(session);
    }

    fn hear(&mut self, event: Event) {
        let id = event.session_id;
        let old = |known: &Position| known.epoch == event.epoch && event.seq <= known.seq;
        if self.seen.get(&id).is_some_and(old) {
            return;
        }
        self.seen.insert(id, Position { epoch: event.epoch, seq: event.seq });
        if self.behind.get(&id).is_some_and(|to| event.seq >= *to) {
            self.behind.remove(&id);
        }
        let edge = match &event.data {
            EventData::Status { report, .. } => {
                let word = report.status.word();
                if word == StatusWord::Ended {
                    cursor::end(&mut self.seen, id);
                }
                self.until.contains(&word)
            }
            // A further ask in a session that already waits for one is news too.
            EventData::AskOpened(_) => self.until.contains(&StatusWord::PermissionPrompt),
            // What was missed may have been an edge.
            EventData::Gap { .. } => true,
            EventData::Launched { .. }
            | EventData::AskResolved(_)
            | EventData::Receipt(_)
            | EventData::Conversation { .. }
            | EventData::Message { .. }
            | EventData::ContextFilled { .. }
            | EventData::Verified { .. }
            | EventData::Action { .. } => false,
        };
        if edge {
            self.find(id, None, Some(event));
        }
    }

    /// Whether there is something to tell, and all of it that fits an answer.
    fn whole(&self) -> bool {
        self.edges >= EDGES || (self.edges > 0 && self.behind.is_empty())
    }
}

impl Engine {
    /// Waits until a session is in one of the wanted statuses.
    ///
    /// # Errors
    ///
    /// Those of `wait_for_session`.
    pub async fn wait(&self, query: WaitQuery) -> Result<WaitResult, OpError> {
        let deadline = Instant::now() + query.timeout;
        let seen = query.cursor.as_deref().map(cursor::read).transpose()?.unwrap_or_default();
        let rows = match &query.sessions {
            Some(references) => {
                let found = join_all(references.iter().map(|reference| self.row(reference))).await;
                found.into_iter().collect::<Result<Vec<_>, _>>()?
            }
            None => {
                let mut rows = self.db(|store| store.live_sessions()).await?;
                rows.retain(|row| owned(&row.spec, query.owner_key.as_deref()));
                rows
            }
        };
        if rows.is_empty() {
            return Err(OpError::new(ErrorCode::NoSuchSession, "there is no live session to wait for")
                .hint("create_session starts one"));
        }
        let silent = |row: &SessionRow| silent(row.spec.id, &HolderError::Silent(ANSWERS_WITHIN));
        let (tell, mut told) = mpsc::channel(64);
        // Watchers end with this call.
        let mut watchers = tokio::task::JoinSet::new();
        let watched = join_all(rows.iter().map(|row| self.watch(row, seen.get(&row.spec.id).copied()))).await;
        let mut finds =
            Finds { until: query.until, seen, woke: Vec::new(), edges: 0, behind: HashMap::new() };
        let mut heard = false;
        for (row, watched) in rows.iter().zip(watched) {
            let id = row.spec.id;
            let watched = watched?;
            heard |= !matches!(watched, Watched::Silent);
            let known = finds.seen.get(&id).copied();
            match watched {
                Watched::Live { snapshot, client, pushes } => {
                    match known.filter(|known| known.epoch == snapshot.position.epoch) {
                        Some(known) if known.seq < snapshot.position.seq => {
                            finds.behind.insert(id, snapshot.position.seq);
                        }
                        Some(_) => {}
                        None => finds.meet(*snapshot),
                    }
                    watchers.spawn(follow(row.clone(), client, pushes, tell.clone()));
                }
                Watched::Silent => {
                    finds.stands(outline(row, StatusWord::Unknown));
                    watchers.spawn(follow_later(row.clone(), known, tell.clone()));
                }
                Watched::Other(session) if session.status == StatusWord::Ended => {
                    self.look_back(row, *session, &mut finds).await;
                }
                Watched::Other(session) => finds.stands(*session),
            }
        }
        drop(tell);
        if let (false, 0, Some(row)) = (heard, finds.edges, rows.first()) {
            return Err(silent(row));
        }
        // What has happened already is told, however short the wait.
        let caught_up = deadline.max(Instant::now() + ANSWERS_WITHIN);
        while !finds.whole() {
            let until = if finds.behind.is_empty() { deadline } else { caught_up };
            match tokio::time::timeout_at(until, told.recv()).await {
                Err(_) => break,
                Ok(None) if finds.edges > 0 => break,
                Ok(None) => {
                    // Nothing is left that could happen.
                    tokio::time::sleep_until(deadline).await;
                    break;
                }
                Ok(Some(told)) => self.hear(told, &mut finds).await?,
            }
        }
        // What is there already belongs to this answer too.
        while finds.edges < EDGES
            && let Ok(told) = told.try_recv()
        {
            self.hear(told, &mut finds).await?;
        }
        let timed_out = finds.edges == 0;
        let mut woke = Vec::with_capacity(finds.woke.len());
        for Find { id, session, events } in finds.woke {
            let session = match session {
                Some(session) => session,
                // Its holder lives, since it told the event; on a busy machine it may take its time.
                None => self.tell_within(&self.row_of(id).await?, ANSWERS_WITHIN).await?,
            };
            woke.push(Woken { session, events });
        }
        Ok(WaitResult { woke, cursor: cursor::write(&finds.seen), timed_out })
    }

    async fn hear(&self, told: Told, finds: &mut Finds) -> Result<(), OpError> {
        match told {
            Told::Event(event) => finds.hear(*event),
            Told::Back(snapshot) => finds.meet(*snapshot),
            Told::Gone(row) => {
                finds.behind.remove(&row.spec.id);
                match self.closed(&row).await? {
                    Some(session) if session.status == StatusWord::Ended => {
                        self.look_back(&row, session, finds).await;
                    }
                    Some(session) => finds.stands(session),
                    None => finds.stands(outline(&row, StatusWord::Unknown)),
                }
            }
        }
        Ok(())
    }

    /// What a session that has ended did since it was last heard of, by its journal; then its end, unless it was told.
    async fn look_back(&self, row: &SessionRow, session: Session, finds: &mut Finds) {
        let known = finds.seen.get(&row.spec.id).copied();
        if known.is_some_and(cursor::is_end) {
            return;
        }
        if known.is_some() {
            let path = SessionDir::new(&row.session_dir).journal();
            let read = move || journal::read(&path, known, usize::MAX).unwrap_or_default();
            for event in tokio::task::spawn_blocking(read).await.unwrap_or_default() {
                if finds.edges >= EDGES {
                    // The rest is for the next wait.
                    return;
                }
                finds.hear(event);
            }
        }
        if !finds.seen.get(&row.spec.id).copied().is_some_and(cursor::is_end) {
            cursor::end(&mut finds.seen, row.spec.id);
            finds.stands(session);
        }
    }

    async fn watch(&self, row: &SessionRow, after: Option<Position>) -> Result<Watched, OpError> {
        if row.ended.is_none() {
            match subscribe(row, after).await {
                Ok((snapshot, client, pushes)) => {
                    return Ok(Watched::Live { snapshot: Box::new(snapshot), client, pushes });
                }
                Err(HolderError::Silent(_)) => return Ok(Watched::Silent),
                Err(_) => {}
            }
        }
        Ok(match self.observe(row, ANSWERS_WITHIN).await? {
            Observed::Live(snapshot) => Watched::Other(Box::new(snapshot.session)),
            Observed::Ended(session) => Watched::Other(session),
            Observed::Silent => Watched::Silent,
            Observed::Launching => Watched::Other(Box::new(outline(row, StatusWord::Starting))),
        })
    }
}

enum Watched {
    /// Its events come.
    Live { snapshot: Box<Snapshot>, client: HolderClient, pushes: mpsc::Receiver<Push> },
    /// It has no events to give.
    Other(Box<Session>),
    /// Its holder lives and does not answer.
    Silent,
}

pub(super) async fn subscribe(
    row: &SessionRow,
    after: Option<Position>,
) -> Result<(Snapshot, HolderClient, mpsc::Receiver<Push>), HolderError> {
    let subscribed = async {
        let (client, pushes) = HolderClient::connect(&row.socket, ANSWERS_WITHIN).await?;
        let snapshot = client.ask(Request::Subscribe { after }, ANSWERS_WITHIN).await?;
        Ok((snapshot, client, pushes))
    };
    let late = HolderError::Silent(ANSWERS_WITHIN);
    tokio::time::timeout(ANSWERS_WITHIN, subscribed).await.unwrap_or(Err(late))
}

/// Passes a session's events on once its holder answers again, those that came meanwhile first.
async fn follow_later(row: SessionRow, after: Option<Position>, tell: mpsc::Sender<Told>) {
    let (snapshot, client, pushes) = loop {
        match subscribe(&row, after).await {
            Ok(subscribed) => break subscribed,
            Err(HolderError::Silent(_)) => {}
            Err(_) => return drop(tell.send(Told::Gone(Box::new(row))).await),
        }
    };
    if after.is_none() && tell.send(Told::Back(Box::new(snapshot))).await.is_err() {
        return;
    }
    follow(row, client, pushes, tell).await;
}

/// Passes a session's events on until its holder is gone.
async fn follow(
    row: SessionRow,
    client: HolderClient,
    mut pushes: mpsc::Receiver<Push>,
    tell: mpsc::Sender<Told>,
) {
    while let Some(pushed) = pushes.recv().await {
        if let Push::Event { event } = pushed
            && tell.send(Told::Event(event)).await.is_err()
        {
            return;
        }
    }
    drop(client);
    let _ = tell.send(Told::Gone(Box::new(row))).await;
}
