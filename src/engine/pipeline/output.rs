//! Reading what Claude answered in a stage's turn.

use super::AGAIN;
use crate::domain::{
    ContentType, ErrorCode, Message, MessageQuery, OpError, Receipt, ReceiptState, Role, SessionId, Timestamp,
};
use crate::engine::Engine;

/// How many messages are looked at in one call; the answer nearly always is the last.
const PAGE: usize = 20;

/// How often an answer is read before it counts as unreadable: a store that is busy or a disk without room is mended
/// within that, a broken file is not.
const TRIES: usize = 10;

/// How much later than the turn's end its last words may be dated: they land in the transcript behind the Stop hook.
const LANDS_WITHIN_MS: u64 = 2_000;

impl Engine {
    /// Gives the last text that Claude said in the turn that took the prompt of this receipt, and whether it was cut: at
    /// the longest prompt that could hand it on. Empty if the turn ended without a word. Waits for a holder that does
    /// not answer.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub(super) async fn answer_of(
        &self,
        id: SessionId,
        receipt: &Receipt,
    ) -> Result<(String, bool), OpError> {
        let mut tries = 0;
        loop {
            match self.answer_in(id, receipt).await {
                Err(error) if error.code == ErrorCode::HolderUnreachable => {
                    tracing::warn!(%error, session = %id, "a stage's answer waits for its session");
                }
                Err(error) if error.code == ErrorCode::StorageFailed && tries < TRIES => {
                    tracing::warn!(%error, session = %id, "a stage's answer cannot be read just now");
                    tries += 1;
                }
                other => return other,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn answer_in(&self, id: SessionId, receipt: &Receipt) -> Result<(String, bool), OpError> {
        let session = id.to_string();
        let mut before_id = None;
        let most = usize::try_from(self.config().max_prompt_bytes).unwrap_or(usize::MAX);
        let query =
            |before_id, limit| MessageQuery { before_id, limit, max_chars: most, ..MessageQuery::default() };
        loop {
            let page = self.messages(&session, query(before_id, PAGE)).await?;
            for message in page.messages.iter().rev() {
                match place(message, receipt) {
                    Place::After | Place::Within => {}
                    Place::Before => return Ok((String::new(), false)),
                    Place::Answer => {
                        // Others of its page may have used up what a page holds.
                        let alone = self.messages(&session, query(Some(message.id + 1), 1)).await?;
                        let whole = alone.messages.into_iter().next();
                        return Ok(whole.map(|whole| (whole.text, whole.truncated)).unwrap_or_default());
                    }
                }
            }
            if !page.has_more {
                return Ok((String::new(), false));
            }
            before_id = page.oldest_id;
        }
    }
}

/// Where a message stands to a turn.
enum Place {
    /// Somebody went on in the session since.
    After,
    /// It is the answer, if nothing behind it was.
    Answer,
    /// It is something else of the turn.
    Within,
    /// It belongs to an earlier turn.
    Before,
}

fn place(message: &Message, receipt: &Receipt) -> Place {
    let first = receipt.steps.first().map(|step| step.at);
    let ended: Option<Timestamp> =
        receipt.steps.iter().rfind(|step| step.state == ReceiptState::TurnEnded).map(|step| step.at);
    if first.is_some_and(|first| message.at < first) {
        Place::Before
    } else if ended.is_some_and(|ended| message.at.millis_since(ended) > LANDS_WITHIN_MS) {
        Place::After
    } else if message.role == Role::Assistant && message.content_type == ContentType::Text {
        Place::Answer
    } else {
        Place::Within
    }
}
