//! A terminal as a value.
//!
//! Bytes of the child go in; a [`Screen`] and the answers that its queries need come out. Nothing here reads,
//! writes, waits or knows what program is drawing: what a screen *means* is said by
//! [`crate::claude::screen`].
//!
//! [`Grid`] wraps the `vt100` crate and is the only place that touches it, because the crate can panic on odd
//! sizes and does not know about queries and whole frames.

mod answers;
mod pane;
mod screen;
#[cfg(test)]
mod tests;

use answers::Answers;
pub use screen::{Row, Screen, Span};
use std::num::NonZeroU16;

/// Fewest and most columns of a grid.
///
/// Below 20 Claude Code draws nothing readable; beyond 500 a row only costs memory.
pub const COLS: std::ops::RangeInclusive<u16> = 20..=500;

/// Fewest and most rows of a grid, for the reasons of [`COLS`].
pub const ROWS: std::ops::RangeInclusive<u16> = 5..=300;

/// The state of one terminal.
pub struct Grid {
    parser: vt100::Parser<Answers>,
    /// The first bytes of a character whose others have not come yet.
    begun: Vec<u8>,
}

impl std::fmt::Debug for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grid")
            .field("size", &self.size())
            .field("title", &self.title())
            .finish_non_exhaustive()
    }
}

impl Grid {
    /// A blank terminal of the given size, clamped to [`COLS`] and [`ROWS`], that keeps at most `scrollback`
    /// lines above its screen.
    #[must_use]
    pub fn new(cols: u16, rows: u16, scrollback: usize) -> Self {
        let (cols, rows) = clamped(cols, rows);
        let parser = vt100::Parser::new_with_callbacks(rows, cols, scrollback, Answers::default());
        Self { parser, begun: Vec::new() }
    }

    /// Takes what the child printed, in pieces of any size; returns what must be written back to it, because it
    /// asked. Neither the answers nor the screen depend on how the bytes were cut.
    #[must_use = "the child waits for these answers"]
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        // Only whole characters go on: of "· ↑" cut within the "·", vte 0.15 loses the blank.
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        self.begun = all.split_off(all.len() - begun(&all));
        self.parser.process(&all);
        std::mem::take(&mut self.parser.callbacks_mut().pending)
    }

    /// False between the begin and the end of a synchronized update: what stands there is half a frame.
    #[must_use]
    pub fn whole(&self) -> bool {
        !self.parser.callbacks().in_frame
    }

    /// How many synchronized updates were completed. Stays 0 for a child that does not mark its frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.parser.callbacks().frames
    }

    /// Whether the child asked for pasted text to be marked as such.
    #[must_use]
    pub fn bracketed_paste(&self) -> bool {
        self.parser.screen().bracketed_paste()
    }

    /// Whether the child draws on the alternate screen, which has no scrollback.
    #[must_use]
    pub fn alternate(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// Whether cursor keys must be sent as `ESC O A` instead of `ESC [ A`.
    #[must_use]
    pub fn application_cursor(&self) -> bool {
        self.parser.screen().application_cursor()
    }

    /// The title the child set last, without control characters.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.parser.callbacks().title
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        let (rows, cols) = self.parser.screen().size();
        (cols.get(), rows.get())
    }

    /// Changes the size, clamped like that of [`Grid::new`].
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let (cols, rows) = clamped(cols, rows);
        self.parser.set_size(rows, cols);
    }

    /// What stands on the screen now.
    #[must_use]
    pub fn screen(&self) -> Screen {
        Screen::of(self.parser.screen())
    }

    /// The screen as text for a reader, with up to `scrollback` of the lines above it.
    ///
    /// With `ansi` colours and weights are kept as SGR sequences, and nothing else is. Blank lines at the end
    /// are left out. Takes `&mut self` only to look back; nothing visible changes.
    #[must_use]
    pub fn pane(&mut self, ansi: bool, scrollback: usize) -> String {
        pane::pane(self.parser.screen_mut(), ansi, scrollback)
    }

    /// The bytes that bring another terminal to this state: contents, cursor, input modes, title.
    #[must_use]
    pub fn redraw(&self) -> Vec<u8> {
        let screen = self.parser.screen();
        let answers = self.parser.callbacks();
        // Never leave the alternate screen of a terminal that is not on it: some restore a stale cursor.
        let mut out = if screen.alternate_screen() { "\x1b[?1049h" } else { "" }.to_owned();
        out.push_str(&screen.state_formatted());
        for mode in &answers.modes {
            out.push_str(&format!("\x1b[?{mode}h"));
        }
        out.push_str(&format!("\x1b]0;{}\x07", answers.title));
        out.into_bytes()
    }
}

/// How many bytes at the end begin a character and do not end it.
fn begun(bytes: &[u8]) -> usize {
    let begins = |tail: &[u8]| {
        std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=bytes.len().min(3)).find(|count| begins(&bytes[bytes.len() - count..])).unwrap_or(0)
}

fn clamped(cols: u16, rows: u16) -> (NonZeroU16, NonZeroU16) {
    let within = |n: u16, range: std::ops::RangeInclusive<u16>| {
        NonZeroU16::new(n.clamp(*range.start(), *range.end())).unwrap_or(NonZeroU16::MIN)
    };
    (within(cols, COLS), within(rows, ROWS))
}
