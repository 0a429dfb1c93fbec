//! Following one session: its status and its messages, in order, each once.
//!
//! A status change ends a wait at once. A message alone does not, so while a turn runs the waits are short and the
//! transcript is read after each; while nothing runs they are long, and an idle session costs nothing.

use std::time::{Duration, Instant};

use super::Cx;
use super::wait::SLICE;
use crate::domain::{Message, OpError, Session, StatusWord};
use crate::ops::{GetTranscript, SessionDetail, SessionRef, WaitForSession};

/// How long a message may go unseen while a turn runs. A person reads no faster, and the read is one exchange on a
/// local socket.
const PACE: Duration = Duration::from_secs(1);

/// As much text as one read may give: far more than a turn says, so that nothing is cut.
const ALL_CHARS: u32 = 1_000_000;

/// Messages a read asks for; the most that the operation gives.
const PAGE: u32 = 200;

/// Follows one session.
pub(super) struct Follower<'a> {
    cx: &'a Cx,
    id: String,
    cursor: Option<String>,
    after: u64,
    thinking: bool,
    status: StatusWord,
}

impl<'a> Follower<'a> {
    /// Follows `session`, beginning behind message `after`.
    pub(super) fn new(cx: &'a Cx, session: &Session, after: u64) -> Self {
        let (id, status) = (session.id.to_string(), session.status);
        Self { cx, id, cursor: None, after, thinking: false, status }
    }

    /// With thinking.
    pub(super) fn thinking(mut self, thinking: bool) -> Self {
        self.thinking = thinking;
        self
    }

    /// Waits until the status changes or it is time to look, at most `most`; returns the session if it changed.
    pub(super) async fn wait(&mut self, most: Duration) -> Result<Option<Session>, OpError> {
        let most = most.min(pace(self.status));
        let start = Instant::now();
        let request = WaitForSession {
            session_ids: Some(vec![self.id.clone()]),
            until: Some(StatusWord::ALL.to_vec()),
            timeout_ms: u64::try_from(most.as_millis()).ok(),
            cursor: self.cursor.clone(),
        };
        let waited = self.cx.aegis.wait_for_session(&self.cx.caller, request).await?;
        let first = self.cursor.replace(waited.cursor).is_none();
        let session = waited.woke.into_iter().next_back().map(|woke| woke.session);
        if let Some(session) = &session {
            // A wait that comes back at once with nothing new must not become a busy loop.
            if !first && session.status == self.status && start.elapsed() < Duration::from_millis(20) {
                tokio::time::sleep(most.min(PACE)).await;
            }
            self.status = session.status;
        }
        Ok(session)
    }

    /// Everything known about the session now.
    pub(super) async fn detail(&mut self) -> Result<SessionDetail, OpError> {
        let request = SessionRef { session_id: self.id.clone() };
        let detail = self.cx.aegis.get_status(&self.cx.caller, request).await?;
        self.status = detail.session.status;
        Ok(detail)
    }

    /// The messages that came since the last call, whole.
    pub(super) async fn messages(&mut self) -> Result<Vec<Message>, OpError> {
        let mut all = Vec::new();
        loop {
            let page = self.cx.aegis.get_transcript(&self.cx.caller, self.request(self.after, PAGE)).await?;
            let Some(newest) = page.newest_id else { return Ok(all) };
            let alone = page.messages.len() == 1;
            for message in page.messages {
                all.push(if message.truncated && !alone { self.whole(message).await? } else { message });
            }
            // An id that does not grow would read the same page for ever.
            if newest <= self.after || !page.has_more {
                self.after = self.after.max(newest);
                return Ok(all);
            }
            self.after = newest;
        }
    }

    /// The message by itself, so that its neighbours do not use up the room.
    async fn whole(&self, message: Message) -> Result<Message, OpError> {
        let request = self.request(message.id.saturating_sub(1), 1);
        let page = self.cx.aegis.get_transcript(&self.cx.caller, request).await?;
        Ok(page.messages.into_iter().find(|read| read.id == message.id).unwrap_or(message))
    }

    fn request(&self, after: u64, limit: u32) -> GetTranscript {
        GetTranscript {
            session_id: self.id.clone(),
            after_id: Some(after),
            limit: Some(limit),
            include_thinking: Some(self.thinking),
            max_chars: Some(ALL_CHARS),
            ..GetTranscript::default()
        }
    }
}

/// How long a wait may last in this status.
fn pace(status: StatusWord) -> Duration {
    match status {
        StatusWord::Starting | StatusWord::Working | StatusWord::Stalled | StatusWord::Unknown => PACE,
        // Subagents go on while an ask is open, and a reply may land just after the turn's end.
        StatusWord::PermissionPrompt | StatusWord::Asking => PACE * 2,
        StatusWord::Idle | StatusWord::RateLimited | StatusWord::Error | StatusWord::Ended => SLICE,
    }
}
