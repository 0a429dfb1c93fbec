//! Words for people: tables, times, short ids, errors.
//!
//! Pure: values in, text out. Nothing here prints; [`super::out`] does.

mod escape;
pub(super) mod pipeline;
mod session;
mod time;

pub(super) use escape::{prose, strict};
pub(super) use session::{detail, kind, receipt, rows, status_line, summary};
pub(super) use time::{ago, parse_duration};

use std::fmt::Display;

use crate::domain::OpError;
use crate::ops::OPS;

/// Lays rows out in columns; the last column runs free.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, room) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(room.saturating_sub(width(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Lays names and values out in two columns.
pub(super) fn fields(pairs: &[(&str, String)]) -> String {
    table(&pairs.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect::<Vec<_>>())
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// The first characters of an id: enough to name it by.
pub(super) fn short(id: impl Display) -> String {
    id.to_string().chars().take(8).collect()
}

/// One line of at most `room` characters.
pub(super) fn clip(text: &str, room: usize) -> String {
    let flat = prose(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if flat.chars().count() <= room {
        return flat;
    }
    let mut cut: String = flat.chars().take(room.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// An error for a person.
pub(super) fn error(error: &OpError) -> String {
    let mut text =
        format!("error: {} [{}]\nhint: {}", prose(&error.message), error.code.as_str(), hint(&error.hint));
    if let Some(details) = &error.details {
        let details = serde_json::to_string_pretty(details).unwrap_or_default();
        text.push_str("\ndetails: ");
        text.push_str(&strict(&details));
    }
    text
}

/// A hint in the words of the command line: hints name tools and arguments, since models read them most.
pub(super) fn hint(text: &str) -> String {
    const ARGUMENTS: [(&str, &str); 9] = [
        ("resumeSessionId", "--resume"),
        ("whenBusy", "--when-busy"),
        ("askId", "--ask"),
        ("openAsks", "the open asks"),
        ("idempotencyKey", "--key"),
        ("templateVariables", "--var"),
        ("memoryKeys", "--memory"),
        ("status ended", "--status ended"),
        ("details", "details below"),
    ];
    let mut text = prose(text);
    for op in OPS {
        if let Some(verb) = op.verb
            && op.name.contains('_')
        {
            text = text.replace(op.name, &format!("`aegis {verb}`"));
        }
    }
    for (argument, option) in ARGUMENTS {
        text = text.replace(argument, option);
    }
    text
}

/// `one ask`, `two asks`, as a number with its noun.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ErrorCode;

    #[test]
    fn columns_align_and_the_last_runs_free() {
        let rows = [vec!["a".into(), "bb".into()], vec!["ccc".into(), "d".into()], vec!["é".into()]];
        assert_eq!(table(&rows), "a    bb\nccc  d\né\n");
    }

    #[test]
    fn a_line_is_cut_and_flat() {
        assert_eq!(clip("one\n  two three", 8), "one two…");
        assert_eq!(clip("short", 8), "short");
    }

    #[test]
    fn an_error_names_code_and_next_step_in_our_words() {
        let shown = error(&OpError::new(ErrorCode::NothingToApprove, "no ask is open"));
        assert_eq!(
            shown,
            "error: no ask is open [nothing_to_approve]\nhint: `aegis show` shows what the session is doing"
        );
    }

    #[test]
    fn an_error_cannot_paint_the_terminal() {
        assert!(!error(&OpError::new(ErrorCode::Internal, "\x1b[2J")).contains('\x1b'));
    }
}
