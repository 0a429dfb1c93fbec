//! The end of Claude Code, and what is left to do then.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use super::timers::Timer;
use super::{Actor, Input};
use crate::domain::{EndCause, Ending, EventData, How, Outcome, SessionStatus, Signal, Source, Timestamp};
use crate::holder::dir::SessionDir;
use crate::holder::process::{self, ProcessId};
use crate::wire::Snapshot;

/// How long the session's processes get between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// How often the session's processes are recorded while a turn runs.
const RECORD_EVERY: Duration = Duration::from_secs(2);
/// How many of the screen's last lines are kept as the child's last words, when it failed.
const LAST_LINES: usize = 12;

impl Actor {
    /// Looks whether the child has ended.
    pub(super) fn check_child(&mut self) {
        process::reap_orphans(self.pid);
        let Some(status) = self.pty.ended() else { return };
        let last_words = if status.success() { None } else { self.last_words() };
        let killed = self.kill.as_ref();
        let signal = status.signal().map(str::to_owned);
        let exit_code = signal.is_none().then(|| i32::try_from(status.exit_code()).unwrap_or(-1));
        let cause = match (killed, &signal) {
            (Some(_), _) => EndCause::Killed,
            (None, Some(_)) => EndCause::Signaled,
            (None, None) => EndCause::Exited,
        };
        let detail = match killed {
            Some(kill) => Some(kill.steps.join(", ")),
            None => last_words,
        };
        let by = killed.map(|kill| kill.by.clone());
        self.ending = Some(Ending { cause, exit_code, signal, by, detail });
        self.ended = true;
    }

    fn last_words(&mut self) -> Option<String> {
        let pane = self.grid.pane(false, 0);
        let lines: Vec<_> = pane.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        (!last.is_empty()).then_some(last)
    }

    /// Records the session's processes, so that they can be swept even if the holder is killed.
    pub(super) fn record_tree(&mut self) {
        if let Err(error) = process::record(&self.dir.tree(), &self.tree()) {
            tracing::warn!(%error, "the session's processes could not be recorded");
        }
        if self.status.current().in_turn() {
            self.timers.set(Timer::Tree, RECORD_EVERY);
        }
    }

    /// Everything that runs below this holder, but for sessions created inside this one.
    fn tree(&self) -> BTreeSet<ProcessId> {
        process::descendants(std::process::id(), &other_holders(&self.dir))
    }

    /// Does what is left: settles what is open, sweeps what still runs, and says goodbye.
    pub(super) async fn finish(mut self, inputs: &mut mpsc::Receiver<Input>) {
        // What the child printed and its hooks said last is still in the queue.
        while let Ok(input) = inputs.try_recv() {
            if let Input::Output(_) | Input::Call(..) | Input::Connected(..) | Input::Gone(_) = input {
                self.on_input(input);
            }
        }
        let now = Timestamp::now();
        self.release_stop();
        self.read_files();
        let recorded = process::recorded(&self.dir.tree());
        let holders = other_holders(&self.dir);
        let mut targets = process::descendants(std::process::id(), &holders);
        targets.extend(recorded.into_iter().filter(|process| !holders.contains(process)));
        let swept =
            process::sweep(targets, GRACE, || process::descendants(std::process::id(), &holders)).await;
        process::reap_orphans(self.pid);
        if swept > 0 {
            self.note(
                Source::Process,
                now,
                format!("ended {swept} processes that the session had started"),
                None,
            );
        }
        self.finish_keying();
        let ids: Vec<_> = self.asks.open().iter().map(|open| open.ask.id).collect();
        for id in ids {
            self.resolve(id, "terminal", How::Withdrawn, Some("the session ended".into()));
        }
        self.finish_receipts(Outcome::SessionEnded, now, "the session ended");
        self.drop_deliveries(now);
        let ending = self.ending.take().unwrap_or(Ending {
            cause: EndCause::Exited,
            exit_code: None,
            signal: None,
            by: None,
            detail: None,
        });
        let what = describe(&ending, swept);
        self.signal(Source::Process, Timestamp::now(), &Signal::Exited(ending), what);
        self.keep_last();
        for to in std::mem::take(&mut self.waits.ended) {
            self.reply_snapshot(to);
        }
        self.step_waits();
    }

    /// Writes the last state down.
    fn keep_last(&mut self) {
        let stats = self.stats();
        if let Err(error) = self.keep(&self.dir.stats(), &stats) {
            // They can be counted again.
            tracing::warn!(%error, "the figures could not be written");
        }
        let snapshot: Snapshot = self.snapshot();
        if let Err(error) = self.keep(&self.dir.last(), &snapshot) {
            tracing::error!(%error, "the last state could not be written");
        }
    }

    /// Writes a file whole or not at all.
    fn keep(&self, path: &Path, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_vec(value)?;
        let file = tempfile::NamedTempFile::new_in(self.dir.root())?;
        fs::write(file.path(), json)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    /// Whether the session has ended for good.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status.current(), SessionStatus::Ended(_))
    }
}

/// The holders of the other sessions in the same state directory.
fn other_holders(dir: &SessionDir) -> BTreeSet<ProcessId> {
    let Some(all) = dir.root().parent() else { return BTreeSet::new() };
    let entries = fs::read_dir(all).into_iter().flatten().filter_map(Result::ok);
    let others =
        entries.map(|entry| SessionDir::new(entry.path())).filter(|other| other.root() != dir.root());
    others
        .filter_map(|other| serde_json::from_slice::<ProcessId>(&fs::read(other.pid()).ok()?).ok())
        .filter(|process| process.alive())
        .collect()
}

fn describe(ending: &Ending, swept: usize) -> String {
    let how = match (&ending.signal, ending.exit_code) {
        (Some(signal), _) => format!("ended by {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "ended".into(),
    };
    if swept > 0 { format!("{how}; {swept} of its processes were ended") } else { how }
}

/// Kept apart so that the list of event data stays in one place.
pub(super) fn gap(from: u64, to: u64) -> EventData {
    EventData::Gap { from, to }
}
