//! Which message stands where. In memory, and as lines in a file for readers after the session's end.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::claude::transcript::Piece;
use crate::domain::{ContentType, Role, Timestamp, beginning};

/// How much of a text events and listings tell, in characters.
pub(super) const PREVIEW_CHARS: usize = 500;

/// Where a message's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a transcript file.
    File { path: Arc<Path>, offset: u64, len: u64, piece: usize },
    /// Only told by a hook so far.
    Told(String),
}

/// One message without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) role: Role,
    pub(super) content_type: ContentType,
    pub(super) tool_name: Option<String>,
    pub(super) tool_use_id: Option<String>,
    pub(super) at: Timestamp,
    pub(super) place: Place,
    preview: Arc<str>,
}

impl Entry {
    pub(super) fn of(piece: &Piece, tool_name: Option<String>, at: Timestamp, place: Place) -> Self {
        Self {
            role: piece.role,
            content_type: piece.content_type,
            tool_name,
            tool_use_id: piece.tool_use_id.clone(),
            at,
            place,
            preview: preview(&piece.text).into(),
        }
    }
}

/// All entries; the id of each is its place in the list, from 1.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    file: File,
    /// Lines that are not in the file yet; a resumed conversation brings tens of thousands at once.
    unwritten: Vec<u8>,
    /// The transcript that was named last.
    named: Option<Arc<Path>>,
    last_text: Option<(Role, Arc<str>)>,
    /// What stands for a preview that is not kept.
    none: Arc<str>,
}

/// A line of the index file. A later line about the same id replaces the earlier.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    id: u64,
    role: Role,
    kind: ContentType,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Cow<'a, str>>,
    /// The transcript; left out where it is that of the row before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, Path>>,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    len: u64,
    #[serde(default)]
    piece: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
}

/// Entries older than so many keep no preview: only the newest are told in events and listings.
const PREVIEWS_KEPT: usize = 256;

/// How much room for lines stays allocated, in bytes: what a usual turn needs.
const KEPT_BUFFER: usize = 4 << 10;

impl Index {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self {
            entries: Vec::new(),
            file,
            unwritten: Vec::new(),
            named: None,
            last_text: None,
            none: "".into(),
        })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        if matches!(entry.content_type, ContentType::Text | ContentType::Error) && entry.role != Role::System
        {
            self.last_text = Some((entry.role, entry.preview.clone()));
        }
        self.entries.push(entry);
        if let Some(old) = self.entries.len().checked_sub(PREVIEWS_KEPT + 1) {
            self.entries[old].preview = self.none.clone();
        }
        let id = self.entries.len() as u64;
        self.write(id);
        id
    }

    pub(super) fn bind(&mut self, id: u64, place: Place) {
        let Some(entry) = position(id).and_then(|at| self.entries.get_mut(at)) else { return };
        entry.place = place;
        self.write(id);
    }

    pub(super) fn last_text(&self) -> Option<(Role, &str)> {
        self.last_text.as_ref().map(|(role, text)| (*role, text.as_ref()))
    }

    /// Whether one of the newest messages is Claude's, and this text.
    pub(super) fn has_reply(&self, text: &str) -> bool {
        let preview = preview(text.trim());
        let newest = self.entries.iter().rev().take(PREVIEWS_KEPT);
        newest
            .filter(|entry| entry.role == Role::Assistant)
            .any(|entry| entry.preview.trim() == preview.trim())
    }

    /// Whether the newest text since the last prompt is Claude's, and this one.
    pub(super) fn last_reply_is(&self, text: &str) -> bool {
        self.last_text.as_ref().is_some_and(|(role, last)| {
            let preview = preview(text.trim());
            *role == Role::Assistant && last.trim() == preview.trim()
        })
    }

    pub(super) fn preview(&self, id: u64) -> Option<(Role, ContentType, String, Option<String>)> {
        let entry = self.entries.get(position(id)?)?;
        Some((entry.role, entry.content_type, entry.preview.to_string(), entry.tool_name.clone()))
    }

    /// Whether the message is so new that its preview is kept.
    pub(super) fn keeps(&self, id: u64) -> bool {
        position(id).is_some_and(|at| at + PREVIEWS_KEPT >= self.entries.len())
    }

    fn write(&mut self, id: u64) {
        let Some(entry) = position(id).and_then(|at| self.entries.get(at)) else { return };
        let mut row = Row {
            id,
            role: entry.role,
            kind: entry.content_type,
            at: entry.at,
            tool: entry.tool_name.as_deref().map(Cow::Borrowed),
            call: entry.tool_use_id.as_deref().map(Cow::Borrowed),
            path: None,
            offset: 0,
            len: 0,
            piece: 0,
            text: None,
        };
        match &entry.place {
            Place::File { path, offset, len, piece } => {
                if self.named.as_ref() != Some(path) {
                    self.named = Some(path.clone());
                    row.path = Some(Cow::Borrowed(path));
                }
                (row.offset, row.len, row.piece) = (*offset, *len, *piece);
            }
            Place::Told(text) => row.text = Some(Cow::Borrowed(text)),
        }
        let start = self.unwritten.len();
        match serde_json::to_writer(&mut self.unwritten, &row) {
            Ok(()) => self.unwritten.push(b'\n'),
            Err(error) => {
                self.unwritten.truncate(start);
                tracing::warn!(%error, "a message could not be put into the index");
            }
        }
    }

    /// Writes down what was pushed and bound. Callers do so before they go on to anything else.
    pub(super) fn flush(&mut self) {
        let written = self.file.write_all(&self.unwritten);
        self.unwritten.clear();
        self.unwritten.shrink_to(KEPT_BUFFER);
        if let Err(error) = written {
            // The row that named the transcript may be lost.
            self.named = None;
            tracing::warn!(%error, "the message index could not be written");
        }
    }
}

/// Reads the entries of a session that has ended.
pub(super) fn load(path: &Path) -> io::Result<Vec<Entry>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut named: Option<Arc<Path>> = None;
    for line in BufReader::new(file).split(b'\n') {
        let Ok(row) = serde_json::from_slice::<Row<'_>>(&line?) else { continue };
        if let Some(path) = row.path.filter(|path| named.as_deref() != Some(path)) {
            named = Some(Arc::from(path));
        }
        let place = match (row.text, &named) {
            (None, Some(path)) => {
                Place::File { path: path.clone(), offset: row.offset, len: row.len, piece: row.piece }
            }
            (text, _) => Place::Told(text.unwrap_or_default().into_owned()),
        };
        let entry = Entry {
            role: row.role,
            content_type: row.kind,
            tool_name: row.tool.map(Cow::into_owned),
            tool_use_id: row.call.map(Cow::into_owned),
            at: row.at,
            place,
            preview: "".into(),
        };
        match position(row.id) {
            Some(at) if at < entries.len() => entries[at] = entry,
            Some(at) if at == entries.len() => entries.push(entry),
            _ => tracing::warn!(id = row.id, "the message index has a hole"),
        }
    }
    Ok(entries)
}

/// What events and listings tell of a text.
fn preview(text: &str) -> &str {
    beginning(text, PREVIEW_CHARS)
}

fn position(id: u64) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(1)
}
