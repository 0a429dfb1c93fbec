//! A dialog as a value, and what may be done to it.
//!
//! Keys are pressed only over exactly the dialog that was reported, and an option is named by its text: numbers
//! move between releases, 2.1.330 has none on its start-up dialogs, and its trust dialog begins with `No, exit`.

use super::known;
use serde::{Deserialize, Serialize};

/// What a dialog is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    /// May a tool run?
    Permission,
    /// May a plan be carried out?
    Plan,
    /// Claude asks something (AskUserQuestion).
    Question,
    /// Is this folder trusted?
    Trust,
    /// Anything else.
    Other,
}

/// One line that can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogOption {
    /// Its text, wrapped rows joined.
    pub label: String,
    /// What stands under it.
    pub detail: String,
    /// Enter would take this one.
    pub marked: bool,
    /// Its number, where it has one.
    pub number: Option<u8>,
    /// Ticked or not, where it can be.
    pub checked: Option<bool>,
}

/// A dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    /// What it is about.
    pub kind: DialogKind,
    /// Which rule found it: the id of a [`known::Known`], or `numbered`, `listed`, `unlisted`.
    pub rule: String,
    /// Its first line; for a question, the question.
    pub title: String,
    /// What stands between the title and the options.
    pub body: String,
    /// What can be chosen, from the top. Empty for a dialog that only names keys.
    pub options: Vec<DialogOption>,
    /// The line of keys under it.
    pub hint: String,
}

impl Dialog {
    /// The option meant by `wanted`: its exact text, else the same in another case, else the only one that
    /// begins so. An ambiguous text finds nothing.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Option<usize> {
        let wanted = wanted.trim();
        let lower = wanted.to_lowercase();
        let only = |test: &dyn Fn(&str) -> bool| {
            let mut hits = self.options.iter().enumerate().filter(|(_, option)| test(&option.label));
            hits.next().filter(|_| hits.next().is_none()).map(|(i, _)| i)
        };
        if lower.is_empty() {
            return None;
        }
        only(&|label| label == wanted)
            .or_else(|| only(&|label| label.to_lowercase() == lower))
            .or_else(|| only(&|label| label.to_lowercase().starts_with(&lower)))
    }

    /// The option that Enter would take.
    #[must_use]
    pub fn marked(&self) -> Option<usize> {
        self.options.iter().position(|option| option.marked)
    }

    /// Whether this is the same dialog: the same question and options. Where the marker stands and what is
    /// ticked does not matter.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let what = |dialog: &Self| (dialog.kind, dialog.title.clone(), dialog.body.clone());
        let labels =
            |dialog: &Self| dialog.options.iter().map(|o| (o.number, o.label.clone())).collect::<Vec<_>>();
        what(self) == what(other) && labels(self) == labels(other)
    }

    /// How often Down (or, below zero, Up) must be pressed to bring the marker to option `target`.
    ///
    /// One press moves it by one option (measured in 2.1.197 and 2.1.330).
    #[must_use]
    pub fn key_path(&self, target: usize) -> Option<i32> {
        self.options.get(target)?;
        let from = i32::try_from(self.marked()?).ok()?;
        Some(i32::try_from(target).ok()? - from)
    }

    /// The option that makes a known dialog go away without consequences.
    #[must_use]
    pub fn harmless(&self) -> Option<usize> {
        let label = known::by_id(&self.rule)?.harmless?;
        self.find(label)
    }

    /// The option that says yes to the start-up question of a known dialog, such as trusting a folder.
    #[must_use]
    pub fn consent(&self) -> Option<usize> {
        let label = known::by_id(&self.rule)?.consent?;
        self.find(label)
    }
}
