//! What things are: ids, status, asks, receipts, events, the memory, templates. Pure.
//!
//! Nothing here reads a clock, a file or the environment; callers bring those in as values. The words are the
//! same in the code, on the wire and in the documentation.

// A new word must be thought about wherever words are told apart.
#![warn(clippy::wildcard_enum_match_arm)]

mod address;
mod ask;
mod error;
mod event;
mod evidence;
mod id;
mod key;
mod memory;
mod message;
mod nearest;
mod notice;
mod outbox;
mod pipeline;
mod policy;
mod receipt;
mod secret;
mod session;
mod stats;
mod status;
mod template;
mod time;
mod topic;
mod verification;
mod visible;

pub use address::{Reach, refused};
pub use ask::{Answer, Ask, AskKind, AskVia, How, Question, Remember, Resolution, questions};
pub use error::{ErrorCode, OpError};
pub use event::{Action, Event, EventData, Position};
pub use evidence::{Confidence, Evidence, Source, StatusReport};
pub use id::{AskId, ConversationId, DeliveryId, Epoch, PipelineId, ReceiptId, SessionId, TemplateId};
pub use key::{ApiKey, KeyRole, Permission};
pub use memory::{KeyError, LONGEST_LIFE, LONGEST_VALUE, MemoryEntry, MemoryKey, before_prompt};
pub use message::{ContentType, Message, MessagePage, MessageQuery, Role};
pub use nearest::nearest;
pub use notice::{
    About, Asked, LONGEST_DETAIL, NOBODY_ANSWERED, Notice, NoticeSession, OpenAsk, SettledAsk, cut, how,
};
pub use outbox::{Attempt, AttemptOutcome, ChannelRow, OutboxEntry, OutboxState};
pub use pipeline::{
    FailureKind, Pipeline, PipelineEvent, PipelineSpec, PipelineStatus, PlanError, Stage, StageEvent,
    StageFailure, StageState, StepSpec,
};
pub use policy::{Decision, MOST_RULES, Policy, PolicyRule, Sameness, Verdict, sameness};
pub use receipt::{Delivery, Outcome, Receipt, ReceiptState, Step, WhenBusy};
pub use secret::{Secret, same};
pub use session::{LastMessage, PermissionMode, Session, SessionSpec, USUAL_STALL_MS, unusual};
pub use stats::{
    Answers, EventStats, EventTally, FileUse, Histogram, ModelTokens, Past, Percentiles, RoleCounts,
    SessionStats, StatusStep, TalkStats, Tokens, ToolCounts,
};
pub use status::{
    Attention, EndCause, Ending, ErrorKind, Limit, SessionStatus, Signal, StatusWord, TurnError, Under,
};
pub use template::{FillError, SecretEnv, Template, TemplateChange, TemplateField, fill, variables};
pub use time::Timestamp;
pub use topic::{NoSuchTopic, Topic};
pub use verification::{Verification, VerificationStep};
pub use visible::{beginning, escape, hides, visible};
