//! A dialog: what stands in it, and what a key does to it.

use serde_json::{Map, Value};

use super::keys::Key;
use super::rows::{rule, wrap};
use super::script::DialogStep;

/// An open dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    head: Vec<String>,
    options: Vec<String>,
    numbered: bool,
    hint: &'static str,
    marked: usize,
    /// The live file's word for it.
    pub(crate) waiting_for: &'static str,
}

/// How a dialog was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The option with this text.
    Option(String),
    /// Escape.
    Escape,
}

const ENTER_TO_CONFIRM: &str = "Enter to confirm · Esc to cancel";

impl Dialog {
    /// Whether this folder is trusted.
    pub(crate) fn trust(folder: &str) -> Self {
        let head = format!(
            " Accessing workspace:\n\n {folder}\n\n Quick safety check: Is this a project you created or one you \
             trust? (Like your own code, a well-known open source project, or work from your team). If not, take a \
             moment to review what's in this folder first.\n\n Claude Code'll be able to read, edit, and execute \
             files here.\n\n Security guide\n"
        );
        Self {
            head: vec![head],
            options: vec!["Yes, I trust this folder".into(), "No, exit".into()],
            numbered: true,
            hint: ENTER_TO_CONFIRM,
            marked: 0,
            waiting_for: "dialog open",
        }
    }

    /// Whether this tool may run.
    pub(crate) fn permission(tool: &str, input: &Map<String, Value>) -> Self {
        let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
        let all = "Yes, allow all edits during this session (shift+tab)";
        let (head, second) = match tool {
            "Bash" => (
                format!(
                    " Bash command\n\n   {}\n   {}\n\n Do you want to proceed?",
                    text("command"),
                    text("description")
                ),
                "Yes, and always allow access to project/ from this project",
            ),
            "Write" => {
                let file = text("file_path");
                (format!(" Create file\n {file}\n\n Do you want to create {file}?"), all)
            }
            "Edit" => {
                let file = text("file_path");
                (format!(" Edit file\n {file}\n\n Do you want to make this edit to {file}?"), all)
            }
            other => (
                format!(
                    " Tool use\n\n   {other}({})\n\n Do you want to proceed?",
                    Value::from(input.clone())
                ),
                "Yes, and don't ask again",
            ),
        };
        Self {
            head: vec![head],
            options: vec!["Yes".into(), second.into(), "No".into()],
            numbered: true,
            hint: "Esc to cancel · Tab to amend · ctrl+e to explain",
            marked: 0,
            waiting_for: "permission prompt",
        }
    }

    /// The first question of AskUserQuestion.
    pub(crate) fn question(input: &Map<String, Value>) -> Self {
        let first = input.get("questions").and_then(|all| all.get(0)).cloned().unwrap_or_default();
        let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let options = first.get("options").and_then(Value::as_array).into_iter().flatten();
        Self {
            head: vec![format!(" ☐ {}\n\n{}\n", text(&first, "header"), text(&first, "question"))],
            options: options.map(|option| text(option, "label")).collect(),
            numbered: true,
            hint: "Enter to select · ↑/↓ to navigate · Esc to cancel",
            marked: 0,
            waiting_for: "permission prompt",
        }
    }

    /// One that the script describes.
    pub(crate) fn scripted(step: &DialogStep) -> Self {
        Self {
            head: vec![format!("  {}\n\n  {}\n", step.title, step.body.replace('\n', "\n  "))],
            options: step.options.clone(),
            numbered: step.numbered,
            hint: ENTER_TO_CONFIRM,
            marked: 0,
            waiting_for: "dialog open",
        }
    }

    /// Takes a key. What means nothing here is dropped, a paste too.
    pub(crate) fn press(&mut self, key: &Key) -> Option<Choice> {
        let choose = |at: usize| self.options.get(at).cloned().map(Choice::Option);
        match key {
            Key::Escape | Key::Control('c') => Some(Choice::Escape),
            Key::Enter => choose(self.marked),
            Key::Up => {
                self.marked = self.marked.saturating_sub(1);
                None
            }
            Key::Down => {
                self.marked = (self.marked + 1).min(self.options.len().saturating_sub(1));
                None
            }
            Key::Text(text) if self.numbered => {
                let digit = text.parse::<usize>().ok().filter(|digit| text.len() == 1 && *digit > 0)?;
                choose(digit - 1)
            }
            Key::Text(_) | Key::Paste(_) | Key::Backspace | Key::Control(_) => None,
        }
    }

    /// The rows that stand in place of the box.
    pub(crate) fn rows(&self, cols: usize) -> Vec<String> {
        let mut rows = vec![String::new(), rule(cols)];
        for text in &self.head {
            let indented = |line: &str| {
                let text = line.trim_start_matches(' ');
                let indent = " ".repeat(line.len() - text.len());
                wrap(text, cols.saturating_sub(indent.len() + 2))
                    .into_iter()
                    .map(|row| format!("{indent}{row}"))
                    .collect::<Vec<_>>()
            };
            rows.extend(text.split('\n').flat_map(indented));
        }
        for (i, option) in self.options.iter().enumerate() {
            let mark = if i == self.marked { '❯' } else { ' ' };
            let number = if self.numbered { format!("{}. ", i + 1) } else { String::new() };
            rows.push(format!(" {mark} {number}{option}"));
        }
        rows.extend([String::new(), format!(" {}", self.hint)]);
        rows
    }
}
