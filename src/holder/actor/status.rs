//! The status and what it rests on.

use std::collections::VecDeque;
use std::time::Duration;

use super::timers::Timer;
use super::{Actor, CLOCK_JITTER_MS};
use crate::domain::{
    EventData, Evidence, SessionStatus, Signal, Source, StatusReport, StatusWord, Timestamp,
};
use crate::holder::client::monotonic_ms;

/// How much evidence is kept for `explain`.
const EVIDENCE_KEPT: usize = 300;

/// The status with its grounds and the evidence log.
#[derive(Debug)]
pub(super) struct Status {
    report: StatusReport,
    /// Who confirmed the status last, and when; a weaker source must be newer than this to change it.
    grounds: StatusReport,
    evidence: VecDeque<Evidence>,
}

impl Status {
    pub(super) fn new(now: Timestamp) -> Self {
        let report = StatusReport::new(SessionStatus::Starting, now, Source::Process);
        Self { grounds: report.clone(), report, evidence: VecDeque::new() }
    }

    pub(super) fn current(&self) -> &SessionStatus {
        &self.report.status
    }

    pub(super) fn report(&self) -> &StatusReport {
        &self.report
    }

    pub(super) fn evidence(&self) -> impl DoubleEndedIterator<Item = &Evidence> {
        self.evidence.iter()
    }

    /// Whether what this source says about that time may count. A time that is still to come was taken before the clock
    /// was set back: nobody knows how it lies to what was said since.
    pub(super) fn admits(&self, source: Source, at: Timestamp) -> bool {
        let to_come = at.millis_since(Timestamp::now()) > CLOCK_JITTER_MS;
        self.grounds.admits(source, at) && !(to_come && source < self.grounds.source)
    }

    /// The clock was set back to `now`: what settled the status is not newer than that.
    pub(super) fn rebase(&mut self, now: Timestamp) {
        self.grounds.since = self.grounds.since.min(now);
    }

    /// Which source confirmed the status last.
    pub(super) fn settled_by(&self) -> Source {
        self.grounds.source
    }

    /// When the status was last confirmed.
    pub(super) fn settled_at(&self) -> Timestamp {
        self.grounds.since
    }
}

impl Actor {
    /// Notes what a source said.
    pub(super) fn note(
        &mut self,
        source: Source,
        at: Timestamp,
        what: impl Into<String>,
        accepted: Option<bool>,
    ) {
        let what = what.into();
        tracing::debug!(?source, %what, ?accepted, "evidence");
        let log = &mut self.status.evidence;
        if log.len() == EVIDENCE_KEPT {
            log.pop_front();
        }
        log.push_back(Evidence { at, source, what, accepted });
    }

    /// Weighs a fact and, if it counts, changes the status. Returns whether it counted.
    pub(super) fn signal(
        &mut self,
        source: Source,
        at: Timestamp,
        signal: &Signal,
        what: impl Into<String>,
    ) -> bool {
        let what = what.into();
        if !self.status.admits(source, at) {
            self.note(source, at, what, Some(false));
            return false;
        }
        self.note(source, at, what.clone(), Some(true));
        let from = self.status.report.status.word();
        match self.status.report.status.after(signal) {
            None => {
                let newer = source >= self.status.grounds.source || at > self.status.grounds.since;
                if newer && !matches!(signal, Signal::Asks(_)) {
                    self.status.grounds.source = source;
                    self.status.grounds.since = self.status.grounds.since.max(at);
                }
            }
            Some(next) => {
                let report = StatusReport::new(next, Timestamp::now(), source);
                // That an ask opened or closed says nothing about the turn below it: it is often noticed only after
                // the turn's end was told, and must not outweigh that.
                if !matches!(signal, Signal::Asks(_)) {
                    self.status.grounds = StatusReport { since: report.since.max(at), ..report.clone() };
                }
                self.status.report = report.clone();
                self.on_status(from);
                let lag_ms = self.hook_called.filter(|_| source == Source::Hook);
                let lag_ms = lag_ms.map(|called| monotonic_ms().saturating_sub(called));
                self.emit(EventData::Status { report, from, what, lag_ms });
            }
        }
        true
    }

    fn on_status(&mut self, from: StatusWord) {
        let word = self.status.report.status.word();
        if word == StatusWord::Working {
            self.timers.set(Timer::Stall, Duration::from_millis(self.launch.spec.stall_threshold_ms));
            self.timers.ensure(Timer::Tree, Duration::from_secs(1));
        } else if from == StatusWord::Working {
            self.timers.clear(Timer::Stall);
        }
        if word != StatusWord::Starting && from == StatusWord::Starting {
            self.timers.clear(Timer::Startup);
        }
    }

    pub(super) fn on_quiet(&mut self) {
        let seconds = self.launch.spec.stall_threshold_ms / 1000;
        let now = Timestamp::now();
        self.signal(Source::Silence, now, &Signal::Quiet, format!("no sign of life for {seconds} s"));
    }

    pub(super) fn on_startup_timeout(&mut self) {
        if self.status.current().word() == StatusWord::Starting {
            let seconds = self.launch.startup_timeout_ms / 1000;
            let what = format!("not ready after {seconds} s, and no dialog is known on the screen");
            self.signal(Source::Silence, Timestamp::now(), &Signal::Lost, what);
        }
    }
}
