//! Small changes to a [`Reply`], to be chained after its constructor.
//!
//! A change that makes no sense for the kind of reply leaves it as it is.

use super::reply::{ApiError, Cut, CutKind, Hold, HoldAt, Message, Pace, Reply, Usage};

impl Reply {
    fn message(mut self, change: impl FnOnce(&mut Message)) -> Self {
        if let Self::Message(message) = &mut self {
            change(message);
        }
        self
    }

    fn failure(mut self, change: impl FnOnce(&mut ApiError)) -> Self {
        if let Self::Error(error) = &mut self {
            change(error);
        }
        self
    }

    /// Says `text` before its tool calls.
    #[must_use]
    pub fn saying(self, text: impl Into<String>) -> Self {
        self.message(|message| message.text = Some(text.into()))
    }

    /// Sends the text `chunk` characters at a time with a pause after each piece.
    #[must_use]
    pub fn slowly(self, chunk: usize, delay_ms: u64) -> Self {
        self.message(|message| message.pace = Some(Pace { chunk, delay_ms }))
    }

    /// Waits at `at` until `name` is released.
    #[must_use]
    pub fn held(self, name: impl Into<String>, at: HoldAt) -> Self {
        self.message(|message| message.hold = Some(Hold { name: name.into(), at }))
    }

    /// Ends with this stop reason, such as `max_tokens` or `refusal`.
    #[must_use]
    pub fn stopping(self, reason: impl Into<String>) -> Self {
        self.message(|message| message.stop_reason = Some(reason.into()))
    }

    /// Reports these token counts.
    #[must_use]
    pub fn using(self, usage: Usage) -> Self {
        self.message(|message| message.usage = usage)
    }

    /// Breaks the stream after the text.
    #[must_use]
    pub fn cut(self, with: CutKind) -> Self {
        self.message(|message| message.cut = Some(Cut { with, times: None }))
    }

    /// Fails or is cut only so many times; then the next reply of the list answers.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        self.failure(|error| error.times = Some(times)).message(|message| {
            if let Some(cut) = &mut message.cut {
                cut.times = Some(times);
            }
        })
    }

    /// Fails with this sentence.
    #[must_use]
    pub fn because(self, sentence: impl Into<String>) -> Self {
        self.failure(|error| error.message = Some(sentence.into()))
    }

    /// Fails with this response header.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.failure(|error| {
            error.headers.insert(name.into(), value.into());
        })
    }

    /// How often this reply may be given before the list goes on without it, if that is bounded.
    pub(super) fn bound(&self) -> Option<u32> {
        match self {
            Self::Error(error) => error.times,
            Self::Message(message) => message.cut.and_then(|cut| cut.times),
        }
    }
}
