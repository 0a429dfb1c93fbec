//! Reading a page of messages.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::index::{self, Entry, Place};
use crate::claude::transcript::Piece;
use crate::domain::{ContentType, Message, MessagePage, MessageQuery, beginning};
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
    open: HashMap<Arc<Path>, Option<Transcript>>,
}

impl Files {
    fn message(&mut self, at: usize, entry: &Entry, max_chars: usize) -> io::Result<Message> {
        let mut text = match &entry.place {
            Place::Told(text) => text.clone(),
            Place::File { path, offset, len, piece } => match self.transcript(path)? {
                Some(transcript) => transcript.text(*offset, *len, *piece)?,
                None => "[Claude Code has removed this transcript]".into(),
            },
        };
        let kept = beginning(&text, max_chars).len();
        let truncated = kept < text.len();
        text.truncate(kept);
        Ok(Message {
            id: at as u64 + 1,
            role: entry.role,
            content_type: entry.content_type,
            truncated,
            text,
            tool_name: entry.tool_name.clone(),
            tool_use_id: entry.tool_use_id.clone(),
            at: entry.at,
        })
    }

    /// The file, `None` if it is gone.
    fn transcript(&mut self, path: &Arc<Path>) -> io::Result<Option<&mut Transcript>> {
        if !self.open.contains_key(path) {
            self.open.insert(path.clone(), Transcript::open(path)?);
        }
        Ok(self.open.get_mut(path).and_then(Option::as_mut))
    }
}

/// A transcript that a page is read from.
struct Transcript {
    file: File,
    size: u64,
    /// The line that was read last, by its offset: what is left of its pieces.
    line: (u64, Vec<String>),
}

impl Transcript {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        Ok(Some(Self { file, size, line: (u64::MAX, Vec::new()) }))
    }

    fn text(&mut self, offset: u64, len: u64, piece: usize) -> io::Result<String> {
        // The index may be damaged, and the transcript may have been cut since: only what is there is asked for.
        if offset.checked_add(len).is_none_or(|end| self.size < end) {
            return Ok("[this message is no longer in the transcript]".into());
        }
        if self.line.0 != offset {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            self.file.read_exact_at(&mut bytes, offset)?;
            let pieces = Piece::of_line(&bytes).into_iter();
            self.line = (offset, pieces.map(|piece| piece.text).collect());
        }
        // Each piece is asked for once.
        Ok(self.line.1.get_mut(piece).map(std::mem::take).unwrap_or_default())
    }
}
