//! Waiting for sessions, without losing what happens between two waits.
//!
//! A cursor names, for each session, the last event that was seen. With it only what came after counts; without it
//! a session that already is in a wanted status ends the wait at once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::find::owned;
use super::link::{Observed, outline, silent};
use super::{Engine, WaitQuery, WaitResult};
use crate::domain::{ErrorCode, Event, EventData, OpError, Position, Session, SessionId, StatusWord};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{HolderClient, HolderError};
use crate::store::SessionRow;
use crate::wire::{Push, Request, Snapshot};

/// How far a reader has come, by session.
type Seen = HashMap<SessionId, Position>;

/// What a watched session told.
enum Told {
    Event(Box<Event>),
    /// Its holder answers again; nothing was known of it before.
    Back(Box<Snapshot>),
    Gone(Box<SessionRow>),
}

impl Engine {
    /// Waits until a session is in one of the wanted statuses.
    ///
    /// # Errors
    ///
    /// Those of `wait_for_session`.
    pub async fn wait(&self, query: WaitQuery) -> Result<WaitResult, OpError> {
        let deadline = Instant::now() + query.timeout;
        let mut seen = query.cursor.as_deref().map(read_cursor).transpose()?.unwrap_or_default();
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
        let mut woke: Vec<(Session, Option<Event>)> = Vec::new();
        // Watchers end with this call.
        let mut watchers = tokio::task::JoinSet::new();
        let watched = join_all(rows.iter().map(|row| self.watch(row, seen.get(&row.spec.id).copied()))).await;
        let mut heard = false;
        for (row, watched) in rows.iter().zip(watched) {
            let id = row.spec.id;
            let watched = watched?;
            heard |= !matches!(watched, Watched::Silent);
            let known = seen.get(&id).copied();
            match watched {
                Watched::Live { snapshot, client, pushes } => {
                    let fresh = known.is_none_or(|known| known.epoch != snapshot.position.epoch);
                    if fresh {
                        seen.insert(id, snapshot.position);
                        if query.until.contains(&snapshot.session.status) {
                            woke.push((snapshot.session, None));
                        }
                    }
                    watchers.spawn(follow(row.clone(), client, pushes, tell.clone()));
                }
                Watched::Silent => {
                    if query.until.contains(&StatusWord::Unknown) {
                        woke.push((outline(row, StatusWord::Unknown), None));
                    }
                    watchers.spawn(follow_later(row.clone(), known, tell.clone()));
                }
                Watched::Other(session) => {
                    // An end that was told once is not told again.
                    let news = known.is_none_or(|known| known.seq != u64::MAX);
                    if session.status == StatusWord::Ended {
                        if let Some(known) = seen.get_mut(&id) {
                            known.seq = u64::MAX;
                        } else {
                            seen.insert(id, Position { epoch: crate::domain::Epoch::mint(), seq: u64::MAX });
                        }
                    }
                    if news && query.until.contains(&session.status) {
                        woke.push((*session, None));
                    }
                }
            }
        }
        drop(tell);
        if let (false, true, Some(row)) = (heard, woke.is_empty(), rows.first()) {
            return Err(silent(row));
        }
        let mut timed_out = false;
        while woke.is_empty() && !timed_out {
            match tokio::time::timeout_at(deadline, told.recv()).await {
                Err(_) => timed_out = true,
                Ok(None) => {
                    // Nothing is left that could happen.
                    tokio::time::sleep_until(deadline).await;
                    timed_out = true;
                }
                Ok(Some(told)) => self.hear(told, &query, &mut seen, &mut woke).await?,
            }
        }
        // What is there already belongs to this answer too.
        while let Ok(told) = told.try_recv() {
            self.hear(told, &query, &mut seen, &mut woke).await?;
        }
        // The last word on each session, as it is now.
        let mut latest: Vec<(Session, Option<Event>)> = Vec::new();
        for (session, event) in woke {
            match latest.iter_mut().find(|(known, _)| known.id == session.id) {
                Some(known) => *known = (session, event),
                None => latest.push((session, event)),
            }
        }
        Ok(WaitResult { woke: latest, cursor: write_cursor(&seen), timed_out })
    }

    async fn hear(
        &self,
        told: Told,
        query: &WaitQuery,
        seen: &mut Seen,
        woke: &mut Vec<(Session, Option<Event>)>,
    ) -> Result<(), OpError> {
        match told {
            Told::Event(event) => {
                let id = event.session_id;
                let old =
                    seen.get(&id).is_some_and(|known| known.epoch == event.epoch && event.seq <= known.seq);
                if old {
                    return Ok(());
                }
                seen.insert(id, Position { epoch: event.epoch, seq: event.seq });
                let edge = match &event.data {
                    EventData::Status { report, .. } => query.until.contains(&report.status.word()),
                    // A further ask in a session that already waits for one is news too.
                    EventData::AskOpened(_) => query.until.contains(&StatusWord::PermissionPrompt),
                    // What was missed may have been an edge.
                    EventData::Gap { .. } => true,
                    EventData::Launched { .. }
                    | EventData::AskResolved(_)
                    | EventData::Receipt(_)
                    | EventData::Conversation { .. }
                    | EventData::Message { .. }
                    | EventData::Action { .. } => false,
                };
                if edge {
                    let row = self.row_of(id).await?;
                    let session = self.tell(&row).await?;
                    woke.push((session, Some(*event)));
                }
            }
            Told::Back(snapshot) => {
                seen.insert(snapshot.session.id, snapshot.position);
                if query.until.contains(&snapshot.session.status) {
                    woke.push((snapshot.session, None));
                }
            }
            Told::Gone(row) => {
                let session = match self.closed(&row).await? {
                    Some(session) => session,
                    None => outline(&row, StatusWord::Unknown),
                };
                let ended = session.status == StatusWord::Ended;
                let told_before =
                    woke.iter().any(|(known, _)| known.id == session.id && known.status == session.status);
                if let Some(known) = seen.get_mut(&row.spec.id).filter(|_| ended) {
                    known.seq = u64::MAX;
                }
                if query.until.contains(&session.status) && !told_before {
                    woke.push((session, None));
                }
            }
        }
        Ok(())
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

fn write_cursor(seen: &Seen) -> String {
    let mut flat: Vec<_> = seen.iter().map(|(id, position)| (id, position.epoch, position.seq)).collect();
    flat.sort();
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&flat).unwrap_or_default())
}

fn read_cursor(text: &str) -> Result<Seen, OpError> {
    let parsed = URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| {
        let flat: Vec<(SessionId, crate::domain::Epoch, u64)> = serde_json::from_slice(&json).ok()?;
        Some(flat.into_iter().map(|(id, epoch, seq)| (id, Position { epoch, seq })).collect())
    });
    parsed.ok_or_else(|| {
        OpError::new(ErrorCode::InvalidArgument, "the cursor cannot be read")
            .hint("pass the cursor of the wait before, unchanged, or none")
    })
}
