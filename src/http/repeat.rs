//! What a repeated call is told, where the operation itself keeps no keys.
//!
//! A call that changes something and brings an `Idempotency-Key` is done once: the same caller, method, path, query,
//! body and key get the first one's answer, for an hour and as long as this server lives and no thousand others came
//! since. Calls at once wait for the first. Only what succeeded is kept: what failed may be tried again. The same key
//! with another body is refused. Creating sessions and pipelines and sending prompts keep their keys in the store and
//! the holder instead, for a week and across all servers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::call::Call;
use super::door::HttpDoor;
use super::input::read;
use super::refusal::Refusal;
use crate::domain::{ErrorCode, OpError};

/// How long an answer is kept. Whoever repeats a call does so within minutes.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// How many answers are kept.
const MOST: usize = 1000;

/// The largest answer that is kept, in bytes; with [`MOST`] it bounds what all take.
const LARGEST: usize = 64 * 1024;

/// Says that an answer is that of an earlier call.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer as it was given.
#[derive(Clone)]
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// One key's call. The lock is held while it is done.
struct Entry {
    body: [u8; 32],
    since: Instant,
    told: tokio::sync::Mutex<Option<Told>>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<[u8; 32], Arc<Entry>>,
    /// The oldest first.
    order: VecDeque<[u8; 32]>,
}

/// Answers of calls with a key. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Repeats(Arc<Mutex<Kept>>);

impl Repeats {
    /// The call of this key: a new one, or the one that there was.
    fn entry(&self, key: [u8; 32], body: [u8; 32]) -> Arc<Entry> {
        let now = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { entries, order } = &mut *kept;
        let old = |entries: &HashMap<[u8; 32], Arc<Entry>>, key: &[u8; 32]| {
            entries.get(key).is_none_or(|entry| now.duration_since(entry.since) >= KEPT_FOR)
        };
        while order.front().is_some_and(|first| order.len() >= MOST || old(entries, first)) {
            order.pop_front().and_then(|first| entries.remove(&first));
        }
        let entry = entries.entry(key).or_insert_with(|| {
            order.push_back(key);
            Arc::new(Entry { body, since: now, told: tokio::sync::Mutex::default() })
        });
        entry.clone()
    }
}

/// Does a call that has a key once.
pub(super) async fn once(State(door): State<HttpDoor>, request: Request, next: Next) -> Response {
    let Some(call) = request.extensions().get::<Call>().cloned() else { return next.run(request).await };
    let Some(key) = call.idempotency_key else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let name = format!(
        "{}\n{}\n{}\n{key}",
        call.identity.key.as_deref().unwrap_or_default(),
        parts.method,
        parts.uri.path_and_query().map_or("", |path| path.as_str())
    );
    let body = match read(Request::new(body), door.settings.max_body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let entry = door.repeats.entry(Sha256::digest(name).into(), Sha256::digest(&body).into());
    if entry.body != <[u8; 32]>::from(Sha256::digest(&body)) {
        let what = "the Idempotency-Key was used for another body";
        return Refusal::from(OpError::new(ErrorCode::KeyReused, what)).into_response();
    }
    let mut told = entry.told.lock().await;
    if let Some(told) = &*told {
        return told.again();
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !response.status().is_success() {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Refusal::from(OpError::new(ErrorCode::Internal, "the answer broke off")).into_response();
    };
    if body.len() <= LARGEST {
        *told = Some(Told { status: head.status, headers: head.headers.clone(), body: body.clone() });
    }
    Response::from_parts(head, Body::from(body))
}

impl Told {
    fn again(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_so_many_are_kept_and_the_oldest_go() {
        let repeats = Repeats::default();
        let key = |n: usize| <[u8; 32]>::from(Sha256::digest(n.to_string()));
        let first = repeats.entry(key(0), [0; 32]);
        assert!(Arc::ptr_eq(&first, &repeats.entry(key(0), [1; 32])));
        (1..=MOST).for_each(|n| drop(repeats.entry(key(n), [0; 32])));
        assert!(!Arc::ptr_eq(&first, &repeats.entry(key(0), [0; 32])));
        let kept = repeats.0.lock().unwrap();
        assert_eq!((kept.entries.len(), kept.order.len()), (MOST, MOST));
    }
}
