//! Counting what the transcript tells, line by line as it is read.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::tail::Tail;
use crate::claude::prices::{Billing, billing, window};
use crate::claude::tools::{Deed, deed};
use crate::claude::transcript::{Fact, Usage};
use crate::domain::{ContentType, FileUse, ModelTokens, Role, TalkStats, Timestamp, Tokens};

/// How many API messages are remembered, so that the lines of one are counted once. Its lines stand beside each
/// other, with at most the results of its own tool calls between them.
const RECENT: usize = 128;

/// How many tools and models are told apart; what goes beyond counts under [`OTHERS`].
const NAMES: usize = 256;

/// The name of what is not told apart.
const OTHERS: &str = "(others)";

/// How many files are told, the latest.
const FILES: usize = 200;

/// How many shell commands are told, the latest.
const COMMANDS: usize = 50;

/// How much of a command or path is told, in characters.
const TEXT: usize = 300;

/// How many subagents' transcripts are followed.
const AGENTS: usize = 10_000;

/// The figures, and what is needed to count on.
#[derive(Debug)]
pub(super) struct Talk {
    stats: TalkStats,
    since: Timestamp,
    recent: VecDeque<Counted>,
    hasher: RandomState,
    /// The model and the length of the last prompt in the present conversation.
    context: Option<(String, u64)>,
    /// The model as Claude Code names it.
    chosen: Option<String>,
    /// Transcripts of subagents, and how far each was read.
    agents: BTreeMap<PathBuf, Tail>,
    /// Directories that subagents of this session write to.
    agent_dirs: Vec<PathBuf>,
}

/// An API message that was counted.
#[derive(Debug)]
struct Counted {
    /// Hash of its id: all that are remembered are looked through for every line.
    id: u64,
    model: String,
    billing: Billing,
    tokens: Tokens,
    past: bool,
}

impl Talk {
    /// Begins to count for a session launched at `since`.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            stats: TalkStats::default(),
            since,
            recent: VecDeque::new(),
            hasher: RandomState::new(),
            context: None,
            chosen: None,
            agents: BTreeMap::new(),
            agent_dirs: Vec::new(),
        }
    }

    pub(super) fn stats(&self) -> &TalkStats {
        &self.stats
    }

    /// The clock was set back to `now`.
    pub(super) fn rebase(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
    }

    /// Another transcript is read from here on.
    pub(super) fn goes_on_in(&mut self, transcript: &Path) {
        self.context = None;
        // `<conversation>.jsonl` has its subagents in `<conversation>/subagents` (2.1.197).
        let dir = transcript.with_extension("").join("subagents");
        if !self.agent_dirs.contains(&dir) {
            self.agent_dirs.push(dir);
        }
    }

    /// The model as Claude Code names it.
    pub(super) fn runs(&mut self, model: String) {
        self.chosen = Some(model);
    }

    /// How much of the context window is in use, in percent, rounded as Claude Code's own status line does it: the last
    /// prompt with what the cache had of it.
    pub(super) fn context_used_pct(&self) -> Option<u8> {
        let (model, tokens) = self.context.as_ref()?;
        let window = window(model, self.chosen.as_deref())?;
        u8::try_from((tokens.saturating_mul(100).saturating_add(window / 2) / window).min(100)).ok()
    }

    /// Counts a message. One of the `past` was there before this session.
    pub(super) fn message(&mut self, role: Role, kind: ContentType, tool: Option<&str>, past: bool) {
        if past {
            self.stats.past.messages += 1;
            self.stats.past.tool_calls += u64::from(kind == ContentType::ToolUse);
            return;
        }
        match role {
            Role::User => self.stats.messages.user += 1,
            Role::Assistant => self.stats.messages.assistant += 1,
            Role::System => self.stats.messages.system += 1,
        }
        let (call, error) = (kind == ContentType::ToolUse, kind == ContentType::ToolError);
        if call || error {
            let counts = of(&mut self.stats.tools, tool.unwrap_or(OTHERS));
            counts.calls += u64::from(call);
            counts.errors += u64::from(error);
        }
    }

    /// Counts what a line proves.
    pub(super) fn fact(&mut self, fact: &Fact, past: bool) {
        match fact {
            Fact::ToolCalled { name, input, .. } if !past => match deed(name, input) {
                Some(Deed::Write(path)) => self.file(path, 1, 0),
                Some(Deed::Read(path)) => self.file(path, 0, 1),
                Some(Deed::Run(command)) => self.command(command),
                None => {}
            },
            Fact::Compacted => self.context = None,
            Fact::ToolCalled { .. }
            | Fact::ToolDone { .. }
            | Fact::Prompt { .. }
            | Fact::Enqueued { .. }
            | Fact::Joined { .. }
            | Fact::Interrupted
            | Fact::Said { .. }
            | Fact::CommandRan { .. }
            | Fact::ShellRan { .. }
            | Fact::ShellSaid { .. }
            | Fact::Failed { .. } => {}
        }
    }

    fn file(&mut self, path: &str, writes: u64, reads: u64) {
        let path = cut(path);
        let files = &mut self.stats.files;
        let known = files.iter().position(|file| file.path == path);
        let mut file =
            known.and_then(|at| files.remove(at)).unwrap_or(FileUse { path, ..FileUse::default() });
        file.writes += writes;
        file.reads += reads;
        if files.len() == FILES {
            files.pop_front();
            self.stats.files_left_off += 1;
        }
        files.push_back(file);
    }

    fn command(&mut self, command: &str) {
        self.stats.commands_run += 1;
        if self.stats.commands.len() == COMMANDS {
            self.stats.commands.pop_front();
        }
        self.stats.commands.push_back(cut(command));
    }

    /// Counts what an API message used. Each of its lines tells all of it; the last one counts.
    pub(super) fn used(&mut self, usage: Usage, past: bool) {
        let Usage { message_id, model, tokens, standard, sidechain } = usage;
        if !sidechain {
            self.context = Some((model.clone(), tokens.context()));
        }
        let billing = billing(&model, &tokens, standard);
        let now = Counted { id: self.hasher.hash_one(message_id), model, billing, tokens, past };
        let known = self.recent.iter().position(|counted| counted.id == now.id);
        if let Some(before) = known.and_then(|at| self.recent.remove(at)) {
            self.account(&before, |account, tokens| *account -= tokens, |count| count - 1);
        } else if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.account(&now, |account, tokens| *account += tokens, |count| count + 1);
        self.recent.push_back(now);
    }

    fn account(&mut self, what: &Counted, book: impl Fn(&mut Tokens, Tokens), count: impl Fn(u64) -> u64) {
        if what.past {
            return book(&mut self.stats.past.tokens, what.tokens);
        }
        let model = of(&mut self.stats.models, &what.model);
        model.api_messages = count(model.api_messages);
        let account = match what.billing {
            Billing::Standard => &mut model.standard,
            Billing::Long => &mut model.long,
            Billing::Other => &mut model.other,
        };
        book(account, what.tokens);
        if *model == ModelTokens::default() {
            self.stats.models.remove(&what.model);
        }
    }

    /// Counts what subagents have used since the last time; their lines stand in files of their own.
    pub(super) fn read_agents(&mut self) {
        for dir in self.agent_dirs.clone() {
            for file in fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
                let path = file.path();
                if self.agents.contains_key(&path) || self.agents.len() >= AGENTS || !self.is_ours(&file) {
                    continue;
                }
                self.stats.subagents += 1;
                self.agents.insert(path.clone(), Tail::new(path));
            }
        }
        let mut agents = std::mem::take(&mut self.agents);
        for tail in agents.values_mut() {
            let read = tail.read(self.since, |reads| {
                for line in reads.into_iter().map(|read| read.line) {
                    let past = line.at.is_some_and(|at| at < self.since);
                    if let (Some(usage), false) = (line.usage, past) {
                        self.used(Usage { sidechain: true, ..*usage }, false);
                    }
                }
            });
            if let Err(error) = read {
                tracing::debug!(%error, "a subagent's transcript could not be read");
            }
        }
        self.agents = agents;
    }

    /// Whether this is a subagent's transcript that was written to since the session began.
    fn is_ours(&self, file: &fs::DirEntry) -> bool {
        let is_transcript = file.path().extension().is_some_and(|end| end == "jsonl");
        let written = file.metadata().and_then(|file| file.modified()).ok();
        let written = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let millis = written.and_then(|at| i64::try_from(at.as_millis()).ok());
        is_transcript && millis.is_some_and(|millis| millis >= self.since.millis())
    }
}

/// The entry of this name, or of all that are not told apart.
fn of<'a, T: Default>(entries: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    let apart = entries.contains_key(name) || (entries.len() < NAMES && name.len() <= TEXT);
    entries.entry(if apart { name } else { OTHERS }.to_owned()).or_default()
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        Talk::new(Timestamp::from_millis(0).unwrap())
    }

    fn usage(id: &str, model: &str, input: u64, output: u64) -> Usage {
        let tokens = Tokens { input, output, ..Tokens::default() };
        Usage { message_id: id.into(), model: model.into(), tokens, standard: true, sidechain: false }
    }

    #[test]
    fn an_api_message_counts_once_and_as_it_was_told_last() {
        let mut talk = talk();
        for (id, output) in [("a", 1), ("a", 28), ("b", 5), ("a", 30), ("b", 5)] {
            talk.used(usage(id, "claude-opus-5", 10, output), false);
        }
        let model = talk.stats().models["claude-opus-5"];
        assert_eq!((model.api_messages, model.standard.input, model.standard.output), (2, 20, 35));
    }

    #[test]
    fn a_message_that_turns_out_longer_moves_to_the_other_price() {
        let mut talk = talk();
        talk.used(usage("a", "claude-haiku-5-5", 10, 1), false);
        talk.used(usage("a", "claude-haiku-5-5", 200_000, 1), false);
        let model = talk.stats().models["claude-haiku-5-5"];
        assert_eq!((model.standard, model.long.input), (Tokens::default(), 200_000));
    }

    #[test]
    fn history_is_told_apart() {
        let mut talk = talk();
        talk.used(usage("a", "claude-opus-5", 10_000, 1), true);
        talk.message(Role::User, ContentType::Text, None, true);
        talk.message(Role::Assistant, ContentType::ToolUse, Some("Bash"), true);
        let stats = talk.stats();
        assert_eq!((stats.past.messages, stats.past.tool_calls, stats.past.tokens.input), (2, 1, 10_000));
        assert_eq!((stats.tokens(), stats.messages.total()), (Tokens::default(), 0));
        assert_eq!(talk.context_used_pct(), Some(1), "what stands in the context stands there");
    }

    #[test]
    fn the_context_is_that_of_the_last_message_in_this_conversation() {
        let mut talk = talk();
        talk.used(usage("a", "claude-opus-4-6", 100_000, 1), false);
        assert_eq!(talk.context_used_pct(), Some(50));
        talk.used(Usage { sidechain: true, ..usage("b", "claude-opus-4-6", 1, 1) }, false);
        assert_eq!(talk.context_used_pct(), Some(50), "a subagent has its own");
        talk.runs("claude-opus-4-6[1m]".into());
        assert_eq!(talk.context_used_pct(), Some(10));
        talk.fact(&Fact::Compacted, false);
        assert_eq!(talk.context_used_pct(), None);
        talk.used(usage("c", "claude-fake", 1, 1), false);
        assert_eq!(talk.context_used_pct(), None, "its window is not known");
    }

    #[test]
    fn files_and_commands_are_bounded() {
        let mut talk = talk();
        let call = |name: &str, input| Fact::ToolCalled { tool_use_id: "t".into(), name: name.into(), input };
        for n in 0..1000 {
            talk.fact(&call("Write", serde_json::json!({"file_path": format!("/f{n}")})), false);
            talk.fact(&call("Read", serde_json::json!({"file_path": "/same"})), false);
            talk.fact(&call("Bash", serde_json::json!({"command": "x".repeat(10_000)})), false);
        }
        let stats = talk.stats();
        assert_eq!((stats.files.len(), stats.commands.len(), stats.commands_run), (FILES, COMMANDS, 1000));
        assert_eq!(stats.files.back().unwrap(), &FileUse { path: "/same".into(), writes: 0, reads: 1000 });
        assert_eq!(stats.files_left_off, 1001 - FILES as u64);
        assert!(stats.commands.iter().all(|command| command.len() == TEXT));
        for n in 0..1000 {
            talk.message(Role::Assistant, ContentType::ToolUse, Some(&format!("tool{n}")), false);
        }
        assert_eq!(talk.stats().tool_calls().calls, 1000);
        assert_eq!(talk.stats().tools.len(), NAMES + 1);
    }
}
