//! Claude Code's own live file, `sessions/<pid>.json`: undocumented, found by running 2.1.197.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{ConversationId, Timestamp};

/// What the live file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The process that wrote it.
    pub pid: u32,
    /// Field 22 of the process's `/proc/<pid>/stat`, in ticks; an old file of a reused pid differs here.
    pub proc_start: Option<String>,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// Claude Code's version.
    pub version: Option<String>,
    /// What it is doing; absent in a second file that 2.1.260 and later may keep.
    pub activity: Option<Activity>,
    /// When `activity` last changed.
    pub since: Option<Timestamp>,
}

/// Claude Code's own words for what it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A turn, hooks, a compaction, an API retry, or a background subagent runs.
    Busy,
    /// Nothing runs.
    Idle,
    /// Nothing runs but a background shell.
    Shell,
    /// A person is needed; the file's own word for what.
    Waiting(String),
    /// A word of a newer version.
    Other(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    pid: u32,
    proc_start: Option<Value>,
    session_id: Option<String>,
    version: Option<String>,
    status: Option<String>,
    waiting_for: Option<String>,
    status_updated_at: Option<i64>,
    updated_at: Option<i64>,
}

impl Live {
    /// Reads the file's bytes; `None` while they are not whole.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: Raw = serde_json::from_slice(bytes).ok()?;
        let waiting_for = raw.waiting_for.unwrap_or_default();
        Some(Self {
            pid: raw.pid,
            proc_start: raw.proc_start.map(|value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            conversation_id: raw.session_id.and_then(|id| id.parse().ok()),
            version: raw.version,
            activity: raw.status.map(|status| match status.as_str() {
                "busy" => Activity::Busy,
                "idle" => Activity::Idle,
                "shell" => Activity::Shell,
                "waiting" => Activity::Waiting(waiting_for),
                _ => Activity::Other(status),
            }),
            since: raw.status_updated_at.or(raw.updated_at).and_then(Timestamp::from_millis),
        })
    }
}

impl Activity {
    /// Tells the activity in few words, for the evidence.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Busy => "busy".into(),
            Self::Idle => "idle".into(),
            Self::Shell => "shell".into(),
            Self::Waiting(what) => format!("waiting: {what}"),
            Self::Other(word) => format!("unknown word {word}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_2_1_197_is_read() {
        let live = Live::parse(
            br#"{"pid":1135,"sessionId":"06c89f1c-2dad-43ac-bffc-9723d61b9c8b","cwd":"/w","startedAt":1795337042671,"procStart":"458100","version":"2.1.197","peerProtocol":1,"kind":"interactive","entrypoint":"cli","name":"live one","status":"waiting","updatedAt":1795337048950,"statusUpdatedAt":1795337048950,"waitingFor":"permission prompt"}"#,
        )
        .unwrap();
        assert_eq!(live.activity, Some(Activity::Waiting("permission prompt".into())));
        assert_eq!(live.proc_start.as_deref(), Some("458100"));
        assert_eq!(live.since.unwrap().millis(), 1_795_337_048_950);
    }

    #[test]
    fn a_torn_file_says_nothing() {
        assert_eq!(Live::parse(br#"{"pid":1135,"#), None);
    }
}
