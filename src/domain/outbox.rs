//! What is on its way to a receiver, and how its channel does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::DeliveryId;
use super::notice::Notice;
use super::time::Timestamp;

/// How far an entry of the outbox has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OutboxState {
    /// It waits to be sent, or to be sent again.
    Pending,
    /// The receiver took it.
    Sent,
    /// It was given up; it can be sent again by hand.
    Dead,
}

/// One notice on its way to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its place: within a channel and session notices arrive in this order.
    pub number: i64,
    /// Names the delivery, through every repeat.
    pub id: DeliveryId,
    /// Which channel.
    pub channel: String,
    /// What is told.
    pub notice: Notice,
    /// How far it has come.
    pub state: OutboxState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is to be tried next.
    pub due_at: Timestamp,
    /// The receiver's last answer, as an HTTP or SMTP code.
    pub status: Option<u16>,
    /// Why the last attempt failed. Holds no secret.
    pub error: Option<String>,
    /// When it was tried last, or written.
    pub updated_at: Timestamp,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of which entry.
    pub number: i64,
    /// How it came out.
    pub outcome: AttemptOutcome,
    /// The receiver's answer, as an HTTP or SMTP code.
    pub status: Option<u16>,
    /// Why it failed. Holds no secret.
    pub error: Option<String>,
}

/// How an attempt came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver took it.
    Sent,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// How a channel does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    /// Notices that wait in the outbox.
    pub pending: u32,
    /// Notices that were given up and are kept.
    pub dead: u32,
    /// Events that were not looked at yet.
    pub behind: u32,
    /// Events that were passed over because they were too old when their turn came.
    pub expired: u32,
    /// Failures since the last success.
    pub failures: u32,
    /// Nothing is sent before this.
    pub paused_until: Option<Timestamp>,
    /// When a receiver last took something.
    pub last_success: Option<Timestamp>,
    /// Why the last failure came about. Holds no secret.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// What the process that runs it says about it.
    pub note: Option<String>,
    /// When a channel that listens last heard from its service.
    pub heard_at: Option<Timestamp>,
}
