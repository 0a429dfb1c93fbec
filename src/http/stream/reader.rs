//! One stream, from its first frame to its last.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::frame::{Frame, bare, bare_at, one, own_position};
use super::hub::{Frames, Owners};
use super::{frame, seat};
use crate::access::{Identity, Standing};
use crate::domain::{Position, Session, SessionId, StatusWord};
use crate::http::door::HttpDoor;
use crate::http::refusal::Reply;
use crate::ops::{Caller, Place, Replay, SessionRef};

/// How much is written at once, in bytes: many small events as one piece, never so much that memory counts.
const AT_ONCE: usize = 32 * 1024;

/// How many streams of all sessions are given what they missed at the same time: each holds up to some megabytes.
static REPLAYS: Semaphore = Semaphore::const_new(8);

/// What a stream does before it follows.
enum Before {
    Nothing,
    /// Its session's events after this are told first.
    Since(Position),
    /// All that was missed waits already; others may have theirs when it has gone out.
    Replay {
        _turn: tokio::sync::SemaphorePermit<'static>,
    },
}

struct Reader {
    door: HttpDoor,
    caller: Caller,
    session: Option<SessionId>,
    frames: Frames,
    waiting: VecDeque<Bytes>,
    before: Before,
    /// The session's last event that was told here.
    known: Option<Position>,
    beat: Interval,
    standing: Standing,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// Answers with the events of all sessions.
pub(in crate::http) async fn all_sessions(
    door: &HttpDoor,
    caller: Caller,
    headers: &HeaderMap,
    after: Option<&str>,
) -> Reply<Response> {
    let place = seat(&door.streams)?;
    let after = last_id(headers, after);
    // Before it follows: whoever waits for a turn is not behind yet.
    let turn = match &after {
        Some(_) => REPLAYS.acquire().await.ok(),
        None => None,
    };
    let active = door.aegis.roster(&caller).await?.ids().len();
    let (mark, frames) = door.hub.follow_all().await?;
    let mut waiting = VecDeque::new();
    let connected = json!({ "activeSessions": active });
    let here = Place::from(mark).to_string();
    let mut before = Before::Nothing;
    match after {
        None => waiting.push_back(bare_at("connected", None, Some(&connected), Some(&here))),
        Some(after) => {
            waiting.push_back(bare("connected", None, Some(&connected)));
            let replay = match after.parse::<Place>() {
                Ok(place) => (door.aegis.replay(&caller, &place, mark).await?, Some(place)),
                Err(_) => (Replay::Lost, None),
            };
            match replay {
                (Replay::Events(events), Some(place)) => {
                    let mut owners = Owners::default();
                    for (told, event) in (1..).zip(&events) {
                        if let Some(key) = caller.confined()
                            && owners.of(&door.aegis, event.session_id).await.as_deref() != Some(key)
                        {
                            continue;
                        }
                        let id = place.towards(mark, told).map_or_else(|| here.clone(), |id| id.to_string());
                        let new = door.hub.newcomer(event).await;
                        waiting.push_back(frame::all(event, &id, new.as_ref()));
                    }
                }
                _ => waiting.push_back(bare_at("gap", None, Some(&lost(&after)), Some(&here))),
            }
            if let Some(turn) = turn {
                before = Before::Replay { _turn: turn };
            }
        }
    }
    let beat = beat(door);
    let standing = standing(door, &caller);
    let door = door.clone();
    let reader = Reader {
        door,
        caller,
        session: None,
        frames,
        waiting,
        before,
        known: None,
        beat,
        standing,
        over: false,
        _place: place,
    };
    Ok(reader.answer())
}

/// Answers with the events of one session.
pub(in crate::http) async fn one_session(
    door: &HttpDoor,
    caller: Caller,
    id: SessionId,
    headers: &HeaderMap,
    after: Option<&str>,
) -> Reply<Response> {
    let request = || SessionRef { session_id: id.to_string() };
    // Whether it exists at all is found out first, whether it has ended after it is followed.
    door.aegis.get_status(&caller, request()).await?;
    let place = seat(&door.streams)?;
    let frames = door.hub.follow(id).await?;
    let session = door.aegis.get_status(&caller, request()).await?.session;
    let mut waiting = VecDeque::from([bare("connected", Some(id), None)]);
    let mut before = Before::Nothing;
    match last_id(headers, after) {
        None => {}
        Some(after) => match own_position(&after) {
            Some(position) => before = Before::Since(position),
            None => waiting.push_back(bare("gap", Some(id), Some(&lost(&after)))),
        },
    }
    let over = session.status == StatusWord::Ended;
    if over {
        if let Before::Since(position) = before {
            waiting.extend(rest(door, &caller, &session, position).await?);
        } else {
            waiting.push_back(Frame::ended(&session).one);
        }
        before = Before::Nothing;
    }
    let beat = beat(door);
    let standing = standing(door, &caller);
    let door = door.clone();
    let session = Some(id);
    let known = None;
    let reader =
        Reader { door, caller, session, frames, waiting, before, known, beat, standing, over, _place: place };
    Ok(reader.answer())
}

/// What an ended session's stream has beyond a position, to its end.
async fn rest(door: &HttpDoor, caller: &Caller, session: &Session, mut after: Position) -> Reply<Vec<Bytes>> {
    let mut told = Vec::new();
    let mut ended = false;
    loop {
        let events = door.aegis.events_after(caller, session.id, Some(after)).await?;
        let Some(last) = events.last() else { break };
        after = Position { epoch: last.epoch, seq: last.seq };
        ended |= events.iter().any(|event| Frame::of(event, "", None).last);
        told.extend(events.iter().map(one));
    }
    if !ended {
        told.push(Frame::ended(session).one);
    }
    Ok(told)
}

fn lost(after: &str) -> serde_json::Value {
    let after: String = after.chars().take(200).collect();
    json!({ "after": after, "reason": "what came after this id can no longer be told; read how things are now" })
}

/// The last id that the client has, which browsers send by themselves in the header.
fn last_id(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("unreadable"));
    header.or(query).map(str::to_owned).filter(|id| !id.is_empty())
}

fn standing(door: &HttpDoor, caller: &Caller) -> Standing {
    match &caller.key {
        Some(identity) => door.access.standing(identity),
        None => door.access.standing(&Identity::everyone()),
    }
}

fn beat(door: &HttpDoor) -> Interval {
    let every = door.settings.heartbeat;
    let mut beat = interval_at(Instant::now() + every, every);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

impl Reader {
    fn answer(self) -> Response {
        let frames = unfold(self, |mut reader| async move {
            let bytes = reader.next().await?;
            Some((Ok::<_, std::convert::Infallible>(bytes), reader))
        });
        let mut response = Response::new(Body::from_stream(frames));
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// The next piece of the stream; none when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.over && self.standing.is_lost() {
                self.turn_away();
            }
            if let Some(bytes) = self.take() {
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            match self.before {
                Before::Since(position) => self.read_on(position).await,
                Before::Replay { .. } => self.before = Before::Nothing,
                Before::Nothing => self.listen().await,
            }
        }
    }

    /// What waits, as one piece.
    fn take(&mut self) -> Option<Bytes> {
        let first = self.waiting.pop_front()?;
        if self.waiting.is_empty() {
            // The usual case: the bytes that all streams share.
            return Some(first);
        }
        let mut piece = first.to_vec();
        while piece.len() < AT_ONCE
            && let Some(next) = self.waiting.pop_front()
        {
            piece.extend_from_slice(&next);
        }
        Some(piece.into())
    }

    /// Reads what the session's journal has after a position.
    async fn read_on(&mut self, after: Position) {
        self.before = Before::Nothing;
        let Some(id) = self.session else { return };
        let read = tokio::select! {
            biased;
            () = self.door.closing.cancelled() => return self.shut(),
            read = self.door.aegis.events_after(&self.caller, id, Some(after)) => read,
        };
        match read {
            Ok(events) => {
                if let Some(last) = events.last() {
                    let last = Position { epoch: last.epoch, seq: last.seq };
                    self.known = Some(last);
                    self.before = Before::Since(last);
                }
                for event in &events {
                    let frame = Frame::of(event, "", None);
                    self.over |= frame.last;
                    self.waiting.push_back(frame.one);
                }
            }
            Err(error) => {
                tracing::warn!(%error, session = %id, "a stream's events cannot be read");
                self.waiting.push_back(bare("gap", Some(id), Some(&lost(&frame::own_id(after)))));
            }
        }
    }

    /// Waits for what happens next.
    async fn listen(&mut self) {
        tokio::select! {
            biased;
            () = self.door.closing.cancelled() => self.shut(),
            () = self.standing.lost() => self.turn_away(),
            received = self.frames.recv() => {
                match received {
                    Ok(frame) => self.hear(&frame),
                    Err(RecvError::Lagged(missed)) => self.missed(missed),
                    Err(RecvError::Closed) => self.over = true,
                }
                // What else is there goes out with it.
                let mut size = 0;
                while size < AT_ONCE && !self.over {
                    match self.frames.try_recv() {
                        Ok(frame) => {
                            size += frame.all.len();
                            self.hear(&frame);
                        }
                        Err(TryRecvError::Lagged(missed)) => self.missed(missed),
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
            }
            _ = self.beat.tick() => {
                let id = self.session;
                self.waiting.push_back(bare("heartbeat", id, None));
            }
        }
    }

    fn hear(&mut self, frame: &Arc<Frame>) {
        if self.session.is_none() {
            let seen = |key| frame.owner_key.as_deref() == Some(key);
            if self.caller.confined().is_none_or(seen) {
                self.waiting.push_back(frame.all.clone());
            }
            return;
        }
        let told = |position: Position| {
            self.known.is_some_and(|known| known.epoch == position.epoch && position.seq <= known.seq)
        };
        if !frame.position.is_some_and(told) {
            self.waiting.push_back(frame.one.clone());
        }
        self.over |= frame.last;
    }

    fn missed(&mut self, missed: u64) {
        let data = json!({ "missed": missed, "reason": "this stream was read too slowly" });
        self.waiting.push_back(bare("gap", self.session, Some(&data)));
    }

    /// The caller no longer counts: what waits is not for it any more.
    fn turn_away(&mut self) {
        let data = json!({ "reason": "the key or token that opened this stream no longer counts" });
        self.waiting.clear();
        self.waiting.push_back(bare("unauthorized", self.session, Some(&data)));
        self.over = true;
    }

    fn shut(&mut self) {
        self.waiting.push_back(bare("shutdown", self.session, Some(&json!({}))));
        self.over = true;
    }
}
