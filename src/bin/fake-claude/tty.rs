//! The terminal that the program runs in: raw mode, size, and whole frames.

use std::io::{self, Write as _};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// What is set at the start, as 2.1.197 does: scroll region, cursor hidden, bracketed paste, focus and colour reports.
const OPEN: &str = "\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?25l\x1b[?2004h\x1b[?1004h\x1b[?2031h";
/// What is set back at a clean end.
const CLOSE: &str = "\x1b[?1004l\x1b[?2031l\x1b[?2004l\x1b[?25h\x1b]0;\x07";

/// The terminal.
pub(crate) struct Tty {
    before: Option<Termios>,
    /// Whether frames are marked (`CLAUDE_CODE_FORCE_SYNC_OUTPUT=1`).
    marks: bool,
    /// Rows of the live part as last drawn.
    live_rows: usize,
    title: String,
}

impl Tty {
    /// Takes the terminal.
    pub(crate) fn open(marks: bool) -> Self {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(mut raw) = before.clone() {
            raw.make_raw();
            // Without a terminal there is nothing to set, and nothing else to do about it.
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        write(OPEN);
        Self { before, marks, live_rows: 0, title: String::new() }
    }

    /// Columns and rows.
    pub(crate) fn size() -> (usize, usize) {
        let size =
            tcgetwinsize(io::stdout()).map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        match size {
            Ok((cols, rows)) if cols > 0 && rows > 0 => (cols, rows),
            _ => (80, 24),
        }
    }

    /// Prints rows of history and below them the live part, as one frame.
    pub(crate) fn frame(&mut self, history: &[String], live: &[String]) {
        let (_, height) = Self::size();
        let live = &live[live.len().saturating_sub(height)..];
        let mut out = String::new();
        if self.marks {
            out.push_str("\x1b[?2026h");
        }
        out.push('\r');
        if self.live_rows > 1 {
            out.push_str(&format!("\x1b[{}A", self.live_rows - 1));
        }
        out.push_str("\x1b[J");
        for row in history {
            out.push_str(row);
            out.push_str("\r\n");
        }
        out.push_str(&live.join("\r\n"));
        if self.marks {
            out.push_str("\x1b[?2026l");
        }
        self.live_rows = live.len();
        write(&out);
    }

    /// Sets the title.
    pub(crate) fn title(&mut self, title: &str) {
        if self.title != title {
            title.clone_into(&mut self.title);
            write(&format!("\x1b]0;{title}\x07"));
        }
    }

    /// Gives the terminal back, with a last word.
    pub(crate) fn close(&mut self, last: &str) {
        write(&format!("\r\n{CLOSE}{last}"));
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Writes and forgets: when the terminal is gone, SIGHUP ends the program.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
