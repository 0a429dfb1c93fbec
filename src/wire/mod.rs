//! What travels between a holder and those who talk to it: servers, command lines, hooks.
//!
//! **Framing.** Each frame is a length, four bytes, little-endian, then so many bytes of JSON, at most
//! [`MAX_FRAME`]. **Order.** Both sides open with a hello frame that names [`PROTOCOL`]; then the peer sends
//! [`Call`]s, each with a number of its own, and the holder answers each with one [`Reply`] of that number, in
//! any order. After [`Request::Subscribe`] or [`Request::Attach`] the holder also sends [`Push`]es.
//! **Compatibility.** A frame, request or field that the reader does not know is ignored, or, where an answer is
//! due, answered with the code `unsupported`; a holder outlives many versions of the server. **Trust.** The socket
//! is 0600 in a 0700 directory; hook calls also carry the session's secret, so that a stray process cannot
//! answer for Claude Code by mistake.

mod frame;
mod reply;
pub mod socket;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    Answer, AskId, ConversationId, Delivery, Ending, Epoch, Event, Evidence, MessageQuery, PermissionMode,
    Policy, Position, Receipt, ReceiptId, Session, SessionId, Verification, WhenBusy,
};

pub use frame::{
    FrameError, MAX_FRAME, decode, encode, read_frame, read_frame_blocking, write_frame, write_frame_blocking,
};

pub use reply::{Outcome, Refusal, RefusalCode, Reply};

/// The version of this protocol. Raised when an old reader would misunderstand a new frame.
pub const PROTOCOL: u32 = 1;

/// The first frame of either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the sender.
    pub protocol: u32,
    /// The sender's program version, for people.
    pub version: String,
    /// The session, when the holder speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The holder's life, when the holder speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

/// A request with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The caller's number for it; the reply repeats it.
    pub call: u64,
    /// Until when the caller listens, in milliseconds of the system's monotonic clock, which all processes share. A
    /// holder that was stopped and goes on does not begin what nobody waits for any more: its caller was told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What a holder can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// The present state. Answered with [`Snapshot`].
    Snapshot,
    /// The session alone, as lists tell it. Answered with a [`Session`]; at its next change after that the connection
    /// gets one [`Push::Changed`].
    Session,
    /// The present state, then every later event as a [`Push::Event`]. Answered with [`Snapshot`]. With `after`
    /// the events since that position come first; where they are gone, a gap event says so.
    Subscribe {
        /// The last event that the reader has.
        after: Option<Position>,
    },
    /// Events after a position, oldest first. Answered with [`Events`].
    Events {
        /// The last event that the reader has.
        after: Option<Position>,
        /// At most so many.
        limit: usize,
    },
    /// Delivers a prompt. Answered with a [`Receipt`] as soon as it is stored.
    Send {
        /// The prompt.
        text: String,
        /// What to do while a turn runs.
        when_busy: WhenBusy,
        /// The same key gives the same receipt.
        key: Option<String>,
        /// Which surface sends it.
        by: String,
    },
    /// Types a slash command or a shell line. Answered with a [`Receipt`] as soon as it is stored.
    Type {
        /// Which of the two: [`Delivery::Command`](crate::domain::Delivery) or [`Delivery::Shell`](crate::domain::Delivery).
        delivery: Delivery,
        /// The text, with or without the mark before it.
        text: String,
        /// The same key gives the same receipt.
        key: Option<String>,
        /// Which surface sends it.
        by: String,
    },
    /// Waits until the receipt is submitted or settled, at most so long. Answered with a [`Receipt`].
    AwaitReceipt {
        /// Which.
        id: ReceiptId,
        /// Milliseconds.
        timeout_ms: u64,
        /// Wait on until a shell line has ended.
        #[serde(default)]
        output: bool,
    },
    /// Takes the session for new work if it is idle, at once and for one caller only. Answered with [`Claimed`].
    Claim {
        /// The prompt, stored in the same step.
        prompt: Option<String>,
        /// The prompt's idempotency key.
        key: Option<String>,
        /// Which surface asks.
        by: String,
    },
    /// Answers an ask. Answered with the resolved [`Ask`](crate::domain::Ask).
    Answer {
        /// Which; without it the only open one that the answer fits.
        ask_id: Option<AskId>,
        /// The answer.
        answer: Answer,
        /// Which surface answers.
        by: String,
    },
    /// Answers the open question. Answered with a [`Receipt`].
    Choose {
        /// Question text to a label, labels joined by a comma and a space, or free text.
        answers: BTreeMap<String, String>,
        /// The same key gives the same receipt.
        key: Option<String>,
        /// Which surface answers.
        by: String,
    },
    /// Stops the turn. Answered with a [`Snapshot`] once it has stopped.
    Interrupt {
        /// Which surface asks.
        by: String,
    },
    /// Presses Escape once. Answered with a [`Snapshot`].
    Escape {
        /// Which surface asks.
        by: String,
    },
    /// Ends the session. Answered with a [`Snapshot`] once the process and all it started are gone.
    Kill {
        /// Without asking Claude Code to exit first.
        force: bool,
        /// Which surface asks.
        by: String,
    },
    /// Reads the conversation. Answered with a [`MessagePage`](crate::domain::MessagePage).
    Messages(MessageQuery),
    /// The figures. Answered with [`SessionStats`](crate::domain::SessionStats).
    Stats,
    /// Tells the rules that decide on tool calls, or puts others in their place. Answered with a [`Policy`].
    Policy {
        /// The rules from now on; none to leave them.
        rules: Option<Policy>,
        /// Which surface asks.
        by: String,
    },
    /// Journals what came of the project's own checks. Answered with nothing.
    Verified {
        /// What, without what they printed.
        outcome: Verification,
        /// Which surface asked for it.
        by: String,
    },
    /// Reads the screen. Answered with a [`Pane`].
    Pane {
        /// With colours, as escape sequences.
        ansi: bool,
        /// Lines above the screen too, at most so many.
        scrollback: usize,
    },
    /// Answered at once with nothing: whoever waits long for another answer learns that the holder lives.
    Ping,
    /// The evidence log, oldest first. Answered with a list of [`Evidence`].
    Explain,
    /// Makes this connection a viewer: a [`Push::Output`] that draws the screen, then all output. Answered with
    /// [`Pane`].
    Attach {
        /// The viewer's size; the terminal follows unless the viewer only watches.
        cols: u16,
        /// Rows.
        rows: u16,
        /// Only look.
        watch: bool,
        /// Which surface attaches.
        by: String,
    },
    /// Keys from a viewer, base64. No answer.
    Input {
        /// The bytes, base64.
        bytes: String,
    },
    /// The viewer's new size. No answer.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// A hook event of Claude Code. Answered with [`HookReply`], for a permission when it is decided.
    Hook {
        /// The session's secret.
        secret: String,
        /// The event's name.
        event: String,
        /// What Claude Code gave the hook on its standard input.
        payload: Value,
        /// When the hook was started, in milliseconds of the system's monotonic clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        called: Option<u64>,
    },
    /// A request of a newer version.
    #[serde(other)]
    Unknown,
}

/// What a holder says unasked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "push", rename_all = "snake_case")]
pub enum Push {
    /// An event.
    Event {
        /// The event.
        event: Box<Event>,
    },
    /// Terminal output, base64.
    Output {
        /// The bytes, base64.
        bytes: String,
    },
    /// The session is no longer as [`Request::Session`] was answered on this connection.
    Changed,
    /// A push of a newer version.
    #[serde(other)]
    Unknown,
}

/// The state of a session as its holder knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The session.
    pub session: Session,
    /// The last event included.
    pub position: Position,
    /// Claude Code's process id while it runs.
    pub pid: Option<u32>,
    /// The holder's process id.
    pub holder_pid: u32,
    /// The holder's program version.
    pub holder_version: String,
    /// Claude Code's version, once known.
    pub claude_version: Option<String>,
    /// Resident memory of the Claude Code process, in bytes.
    pub rss_bytes: Option<u64>,
    /// Share of the context window in use, in percent, once known.
    pub context_used_pct: Option<u8>,
    /// The newest evidence, oldest first.
    pub evidence: Vec<Evidence>,
    /// The newest receipts, oldest first.
    pub receipts: Vec<Receipt>,
    /// Background work that Claude Code reported at the last stop.
    pub background_tasks: usize,
    /// Every conversation the session has had, oldest first.
    pub conversations: Vec<ConversationId>,
    /// Claude Code's transcript file.
    pub transcript_path: Option<String>,
    /// The settled end, once it has one.
    pub ending: Option<Ending>,
    /// The permission mode as last reported.
    pub permission_mode: PermissionMode,
}

/// Events after a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Oldest first; a gap event stands where some are gone.
    pub events: Vec<Event>,
    /// The last event there is.
    pub position: Position,
}

/// A granted claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The state after the claim.
    pub snapshot: Snapshot,
    /// The prompt's receipt.
    pub receipt: Option<Receipt>,
}

/// The screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pane {
    /// The text.
    pub pane: String,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The cursor's row and column, from 0.
    pub cursor: (u16, u16),
    /// The terminal's title.
    pub title: String,
}

/// What a hook prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReply {
    /// Its standard output; empty for no opinion.
    pub stdout: String,
}
