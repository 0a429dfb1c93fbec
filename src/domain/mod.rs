//! What things are: ids, status, asks, receipts, events. Pure.
//!
//! Nothing here reads a clock, a file or the environment; callers bring those in as values. The words are the
//! same in the code, on the wire and in the documentation.

// A new word must be thought about wherever words are told apart.
#![warn(clippy::wildcard_enum_match_arm)]

mod ask;
mod error;
mod event;
mod evidence;
mod id;
mod message;
mod receipt;
mod session;
mod status;
mod time;
mod visible;

pub use ask::{Answer, Ask, AskKind, AskVia, How, Question, Remember, Resolution, questions};
pub use error::{ErrorCode, OpError};
pub use event::{Action, Event, EventData, Position};
pub use evidence::{Confidence, Evidence, Source, StatusReport};
pub use id::{AskId, ConversationId, Epoch, ReceiptId, SessionId};
pub use message::{ContentType, Message, MessagePage, MessageQuery, Role};
pub use receipt::{Delivery, Outcome, Receipt, ReceiptState, Step, WhenBusy};
pub use session::{LastMessage, PermissionMode, Session, SessionSpec};
pub use status::{
    Attention, EndCause, Ending, ErrorKind, Limit, SessionStatus, Signal, StatusWord, TurnError, Under,
};
pub use time::Timestamp;
pub use visible::{escape, hides, visible};
