//! The input box: what a person has typed, and what only looks typed.
//!
//! ```text
//! ──────────────────────────────── probe one ──
//! ❯ typed text
//!   its second line
//! ─────────────────────────────────────────────
//! ```
//! The prompt stands in column 0 and is followed by a no-break space; a line of history begins with `❯` and an
//! ordinary one, and what the model prints is indented (measured in 2.1.197 and 2.1.330).

use super::rules::{Rule, is_rule, wrapped};
use crate::term::{Row, Screen};
use serde::{Deserialize, Serialize};

/// The box and what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputBox {
    /// Typed text only. Rows are joined by a line break, or by a blank where the row ended because it was full:
    /// the screen does not say which, so compare without regard to white space.
    pub text: String,
    /// Faint text: a suggestion or a placeholder, never a draft.
    pub suggestion: Option<String>,
    /// How many pasted blocks the text holds as placeholders, `[Pasted text #1 +9 lines]`.
    pub chips: usize,
    /// A draft is put aside and comes back after the next prompt.
    pub stashed: bool,
    /// The box is in shell mode: Enter would run the text as a command.
    pub shell: bool,
}

/// A box and the rows of its rules.
pub(super) struct Found {
    pub(super) input: InputBox,
    pub(super) top: usize,
    pub(super) bottom: usize,
    pub(super) queued: bool,
}

/// The placeholder while messages are queued.
const QUEUED: &str = "Press up to edit queued messages";

/// The lowest box on the screen.
pub(super) fn find(screen: &Screen) -> Option<Found> {
    let ruled = |row: &Row| is_rule(&row.text, screen.cols) && row.text.starts_with('─');
    let rules: Vec<usize> = (0..screen.rows.len()).filter(|i| screen.rows.get(*i).is_some_and(ruled)).collect();
    let (top, bottom) = rules.windows(2).rev().find_map(|pair| match pair {
        [top, bottom] if prompt(screen.row_text(top + 1)).is_some() => Some((*top, *bottom)),
        _ => None,
    })?;
    let (mut text, mut faint) = (String::new(), String::new());
    let mut before = "";
    for (i, row) in screen.rows.get(top + 1..bottom)?.iter().enumerate() {
        let (typed, hint) = split(row);
        if i > 0 && !text.is_empty() {
            text.push_str(if wrapped(before, &typed, screen.cols) { " " } else { "\n" });
        }
        text.push_str(&typed);
        faint.push_str(&hint);
        before = &row.text;
    }
    let around = screen.rows.iter().skip(top.saturating_sub(2)).take(2).chain(screen.rows.iter().skip(bottom + 1));
    let stashed = { around }.any(|row| Rule::Stashed.matches(&row.text));
    let faint = faint.trim().to_owned();
    Some(Found {
        queued: faint == QUEUED,
        input: InputBox {
            chips: Rule::Chip.count(&text),
            shell: prompt(screen.row_text(top + 1)) == Some('!'),
            suggestion: Some(faint).filter(|faint| !faint.is_empty()),
            text: text.trim_end_matches('\n').to_owned(),
            stashed,
        },
        top,
        bottom,
    })
}

fn prompt(row: &str) -> Option<char> {
    let mut chars = row.chars();
    let first = chars.next().filter(|c| matches!(c, '❯' | '!'))?;
    chars.next().is_none_or(|c| c == '\u{a0}').then_some(first)
}

/// What a row of the box holds behind its two first columns: typed text and faint text.
///
/// The cursor is a reversed cell. On the first character of a suggestion it belongs to the suggestion; behind
/// the last typed one it is a blank.
fn split(row: &Row) -> (String, String) {
    let (mut typed, mut faint) = (String::new(), String::new());
    let mut skip = 2;
    for (i, span) in row.spans.iter().enumerate() {
        let text: String = span.text.chars().skip(skip).collect();
        skip = skip.saturating_sub(span.text.chars().count());
        let leads = span.inverse && row.spans.get(i + 1).is_some_and(|next| next.dim);
        let cursor = span.inverse && i + 1 == row.spans.len() && text == " ";
        match (span.dim || leads, cursor) {
            (_, true) => {}
            (true, false) => faint.push_str(&text),
            (false, false) => typed.push_str(&text),
        }
    }
    (typed, faint)
}
