//! Telling people and programs outside what happens in sessions.
//!
//! A channel knows nothing of the engine. What happened comes to it from the store: `worker` has the one loop that
//! all channels run in, over an outbox in which a notice is a row before it is sent. What came in through a channel
//! leaves it through [`Sessions`]. Each channel here is one file or folder: `webhook`, `telegram`, `slack`,
//! `email`; `http` is the way out for those that speak HTTP, `address` says where it may not lead.
//!
//! Each channel of a state directory is run by one process, which has the lock on the channel's file. The lock frees
//! itself when the process dies, and the next one that has the channel in its configuration goes on from the outbox.

mod alert;
mod backoff;
mod clock;
mod email;
mod hall;
mod http;
mod port;
mod slack;
mod telegram;
mod text;
mod webhook;
mod worker;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::{OutboxEntry, Topic};

pub use alert::{AlertStats, AlertTracker};
pub use clock::{Clock, SystemClock};
pub use email::EmailChannel;
pub use hall::{Channels, Configured, Parts};
pub use port::{NewChatSession, Sessions};
pub use slack::SlackChannel;
pub use telegram::TelegramChannel;
pub use webhook::WebhookChannel;
pub use worker::Worker;

/// A way to tell somebody something.
pub trait Channel: Send + Sync {
    /// Its name, which stays the same while its receiver does, and holds no secret.
    fn name(&self) -> &str;

    /// Which kind: `webhook`, `telegram`, `slack`, `email`.
    fn kind(&self) -> &'static str;

    /// Whom it tells, without what is secret.
    fn target(&self) -> String;

    /// Whether it tells this.
    fn wants(&self, topic: Topic) -> bool;

    /// How it likes to be given notices.
    fn style(&self) -> Style;

    /// Tells notices of one session, in their order. All of them arrived, or none counts as arrived.
    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>>;
}

/// How a channel likes to be given notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The most notices in one message.
    pub most: usize,
    /// How long notices that nobody waits for are gathered into one message.
    pub gather: Duration,
    /// A trouble that comes again within this time is told once.
    pub fold: Option<Duration>,
    /// With how many sessions' notices it may be busy at once.
    pub side_by_side: usize,
    /// So many messages at once, and then one in each of these times; no bound if absent.
    pub pace: Option<(u32, Duration)>,
}

/// The receiver took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Its answer, as an HTTP or SMTP code.
    pub status: Option<u16>,
}

/// Why a receiver did not take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct SendError {
    /// What happened, for a person. Holds no secret.
    pub what: String,
    /// The receiver's answer, as an HTTP or SMTP code.
    pub status: Option<u16>,
    /// Whether it may be taken later.
    pub retry: bool,
    /// Not before this time, by the receiver's word.
    pub after: Option<Duration>,
    /// Whether it may have arrived all the same: it was sent, and nobody who knows said what became of it.
    pub unsure: bool,
}

impl SendError {
    /// A failure that may pass.
    fn passing(what: impl Into<String>) -> Self {
        Self { what: what.into(), status: None, retry: true, after: None, unsure: false }
    }

    /// A failure that trying again does not mend.
    fn lasting(what: impl Into<String>) -> Self {
        Self { what: what.into(), status: None, retry: false, after: None, unsure: false }
    }
}

/// What channels for people tell unless their configuration says otherwise: what wants somebody, what was said, how it
/// ended.
pub(crate) const FOR_PEOPLE: &[Topic] = &[
    Topic::SessionCreated,
    Topic::SessionEnded,
    Topic::MessageAssistant,
    Topic::StatusPermission,
    Topic::StatusQuestion,
    Topic::StatusPlan,
    Topic::StatusStall,
    Topic::StatusRecovered,
    Topic::StatusContextWarning,
    Topic::StatusStopped,
    Topic::StatusError,
    Topic::StatusRateLimited,
    Topic::StatusPermissionTimeout,
    Topic::StatusDead,
    Topic::ChannelTest,
];

/// Whether `topic` is among those that were chosen, or, if none were, among `usual`.
fn chosen(topic: Topic, chosen: &[Topic], usual: &[Topic]) -> bool {
    topic == Topic::ChannelTest || (if chosen.is_empty() { usual } else { chosen }).contains(&topic)
}
