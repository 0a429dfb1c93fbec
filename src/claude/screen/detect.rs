//! Finds a dialog nobody described, by its shape.
//!
//! ```text
//! ─────────────────────────────────────────────   a rule from edge to edge, `▔` in some
//!  Bash command                                   title
//!    touch made-it                                body
//!  Do you want to proceed?
//!  ❯ 1. Yes                                       options, one of them marked; numbered or not
//!    2. Yes, and always allow access to proj/
//!       from this project                         wrapped
//!
//!  Esc to cancel · Tab to amend                   hint
//! ```
//! It stands where the input box would be, and below everything that was said. What the model prints can look
//! like all of this, but then the box is still there; and history that stands without a box (a half-drawn frame,
//! the transcript view) has no rule under its last `●` line.

use super::dialog::{Dialog, DialogKind, DialogOption};
use super::known;
use super::rules::{Rule, indent, is_decoration, is_rule, wrapped};
use crate::term::Screen;

/// Rows that can be chosen although they have neither a number nor the indent of their neighbours.
const BUTTONS: [&str; 3] = ["Submit", "Next", "Enable selected"];

/// The dialog below row `floor`, the first that is not the input box's.
pub(super) fn find(screen: &Screen, floor: usize) -> Option<Dialog> {
    let all: Vec<&str> = screen.rows.iter().map(|row| row.text.as_str()).collect();
    let start = start(&all, floor, screen.cols)?;
    let rows = all.get(start..)?;
    let list = marker(rows).map(|at| List::around(rows, at, screen.cols));
    let (first, last) = list.as_ref().map_or((rows.len(), 0), |list| (list.first, list.last));
    let hint_at = rows.iter().enumerate().skip(last).position(|(i, row)| i > last && Rule::Hint.matches(row));
    let hint_at = hint_at.map(|at| at + last);
    let head: Vec<&str> = rows
        .iter()
        .take(first.min(hint_at.unwrap_or(rows.len())))
        .filter(|row| !is_decoration(row))
        .map(|row| row.trim())
        .collect();
    let known = known::matching(&head);
    let tabs = head.iter().position(|line| Rule::Tabs.matches(line));
    let numbered = list.as_ref().is_some_and(|list| list.options.iter().filter(|o| o.number.is_some()).count() > 1);
    let rule = match (known, &list, hint_at) {
        (Some(known), Some(_), _) | (Some(known), None, Some(_)) => known.id,
        (None, Some(_), _) if numbered => "numbered",
        (None, Some(_), Some(_)) => "listed",
        // Without a box and without options, but with keys named at the very bottom.
        (None, None, Some(at)) if floor == 0 && at + 4 > used(rows) => "unlisted",
        _ => return None,
    };
    let kind = known.map_or(if tabs.is_some() { DialogKind::Question } else { DialogKind::Other }, |k| k.kind);
    let (title, body) = headline(&head, tabs.filter(|_| kind == DialogKind::Question));
    Some(Dialog {
        kind,
        rule: rule.to_owned(),
        title,
        body,
        options: list.map(|list| list.options).unwrap_or_default(),
        hint: hint_at.map(|at| hint(rows.get(at..).unwrap_or_default())).unwrap_or_default(),
    })
}

/// The first row of a dialog: behind the first rule that follows the last thing said. A dialog higher than the
/// screen has lost its rule, and then nothing said is left above it either.
fn start(rows: &[&str], floor: usize, cols: u16) -> Option<usize> {
    let said = rows.iter().rposition(|row| Rule::Said.matches(row)).map_or(0, |at| at + 1);
    let from = said.max(floor);
    match rows.iter().enumerate().skip(from).find(|(_, row)| is_rule(row, cols)) {
        Some((at, _)) => Some(at + 1),
        None if from == 0 => Some(0),
        None => None,
    }
}

/// The lowest row with a marker.
fn marker(rows: &[&str]) -> Option<usize> {
    rows.iter().rposition(|row| {
        let text = row.trim_start_matches(' ');
        indent(row) <= 6 && text.strip_prefix("❯ ").is_some_and(|rest| !rest.trim().is_empty())
    })
}

fn used(rows: &[&str]) -> usize {
    rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |at| at + 1)
}

/// Title and body. Over a question stand its tabs; the question is the title.
fn headline(head: &[&str], tabs: Option<usize>) -> (String, String) {
    let lines = || head.iter().enumerate().filter(|(_, line)| !line.is_empty());
    let title = lines().find(|(i, _)| tabs.is_none_or(|tabs| *i > tabs)).map(|(i, _)| i);
    let rest: Vec<&str> = lines().filter(|(i, _)| Some(*i) != title).map(|(_, line)| *line).collect();
    (title.and_then(|i| head.get(i)).map_or(String::new(), |line| (*line).to_owned()), rest.join("\n"))
}

fn hint(rows: &[&str]) -> String {
    let lines: Vec<&str> = rows.iter().map(|row| row.trim()).take_while(|row| !row.is_empty()).collect();
    lines.join(" ")
}

/// The options and the rows they take.
struct List {
    options: Vec<DialogOption>,
    first: usize,
    last: usize,
}

impl List {
    /// The list that the marker in row `at` belongs to.
    fn around(rows: &[&str], at: usize, cols: u16) -> Self {
        let column = rows.get(at).map_or(0, |row| indent(row)) + 2;
        let numbered = rows.get(at).is_some_and(|row| Rule::Number.matches(bare(row)));
        let inside = |row: &str| {
            let deep = indent(row) >= column || marked(row) && indent(row) + 2 == column;
            row.trim().is_empty() || is_decoration(row) && numbered || deep && !Rule::Hint.matches(row)
        };
        let up = rows.iter().take(at).rev().take_while(|row| inside(row)).count();
        let down = rows.iter().skip(at + 1).take_while(|row| inside(row)).count();
        let mut list = Self { options: Vec::new(), first: at, last: at };
        for i in at - up..=at + down {
            if let Some(row) = rows.get(i) {
                let before = i.checked_sub(1).and_then(|i| rows.get(i)).copied().unwrap_or("");
                list.take(row, before, i, column, numbered, cols);
            }
        }
        list
    }

    fn take(&mut self, row: &str, before: &str, at: usize, column: usize, numbered: bool, cols: u16) {
        let text = bare(row);
        if text.is_empty() || is_decoration(row) {
            return;
        }
        let aligned = marked(row) || indent(row) == column;
        let number = Rule::Number.captures(text).filter(|_| aligned && numbered);
        let number = number.and_then(|c| Some((c.get(1)?.as_str().parse::<u8>().ok()?, c.get(2)?.as_str())));
        let due = self.options.iter().rev().find_map(|option| option.number).map(|n| n + 1);
        let own = match number {
            // A list in the text above the options ends where the numbers start again.
            Some((1, _)) => {
                self.options.clear();
                true
            }
            Some((n, _)) => due.is_none_or(|due| due == n),
            None => {
                BUTTONS.contains(&text)
                    || !numbered && aligned && (before.trim().is_empty() || !self.blocks(before))
                    || marked(row)
            }
        };
        if own {
            if self.options.is_empty() {
                self.first = at;
            }
            self.options.push(option(number.map_or(text, |(_, label)| label), number.map(|(n, _)| n), marked(row)));
        } else if let Some(last) = self.options.last_mut() {
            let whole = last.detail.is_empty() && wrapped(before, text, cols);
            let target = if whole { &mut last.label } else { &mut last.detail };
            if !target.is_empty() {
                target.push(' ');
            }
            target.push_str(text);
        } else {
            return;
        }
        self.last = at;
    }

    /// Whether the list is one of blocks with blank rows between, such as that of Rewind.
    fn blocks(&self, before: &str) -> bool {
        let _ = before;
        false
    }
}

fn marked(row: &str) -> bool {
    row.trim_start_matches(' ').starts_with("❯ ")
}

/// A row's text without blanks and marker.
fn bare(row: &str) -> &str {
    let text = row.trim();
    text.strip_prefix('❯').map_or(text, str::trim_start)
}

fn option(text: &str, number: Option<u8>, marked: bool) -> DialogOption {
    let boxed = Rule::Checkbox.captures(text);
    let label = boxed.as_ref().and_then(|c| c.get(3)).map_or(text, |label| label.as_str());
    let tick = boxed.as_ref().and_then(|c| c.get(1).or_else(|| c.get(2)));
    DialogOption {
        label: label.trim().to_owned(),
        detail: String::new(),
        marked,
        number,
        checked: tick.map(|tick| !matches!(tick.as_str(), " " | "☐" | "◯")),
    }
}
