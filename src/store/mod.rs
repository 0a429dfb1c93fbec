//! What survives: sessions, their events, the keys of their creation; pipelines ([`PipelineStore`]), the memory
//! ([`MemoryStore`]), templates ([`TemplateStore`]), what channels tell ([`OutboxStore`], [`ChatStore`]), and the keys that programs call with
//! ([`KeyStore`]).
//!
//! [`Store`] is the contract and `tests/store` its conformance test; [`SqliteStore`] is the one that needs no
//! set-up. Any number of processes open the same store at once. Nothing here knows a running session: status
//! lives in its holder, and only the last state of an ended one is kept. Methods block; asynchronous callers run
//! them on a blocking pool.

mod api_keys;
mod error;
mod lock;
mod memory;
mod outbox;
mod pipelines;
mod sqlite;
mod templates;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use api_keys::{FoundKey, KeyStore};
pub use error::StoreError;
pub use lock::wait_for_lock;
pub use memory::MemoryStore;
pub use outbox::{
    ChannelHealth, ChatAsk, ChatButton, ChatStore, Derive, KEPT, KEPT_REFUSALS, MOST_PENDING, OutboxStore,
    Refusal, TakenIn,
};
pub use pipelines::{PipelineClaim, PipelineRow, PipelineStore};
pub use sqlite::SqliteStore;
pub use templates::TemplateStore;

use crate::domain::{Event, Position, Session, SessionId, SessionSpec, Timestamp};

/// How long a key of creation is remembered, in milliseconds.
///
/// A caller that repeats a request does so within minutes; a week covers a machine that slept over a holiday.
pub const KEY_LIFETIME_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The fewest characters of an id that name a session.
pub const MIN_PREFIX: usize = 6;

/// The most sessions that one reference finds: enough to tell a caller what is ambiguous.
pub const MAX_FOUND: usize = 10;

/// One session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// What it was created with.
    pub spec: SessionSpec,
    /// The directory with its journal, settings and receipts.
    pub session_dir: PathBuf,
    /// Its holder's socket.
    pub socket: PathBuf,
    /// The boot of the machine in which the holder was started; process ids mean nothing in another.
    pub boot_id: String,
    /// The holder's process id, once known.
    pub holder_pid: Option<u32>,
    /// The holder's start time, in the unit of the system's process table; with the pid it identifies the process.
    pub holder_start: Option<u64>,
    /// Its last state, once it has ended.
    pub ended: Option<Session>,
}

/// What became of a claim to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    /// The caller has it and creates the session.
    Yours,
    /// Somebody had it before.
    Taken {
        /// The session that was or is being created under it.
        id: SessionId,
        /// What the request was that claimed it.
        fingerprint: String,
    },
}

/// How far a session's journal was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestMark {
    /// Whose journal.
    pub session: SessionId,
    /// The journal file's name.
    pub file: String,
    /// The bytes of that file whose events are stored.
    pub offset: u64,
}

/// What survives servers and holders.
///
/// # Errors
///
/// Every method can fail with [`StoreError::Unavailable`], [`StoreError::Busy`] or [`StoreError::Corrupt`]; what
/// else it can fail with stands at the method. A method that fails has changed nothing.
pub trait Store: ChatStore + KeyStore + MemoryStore + OutboxStore + PipelineStore + TemplateStore {
    /// Adds a session. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTaken`] if a live session has the name, [`StoreError::SessionExists`] if the id is known.
    fn insert_session(&self, row: &SessionRow) -> Result<(), StoreError>;

    /// Notes which process holds the session.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchSession`].
    fn set_holder(&self, id: SessionId, pid: u32, start: u64) -> Result<(), StoreError>;

    /// Ends the session with its last state. Only the first call counts; returns whether this was it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchSession`].
    fn set_ended(&self, id: SessionId, last: &Session) -> Result<bool, StoreError>;

    /// Removes a session with its events, as after a failed launch. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn delete_session(&self, id: SessionId) -> Result<(), StoreError>;

    /// Gives one session.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn session(&self, id: SessionId) -> Result<Option<SessionRow>, StoreError>;

    /// Finds sessions by exact id, else by at least [`MIN_PREFIX`] characters of it or by exact name: live ones
    /// first, then newest first, at most [`MAX_FOUND`].
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn find_sessions(&self, reference: &str) -> Result<Vec<SessionRow>, StoreError>;

    /// Gives all live sessions, newest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn live_sessions(&self) -> Result<Vec<SessionRow>, StoreError>;

    /// Gives the sessions that have not ended as they were read last, if nobody has written since. Never waits; `None`
    /// where that would be needed.
    fn live_now(&self) -> Option<Arc<[SessionRow]>>;

    /// Gives ended sessions, newest creation first: those after `before`, the creation time and id of the last one
    /// of the page before.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn ended_sessions(
        &self,
        before: Option<(Timestamp, SessionId)>,
        work_dir: Option<&Path>,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Gives the live sessions that new work could take, oldest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn reusable(
        &self,
        work_dir: &Path,
        owner: &str,
        settings_key: &str,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Claims a key of creation; of any number of claimants in any processes exactly one gets it. Survives a loss
    /// of power. Keys older than [`KEY_LIFETIME_MS`] are forgotten.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn claim_key(
        &self,
        key: &str,
        fingerprint: &str,
        id: SessionId,
        now: Timestamp,
    ) -> Result<KeyClaim, StoreError>;

    /// Gives a key back, as after a failed launch. One that is not claimed is no error.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn release_key(&self, key: &str) -> Result<(), StoreError>;

    /// Moves a key from one session to another, if it still belongs to the first. Gives the session it belongs to
    /// afterwards; none if the key is not claimed. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn move_key(&self, key: &str, from: SessionId, to: SessionId) -> Result<Option<SessionId>, StoreError>;

    /// Stores events and how far the journal was read, both or neither. An event that is known by session, epoch
    /// and number is passed over; returns how many were new.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchSession`] if an event or the mark belongs to a session that is not stored.
    fn ingest(&self, events: &[Event], mark: Option<&IngestMark>) -> Result<usize, StoreError>;

    /// Gives how far the session's journal was read.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn ingest_mark(&self, session: SessionId) -> Result<Option<IngestMark>, StoreError>;

    /// Gives at most `limit` events after a position, in order: epochs as the store met them, numbers within. A
    /// position in an epoch that was not ingested yet lies behind all that is stored, so it gives none.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn events(
        &self,
        session: SessionId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// Gives the position of the session's last stored event.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn last_position(&self, session: SessionId) -> Result<Option<Position>, StoreError>;

    /// Gives the version of the `claude` program at `path`, if it was noted for the same `stamp` (size and time
    /// of change).
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn claude_version(&self, path: &Path, stamp: &str) -> Result<Option<String>, StoreError>;

    /// Notes the version of the `claude` program at `path`, in place of what was noted for it before.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_claude_version(&self, path: &Path, stamp: &str, version: &str) -> Result<(), StoreError>;

    /// Tells whether everything that is known elsewhere was taken up into this store. A new one is not complete.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn is_complete(&self) -> Result<bool, StoreError>;

    /// Notes that everything was taken up. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_complete(&self) -> Result<(), StoreError>;

    /// Puts what is stored aside if it is damaged, and begins anew, in this process and in all others. Gives where the
    /// damaged store is kept; none if it is sound after all, or another process did this.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn replace_damaged(&self) -> Result<Option<PathBuf>, StoreError>;

    /// Tells whether the store can be written, by a write that is taken back. A full disk shows only when
    /// something is kept.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn check(&self) -> Result<(), StoreError>;
}
