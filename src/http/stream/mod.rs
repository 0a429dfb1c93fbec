//! Streams of events: one task renders each event once, every stream is a reader of what it rendered.
//!
//! `frame` knows what clients read, `hub` is that task, `reader` is one stream from its first frame to its last.
//! A stream that is too slow loses frames and is told so; it never slows the others, nor a session.

mod frame;
mod hub;
mod reader;

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::{Refusal, Reply};

pub(super) use hub::{Frames, Hub};
pub(super) use reader::{all_sessions, one_session};

/// How many streams and terminals there may be at once; each costs some twenty kilobytes.
pub(super) const MOST_STREAMS: usize = 2000;

/// Takes a place for a stream or a terminal, which is free again when this is dropped.
pub(super) fn seat(streams: &Arc<Semaphore>) -> Reply<OwnedSemaphorePermit> {
    streams.clone().try_acquire_owned().map_err(|_| {
        let what = format!("there are {MOST_STREAMS} streams already");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", what)
            .hint("close some, or try again later")
            .header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    })
}
