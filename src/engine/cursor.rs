//! The cursor of a wait: how far its reader has come in each session's events.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{Epoch, ErrorCode, OpError, Position, SessionId};

/// How far a reader has come, by session.
pub(super) type Seen = HashMap<SessionId, Position>;

/// The number that stands for the end: whoever was told of it has nothing more to learn.
const END: u64 = u64::MAX;

/// Whether the reader was told that the session has ended.
pub(super) fn is_end(position: Position) -> bool {
    position.seq == END
}

/// Notes that the reader is told of the session's end.
pub(super) fn end(seen: &mut Seen, id: SessionId) {
    seen.entry(id).or_insert_with(|| Position { epoch: Epoch::mint(), seq: END }).seq = END;
}

/// The cursor as callers see it.
pub(super) fn write(seen: &Seen) -> String {
    let mut flat: Vec<_> = seen.iter().map(|(id, position)| (id, position.epoch, position.seq)).collect();
    flat.sort();
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&flat).unwrap_or_default())
}

/// Reads a cursor that a wait gave.
///
/// # Errors
///
/// `invalid_argument` for anything else.
pub(super) fn read(text: &str) -> Result<Seen, OpError> {
    let parsed = URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| {
        let flat: Vec<(SessionId, Epoch, u64)> = serde_json::from_slice(&json).ok()?;
        Some(flat.into_iter().map(|(id, epoch, seq)| (id, Position { epoch, seq })).collect())
    });
    parsed.ok_or_else(|| {
        OpError::new(ErrorCode::InvalidArgument, "the cursor cannot be read")
            .hint("pass the cursor of the wait before, unchanged, or none")
    })
}
