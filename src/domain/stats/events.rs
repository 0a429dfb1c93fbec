//! What a session's events tell in numbers.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::domain::ask::{Ask, How};
use crate::domain::event::{Event, EventData};
use crate::domain::message::Role;
use crate::domain::receipt::{Delivery, Outcome, Receipt, ReceiptState};
use crate::domain::status::{SessionStatus, StatusWord};
use crate::domain::time::Timestamp;

/// How many status changes are told.
const STEPS_KEPT: usize = 100;

/// How many surfaces are told apart; there are a handful.
const SURFACES: usize = 32;

/// A status and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusStep {
    /// The status.
    pub status: StatusWord,
    /// Since when.
    pub at: Timestamp,
}

/// What one surface did to asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answers {
    /// Allowed.
    pub approved: u64,
    /// Refused.
    pub rejected: u64,
    /// Questions and dialogs answered, and asks settled in the terminal by what is not known.
    pub answered: u64,
}

/// What the events tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventStats {
    /// Turns begun.
    pub turns: u64,
    /// How often the status changed.
    pub status_changes: u64,
    /// The latest changes, oldest first; bounded.
    pub status_history: VecDeque<StatusStep>,
    /// How often a turn fell silent for longer than its session allows.
    pub stalls: u64,
    /// Asks opened.
    pub asks: u64,
    /// Asks answered, by the surface.
    pub answers: BTreeMap<String, Answers>,
    /// From the moment a prompt was stored until Claude Code said that it took it.
    pub submitted: Histogram,
    /// From a turn's begin to its end; turns that the session's end cut off are left out.
    pub turn: Histogram,
    /// From an ask to its answer; asks that went away are left out.
    pub answer: Histogram,
    /// From the start of a hook to the status that it led to.
    pub hook: Histogram,
    /// Whether events are missing, so that all of this is too little.
    pub partial: bool,
}

/// Counts events as they pass. The events of a session, told one after the other, always give the same.
#[derive(Clone, Debug, Default)]
pub struct EventTally {
    stats: EventStats,
    turn: Option<Turn>,
}

/// A turn that runs.
#[derive(Clone, Copy, Debug)]
struct Turn {
    since: Timestamp,
    /// Whether something of it was seen. After a turn's end the next one, of a prompt that waited in Claude Code's own
    /// queue, may begin without a word.
    seen: bool,
}

impl EventTally {
    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> &EventStats {
        &self.stats
    }

    /// Counts the next event.
    pub fn add(&mut self, event: &Event) {
        match &event.data {
            EventData::Status { report, lag_ms, .. } => {
                if let Some(lag) = lag_ms {
                    self.stats.hook.add(*lag);
                }
                self.on_status(&report.status, report.since);
            }
            EventData::AskOpened(_) => self.stats.asks += 1,
            EventData::AskResolved(ask) => self.on_resolved(ask),
            EventData::Receipt(receipt) if receipt.delivery != Delivery::Answer => self.on_receipt(receipt),
            EventData::Message { role: Role::User, .. } => self.go_on(),
            EventData::Gap { .. } => self.stats.partial = true,
            EventData::Receipt(_)
            | EventData::Message { .. }
            | EventData::Launched { .. }
            | EventData::Conversation { .. }
            | EventData::ContextFilled { .. }
            | EventData::Verified { .. }
            | EventData::Action { .. } => {}
        }
    }

    fn on_status(&mut self, status: &SessionStatus, since: Timestamp) {
        self.stats.status_changes += 1;
        if self.stats.status_history.len() == STEPS_KEPT {
            self.stats.status_history.pop_front();
        }
        self.stats.status_history.push_back(StatusStep { status: status.word(), at: since });
        self.stats.stalls += u64::from(status.word() == StatusWord::Stalled);
        match (status.in_turn(), &self.turn) {
            (true, None) => self.begin(since),
            (false, Some(_)) => {
                self.end(since, !matches!(status, SessionStatus::Ended(_)));
                self.turn = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn begin(&mut self, since: Timestamp) {
        self.stats.turns += 1;
        self.turn = Some(Turn { since, seen: true });
    }

    /// Something of the running turn was seen.
    fn go_on(&mut self) {
        if let Some(turn) = self.turn.filter(|turn| !turn.seen) {
            self.begin(turn.since);
        }
    }

    /// The turn ended, if one was seen to run.
    fn end(&mut self, at: Timestamp, whole: bool) {
        if let Some(turn) = self.turn.filter(|turn| turn.seen && whole) {
            self.stats.turn.add(at.millis_since(turn.since));
        }
    }

    fn on_receipt(&mut self, receipt: &Receipt) {
        let Some((first, last)) = receipt.steps.first().zip(receipt.steps.last()) else { return };
        match receipt.state {
            ReceiptState::Submitted => {
                self.stats.submitted.add(last.at.millis_since(first.at));
                self.go_on();
            }
            ReceiptState::TurnEnded => {
                // Several prompts may have shared the turn; its end is told for each.
                if self.turn.is_some_and(|turn| turn.seen || turn.since < last.at) {
                    self.go_on();
                    self.end(last.at, receipt.outcome != Some(Outcome::SessionEnded));
                    self.turn = Some(Turn { since: last.at, seen: false });
                }
            }
            ReceiptState::Queued
            | ReceiptState::Written
            | ReceiptState::Refused
            | ReceiptState::Uncertain => {}
        }
    }

    fn on_resolved(&mut self, ask: &Ask) {
        let Some(resolution) = &ask.resolution else { return };
        if resolution.how == How::Withdrawn {
            return;
        }
        self.stats.answer.add(resolution.at.millis_since(ask.opened_at));
        let by = &resolution.by;
        if self.stats.answers.len() >= SURFACES && !self.stats.answers.contains_key(by) {
            return;
        }
        let answers = self.stats.answers.entry(by.clone()).or_default();
        match resolution.how {
            How::Approved => answers.approved += 1,
            How::Rejected => answers.rejected += 1,
            How::Answered | How::Settled => answers.answered += 1,
            How::Withdrawn => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EndCause, Ending, Epoch, ErrorKind, SessionId, Source, StatusReport, TurnError};

    /// Tells events one after the other, each with its time in milliseconds.
    fn tally(told: impl IntoIterator<Item = (i64, EventData)>) -> EventStats {
        let mut tally = EventTally::default();
        for (seq, (millis, data)) in (1..).zip(told) {
            let (epoch, session_id) = (Epoch::mint(), SessionId::mint());
            tally.add(&Event { epoch, seq, session_id, at: at(millis), data });
        }
        tally.stats().clone()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn status(millis: i64, status: SessionStatus) -> (i64, EventData) {
        let report = StatusReport::new(status, at(millis), Source::Hook);
        (millis, EventData::Status { report, from: StatusWord::Idle, what: String::new(), lag_ms: None })
    }

    fn prompt(queued: i64, submitted: i64, ended: Option<(i64, Outcome)>) -> (i64, EventData) {
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 1, at(queued));
        receipt.reach(ReceiptState::Submitted, at(submitted), "");
        if let Some((millis, outcome)) = ended {
            receipt.reach(ReceiptState::TurnEnded, at(millis), "");
            receipt.outcome = Some(outcome);
        }
        (ended.map_or(submitted, |(millis, _)| millis), EventData::Receipt(receipt))
    }

    fn done(millis: i64) -> Option<(i64, Outcome)> {
        Some((millis, Outcome::Completed))
    }

    fn gone() -> SessionStatus {
        SessionStatus::Ended(Ending {
            cause: EndCause::Exited,
            exit_code: None,
            signal: None,
            by: None,
            detail: None,
        })
    }

    fn told(stats: &EventStats) -> (u64, u64, u64) {
        (stats.turns, stats.turn.count(), stats.turn.sum())
    }

    #[test]
    fn each_silence_counts_once_and_ends_no_turn() {
        let stats = tally([
            status(0, SessionStatus::Working),
            status(100, SessionStatus::Stalled),
            status(150, SessionStatus::Working),
            status(300, SessionStatus::Stalled),
            status(400, SessionStatus::Idle),
        ]);
        assert_eq!((stats.stalls, told(&stats)), (2, (1, 1, 400)));
    }

    #[test]
    fn prompts_that_share_a_turn_are_one_turn() {
        let stats = tally([
            status(0, SessionStatus::Working),
            prompt(0, 5, None),
            prompt(1, 6, None),
            prompt(0, 5, done(100)),
            prompt(1, 6, done(100)),
            status(100, SessionStatus::Idle),
        ]);
        assert_eq!(told(&stats), (1, 1, 100));
        assert_eq!((stats.submitted.count(), stats.submitted.sum()), (2, 10));
    }

    #[test]
    fn a_prompt_that_waited_in_the_queue_has_a_turn_of_its_own() {
        let stats = tally([
            status(0, SessionStatus::Working),
            prompt(0, 5, done(100)),
            prompt(50, 60, done(250)),
            status(250, SessionStatus::Idle),
        ]);
        assert_eq!(told(&stats), (2, 2, 250));
    }

    #[test]
    fn a_turn_that_the_end_cut_off_is_counted_and_not_measured() {
        let over = Some((900, Outcome::SessionEnded));
        let stats = tally([status(0, SessionStatus::Working), prompt(0, 5, over), status(900, gone())]);
        assert_eq!(told(&stats), (1, 0, 0));
        assert_eq!(told(&tally([status(0, SessionStatus::Working), status(900, gone())])), (1, 0, 0));
    }

    #[test]
    fn a_failed_turn_is_told_by_the_status_first() {
        let error = TurnError { kind: ErrorKind::ServerError, message: String::new() };
        let stats = tally([
            status(0, SessionStatus::Working),
            status(40, SessionStatus::Error(error)),
            prompt(0, 5, Some((41, Outcome::Failed))),
            status(50, SessionStatus::Working),
            status(70, SessionStatus::Idle),
        ]);
        assert_eq!(told(&stats), (2, 2, 60));
    }
}
