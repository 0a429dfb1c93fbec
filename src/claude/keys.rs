//! Keys as bytes.

/// Enter.
pub const ENTER: &[u8] = b"\r";
/// Escape.
pub const ESCAPE: &[u8] = b"\x1b";
/// Arrow up.
pub const UP: &[u8] = b"\x1b[A";
/// Arrow down.
pub const DOWN: &[u8] = b"\x1b[B";
/// Control-S: puts the draft aside; it comes back by itself after the next prompt.
pub const STASH: &[u8] = b"\x13";

/// Start of a bracketed paste.
pub const PASTE_START: &str = "\x1b[200~";
/// End of a bracketed paste.
pub const PASTE_END: &str = "\x1b[201~";

/// Wraps `text` as one paste. The caller has made sure that it holds no paste marker.
#[must_use]
pub fn paste(text: &str) -> Vec<u8> {
    [PASTE_START, text, PASTE_END].concat().into_bytes()
}
