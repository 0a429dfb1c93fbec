//! What a holder is told at its start, on its standard input, so that no secret stands in a file or an argument.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::{Receipt, SessionSpec};

/// Everything a holder needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HolderLaunch {
    /// The session.
    pub spec: SessionSpec,
    /// Its directory; exists.
    pub dir: PathBuf,
    /// Where to listen.
    pub socket: PathBuf,
    /// The `claude` program.
    pub program: PathBuf,
    /// Its version, where known.
    pub program_version: Option<String>,
    /// The `aegis` program that hooks call.
    pub aegis: PathBuf,
    /// Claude Code's environment, complete but for the holder's own additions.
    pub environment: BTreeMap<String, String>,
    /// The first prompt.
    pub prompt: Option<FirstPrompt>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The longest prompt, in bytes.
    pub max_prompt_bytes: usize,
    /// How long Claude Code may take to be ready, in milliseconds, before the status says `unknown`.
    pub startup_timeout_ms: u64,
    /// After how long an unanswered permission is denied, in milliseconds; `None` keeps it open.
    pub deny_after_ms: Option<u64>,
}

/// The first prompt with its receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FirstPrompt {
    /// The text.
    pub text: String,
    /// Its receipt, in state `queued`.
    pub receipt: Receipt,
    /// Whether it goes as the last argument.
    pub as_argument: bool,
}
