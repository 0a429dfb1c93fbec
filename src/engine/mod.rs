//! Sessions as running things.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    Answer, Ask, AskId, ErrorCode, Event, Evidence, MessagePage, MessageQuery, OpError, PermissionMode,
    Receipt, Session, SessionId, StatusWord, WhenBusy,
};
use crate::wire::{Pane, Snapshot};

/// What a new session is to be.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// The directory, as the caller wrote it.
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
    /// Whether an idle session may be taken.
    pub reuse: bool,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Which surface asks.
    pub by: String,
    /// The session from inside which it is created.
    pub parent: Option<SessionId>,
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
    /// The sessions that ended it, each with the event if there was one.
    pub woke: Vec<(Session, Option<Event>)>,
    /// For the next wait.
    pub cursor: String,
    /// Whether the time ran out.
    pub timed_out: bool,
}

/// A session with what its holder knows.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The session.
    pub session: Session,
    /// The holder's own account; `None` when it is gone or does not answer.
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

/// Sessions as running things.
pub struct Engine {}

#[allow(missing_docs, clippy::unused_async, clippy::missing_errors_doc)]
impl Engine {
    pub async fn create(&self, _: NewSession) -> Result<Created, OpError> {
        Err(stub())
    }
    pub async fn list(&self, _: ListQuery) -> Result<(Vec<Session>, Option<String>), OpError> {
        Err(stub())
    }
    pub async fn resolve(&self, _: &str) -> Result<SessionId, OpError> {
        Err(stub())
    }
    /// The session and its ancestors, nearest first.
    pub async fn lineage(&self, _: SessionId) -> Result<Vec<SessionId>, OpError> {
        Err(stub())
    }
    pub async fn detail(&self, _: &str) -> Result<Detail, OpError> {
        Err(stub())
    }
    pub async fn wait(&self, _: WaitQuery) -> Result<WaitResult, OpError> {
        Err(stub())
    }
    pub async fn send(
        &self,
        _: SessionId,
        _text: String,
        _: WhenBusy,
        _key: Option<String>,
        _by: &str,
    ) -> Result<Receipt, OpError> {
        Err(stub())
    }
    pub async fn answer_questions(
        &self,
        _: SessionId,
        _: BTreeMap<String, String>,
        _key: Option<String>,
        _by: &str,
    ) -> Result<Receipt, OpError> {
        Err(stub())
    }
    pub async fn answer(&self, _: SessionId, _: Option<AskId>, _: Answer, _by: &str) -> Result<Ask, OpError> {
        Err(stub())
    }
    pub async fn interrupt(&self, _: SessionId, _by: &str) -> Result<Session, OpError> {
        Err(stub())
    }
    pub async fn escape(&self, _: SessionId, _by: &str) -> Result<Session, OpError> {
        Err(stub())
    }
    pub async fn kill(&self, _: SessionId, _force: bool, _by: &str) -> Result<Session, OpError> {
        Err(stub())
    }
    pub async fn messages(&self, _: &str, _: MessageQuery) -> Result<MessagePage, OpError> {
        Err(stub())
    }
    pub async fn pane(&self, _: &str, _ansi: bool, _scrollback: usize) -> Result<Pane, OpError> {
        Err(stub())
    }
    pub async fn explain(&self, _: &str) -> Result<(Session, Vec<Evidence>), OpError> {
        Err(stub())
    }
    pub async fn attach(
        &self,
        _: SessionId,
        _size: (u16, u16),
        _watch: bool,
        _by: &str,
    ) -> Result<Attachment, OpError> {
        Err(stub())
    }
    pub async fn health(&self) -> EngineHealth {
        EngineHealth {
            uptime: Duration::ZERO,
            sessions: BTreeMap::new(),
            claude: Err(stub()),
            steward_here: None,
            store_ok: false,
            state_dir: String::new(),
        }
    }
}

fn stub() -> OpError {
    OpError::new(ErrorCode::Internal, "not built yet")
}
