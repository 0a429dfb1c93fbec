//! The live part of the screen: a dialog, or the box with what stands above and below it.

use super::rows::{hung, rule, wrap};
use super::session::Session;

/// Rows of the box at most; a higher draft shows its end.
const HIGHEST: usize = 12;

impl Session {
    /// The rows below the history.
    pub(crate) fn live_rows(&self, cols: usize) -> Vec<String> {
        if let Some(dialog) = self.dialogs.last() {
            return dialog.rows(cols);
        }
        if !self.ready {
            return Vec::new();
        }
        let mut rows = vec![String::new()];
        if let Some(since) = self.working {
            rows.extend([format!("✢ Doodling… ({}s)", since.elapsed().as_secs()), String::new()]);
        }
        for text in &self.queued {
            rows.extend(hung("  ❯ ", text, cols).into_iter().take(3));
        }
        rows.push(rule(cols));
        rows.extend(self.box_rows(cols));
        rows.push(rule(cols));
        rows.push(self.footer());
        rows
    }

    fn box_rows(&self, cols: usize) -> Vec<String> {
        if self.entry.is_empty() {
            let faint = if self.queued.is_empty() {
                self.script.suggestion.as_str()
            } else {
                "Press up to edit queued messages"
            };
            let mut chars = faint.chars();
            let row = match chars.next().filter(|_| self.working.is_none() || !self.queued.is_empty()) {
                Some(first) => format!("❯\u{a0}\x1b[7m{first}\x1b[27m\x1b[2m{}\x1b[22m", chars.as_str()),
                None => "❯\u{a0}\x1b[7m \x1b[27m".to_owned(),
            };
            return vec![row];
        }
        let text = wrap(&self.entry.shown(), cols.saturating_sub(4));
        let cut = text.len().saturating_sub(HIGHEST);
        let mut rows: Vec<String> = text[cut..]
            .iter()
            .enumerate()
            .map(|(i, row)| if i == 0 { format!("❯\u{a0}{row}") } else { format!("  {row}") })
            .collect();
        if let Some(last) = rows.last_mut() {
            last.push_str("\x1b[7m \x1b[27m");
        }
        rows
    }

    fn footer(&self) -> String {
        if self.clear_armed {
            return "  Esc again to clear".into();
        }
        if self.entry.stashed() {
            return "  › stashed".into();
        }
        let mode = match self.mode.as_str() {
            "plan" => "⏸ plan mode on · ",
            "acceptEdits" => "⏵⏵ accept edits on · ",
            "auto" => "⏵⏵ auto mode on · ",
            "dontAsk" => "⏵⏵ don't ask on · ",
            "bypassPermissions" => "⏵⏵ bypass permissions on · ",
            _ => "",
        };
        let hint = if self.working.is_some() { "esc to interrupt" } else { "? for shortcuts" };
        format!("  {mode}{hint}")
    }
}
