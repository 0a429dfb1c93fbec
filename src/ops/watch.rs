//! Waiting for sessions, and reading what they said and show.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller, SessionRef};
use crate::access::Permission;
use crate::domain::{
    ErrorCode, Event, Evidence, Message, MessagePage, MessageQuery, OpError, Role, Session, StatusWord,
};
use crate::engine::{Attachment, WaitQuery, Woken};

/// Waits until a session wants attention.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitForSession {
    /// Default: all live ones.
    #[serde(default)]
    #[schemars(length(min = 1, max = 50))]
    pub session_ids: Option<Vec<String>>,
    /// Default: all that want attention.
    #[serde(default)]
    pub until: Option<Vec<StatusWord>>,
    /// Default 45000.
    #[serde(default)]
    #[schemars(range(max = 50000))]
    pub timeout_ms: Option<u64>,
    /// Of the wait before; nothing is missed.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A session that ended the wait.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Woke {
    /// The session as it is now.
    pub session: Session,
    /// The event that ended the wait; absent if the session was in such a status already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Further such events since the cursor, all before `event`, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Event>,
}

/// How a wait came out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    /// Those that ended the wait; empty if it timed out.
    pub woke: Vec<Woke>,
    /// For the next wait.
    pub cursor: String,
    /// Whether the time ran out.
    pub timed_out: bool,
}

/// Reads a session's conversation.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetTranscript {
    /// Id, prefix or name.
    pub session_id: String,
    /// Only before this one.
    #[serde(default)]
    pub before_id: Option<u64>,
    /// Only after this one.
    #[serde(default)]
    pub after_id: Option<u64>,
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// Only of this role.
    #[serde(default)]
    pub role: Option<Role>,
    /// Thinking too.
    #[serde(default)]
    pub include_thinking: Option<bool>,
    /// Default 20000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000000))]
    pub max_chars: Option<u32>,
}

/// Some messages, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// How many there are of the role that was asked for.
    pub total: u64,
}

/// Reads a session's screen.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapturePane {
    /// Id, prefix or name.
    pub session_id: String,
    /// With colours, as escape sequences. Default false.
    #[serde(default)]
    pub ansi: Option<bool>,
    /// So many lines above the screen too. Default 0.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub scrollback: Option<u32>,
}

/// The screen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScreenPane {
    /// The text.
    pub pane: String,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The cursor.
    pub cursor: Cursor,
    /// The terminal's title.
    pub title: String,
}

/// A place on the screen, counted from 0.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Cursor {
    /// Row.
    pub row: u16,
    /// Column.
    pub col: u16,
}

/// Why a session has the status it has.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The session.
    pub session: Session,
    /// Who said what and when, oldest first.
    pub evidence: Vec<Evidence>,
}

impl Aegis {
    /// Waits until a session wants attention, at most 50 s.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_session`, `ambiguous_session`, `storage_failed`.
    pub async fn wait_for_session(&self, caller: &Caller, req: WaitForSession) -> Result<Waited, OpError> {
        let timeout_ms = req.timeout_ms.unwrap_or(45_000);
        if timeout_ms > 50_000 {
            return Err(OpError::new(ErrorCode::InvalidArgument, "timeoutMs must be at most 50000")
                .hint("call again with the cursor for longer waits"));
        }
        if req.session_ids.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > 50) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "sessionIds must name 1 to 50 sessions")
                .hint("leave it out to wait for all live sessions"));
        }
        if req.until.as_ref().is_some_and(Vec::is_empty) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "until must name at least one status"));
        }
        let sessions = match req.session_ids {
            Some(ids) if caller.confined().is_some() => {
                let mut seen = Vec::new();
                for id in &ids {
                    seen.push(self.seen(caller, id).await?.into_owned());
                }
                Some(seen)
            }
            ids => ids,
        };
        let query = WaitQuery {
            sessions,
            owner_key: caller.confined().map(str::to_owned),
            until: req.until.unwrap_or_else(|| StatusWord::ATTENTION.to_vec()),
            timeout: Duration::from_millis(timeout_ms),
            cursor: req.cursor,
        };
        let found = self.engine.wait(query).await?;
        let woke = found.woke.into_iter().map(|Woken { session, events: mut earlier }| {
            let event = earlier.pop();
            Woke { session, event, earlier }
        });
        let woke = woke.collect();
        Ok(Waited { woke, cursor: found.cursor, timed_out: found.timed_out })
    }

    /// Reads a session's conversation, also after it ended.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_session`, `holder_unreachable`.
    pub async fn get_transcript(&self, caller: &Caller, req: GetTranscript) -> Result<MessagePage, OpError> {
        let limit = super::page_limit(req.limit)?;
        if req.before_id.is_some() && req.after_id.is_some() {
            return Err(OpError::new(ErrorCode::InvalidArgument, "give beforeId or afterId, not both"));
        }
        let max_chars = req.max_chars.unwrap_or(20_000);
        if !(1..=1_000_000).contains(&max_chars) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "maxChars must be from 1 to 1000000"));
        }
        let query = MessageQuery {
            before_id: req.before_id,
            after_id: req.after_id,
            limit,
            role: req.role,
            include_thinking: req.include_thinking.unwrap_or(false),
            max_chars: max_chars as usize,
            max_each: None,
        };
        self.engine.messages(&self.seen(caller, &req.session_id).await?, query).await
    }

    /// Reads so many messages from the beginning, after passing over some, and counts them all. With a role every
    /// message of it is passed, so that late pages of long conversations take their time; cursors do not.
    ///
    /// # Errors
    ///
    /// As [`Aegis::get_transcript`].
    pub async fn read_from(
        &self,
        caller: &Caller,
        session: &str,
        role: Option<Role>,
        skip: u64,
        limit: u64,
    ) -> Result<Counted, OpError> {
        let id = self.engine.resolve_seen(session, caller.confined()).await?.to_string();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let all =
            MessageQuery { role, include_thinking: true, max_chars: 1_000_000, ..MessageQuery::default() };
        let Some(role) = role else {
            // Ids count every message.
            let last = self
                .engine
                .messages(&id, MessageQuery { limit: 1, max_each: Some(1), ..all.clone() })
                .await?;
            let total = last.newest_id.unwrap_or(0);
            if skip >= total {
                return Ok(Counted { messages: Vec::new(), total });
            }
            let found =
                self.engine.messages(&id, MessageQuery { after_id: Some(skip), limit, ..all }).await?;
            return Ok(Counted { messages: found.messages, total });
        };
        let (mut total, mut first, mut after) = (0, None, 0);
        loop {
            let look = MessageQuery {
                after_id: Some(after),
                limit: 1000,
                max_each: Some(1),
                role: Some(role),
                ..all.clone()
            };
            let passed = self.engine.messages(&id, look).await?;
            let count = passed.messages.len() as u64;
            if first.is_none() && total + count > skip {
                let at = usize::try_from(skip.saturating_sub(total)).unwrap_or(usize::MAX);
                first = passed.messages.get(at).map(|message| message.id);
            }
            total += count;
            match passed.newest_id {
                Some(newest) if passed.has_more => after = newest,
                _ => break,
            }
        }
        let messages = match first {
            Some(first) => {
                let from = MessageQuery { after_id: Some(first.saturating_sub(1)), limit, ..all };
                self.engine.messages(&id, from).await?.messages
            }
            None => Vec::new(),
        };
        Ok(Counted { messages, total })
    }

    /// Reads a session's screen.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_session`, `session_ended`, `holder_unreachable`.
    pub async fn capture_pane(&self, caller: &Caller, req: CapturePane) -> Result<ScreenPane, OpError> {
        let scrollback = req.scrollback.unwrap_or(0);
        if scrollback > 1000 {
            return Err(OpError::new(ErrorCode::InvalidArgument, "scrollback must be at most 1000"));
        }
        let seen = self.seen(caller, &req.session_id).await?;
        let pane = self.engine.pane(&seen, req.ansi.unwrap_or(false), scrollback as usize).await?;
        let (row, col) = pane.cursor;
        Ok(ScreenPane {
            pane: pane.pane,
            cols: pane.cols,
            rows: pane.rows,
            cursor: Cursor { row, col },
            title: pane.title,
        })
    }

    /// Tells why a session has the status it has.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn explain(&self, caller: &Caller, req: SessionRef) -> Result<Explanation, OpError> {
        let (session, evidence) = self.engine.explain(&self.seen(caller, &req.session_id).await?).await?;
        Ok(Explanation { session, evidence })
    }

    /// Attaches to a session's terminal.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `session_ended`, `own_session` (unless only watching), `holder_unreachable`.
    pub async fn attach(
        &self,
        caller: &Caller,
        reference: &str,
        size: (u16, u16),
        watch: bool,
    ) -> Result<Attachment, OpError> {
        if watch {
            let id = self.engine.resolve_seen(reference, caller.confined()).await?;
            return self.engine.attach(id, size, watch, &caller.surface).await;
        }
        let act = self.begin(caller, "attach", Permission::Send).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, reference).await?);
            self.engine.attach(id, size, watch, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }
}
