//! The terminal in raw mode, and back.

use std::io;

use crate::cli::out::Out;

/// To the other screen, cleared.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[H";

/// Undoes all that a session may have switched on: keyboard protocols, mouse, focus and paste reports,
/// synchronized output, scroll region, colours, a hidden cursor; then back to the first screen.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[<u\x1b[>4;0m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\
    \x1b[?2004l\x1b[?1l\x1b>\x1b[?7h\x1b[r\x1b[0m\x1b[?25h\x1b[0 q\x1b[?1049l";

/// Raw mode on the other screen for as long as it lives.
pub(super) struct Raw {
    out: Out,
}

impl Raw {
    /// Enters.
    pub(super) fn enter(out: Out) -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        let raw = Self { out };
        out.terminal(ENTER);
        Ok(raw)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.out.terminal(LEAVE);
        // Nothing can be done about a terminal that is gone.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}
