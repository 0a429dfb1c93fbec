//! How a session's process is.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::session::{hints, ui_state};
use crate::domain::{AskKind, StatusWord, Timestamp};
use crate::ops::{HolderHealth, SessionDetail};

/// A session's process. Times are in milliseconds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct HealthInfo {
    /// Whether Claude Code runs.
    alive: bool,
    /// Whether the session's holder answers; older clients know windows.
    window_exists: bool,
    /// Whether Claude Code runs.
    claude_running: bool,
    /// The program in the terminal; null once it is gone.
    pane_command: Option<String>,
    status: StatusWord,
    /// The same in the words of older clients.
    ui_state: String,
    /// Whether there is a transcript.
    has_transcript: bool,
    /// When it last showed a sign of life, since 1970.
    last_activity: i64,
    /// How long ago that was.
    last_activity_ago: u64,
    /// How long ago it was created.
    session_age: u64,
    /// All this in a sentence.
    details: String,
    /// Claude Code's process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claude_version: Option<String>,
    /// Share of the context window in use, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_used_pct: Option<u8>,
    /// Resident memory of Claude Code, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    rss_bytes: Option<u64>,
    holder: HolderHealth,
    /// Which calls answer what waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_hints: Option<Map<String, Value>>,
}

impl HealthInfo {
    pub(in crate::http) fn of(detail: SessionDetail, now: Timestamp) -> Self {
        let SessionDetail { session, health, transcript_path, .. } = detail;
        let process = match health.pid {
            Some(pid) => format!("Claude Code runs as process {pid}"),
            None if session.status == StatusWord::Ended => "Claude Code has ended".into(),
            None => "Claude Code is not seen to run".into(),
        };
        let holder = if health.holder.reachable { "answers" } else { "does not answer" };
        let waits = session.open_asks.iter().any(|ask| ask.kind != AskKind::Question);
        Self {
            alive: health.alive,
            window_exists: health.holder.reachable,
            claude_running: health.alive,
            pane_command: health.alive.then(|| "claude".into()),
            ui_state: ui_state(&session).into(),
            has_transcript: transcript_path.is_some(),
            last_activity: session.last_activity.millis(),
            last_activity_ago: now.millis_since(session.last_activity),
            session_age: now.millis_since(session.created_at),
            details: format!("{process}; its holder {holder}; the session is {}.", session.status.as_str()),
            pid: health.pid,
            claude_version: health.claude_version,
            context_used_pct: health.context_used_pct,
            rss_bytes: health.rss_bytes,
            holder: health.holder,
            action_hints: waits.then(|| hints(session.id)),
            status: session.status,
        }
    }
}
