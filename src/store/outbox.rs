//! What the store does for channels: the outbox, and what chat channels remember.

use super::StoreError;
use crate::domain::{
    Answer, AskId, Attempt, ChannelRow, Event, Notice, OutboxEntry, OutboxState, SessionId, SessionSpec,
    Timestamp,
};

/// How many notices may wait for one channel. Events that come while so many wait stay where they are, in the store,
/// and are taken in when there is room: a channel that is down for days costs no more than this.
pub const MOST_PENDING: usize = 1000;

/// How many notices of a channel are kept after they were sent, and how many that were given up.
pub const KEPT: usize = 200;

/// How many refusals are kept in all.
pub const KEPT_REFUSALS: usize = 500;

/// Says what a channel tells of an event.
pub type Derive<'a> = &'a dyn Fn(&Event, &SessionSpec) -> Vec<Notice>;

/// What was taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// Events that were looked at.
    pub events: usize,
    /// Notices that were added.
    pub added: usize,
}

/// How a channel does after attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelHealth {
    /// Failures since the last success.
    pub failures: u32,
    /// Nothing is sent before this.
    pub paused_until: Option<Timestamp>,
}

/// An ask that a chat channel shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatAsk {
    /// Which ask.
    pub ask: AskId,
    /// Whose.
    pub session: SessionId,
    /// The message that shows it, once it was sent.
    pub message: Option<i64>,
    /// The message's text.
    pub shown: String,
    /// Who settled it and how, in words.
    pub settled: Option<String>,
}

/// A button under an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatButton {
    /// What stands in it: random, and good once.
    pub token: String,
    /// The answer that it gives.
    pub choice: Answer,
}

/// Something that came in through a channel and was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Through which channel.
    pub channel: String,
    /// From whom, as the channel names them.
    pub who: String,
    /// What it was.
    pub what: String,
}

/// The outbox.
///
/// # Errors
///
/// As for [`super::Store`]: only the general ones.
pub trait OutboxStore: Send + Sync {
    /// Makes a channel known. What happens from its first time on is told to it.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn add_channel(&self, name: &str) -> Result<(), StoreError>;

    /// Lets a channel look at the next events, at most `most` and no more than there is room for, and adds what
    /// `derive` says is to be told; both or neither, so that each event is looked at exactly once. Events from before
    /// `oldest` are passed over and counted. With `fold` a trouble like the last of its topic that was told of the
    /// session less than `fold` milliseconds before is not added.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn take_in(
        &self,
        channel: &str,
        most: usize,
        oldest: Timestamp,
        fold: Option<u64>,
        derive: Derive<'_>,
    ) -> Result<TakenIn, StoreError>;

    /// Gives at most `most` notices that may be sent now, in order; none that stands behind one of its session that is
    /// not due.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn due(&self, channel: &str, now: Timestamp, most: usize) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Gives when the next notice is due that may be sent then.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, StoreError>;

    /// Writes down what became of attempts, and how the channel does since.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn settle(
        &self,
        channel: &str,
        attempts: &[Attempt],
        health: ChannelHealth,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Gives as much of how a channel does as sending needs; `None` for one that is not known.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn channel_health(&self, name: &str) -> Result<Option<ChannelHealth>, StoreError>;

    /// Gives how a channel does.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn channel(&self, name: &str) -> Result<Option<ChannelRow>, StoreError>;

    /// Writes down what the process that runs a channel says about it, and when it last heard from its service.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn note_channel(&self, name: &str, note: &str, heard_at: Option<Timestamp>) -> Result<(), StoreError>;

    /// Gives at most `most` entries of a channel, or of all, newest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn outbox(
        &self,
        channel: Option<&str>,
        state: Option<OutboxState>,
        most: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Lets what was given up be sent again: one delivery, or all of a channel, or all. Returns how many.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn retry(&self, channel: Option<&str>, id: Option<&str>, now: Timestamp) -> Result<usize, StoreError>;
}

/// What chat channels remember.
///
/// # Errors
///
/// As for [`super::Store`]: only the general ones.
pub trait ChatStore: Send + Sync {
    /// Gives the topic of a session, and whether it was closed.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn chat_topic(&self, channel: &str, session: SessionId) -> Result<Option<(i64, bool)>, StoreError>;

    /// Remembers that a topic is about to be opened for a session that has none. Gives `true` if that was remembered
    /// already: then it is not known whether there is one by now.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn intend_chat_topic(&self, channel: &str, session: SessionId) -> Result<bool, StoreError>;

    /// Remembers the topic of a session, in place of another.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_chat_topic(
        &self,
        channel: &str,
        session: SessionId,
        topic: i64,
        closed: bool,
    ) -> Result<(), StoreError>;

    /// Forgets the topic of a session, as when somebody deleted it, or that one was about to be opened.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn drop_chat_topic(&self, channel: &str, session: SessionId) -> Result<(), StoreError>;

    /// Gives the session that a topic is about.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn chat_session(&self, channel: &str, topic: i64) -> Result<Option<SessionId>, StoreError>;

    /// Remembers an ask that is about to be shown, with its buttons; what was remembered of it before goes. What is
    /// older than 30 days is forgotten.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn show_ask(
        &self,
        channel: &str,
        ask: &ChatAsk,
        buttons: &[ChatButton],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Remembers which message shows an ask.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_ask_message(&self, channel: &str, ask: AskId, message: i64) -> Result<(), StoreError>;

    /// Remembers who settled an ask.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_ask_settled(&self, channel: &str, ask: AskId, settled: &str) -> Result<(), StoreError>;

    /// Gives an ask that was shown.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn chat_ask(&self, channel: &str, ask: AskId) -> Result<Option<ChatAsk>, StoreError>;

    /// Gives what a button answers to which ask; `None` for a text that is in no button of the channel.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn chat_button(&self, channel: &str, token: &str) -> Result<Option<(ChatAsk, Answer)>, StoreError>;

    /// Gives the buttons of an ask in their order, and which of them were taken.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn chat_buttons(&self, channel: &str, ask: AskId) -> Result<Vec<(ChatButton, bool)>, StoreError>;

    /// Takes a button: of any number of callers one gets `true`.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn use_button(&self, token: &str) -> Result<bool, StoreError>;

    /// Gives a button back, as after an answer that did not arrive.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn free_button(&self, token: &str) -> Result<(), StoreError>;

    /// Writes down that something was refused.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn refuse(&self, refusal: &Refusal) -> Result<(), StoreError>;

    /// Gives at most `most` refusals, newest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn refusals(&self, most: usize) -> Result<Vec<Refusal>, StoreError>;
}
