//! The only place that prints: answers on stdout, progress and errors on stderr.
//!
//! A reader that went away (`aegis read … | head`) is no failure; the methods say whether it is still there.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::text;
use crate::domain::{ErrorCode, OpError};

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    /// Whether answers and errors are JSON.
    pub(super) json: bool,
}

impl Out {
    /// Prints an answer; returns whether somebody still reads.
    pub(super) fn answer(self, text: &str) -> bool {
        let mut stdout = io::stdout().lock();
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        write!(stdout, "{text}{end}").and_then(|()| stdout.flush()).is_ok()
    }

    /// Prints a document: indented for a person, on one line for a program.
    pub(super) fn document(self, value: &impl Serialize) -> Result<bool, OpError> {
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        match text {
            Ok(text) => Ok(self.answer(&text)),
            Err(error) => Err(OpError::new(ErrorCode::Internal, format!("cannot write JSON: {error}"))),
        }
    }

    /// Prints one line of a stream of documents.
    pub(super) fn line(self, value: &impl Serialize) -> Result<bool, OpError> {
        serde_json::to_string(value)
            .map(|text| self.answer(&text))
            .map_err(|error| OpError::new(ErrorCode::Internal, format!("cannot write JSON: {error}")))
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    pub(super) fn give<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), OpError> {
        if self.json {
            self.document(value)?;
        } else {
            self.answer(&text(value));
        }
        Ok(())
    }

    /// Tells a person something that is not the answer.
    pub(super) fn note(self, text: &str) {
        // Nobody is left to tell if stderr is gone.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Asks a person for a line.
    pub(super) fn ask(self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }

    /// Tells an error.
    pub(super) fn error(self, error: &OpError) {
        if self.json {
            self.note(&error.to_json().to_string());
        } else {
            self.note(&text::error(error));
        }
    }

    /// Writes bytes for the terminal as they are; returns whether it is still there.
    pub(super) fn terminal(self, bytes: &[u8]) -> bool {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).is_ok()
    }

    /// Tells whether a person sits at stdout.
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Tells whether a person can be asked: stdin and stderr are a terminal.
    pub(super) fn has_person(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}
