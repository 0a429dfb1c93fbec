//! The one vocabulary for journal, streams, channels, webhooks and audit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::evidence::StatusReport;
use super::id::{ConversationId, Epoch, SessionId};
use super::message::{ContentType, Role};
use super::receipt::Receipt;
use super::status::StatusWord;
use super::time::Timestamp;
use super::verification::Verification;

/// What a person or program did to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Action {
    /// Stopped the turn.
    Interrupt,
    /// Pressed Escape.
    Escape,
    /// Ended the session.
    Kill,
    /// Took an idle session for new work.
    Reuse,
    /// Typed in an attached terminal.
    Attach,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EventData {
    /// Claude Code was launched.
    #[serde(rename_all = "camelCase")]
    Launched {
        /// Its process id.
        pid: u32,
        /// Its version, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        claude_version: Option<String>,
    },
    /// The status changed.
    #[serde(rename_all = "camelCase")]
    Status {
        /// The new status and its grounds.
        #[serde(flatten)]
        report: StatusReport,
        /// The status before.
        from: StatusWord,
        /// What the source said.
        what: String,
        /// Where a hook led to it: how long ago that was started, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lag_ms: Option<u64>,
    },
    /// An ask opened.
    AskOpened(Ask),
    /// An ask was answered or went away; its `resolution` says how.
    AskResolved(Ask),
    /// A receipt reached a new state.
    Receipt(Receipt),
    /// The conversation was bound or changed.
    #[serde(rename_all = "camelCase")]
    Conversation {
        /// Its id.
        conversation_id: ConversationId,
        /// Why: `startup`, `resume`, `clear`, `compact`, `fork`.
        reason: String,
        /// Claude Code's transcript file.
        #[serde(skip_serializing_if = "Option::is_none")]
        transcript_path: Option<String>,
    },
    /// A message joined the transcript.
    #[serde(rename_all = "camelCase")]
    Message {
        /// Its id.
        id: u64,
        /// Who speaks.
        role: Role,
        /// What it holds.
        content_type: ContentType,
        /// The first 500 characters.
        text: String,
        /// The tool, for calls and results.
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_name: Option<String>,
    },
    /// So much of the context window is in use that Claude Code warns. Told once, until there is room again.
    #[serde(rename_all = "camelCase")]
    ContextFilled {
        /// How much is in use, in percent.
        used_pct: u8,
    },
    /// The project's own checks were run in the session's directory.
    Verified {
        /// What came of it, without what the checks printed.
        outcome: Verification,
        /// Which surface asked for it.
        by: String,
    },
    /// Somebody did something to the session.
    Action {
        /// What.
        action: Action,
        /// Which surface.
        by: String,
    },
    /// A reader fell behind: events up to and including `to` are missing here.
    Gap {
        /// The first missing sequence number.
        from: u64,
        /// The last missing sequence number.
        to: u64,
    },
}

/// One event. Within a session and epoch `seq` counts from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The holder's life that counted it.
    pub epoch: Epoch,
    /// Its number.
    pub seq: u64,
    /// The session.
    pub session_id: SessionId,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub data: EventData,
}

/// How far a reader has come in one session's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The holder's life.
    pub epoch: Epoch,
    /// The last number read.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EndCause, Ending, SessionStatus, Source};

    #[test]
    fn an_event_reads_back_as_written() {
        let ending =
            Ending { cause: EndCause::Exited, exit_code: Some(0), signal: None, by: None, detail: None };
        let at = Timestamp::from_millis(1).unwrap();
        let event = Event {
            epoch: Epoch::mint(),
            seq: 1,
            session_id: SessionId::mint(),
            at,
            data: EventData::Status {
                report: StatusReport::new(SessionStatus::Ended(ending), at, Source::Process),
                from: StatusWord::Working,
                what: "exit code 0".into(),
                lag_ms: None,
            },
        };
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""type":"status","data":{"status":"ended","cause":"exited""#), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
