//! What Claude Code's files say: its live file and its transcript.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::shown::is_empty;
use super::timers::Timer;
use super::typing::COMMAND_SETTLES;
use super::{Actor, Input};
use crate::claude::live::{Activity, Live};
use crate::claude::prompt;
use crate::claude::registry;
use crate::claude::transcript::Fact;
use crate::domain::{AskVia, EventData, How, Outcome, Signal, Source, StatusWord, Timestamp};
use crate::holder::process::ProcessId;

/// How often files that cannot be watched are looked at while something is going on, and while nothing is.
const LOOK: Duration = Duration::from_millis(200);
const LOOK_AT_REST: Duration = Duration::from_secs(1);

/// How long a line may be held back for the one it follows.
const HELD_LINE: Duration = Duration::from_millis(450);

/// After how long a prompt that was handed over, while nothing runs, counts as uncertain.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// How long after the live file says idle the Stop hook may still come.
const STOP_DUE: Duration = Duration::from_millis(600);

/// How long after that, in milliseconds, a turn of which nothing tells how it ended counts as interrupted. On a busy
/// machine a hook's process takes seconds to start, and the transcript as long.
const STOP_LATE_MS: u64 = 5000;

/// Where Claude Code's files are, and what tells when they change.
pub(in crate::holder) struct Files {
    sessions: Option<PathBuf>,
    watcher: Option<RecommendedWatcher>,
    /// Whether the system refused to watch a directory that is there.
    refused: bool,
    inputs: mpsc::Sender<Input>,
    watching_sessions: bool,
    watching_transcript: Option<PathBuf>,
    wanted_transcript: Option<PathBuf>,
    ours: Arc<Mutex<Ours>>,
    /// Set from the moment a change was told until it is looked at, so that many changes wake the actor once.
    told: Arc<AtomicBool>,
}

/// The files that matter to this session. They stand beside those of all other sessions, whose changes must not wake
/// this holder: with fifty sessions each change would wake fifty.
#[derive(Debug, Default)]
struct Ours {
    /// None until it is found: then any may be ours.
    live: Option<PathBuf>,
    transcript: Option<PathBuf>,
}

impl Ours {
    /// Whether an event may tell something new. Whoever opens or reads a file is told of as well, and that is mostly
    /// this holder itself.
    fn concerned(&self, event: &notify::Event) -> bool {
        let leads = |path: &PathBuf| self.transcript.as_ref().is_some_and(|ours| ours.starts_with(path));
        let ours = |path: &PathBuf| leads(path) || self.live.as_ref().is_none_or(|live| live == path);
        !event.kind.is_access() && (event.paths.is_empty() || event.paths.iter().any(ours))
    }
}

impl Files {
    /// Finds Claude Code's own directory from the session's environment.
    pub(super) fn new(environment: &BTreeMap<String, String>, inputs: mpsc::Sender<Input>) -> Self {
        let mut files = Self {
            sessions: registry::config_dir(environment).map(|dir| dir.join("sessions")),
            watcher: None,
            refused: false,
            inputs,
            watching_sessions: false,
            watching_transcript: None,
            wanted_transcript: None,
            ours: Arc::new(Mutex::new(Ours::default())),
            told: Arc::new(AtomicBool::new(false)),
        };
        if let Err(error) = files.open() {
            tracing::warn!(%error, "files cannot be watched; they are looked at again and again");
        }
        files
    }

    /// Asks the system for a watcher. A user may have so many (128 is common), and each holder has one.
    fn open(&mut self) -> notify::Result<()> {
        let (mark, concern, inputs) = (self.told.clone(), self.ours.clone(), self.inputs.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concern = concern.lock().unwrap_or_else(PoisonError::into_inner);
            // An error may mean that events were lost.
            if event.is_ok_and(|event| !concern.concerned(&event)) {
                return;
            }
            if !mark.swap(true, Ordering::AcqRel) && inputs.try_send(Input::Files).is_err() {
                // The queue is full: the actor is awake, and the next change tells again.
                mark.store(false, Ordering::Release);
            }
        })?;
        self.watcher = Some(watcher);
        Ok(())
    }

    /// Whether nothing tells when the files change.
    fn blind(&self) -> bool {
        self.watcher.is_none() || self.refused
    }

    fn ours(&self) -> std::sync::MutexGuard<'_, Ours> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants to be told when this transcript grows.
    pub(super) fn watch_transcript(&mut self, path: Option<&Path>) {
        self.ours().transcript = path.map(Path::to_owned);
        self.wanted_transcript = path.and_then(Path::parent).map(Path::to_owned);
        self.watch();
    }

    /// Starts watching what is wanted and exists by now. Returns whether something was added.
    pub(super) fn watch(&mut self) -> bool {
        if self.watcher.is_none() && self.open().is_err() {
            return false;
        }
        let Some(watcher) = &mut self.watcher else { return false };
        let mut added = false;
        self.refused = false;
        if let (false, Some(dir)) =
            (self.watching_sessions, self.sessions.as_ref().filter(|dir| dir.is_dir()))
        {
            self.watching_sessions = watcher.watch(dir, RecursiveMode::NonRecursive).is_ok();
            self.refused |= !self.watching_sessions;
            added |= self.watching_sessions;
        }
        // Before the first prompt in a project the directory is not there: then the nearest one that is tells of it.
        while let Some(dir) =
            self.wanted_transcript.iter().flat_map(|dir| dir.ancestors()).find(|dir| dir.is_dir())
            && self.watching_transcript.as_deref() != Some(dir)
        {
            if watcher.watch(dir, RecursiveMode::NonRecursive).is_err() {
                self.refused |= dir.is_dir();
                break;
            }
            if let Some(old) = self.watching_transcript.replace(dir.to_owned()) {
                let _ = watcher.unwatch(&old);
            }
            added = true;
        }
        added
    }

    /// Whether everything wanted is watched.
    pub(super) fn complete(&self) -> bool {
        self.watching_sessions && self.watching_transcript == self.wanted_transcript
    }
}

impl Actor {
    /// A file changed, or should be looked at again.
    pub(super) fn on_files(&mut self) {
        self.files.told.store(false, Ordering::Release);
        if !self.files.complete() {
            self.files.watch();
        }
        self.read_files();
        if self.held_stop.is_some() && !self.lags() {
            self.release_stop();
        }
        self.look_for_files();
    }

    /// Starts watching files that have come into being.
    pub(super) fn watch_files(&mut self) {
        // A watcher is asked for again only as often as the files are looked at.
        if self.files.watcher.is_some() && !self.files.complete() && self.files.watch() {
            self.read_files();
        }
        self.look_for_files();
    }

    /// Looks at the files again soon where nothing tells of their changes.
    pub(super) fn look_for_files(&mut self) {
        if self.files.blind() {
            let resting = self.status.current().takes_prompt() && !self.receipts.any_on_the_way();
            self.timers.ensure(Timer::Files, if resting { LOOK_AT_REST } else { LOOK });
        }
    }

    /// Reads both files.
    pub(super) fn read_files(&mut self) {
        // The transcript first: what it proves is older than what the live file says now.
        self.read_transcript();
        self.read_live();
    }

    fn read_transcript(&mut self) {
        let now = Timestamp::now();
        let news = self.conversation.catch_up(now);
        if self.conversation.holds() {
            self.timers.set(Timer::Transcript, HELD_LINE);
        }
        if !news.facts.is_empty() {
            self.alive(now);
        }
        for id in news.messages {
            self.announce_message(id);
        }
        for (at, fact) in news.facts {
            self.on_fact(at, fact);
        }
        if let Some(used_pct) = self.conversation.context_filled() {
            self.emit(EventData::ContextFilled { used_pct });
        }
        self.match_asks();
    }

    fn on_fact(&mut self, at: Timestamp, fact: Fact) {
        match fact {
            Fact::Prompt { text, .. } => {
                self.signal(Source::Transcript, at, &Signal::TurnStarted, "transcript: a prompt");
                self.prompt_stands(&text, at, "transcript: the prompt's entry");
            }
            Fact::Enqueued { text } => {
                self.note(Source::Transcript, at, "transcript: a prompt was queued", None);
                self.enqueued(|typed| prompt::same(typed, &text), at);
            }
            Fact::Joined { text } => {
                self.prompt_stands(&text, at, "transcript: joined the running turn");
            }
            Fact::Interrupted => {
                self.withdraw(|open| open.ask.opened_at <= at, "the turn was interrupted");
                // Alone it does not end the turn: 2.1.330 interrupts by itself when a prompt comes before the first
                // word of an answer, and goes on with both. The live file tells the two apart.
                self.interrupted = true;
                let idle = |live: &Live| matches!(live.activity, Some(Activity::Idle | Activity::Shell));
                if self.live.as_ref().is_none_or(idle) && !self.receipts.any_on_the_way() {
                    self.end_turn(Source::Transcript, at, Outcome::Interrupted, "transcript: interrupted");
                } else {
                    self.note(Source::Transcript, at, "transcript: interrupted", None);
                }
            }
            Fact::ToolDone { tool_use_id, rejected } => {
                let how = if rejected { How::Rejected } else { How::Approved };
                let same = |id: &Option<String>| id.as_ref() == Some(&tool_use_id);
                self.settle_in_terminal(
                    |open| open.ask.via == AskVia::Hook && same(&open.ask.tool_use_id),
                    how,
                );
            }
            Fact::Failed { kind, text } => self.fail_turn(Source::Transcript, at, kind, text, "transcript"),
            Fact::CommandRan { name, known } => self.command_ran(at, &name, known),
            Fact::ShellRan { line } => self.shell_ran(at, &line),
            Fact::ShellSaid { output } => self.shell_said(&output),
            Fact::ToolCalled { .. } | Fact::Said { .. } | Fact::Compacted => {}
        }
    }

    fn read_live(&mut self) {
        let found = self.find_live();
        self.files.ours().live = found.as_ref().map(|(path, _)| path.clone());
        let Some((_, live)) = found else { return };
        if self.live.as_ref() == Some(&live) {
            return;
        }
        let changed =
            self.live.as_ref().map(|old| (&old.activity, old.since)) != Some((&live.activity, live.since));
        if self.claude_version.is_none() {
            self.claude_version.clone_from(&live.version);
        }
        self.live = Some(live);
        if changed {
            self.alive(Timestamp::now());
            self.weigh_live();
        }
    }

    /// The live file of our process: by its pid, else (a wrapper started Claude Code) by the conversation.
    fn find_live(&self) -> Option<(PathBuf, Live)> {
        let dir = self.files.sessions.as_ref()?;
        let read = |path: &Path| Live::parse(&fs::read(path).ok()?);
        let started = |live: &Live| match (&live.proc_start, ProcessId::of(live.pid)) {
            (Some(start), Some(process)) => *start == process.start.to_string(),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let own = dir.join(format!("{}.json", self.pid));
        if let Some(live) = read(&own)
            && started(&live)
        {
            return Some((own, live));
        }
        let current = self.conversation.chain().last().copied()?;
        let files = fs::read_dir(dir).ok()?.filter_map(|file| Some(file.ok()?.path()));
        let json = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let mut all = json.filter_map(|path| read(&path).map(|live| (path, live)));
        all.find(|(_, live)| {
            live.conversation_id == Some(current) && live.activity.is_some() && started(live)
        })
    }

    /// Weighs what the live file says now.
    pub(super) fn weigh_live(&mut self) {
        let Some(live) = &self.live else { return };
        let (Some(activity), Some(since)) = (live.activity.clone(), live.since) else { return };
        let what = format!("live file: {}", activity.describe());
        let word = self.status.current().word();
        match activity {
            Activity::Idle | Activity::Shell => {
                self.doubt_asks();
                // Whatever else this means: Claude Code takes prompts.
                self.ready();
                if matches!(word, StatusWord::Starting | StatusWord::Unknown)
                    && !self.receipts.any_on_the_way()
                {
                    self.signal(Source::Live, since, &Signal::Ready, what);
                } else if self.receipts.any_on_the_way() || self.held_stop.is_some() {
                    self.note(Source::Live, since, format!("{what}; a prompt is on its way"), Some(false));
                    self.timers.ensure(Timer::Live, Duration::from_secs(2));
                } else if self.command_settles() {
                    self.note(Source::Live, since, format!("{what}; a command was just taken"), None);
                    self.timers.set(Timer::Live, COMMAND_SETTLES);
                } else if self.awaits_stop() {
                    // The Stop hook with the reply comes within some 10 ms after this, if the turn was not
                    // interrupted (2.1.330).
                    self.note(Source::Live, since, format!("{what}; the turn's end is not told yet"), None);
                    self.timers.set(Timer::Live, STOP_DUE);
                } else if self.status.current().in_turn() && self.supersedes(since) {
                    self.end_turn(Source::Live, since, Outcome::Interrupted, &what);
                } else {
                    self.note(Source::Live, since, what, Some(self.status.current().takes_prompt()));
                }
            }
            Activity::Busy => {
                self.doubt_asks();
                if word == StatusWord::Idle && since > self.status.settled_at() {
                    self.signal(Source::Live, since, &Signal::TurnStarted, what);
                } else {
                    self.note(Source::Live, since, what, Some(self.status.current().in_turn()));
                }
            }
            Activity::Waiting(_) => {
                self.note(Source::Live, since, what, None);
                self.timers.clear(Timer::Asks);
                self.timers.ensure(Timer::Screen, Duration::from_millis(200));
            }
            Activity::Other(_) => self.note(Source::Live, since, what, None),
        }
    }

    /// Whether what the live file says since then comes after what settled the status. What it said itself before is
    /// superseded whatever the times: they are taken before the file is written, on a busy machine long before.
    fn supersedes(&self, since: Timestamp) -> bool {
        since >= self.status.settled_at() || self.status.settled_by() == Source::Live
    }

    /// Whether the status says working only because a prompt or command was accepted, and that did not arrive.
    fn nothing_came_of_it(&self) -> bool {
        self.status.settled_by() == Source::Aegis && !self.receipts.any_open()
    }

    /// Whether a turn that a hook told runs, nobody stopped it, and its end is still to be told.
    fn awaits_stop(&self) -> bool {
        self.turn_runs && self.status.current().in_turn() && !self.waits.stopping() && !self.interrupted
    }

    /// A while after a turn's end, or after a prompt that stayed queued: what does the live file say now?
    pub(super) fn recheck_live(&mut self) {
        self.read_files();
        // What the box shows counts, and nothing may have depended on it since the prompt stood there.
        self.read_screen();
        let Some(live) = self.live.clone() else { return };
        let now = Timestamp::now();
        let word = self.status.current().word();
        match live.activity {
            Some(Activity::Busy) if word == StatusWord::Idle => {
                self.signal(
                    Source::Live,
                    now,
                    &Signal::TurnStarted,
                    "live file: still busy after the turn's end",
                );
            }
            Some(Activity::Idle | Activity::Shell) if word == StatusWord::Starting => {
                self.doubt_written(LOST_AFTER);
                self.weigh_live();
            }
            Some(Activity::Idle | Activity::Shell) if word == StatusWord::Working => {
                self.doubt_written(LOST_AFTER);
                if self.receipts.any_on_the_way() {
                    self.timers.set(Timer::Live, Duration::from_secs(2));
                } else if self.command_settles() || self.held_stop.is_some() {
                    self.timers.set(Timer::Live, COMMAND_SETTLES);
                } else if let Some(since) =
                    live.since.filter(|since| self.supersedes(*since) || self.nothing_came_of_it())
                {
                    match self.how_it_ended(since, now) {
                        Some((outcome, what)) => self.end_turn(Source::Live, now, outcome, what),
                        None => self.timers.set(Timer::Live, STOP_DUE),
                    }
                }
            }
            _ => {}
        }
    }

    /// How the running turn ended, of which the live file says since then that it is over and no hook says anything.
    /// `None` while nothing tells.
    fn how_it_ended(&self, since: Timestamp, now: Timestamp) -> Option<(Outcome, &'static str)> {
        if !self.turn_runs {
            return Some((Outcome::Completed, "live file: idle"));
        }
        if self.interrupted {
            return Some((Outcome::Interrupted, "live file: idle, and the transcript tells an interruption"));
        }
        if self.conversation.answered() {
            return Some((Outcome::Completed, "live file: idle, and the transcript has the answer"));
        }
        // Escape before the first word of an answer leaves no line anywhere; the prompt is back in the box.
        if self.view.input().is_some_and(|input| !is_empty(input)) {
            return Some((Outcome::Interrupted, "live file: idle, and a prompt is back in the box"));
        }
        let late = now.millis_since(since) >= STOP_LATE_MS;
        late.then_some((Outcome::Interrupted, "live file: idle, and nothing tells of an answer"))
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, AccessMode, DataChange, EventKind, ModifyKind};

    use super::*;

    #[test]
    fn only_changes_of_our_own_files_wake_us() {
        let told = |kind: EventKind, path: &str| notify::Event::new(kind).add_path(path.into());
        let changed = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let mut ours = Ours { live: None, transcript: Some("/p/ours.jsonl".into()) };
        assert!(ours.concerned(&told(changed, "/s/other.json")), "it may be ours");
        ours.live = Some("/s/ours.json".into());
        for (kind, path, wakes) in [
            (changed, "/s/ours.json", true),
            (changed, "/p/ours.jsonl", true),
            (changed, "/p", true),
            (changed, "/s/other.json", false),
            (changed, "/p/other.jsonl", false),
            (opened, "/s/ours.json", false),
            (opened, "/p/ours.jsonl", false),
        ] {
            assert_eq!(ours.concerned(&told(kind, path)), wakes, "{kind:?} {path}");
        }
    }
}
