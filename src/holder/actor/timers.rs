//! Named deadlines: one of each kind.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Claude Code should be ready by now.
    Startup,
    /// A sign of life is due.
    Stall,
    /// The transcript should be read again.
    Transcript,
    /// Files that cannot be watched should be looked at again.
    Files,
    /// The reply waits no longer for tool results.
    HeldStop,
    /// The live file should agree by now.
    Live,
    /// Asks should have been closed by what the live file says.
    Asks,
    /// The oldest ask is overdue.
    Deny,
    /// The screen should be looked at again.
    Screen,
    /// The delivery should have come further.
    Deliver,
    /// The keys should have shown effect.
    Keying,
    /// Somebody waits for an answer until now.
    Waits,
    /// The journal should take what waits for it.
    Journal,
    /// Readers that were too slow should have room for a gap.
    Missed,
    /// The next step of ending the session.
    Kill,
    /// The processes should be recorded again.
    Tree,
    /// Memory that nothing needs now can go.
    Quiet,
}

/// The deadlines that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets a deadline, replacing one of the same kind.
    pub(super) fn set(&mut self, timer: Timer, after: Duration) {
        self.set_at(timer, Instant::now() + after);
    }

    /// Sets a deadline at a point in time.
    pub(super) fn set_at(&mut self, timer: Timer, at: Instant) {
        self.due.insert(timer, at);
    }

    /// Sets a deadline unless one of the kind is set.
    pub(super) fn ensure(&mut self, timer: Timer, after: Duration) {
        self.due.entry(timer).or_insert_with(|| Instant::now() + after);
    }

    /// Takes a deadline away.
    pub(super) fn clear(&mut self, timer: Timer) {
        self.due.remove(&timer);
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes one deadline that has passed.
    pub(super) fn fired(&mut self, now: Instant) -> Option<Timer> {
        let timer = self.due.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer)?;
        self.due.remove(&timer);
        Some(timer)
    }
}
