//! What lies between two marks, out of the journals.

use std::collections::BTreeMap;

use super::order::{self, Positions, Read};
use super::place::{Mark, Place};
use super::{Engine, PAGE};
use crate::domain::{ErrorCode, Event, OpError, Position, SessionId, Timestamp};
use crate::store::SessionRow;

/// How many events are replayed at most. Who missed more reads how things are now instead.
const MOST: usize = 5000;

/// How many ended sessions are looked through at a time.
const ENDED_PAGE: usize = 100;

/// What a reader missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Every event after its place, oldest first. What the place is after each: [`Place::towards`].
    Events(Vec<Event>),
    /// It cannot be told any more, or is too much.
    Lost,
}

impl Engine {
    /// Gives what happened after a place and up to a mark of the order that is being told now.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn replay(&self, place: &Place, to: Mark) -> Result<Replay, OpError> {
        let Some(Read { started, mut positions }) = self.read_order(place.from).await else {
            return Ok(Replay::Lost);
        };
        for (leg, told) in &place.legs {
            let Some(there) = self.read_order(*leg).await else { return Ok(Replay::Lost) };
            let Some(events) = self.between(started, &positions, &there).await? else {
                return Ok(Replay::Lost);
            };
            let told = usize::try_from(*told).unwrap_or(usize::MAX);
            for event in events.iter().take(told) {
                positions.insert(event.session_id, Position { epoch: event.epoch, seq: event.seq });
            }
        }
        let Some(there) = self.read_order(to).await else { return Ok(Replay::Lost) };
        Ok(self.between(started, &positions, &there).await?.map_or(Replay::Lost, Replay::Events))
    }

    async fn read_order(&self, mark: Mark) -> Option<Read> {
        let dir = self.paths.streams_dir.clone();
        tokio::task::spawn_blocking(move || order::read(&dir, mark)).await.ok().flatten()
    }

    /// All events after some positions and up to others, by time, always in the same sequence; none if there are too
    /// many. `started` is when the first positions' order began: sessions that are not in them have come later.
    async fn between(
        &self,
        started: Timestamp,
        from: &Positions,
        to: &Read,
    ) -> Result<Option<Vec<Event>>, OpError> {
        let mut ends: BTreeMap<SessionId, Option<Position>> =
            to.positions.iter().map(|(id, position)| (*id, Some(*position))).collect();
        // Those that had ended when that order began are not in it: all of theirs came before.
        for row in self.ended_since(started, from).await? {
            if row.spec.created_at < to.started {
                ends.entry(row.spec.id).or_insert(None);
            }
        }
        let mut events = Vec::new();
        for (id, end) in ends {
            let mut known = from.get(&id).copied();
            // A clock that was set back must not turn a session's own order round.
            let mut latest = None;
            'session: while known != end || end.is_none() {
                let page = match self.events_after(id, known, PAGE).await {
                    Ok(page) => page,
                    Err(error) if error.code == ErrorCode::NoSuchSession => break,
                    Err(error) => return Err(error),
                };
                if page.is_empty() {
                    break;
                }
                for event in page {
                    if end.is_some_and(|end| end.epoch == event.epoch && event.seq > end.seq) {
                        break 'session;
                    }
                    known = Some(Position { epoch: event.epoch, seq: event.seq });
                    latest = latest.max(Some(event.at));
                    events.push((latest, event));
                }
                if events.len() > MOST {
                    return Ok(None);
                }
            }
        }
        events.sort_by_key(|(at, event)| (*at, event.session_id));
        Ok(Some(events.into_iter().map(|(_, event)| event).collect()))
    }

    /// The ended sessions that were there at these positions, or were created since.
    async fn ended_since(&self, started: Timestamp, from: &Positions) -> Result<Vec<SessionRow>, OpError> {
        let mut found = Vec::new();
        for id in from.keys().copied() {
            let row = self.db(move |store| store.session(id)).await?;
            found.extend(row.filter(|row| row.ended.is_some()));
        }
        let mut before = None;
        loop {
            let page = self.db(move |store| store.ended_sessions(before, None, ENDED_PAGE)).await?;
            let Some(last) = page.last() else { break };
            before = Some((last.spec.created_at, last.spec.id));
            let older = last.spec.created_at < started;
            found.extend(page.into_iter().filter(|row| row.spec.created_at >= started));
            if older {
                break;
            }
        }
        Ok(found)
    }
}
