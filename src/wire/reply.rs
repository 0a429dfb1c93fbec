//! Answers and refusals.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// An answer with its call's number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ReplyFrame", into = "ReplyFrame")]
pub struct Reply {
    /// The call it answers.
    pub call: u64,
    /// The answer, or why there is none.
    pub outcome: Outcome,
}

/// How a call came out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was done; the value's type follows from the request. It is read and written once, however long it is.
    Done(Box<RawValue>),
    /// It was not done.
    Failed(Refusal),
}

/// Equal to the letter.
impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Done(this), Self::Done(that)) => this.get() == that.get(),
            (Self::Failed(this), Self::Failed(that)) => this == that,
            (Self::Done(_), Self::Failed(_)) | (Self::Failed(_), Self::Done(_)) => false,
        }
    }
}

/// A reply as it travels: with either `done` or `failed`.
#[derive(Serialize, Deserialize)]
struct ReplyFrame {
    call: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    done: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<Refusal>,
}

/// A value that is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(reader).map(Some)
}

impl TryFrom<ReplyFrame> for Reply {
    type Error = &'static str;

    fn try_from(frame: ReplyFrame) -> Result<Self, Self::Error> {
        let outcome = match (frame.done, frame.failed) {
            (Some(value), None) => Outcome::Done(value),
            (None, Some(refusal)) => Outcome::Failed(refusal),
            _ => return Err("a reply has either `done` or `failed`"),
        };
        Ok(Self { call: frame.call, outcome })
    }
}

impl From<Reply> for ReplyFrame {
    fn from(Reply { call, outcome }: Reply) -> Self {
        match outcome {
            Outcome::Done(value) => Self { call, done: Some(value), failed: None },
            Outcome::Failed(refusal) => Self { call, done: None, failed: Some(refusal) },
        }
    }
}

/// Why a holder refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which kind, in snake case; the doors' error codes.
    pub code: RefusalCode,
    /// For a person.
    pub message: String,
    /// What the refusal is about: the open asks, the known answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl Refusal {
    /// Builds a refusal without details.
    #[must_use]
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// Adds what it is about.
    #[must_use]
    pub fn about(mut self, details: &impl Serialize) -> Self {
        self.details = serde_json::to_value(details).ok();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// The closed list of a holder's refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// An ask is open; it must be answered first.
    SessionBlocked,
    /// A turn is running, and the caller wanted no queue.
    SessionBusy,
    /// The session has ended.
    SessionEnded,
    /// The session is not idle, or somebody else just took it.
    NotClaimable,
    /// Somebody typed into the box and has not sent it.
    DraftPresent,
    /// The text cannot be given to Claude Code as it is.
    PromptRefused,
    /// The text is too long.
    PromptTooLarge,
    /// The idempotency key was used for another prompt.
    KeyReused,
    /// A rule of the permission policy refuses it.
    PolicyRefused,
    /// No ask is open.
    NothingToApprove,
    /// Several asks are open and none was named.
    AmbiguousAsk,
    /// No such ask.
    NoSuchAsk,
    /// The ask was answered already.
    AlreadyResolved,
    /// The input hash is not that of the open ask.
    InputChanged,
    /// The answer does not fit the ask.
    InvalidAnswer,
    /// No such receipt.
    NoSuchReceipt,
    /// It was tried, and Claude Code did not react in time.
    NotConfirmed,
    /// The secret is wrong.
    Forbidden,
    /// The call came to be read after its caller had left; nothing was done.
    Late,
    /// The holder cannot write its journal.
    StorageFailed,
    /// The holder does not know the request.
    #[serde(other)]
    Unsupported,
}
