//! What we can tell from Claude's screen.
//!
//! Pure: a [`Screen`] goes in, a [`Reading`] comes out. Nothing here waits, writes, presses keys or remembers.
//! The screen is the weakest evidence there is; what a reading means for a session is decided by its holder.
//!
//! `input` finds the input box, `dialog` is a dialog as a value, `detect` finds one, [`known`] is the
//! table of those we have met, `rules` keeps the expressions. Every rule was measured on six releases from 2.1.150
//! (inline) to 2.1.330 (alternate screen); `tests/fixtures/screens/` holds the screens, `record-screens` makes them.

mod detect;
mod dialog;
mod input;
pub mod known;
mod rules;
#[cfg(test)]
mod tests;

use crate::term::Screen;
pub use dialog::{Dialog, DialogKind, DialogOption};
pub use input::InputBox;
use rules::Rule;
use serde::{Deserialize, Serialize};

/// What stands on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The input box, if it can take text. Absent under a dialog and before start-up is over.
    pub input: Option<InputBox>,
    /// The dialog that takes the keys instead of the box.
    pub dialog: Option<Dialog>,
    /// A turn runs: a spinner, or `esc to interrupt` in the footer. A finished turn's `✻ Baked for 0s` is none.
    /// Text streams without a spinner, and a draft or a narrow screen hides that footer: false proves nothing.
    pub working: bool,
    /// The last thing said is that the turn was interrupted.
    pub interrupted: bool,
    /// A dialog is due and held back because somebody typed within the last 1.5 s (measured in 2.1.197).
    pub waiting_for_permission: bool,
    /// A second Ctrl+C or Ctrl+D ends the program.
    pub exit_armed: bool,
    /// A second Esc clears the box.
    pub clear_armed: bool,
    /// Messages wait for the end of the turn.
    pub queued: bool,
    /// The scrolled history (Ctrl+O) covers everything: nothing on it is live.
    pub transcript: bool,
    /// The permission mode as the footer names it: `manual`, `plan`, `accept edits`, `bypass permissions`.
    /// In its default mode 2.1.197 names none.
    pub mode: Option<String>,
    /// A warning in the footer, or a retry in the spinner line or right above it, as it reads.
    pub notice: Option<String>,
}

/// Right-aligned hints stand at least this far in; 2.1.330 puts them between the history and the box.
const RIGHT_ALIGNED: usize = 30;

/// Under a tool that runs for some seconds; 2.1.220 leaves it there when the tool is interrupted.
const BACKGROUND_HINT: &str = "(ctrl+b to run in background)";

/// How far above the box a spinner can be: queued messages and a task list stand between.
const LIVE_ROWS: usize = 24;

/// Between the spinner and the note about a retry over it stands a blank row.
const NOTE_ROWS: usize = 2;

/// Reads a screen. Call it on whole frames only.
#[must_use]
pub fn read(screen: &Screen) -> Reading {
    let rows: Vec<&str> = screen.rows.iter().map(|row| row.text.as_str()).collect();
    if rows.iter().rev().filter(|row| !row.is_empty()).take(3).any(|row| Rule::Transcript.matches(row)) {
        return Reading { transcript: true, ..Reading::default() };
    }
    let found = input::find(screen);
    let floor = found.as_ref().map_or(0, |found| found.bottom + 1);
    let dialog = detect::find(screen, floor);
    let found = found.filter(|_| dialog.is_none());
    let (top, bottom) =
        found.as_ref().map_or((rows.len(), rows.len()), |found| (found.top, found.bottom + 1));
    let above: Vec<&str> = rows.iter().take(top).rev().copied().collect();
    let footer = rows.get(bottom..).unwrap_or_default();
    let near = |rule: Rule| {
        let close = above.iter().take(3);
        footer.iter().chain(close).any(|row| rule.matches(row))
    };
    let spinner = match dialog {
        Some(_) => None,
        None => above.iter().take(LIVE_ROWS).find(|row| spins(row) || row.starts_with("● ")),
    };
    let spinner = spinner.filter(|row| spins(row));
    let warning = footer.iter().map(|row| row.trim()).find(|row| row.starts_with('⚠'));
    Reading {
        working: spinner.is_some() || found.is_some() && footer.iter().any(|row| Rule::Busy.matches(row)),
        interrupted: found.is_some() && last_said(&above).is_some_and(|row| Rule::Interrupted.matches(row)),
        waiting_for_permission: found.is_some()
            && above.iter().take(6).any(|row| Rule::HeldBack.matches(row)),
        exit_armed: near(Rule::ExitArmed),
        clear_armed: near(Rule::ClearArmed),
        queued: found.as_ref().is_some_and(|found| found.queued),
        transcript: false,
        mode: found.as_ref().and_then(|_| footer.iter().find_map(|row| Rule::Mode.first_group(row))),
        notice: spinner
            .and_then(|_| retry(&above))
            .or(warning.map(str::to_owned))
            .filter(|_| found.is_some()),
        input: found.map(|found| found.input),
        dialog,
    }
}

/// What stands at the spinner, which `above` lists from the bottom, about a call that failed or does not come.
fn retry(above: &[&str]) -> Option<String> {
    let mut rows = above.iter().skip_while(|row| !spins(row));
    let spinner = rows.next()?;
    if Rule::Retry.matches(spinner) {
        return Some(spinner.trim().to_owned());
    }
    rows.take(NOTE_ROWS).find_map(|row| Rule::RetryNote.first_group(row))
}

fn spins(row: &str) -> bool {
    Rule::Spinner.matches(row) || Rule::Retry.matches(row)
}

/// The last row of the history, which `above` lists from the bottom.
fn last_said<'a>(above: &[&'a str]) -> Option<&'a str> {
    above.iter().copied().find(|row| {
        let text = row.trim_start();
        let hint = text.is_empty() || text.starts_with(BACKGROUND_HINT);
        !hint && row.chars().take_while(|c| *c == ' ').count() < RIGHT_ALIGNED
    })
}
