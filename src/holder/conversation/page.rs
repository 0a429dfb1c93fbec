//! Reading a page of messages.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::Conversation;
use super::index::{self, Entry, Place};
use crate::claude::transcript::Line;
use crate::domain::{ContentType, Message, MessagePage, MessageQuery};
use crate::holder::SessionDir;

/// An ended session's conversation.
#[derive(Debug)]
pub struct Archive {
    entries: Vec<Entry>,
    /// How long the index was, in bytes, when it was read.
    len: u64,
}

impl Archive {
    /// Reads its index.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open(dir: &SessionDir) -> io::Result<Self> {
        let len = length(dir);
        Ok(Self { entries: index::load(&dir.messages())?, len })
    }

    /// Whether this is still all that the directory has.
    #[must_use]
    pub fn is_current(&self, dir: &SessionDir) -> bool {
        self.len == length(dir)
    }

    /// Reads a page.
    ///
    /// # Errors
    ///
    /// When a transcript cannot be read.
    pub fn page(&self, query: &MessageQuery) -> io::Result<MessagePage> {
        page(&self.entries, query)
    }
}

fn length(dir: &SessionDir) -> u64 {
    fs::metadata(dir.messages()).map_or(0, |index| index.len())
}

/// Reads a page: the newest messages, those before an id, or those after one; oldest first in any case.
pub(super) fn page(entries: &[Entry], query: &MessageQuery) -> io::Result<MessagePage> {
    let wanted = |entry: &Entry| {
        query.role.is_none_or(|role| entry.role == role)
            && (query.include_thinking || entry.content_type != ContentType::Thinking)
    };
    let first = query.after_id.map_or(0, index_of);
    let end = query.before_id.map_or(entries.len(), |id| index_of(id.saturating_sub(1)).min(entries.len()));
    let mut places = (first.min(end)..end).filter(|at| wanted(&entries[*at]));
    let mut order: Box<dyn Iterator<Item = usize>> =
        if query.after_id.is_some() { Box::new(&mut places) } else { Box::new(places.rev()) };

    let mut files = Files::default();
    let mut messages = Vec::new();
    let mut left = query.max_chars;
    let mut has_more = false;
    for at in &mut order {
        if messages.len() >= query.limit || (left == 0 && !messages.is_empty()) {
            has_more = true;
            break;
        }
        let message = files.message(at, &entries[at], query.max_each.map_or(left, |each| left.min(each)))?;
        left = left.saturating_sub(message.text.chars().count());
        messages.push(message);
    }
    drop(order);
    if query.after_id.is_none() {
        messages.reverse();
    }
    Ok(MessagePage {
        has_more,
        oldest_id: messages.first().map(|message| message.id),
        newest_id: messages.last().map(|message| message.id),
        messages,
    })
}

fn index_of(id: u64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// Files opened for one page.
#[derive(Default)]
struct Files {
    open: HashMap<Arc<Path>, File>,
}

impl Files {
    fn message(&mut self, at: usize, entry: &Entry, max_chars: usize) -> io::Result<Message> {
        let mut text = match &entry.place {
            Place::Told(text) => text.clone(),
            Place::File { path, offset, len, piece } => self.text(path, *offset, *len, *piece)?,
        };
        let end = text.char_indices().nth(max_chars).map(|(end, _)| end);
        text.truncate(end.unwrap_or(text.len()));
        Ok(Message {
            id: at as u64 + 1,
            role: entry.role,
            content_type: entry.content_type,
            truncated: end.is_some(),
            text,
            tool_name: entry.tool_name.clone(),
            tool_use_id: entry.tool_use_id.clone(),
            at: entry.at,
        })
    }

    fn text(&mut self, path: &Arc<Path>, offset: u64, len: u64, piece: usize) -> io::Result<String> {
        if !self.open.contains_key(path) {
            match Conversation::open(path) {
                Ok(file) => self.open.insert(path.clone(), file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok("[Claude Code has removed this transcript]".into());
                }
                Err(error) => return Err(error),
            };
        }
        let Some(file) = self.open.get(path) else { return Ok(String::new()) };
        // The index may be damaged, and the transcript may have been cut since: only what is there is asked for.
        if offset.checked_add(len).is_none_or(|end| file.metadata().is_ok_and(|file| file.len() < end)) {
            return Ok("[this message is no longer in the transcript]".into());
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_exact_at(&mut bytes, offset)?;
        let mut pieces = Line::parse(&bytes).map(|line| line.pieces).unwrap_or_default();
        Ok(if piece < pieces.len() { pieces.swap_remove(piece).text } else { String::new() })
    }
}
