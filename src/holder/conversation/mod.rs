//! The conversation: Claude Code's transcript files, read as they grow, with an id for each message.
//!
//! A file is taken only on Claude Code's own word (a hook names it), never by its time. Ids count from 1 over the
//! whole life of the session, `/clear` included. A prompt gets its id when the hook tells it and a reply when the
//! Stop hook tells it, since both stand in the file only about 0.1 s later; the line is bound to that id when it
//! lands.

mod fill;
mod index;
mod page;
mod recount;
mod tail;
mod talk;
mod told;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use fill::Fill;
use index::{Entry, Index, Place};
use tail::Tail;
use talk::Talk;
use told::{Told, says};

use crate::claude::transcript::{Fact, Line, Piece};
use crate::domain::{
    ContentType, ConversationId, LastMessage, MessagePage, MessageQuery, Role, TalkStats, Timestamp,
};

pub use page::Archive;
pub use recount::recount;

/// How long a line may wait for the line it follows, in milliseconds. Claude Code writes in batches every 100 ms.
const PARENT_WAIT_MS: u64 = 400;

/// What reading on brought.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Facts with the time of their line, in order.
    pub(super) facts: Vec<(Timestamp, Fact)>,
    /// Messages that joined.
    pub(super) messages: Vec<u64>,
}

/// A session's conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    chain: Vec<ConversationId>,
    tail: Option<Tail>,
    index: Index,
    since: Timestamp,
    /// Hashes of the ids of lines: a long conversation has tens of thousands.
    seen: HashSet<u64>,
    hasher: RandomState,
    held: Vec<(Timestamp, tail::Read)>,
    prompts: Vec<Told>,
    /// The command that this turn is for, of which the file has no line yet: what it stands for is told there only.
    awaited_command: Option<u64>,
    bound_prompts: HashSet<String>,
    reply: Option<Told>,
    /// Replies of earlier turns, of which lines may still be on their way; the newest last.
    earlier: VecDeque<Told>,
    /// Tools of this turn's calls that hooks told and the file does not have yet.
    told_calls: Vec<String>,
    open_calls: HashMap<String, OpenCall>,
    told_results: HashSet<String>,
    /// The calls of this turn whose results the file has.
    results: HashSet<String>,
    /// Whether the history was read from the conversation that this one is a copy of.
    copied: bool,
    /// The figures.
    talk: Talk,
    /// Whether it was told that the context window fills up.
    fill: Fill,
}

/// A tool call without a result in the file.
#[derive(Debug)]
struct OpenCall {
    tool: String,
    input: serde_json::Value,
    /// Whether it stood there when the session was launched; then its result may never come.
    historic: bool,
}

impl Conversation {
    /// Opens the conversation of a session launched at `since`; lines older than that are history.
    pub(super) fn new(index_path: &Path, since: Timestamp) -> io::Result<Self> {
        Ok(Self {
            chain: Vec::new(),
            tail: None,
            index: Index::create(index_path)?,
            since,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            held: Vec::new(),
            prompts: Vec::new(),
            awaited_command: None,
            bound_prompts: HashSet::new(),
            reply: None,
            earlier: VecDeque::new(),
            told_calls: Vec::new(),
            open_calls: HashMap::new(),
            told_results: HashSet::new(),
            results: HashSet::new(),
            copied: false,
            talk: Talk::new(since),
            fill: Fill::default(),
        })
    }

    /// The clock was set back to `now`: lines from then on are no history.
    pub(super) fn rebase(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.talk.rebase(now);
    }

    /// Every conversation id, oldest first.
    pub(super) fn chain(&self) -> &[ConversationId] {
        &self.chain
    }

    /// The present transcript file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.tail.as_ref().map(Tail::path)
    }

    /// Binds another conversation and its file. Returns whether anything changed.
    pub(super) fn bind(&mut self, id: ConversationId, path: Option<PathBuf>) -> bool {
        let new_id = self.chain.last() != Some(&id);
        if new_id {
            self.chain.push(id);
        }
        let new_path = path.as_deref().is_some_and(|path| self.path() != Some(path));
        if let (true, Some(path)) = (new_path, path) {
            self.talk.goes_on_in(&path);
            self.tail = Some(Tail::new(path));
            self.seen.clear();
            self.prompts.retain(|told| !told.bound);
        }
        new_id || new_path
    }

    /// Reads the history of the conversation that this one will be a copy of. The copy itself appears only with the
    /// first prompt, too late for the order of messages; its old lines are passed over then.
    pub(super) fn read_original(&mut self, path: PathBuf, now: Timestamp) {
        if self.copied {
            return;
        }
        let mut news = News::default();
        let read = Tail::new(path).read(self.since, |reads| {
            reads.into_iter().for_each(|read| self.take(now, read, &mut news));
            self.index.flush();
        });
        match read {
            Ok(()) => self.copied = true,
            Err(error) => tracing::warn!(%error, "the original conversation could not be read"),
        }
    }

    /// Reads what the file has gained.
    pub(super) fn catch_up(&mut self, now: Timestamp) -> News {
        let mut news = News::default();
        if let Some(mut tail) = self.tail.take() {
            let read = tail.read(self.since, |reads| {
                reads.into_iter().for_each(|read| self.offer(now, read, &mut news));
                self.index.flush();
            });
            if let Err(error) = read {
                tracing::warn!(%error, "the transcript could not be read");
            }
            self.tail = Some(tail);
        }
        self.release(now, &mut news);
        self.index.flush();
        news
    }

    /// Whether a line waits for its parent, so that reading again soon is worth it.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes a line if the line it follows is known, and then those that wait for it; else holds it.
    fn offer(&mut self, now: Timestamp, read: tail::Read, news: &mut News) {
        let orphan = !read.line.pieces.is_empty()
            && read
                .line
                .parent
                .as_ref()
                .is_some_and(|parent| !self.seen.contains(&self.hasher.hash_one(parent)))
            && !self.seen.is_empty();
        if orphan {
            self.held.push((now, read));
            return;
        }
        // One after the other, since a chain of lines in the wrong order may be longer than a stack is deep.
        let mut due = Some(read);
        while let Some(read) = due.take() {
            let uuid = read.line.uuid.clone();
            self.take(now, read, news);
            let follows = |(_, held): &(Timestamp, tail::Read)| uuid.is_some() && held.line.parent == uuid;
            due = self.held.iter().position(follows).map(|at| self.held.remove(at).1);
        }
    }

    /// Takes held lines whose parent does not come.
    fn release(&mut self, now: Timestamp, news: &mut News) {
        let late = |(since, _): &(Timestamp, tail::Read)| now.millis_since(*since) >= PARENT_WAIT_MS;
        while let Some(at) = self.held.iter().position(late) {
            let (_, read) = self.held.remove(at);
            if let Some(parent) = read.line.parent.clone() {
                self.seen.insert(self.hasher.hash_one(parent));
            }
            self.offer(now, read, news);
        }
    }

    fn take(&mut self, now: Timestamp, read: tail::Read, news: &mut News) {
        let Line { uuid, at, pieces, facts, usage, .. } = read.line;
        self.seen.extend(uuid.map(|uuid| self.hasher.hash_one(uuid)));
        let at = at.unwrap_or(now);
        let historic = at < self.since;
        if historic && self.copied {
            return;
        }
        if let Some(usage) = usage {
            self.talk.used(*usage, historic);
        }
        for (number, piece) in pieces.into_iter().enumerate() {
            let place =
                Place::File { path: read.path.clone(), offset: read.offset, len: read.len, piece: number };
            // Also of what seems to be history: a line may be older than the moment at which a clock was seen set back.
            if let Some(id) = self.known(&piece, at) {
                self.index.bind(id, place);
            } else if !self.covered(&piece, at) {
                let tool = self.tool_of(&piece);
                self.talk.message(piece.role, piece.content_type, tool.as_deref(), historic);
                let id = self.index.push(Entry::of(&piece, tool, at, place));
                if !historic {
                    news.messages.push(id);
                }
            }
        }
        for fact in facts {
            self.talk.fact(&fact, historic);
            self.note(&fact, historic);
            if !historic {
                news.facts.push((at, fact));
            }
        }
    }

    /// The id that a hook's word gave this piece already.
    fn known(&mut self, piece: &Piece, at: Timestamp) -> Option<u64> {
        if piece.is_prompt {
            let same = |told: &&mut Told| {
                !told.bound
                    && match (&told.prompt_id, &piece.prompt_id) {
                        (Some(told), Some(piece)) => told == piece,
                        _ => told.text.trim() == piece.text.trim(),
                    }
            };
            self.bound_prompts.extend(piece.prompt_id.clone());
            let told = self.prompts.iter_mut().find(same)?;
            told.bound = true;
            let id = told.id;
            self.awaited_command.take_if(|awaited| *awaited == id);
            return Some(id);
        }
        let earlier = self.earlier.iter_mut().filter(|told| at <= told.at);
        let told = self.reply.iter_mut().chain(earlier).find(|told| !told.bound && says(told, piece))?;
        told.bound = true;
        Some(told.id)
    }

    /// Whether a reply that was told as one holds this piece too.
    fn covered(&self, piece: &Piece, at: Timestamp) -> bool {
        let earlier = self.earlier.iter().filter(|told| at <= told.at);
        self.reply
            .iter()
            .chain(earlier)
            .any(|told| told.bound && told.text.trim() != piece.text.trim() && says(told, piece))
    }

    fn tool_of(&self, piece: &Piece) -> Option<String> {
        piece
            .tool_name
            .clone()
            .or_else(|| Some(self.open_calls.get(piece.tool_use_id.as_ref()?)?.tool.clone()))
    }

    fn note(&mut self, fact: &Fact, historic: bool) {
        match fact {
            Fact::ToolCalled { tool_use_id, name, input } => {
                if let Some(at) = self.told_calls.iter().position(|told| told == name) {
                    self.told_calls.swap_remove(at);
                }
                let call = OpenCall { tool: name.clone(), input: input.clone(), historic };
                self.open_calls.insert(tool_use_id.clone(), call);
            }
            Fact::ToolDone { tool_use_id, .. } => {
                self.open_calls.remove(tool_use_id);
                self.told_results.remove(tool_use_id);
                self.results.insert(tool_use_id.clone());
            }
            Fact::Interrupted => self.turn_over(),
            Fact::Prompt { .. }
            | Fact::Enqueued { .. }
            | Fact::Joined { .. }
            | Fact::Said { .. }
            | Fact::CommandRan { .. }
            | Fact::ShellRan { .. }
            | Fact::ShellSaid { .. }
            | Fact::Compacted
            | Fact::Failed { .. } => {}
        }
    }

    /// The tool call that stands open in the file with this tool and input.
    pub(super) fn open_call(&self, tool: &str, input: &serde_json::Value) -> Option<String> {
        self.open_calls
            .iter()
            .find(|(_, call)| call.tool == tool && call.input == *input)
            .map(|(id, _)| id.clone())
    }

    /// Notes that a hook told a tool call which the file will show.
    pub(super) fn call_told(&mut self, tool: &str, input: &serde_json::Value) {
        if self.tail.is_some() && self.open_call(tool, input).is_none() {
            self.told_calls.push(tool.to_owned());
        }
    }

    /// Notes that a hook told the end of a tool call whose result the file will show. On a busy machine the hook
    /// comes before even the call itself is in the file.
    pub(super) fn result_told(&mut self, tool_use_id: &str) {
        if self.tail.is_some() && !self.results.contains(tool_use_id) {
            self.told_results.insert(tool_use_id.to_owned());
        }
    }

    /// Whether the file still lacks something of the turn that comes before its last words.
    pub(super) fn lags(&self) -> bool {
        self.awaited_command.is_some()
            || !self.told_results.is_empty()
            || !self.told_calls.is_empty()
            || self.open_calls.values().any(|call| !call.historic)
            || self.holds()
    }

    /// The turn is over: gives up waiting for what is still missing.
    pub(super) fn turn_over(&mut self) {
        self.awaited_command = None;
        self.told_results.clear();
        self.told_calls.clear();
        self.open_calls.clear();
        self.results.clear();
    }

    /// Whether Claude has the last word, and no tool call is under way.
    pub(super) fn answered(&self) -> bool {
        !self.lags() && self.index.last_text().is_some_and(|(role, _)| role == Role::Assistant)
    }

    /// The newest text.
    pub(super) fn last_message(&self) -> Option<LastMessage> {
        self.index.last_text().map(|(role, text)| LastMessage { role, text: text.to_owned() })
    }

    /// The model as Claude Code names it.
    pub(super) fn runs(&mut self, model: String) {
        self.talk.runs(model);
    }

    /// How much of the context window is in use, in percent, as far as that is known.
    pub(super) fn context_used_pct(&self) -> Option<u8> {
        self.talk.context_used_pct()
    }

    /// How much of the context window is in use, in percent, if that is news to warn of.
    pub(super) fn context_filled(&mut self) -> Option<u8> {
        self.fill.edge(self.talk.context_used_pct())
    }

    /// Counts what subagents have said since the last time.
    pub(super) fn read_agents(&mut self) {
        self.talk.read_agents();
    }

    /// The figures.
    pub(super) fn stats(&self) -> &TalkStats {
        self.talk.stats()
    }

    /// What an event tells of a message. Of one that came with many others the text may not be kept any more; then it
    /// is read where it stands.
    pub(super) fn preview(&self, id: u64) -> Option<(Role, ContentType, String, Option<String>)> {
        let (role, content_type, text, tool_name) = self.index.preview(id)?;
        if !text.is_empty() || self.index.keeps(id) {
            return Some((role, content_type, text, tool_name));
        }
        let query = MessageQuery {
            after_id: Some(id.saturating_sub(1)),
            limit: 1,
            include_thinking: true,
            max_chars: index::PREVIEW_CHARS,
            ..MessageQuery::default()
        };
        let read = self.page(&query).ok().and_then(|page| page.messages.into_iter().next());
        let text = read.filter(|message| message.id == id).map_or(text, |message| message.text);
        Some((role, content_type, text, tool_name))
    }

    /// Reads a page.
    pub(super) fn page(&self, query: &MessageQuery) -> io::Result<MessagePage> {
        page::page(self.index.entries(), query)
    }
}

#[cfg(test)]
mod tests;
