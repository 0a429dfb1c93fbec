//! What hooks tell before the file has it.

use super::Conversation;
use super::index::{Entry, Place};
use crate::claude::prompt::unwrapped;
use crate::claude::transcript::Piece;
use crate::domain::{ContentType, Role, Timestamp};

/// How many earlier replies are remembered for lines that come late.
const EARLIER_KEPT: usize = 4;

/// A message that a hook told before the file had it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) id: u64,
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) prompt_id: Option<String>,
    pub(super) bound: bool,
}

impl Conversation {
    /// Whether this prompt was told, or is in the file: a hook that tells it now tells it again.
    pub(in crate::holder) fn knows_prompt(&self, prompt_id: &str) -> bool {
        self.bound_prompts.contains(prompt_id)
            || self.prompts.iter().any(|told| told.prompt_id.as_deref() == Some(prompt_id))
    }

    /// A hook told a prompt. Returns its message's id.
    pub(in crate::holder) fn prompt_told(
        &mut self,
        text: &str,
        prompt_id: Option<String>,
        at: Timestamp,
    ) -> Option<u64> {
        self.pass_reply();
        let known = prompt_id.as_deref().is_some_and(|id| self.knows_prompt(id));
        if known || text.trim_start().starts_with("<task-notification>") {
            return None;
        }
        let text = unwrapped(text);
        let piece = Piece::prompt(text.clone().into_owned(), prompt_id.clone());
        self.talk.message(piece.role, piece.content_type, None, false);
        let id = self.index.push(Entry::of(&piece, None, at, Place::Told(text.clone().into_owned())));
        self.index.flush();
        if self.tail.is_some() && text.starts_with('/') {
            self.awaited_command = Some(id);
        }
        self.prompts.push(Told { id, at, text: text.into_owned(), prompt_id, bound: false });
        Some(id)
    }

    /// What was told as the last words is not the last any more; its lines may still come.
    fn pass_reply(&mut self) {
        if let Some(reply) = self.reply.take() {
            self.earlier.push_back(reply);
            if self.earlier.len() > EARLIER_KEPT {
                self.earlier.pop_front();
            }
        }
    }

    /// Whether Claude said this lately.
    pub(in crate::holder) fn has_said(&self, text: &str) -> bool {
        self.index.has_reply(text)
    }

    /// A hook told the turn's last words. Returns their message's id if the file does not have them yet.
    pub(in crate::holder) fn reply_told(&mut self, text: &str, failed: bool, at: Timestamp) -> Option<u64> {
        if text.trim().is_empty() || self.index.last_reply_is(text) {
            return None;
        }
        let content_type = if failed { ContentType::Error } else { ContentType::Text };
        let piece = Piece::new(Role::Assistant, content_type, text.to_owned());
        self.talk.message(piece.role, content_type, None, false);
        let id = self.index.push(Entry::of(&piece, None, at, Place::Told(text.to_owned())));
        self.index.flush();
        // A prompt that was queued was told before the turn's end that it waited for.
        self.pass_reply();
        self.reply = Some(Told { id, at, text: text.to_owned(), prompt_id: None, bound: false });
        Some(id)
    }
}

/// Whether the told words hold this piece.
pub(super) fn says(told: &Told, piece: &Piece) -> bool {
    piece.role == Role::Assistant
        && matches!(piece.content_type, ContentType::Text | ContentType::Error)
        && !piece.text.trim().is_empty()
        && told.text.contains(piece.text.trim())
}
