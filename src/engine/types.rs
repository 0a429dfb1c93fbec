//! What an engine is asked and answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    Event, MemoryKey, OpError, PermissionMode, PipelineId, PolicyRule, Receipt, Session, SessionId,
    StatusWord,
};
use crate::wire::Snapshot;

/// What a new session is to be.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// The directory, as the caller wrote it; empty for the template's.
    pub work_dir: String,
    /// A name.
    pub name: Option<String>,
    /// The first prompt.
    pub prompt: Option<String>,
    /// The permission mode.
    pub permission_mode: Option<PermissionMode>,
    /// The model.
    pub model: Option<String>,
    /// What to resume: a session's id, prefix or name, or a conversation id.
    pub resume: Option<String>,
    /// Text added to the system prompt.
    pub append_system_prompt: Option<String>,
    /// More directories.
    pub add_dirs: Vec<String>,
    /// Variables to add.
    pub env: BTreeMap<String, String>,
    /// The name of a git worktree to make.
    pub worktree: Option<String>,
    /// The template, by id or name.
    pub template: Option<String>,
    /// Values of the variables in the template's prompt.
    pub variables: BTreeMap<String, String>,
    /// Keys of the memory whose values go before the prompt; none given means the template's.
    pub memory_keys: Option<Vec<MemoryKey>>,
    /// Rules that decide on its tool calls, before those of the configuration.
    pub policy: Vec<PolicyRule>,
    /// Silence after which a turn counts as stalled, in milliseconds; the configuration's unless given.
    pub stall_threshold_ms: Option<u64>,
    /// Whether what is resumed is copied even where nothing else goes on with it.
    pub fork: bool,
    /// Whether an idle session may be taken.
    pub reuse: bool,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Which surface asks.
    pub by: String,
    /// The session from inside which it is created.
    pub parent: Option<SessionId>,
    /// The key that it is to belong to, by id. A session that is created from inside of another belongs to that one's.
    pub owner_key: Option<String>,
    /// The pipeline whose stage it is for; no other creation takes it then.
    pub pipeline: Option<PipelineId>,
}

/// A session that was started or taken.
#[derive(Clone, Debug)]
pub struct Created {
    /// The session.
    pub session: Session,
    /// Whether an idle one was taken.
    pub reused: bool,
    /// The first prompt's receipt.
    pub receipt: Option<Receipt>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only those in this status.
    pub status: Option<StatusWord>,
    /// Only those in this directory.
    pub work_dir: Option<String>,
    /// Only those of this key.
    pub owner_key: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// What to wait for.
#[derive(Clone, Debug)]
pub struct WaitQuery {
    /// Which sessions; none means all live ones.
    pub sessions: Option<Vec<String>>,
    /// Of all live ones, only those of this key.
    pub owner_key: Option<String>,
    /// Which statuses end the wait.
    pub until: Vec<StatusWord>,
    /// How long.
    pub timeout: Duration,
    /// Where the wait before ended.
    pub cursor: Option<String>,
}

/// How a wait came out.
#[derive(Clone, Debug)]
pub struct WaitResult {
    /// The sessions that ended it.
    pub woke: Vec<Woken>,
    /// For the next wait.
    pub cursor: String,
    /// Whether the time ran out.
    pub timed_out: bool,
}

/// A session that ended a wait.
#[derive(Clone, Debug)]
pub struct Woken {
    /// The session as it is now.
    pub session: Session,
    /// The events that ended the wait, oldest first; none if the session was in such a status already.
    pub events: Vec<Event>,
}

/// A session with what its holder knows.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The session.
    pub session: Session,
    /// Whether the holder answered.
    pub reachable: bool,
    /// The holder's own account, its last one if the session has ended; `None` when it does not answer.
    pub snapshot: Option<Snapshot>,
    /// The holder's process id, where recorded.
    pub holder_pid: Option<u32>,
}

/// The `claude` program as found.
#[derive(Clone, Debug)]
pub struct ClaudeProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: Option<String>,
    /// Whether Aegis works with it.
    pub supported: bool,
}

/// What the server stands on.
#[derive(Clone, Debug)]
pub struct EngineHealth {
    /// Since the engine was built.
    pub uptime: Duration,
    /// Live sessions by status word.
    pub sessions: BTreeMap<String, usize>,
    /// The `claude` program.
    pub claude: Result<ClaudeProgram, OpError>,
    /// Whether the steward runs here; `None` when nowhere.
    pub steward_here: Option<bool>,
    /// Whether the store answers.
    pub store_ok: bool,
    /// The state directory.
    pub state_dir: String,
}

/// A viewer's connection to a session's terminal.
pub struct Attachment {
    /// Output bytes; ends when the session ends or the holder goes away.
    pub output: tokio::sync::mpsc::Receiver<Vec<u8>>,
    /// Keys and sizes for the terminal; refused silently when only watching.
    pub input: tokio::sync::mpsc::Sender<AttachInput>,
}

/// What a viewer sends.
#[derive(Clone, Debug)]
pub enum AttachInput {
    /// Keys.
    Keys(Vec<u8>),
    /// The viewer's new size: columns, rows.
    Resize(u16, u16),
}
