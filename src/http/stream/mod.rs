//! Streams of events: one task renders each event once, every stream is a reader of what it rendered.
//!
//! `frame` knows what clients read, `hub` is that task, `reader` is one stream from its first frame to its last.
//! A stream that is too slow loses frames and is told so; it never slows the others, nor a session.

mod frame;
mod hub;
mod reader;

pub(super) use hub::{Frames, Hub};
pub(super) use reader::{all_sessions, one_session};

/// How many streams and terminals there may be at once; each costs some twenty kilobytes.
pub(super) const MOST_STREAMS: usize = 2000;
