//! What a run came to.
//!
//! Pure: a session, a receipt and the time go in, a [`Verdict`] comes out.

use std::time::Duration;

use serde::Serialize;

use super::Exit;
use crate::domain::{
    Ask, ContentType, Message, Outcome, Receipt, ReceiptState, Role, Session, StatusWord, Timestamp,
};

/// How long an idle session may keep a taken prompt's receipt open before the turn counts as ended anyway.
///
/// The receipt and the status come from one process within milliseconds; this is for when its word got lost.
const GRACE: Duration = Duration::from_secs(10);

/// How long the status may lag behind the receipt's end.
const LAG: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// Claude answered.
    Done,
    /// Something waits for an answer.
    NeedsAnswer,
    /// The time ran out.
    TimedOut,
    /// The turn failed or was interrupted elsewhere.
    TurnFailed,
    /// The session ended meanwhile.
    #[serde(rename = "session_ended")]
    SessionGone,
    /// The prompt was refused, or nothing says whether it arrived.
    NotDelivered,
    /// Ctrl-C stopped the turn.
    Interrupted,
}

impl Ended {
    /// The exit code for it.
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Done => Exit::Done,
            Self::NeedsAnswer => Exit::NeedsAnswer,
            Self::TimedOut => Exit::TimedOut,
            Self::TurnFailed => Exit::TurnFailed,
            Self::SessionGone => Exit::SessionEnded,
            Self::NotDelivered => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// What to do next in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Wait on.
    GoOn,
    /// Put the open asks to somebody.
    Ask,
    /// It is over.
    Over(Ended),
}

/// The answer of `run --json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// How it ended.
    pub(super) outcome: Ended,
    /// What Claude said.
    pub(super) result: String,
    /// The session as last seen.
    pub(super) session: Session,
    /// What became of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<Receipt>,
    /// What waits for an answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) asks: Vec<Ask>,
}

/// Judges whether a run is over.
pub(super) fn judge(session: &Session, receipt: Option<&Receipt>, now: Timestamp) -> Verdict {
    let state = receipt.map(|receipt| receipt.state);
    let asked = matches!(session.status, StatusWord::PermissionPrompt | StatusWord::Asking);
    if asked {
        return if session.open_asks.is_empty() { Verdict::GoOn } else { Verdict::Ask };
    }
    let resting = matches!(
        session.status,
        StatusWord::Idle | StatusWord::Error | StatusWord::RateLimited | StatusWord::Ended
    );
    match state {
        Some(ReceiptState::Refused) => return Verdict::Over(Ended::NotDelivered),
        Some(ReceiptState::Uncertain) if resting && session.status != StatusWord::Ended => {
            return Verdict::Over(Ended::NotDelivered);
        }
        Some(ReceiptState::TurnEnded) if resting || long_ended(receipt, now) => {
            return Verdict::Over(by_outcome(session, receipt));
        }
        Some(
            ReceiptState::Queued
            | ReceiptState::Written
            | ReceiptState::Submitted
            | ReceiptState::Uncertain
            | ReceiptState::TurnEnded,
        )
        | None => {}
    }
    match session.status {
        StatusWord::Ended => Verdict::Over(Ended::SessionGone),
        StatusWord::Error | StatusWord::RateLimited if !pending(state) => Verdict::Over(Ended::TurnFailed),
        StatusWord::Idle if state.is_none() => Verdict::Over(Ended::Done),
        StatusWord::Idle if !pending(state) && older(session.since, now, GRACE) => Verdict::Over(Ended::Done),
        StatusWord::Idle
        | StatusWord::Error
        | StatusWord::RateLimited
        | StatusWord::Starting
        | StatusWord::Working
        | StatusWord::PermissionPrompt
        | StatusWord::Asking
        | StatusWord::Stalled
        | StatusWord::Unknown => Verdict::GoOn,
    }
}

fn pending(state: Option<ReceiptState>) -> bool {
    state.is_some_and(ReceiptState::pending)
}

fn older(at: Timestamp, now: Timestamp, than: Duration) -> bool {
    u128::from(now.millis_since(at)) > than.as_millis()
}

fn long_ended(receipt: Option<&Receipt>, now: Timestamp) -> bool {
    receipt.and_then(|receipt| receipt.steps.last()).is_some_and(|step| older(step.at, now, LAG))
}

fn by_outcome(session: &Session, receipt: Option<&Receipt>) -> Ended {
    match receipt.and_then(|receipt| receipt.outcome) {
        Some(Outcome::Completed) => Ended::Done,
        Some(Outcome::Interrupted | Outcome::Failed) => Ended::TurnFailed,
        Some(Outcome::SessionEnded) => Ended::SessionGone,
        None => match Exit::of_status(session.status) {
            Exit::TurnFailed => Ended::TurnFailed,
            Exit::SessionEnded => Ended::SessionGone,
            Exit::Done
            | Exit::Failed
            | Exit::Usage
            | Exit::NeedsAnswer
            | Exit::TimedOut
            | Exit::Interrupted => Ended::Done,
        },
    }
}

/// What Claude said since `since`: all its texts, in order.
///
/// A resumed conversation holds older ones; they are older than the prompt's receipt.
pub(super) fn said(messages: &[Message], since: Option<Timestamp>) -> String {
    let texts: Vec<&str> = messages
        .iter()
        .filter(|m| m.role == Role::Assistant && m.content_type == ContentType::Text)
        .filter(|m| since.is_none_or(|since| m.at >= since))
        .map(|m| m.text.trim_end())
        .collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::cli::testing;
    use crate::domain::{Delivery, SessionId};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn receipt(state: ReceiptState, outcome: Option<Outcome>) -> Receipt {
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 5, at(0));
        receipt.reach(state, at(1000), "test");
        receipt.outcome = outcome;
        receipt
    }

    #[rstest]
    #[case::before_the_prompt(StatusWord::Idle, ReceiptState::Queued, None, Verdict::GoOn)]
    #[case::at_work(StatusWord::Working, ReceiptState::Submitted, None, Verdict::GoOn)]
    #[case::idle_before_the_receipt(StatusWord::Idle, ReceiptState::Submitted, None, Verdict::GoOn)]
    #[case::answered(
        StatusWord::Idle,
        ReceiptState::TurnEnded,
        Some(Outcome::Completed),
        Verdict::Over(Ended::Done)
    )]
    #[case::interrupted(
        StatusWord::Idle,
        ReceiptState::TurnEnded,
        Some(Outcome::Interrupted),
        Verdict::Over(Ended::TurnFailed)
    )]
    #[case::status_lags(
        StatusWord::Working,
        ReceiptState::TurnEnded,
        Some(Outcome::Completed),
        Verdict::GoOn
    )]
    #[case::failed(StatusWord::Error, ReceiptState::Submitted, None, Verdict::Over(Ended::TurnFailed))]
    #[case::limit(StatusWord::RateLimited, ReceiptState::Submitted, None, Verdict::Over(Ended::TurnFailed))]
    #[case::gone(StatusWord::Ended, ReceiptState::Written, None, Verdict::Over(Ended::SessionGone))]
    #[case::refused(StatusWord::Starting, ReceiptState::Refused, None, Verdict::Over(Ended::NotDelivered))]
    #[case::uncertain(StatusWord::Idle, ReceiptState::Uncertain, None, Verdict::Over(Ended::NotDelivered))]
    #[case::uncertain_at_work(StatusWord::Working, ReceiptState::Uncertain, None, Verdict::GoOn)]
    fn a_run_is_over_when(
        #[case] status: StatusWord,
        #[case] state: ReceiptState,
        #[case] outcome: Option<Outcome>,
        #[case] verdict: Verdict,
    ) {
        let session = testing::session(status);
        assert_eq!(judge(&session, Some(&receipt(state, outcome)), at(2000)), verdict);
    }

    #[test]
    fn a_lost_receipt_does_not_wait_for_ever() {
        let session = testing::session(StatusWord::Idle);
        let taken = receipt(ReceiptState::Submitted, None);
        assert_eq!(judge(&session, Some(&taken), at(20_000)), Verdict::Over(Ended::Done));
        assert_eq!(judge(&session, None, at(0)), Verdict::Over(Ended::Done));
    }

    #[test]
    fn an_open_ask_comes_first() {
        let mut session = testing::session(StatusWord::PermissionPrompt);
        assert_eq!(judge(&session, None, at(0)), Verdict::GoOn);
        session.open_asks.push(testing::ask("Bash", serde_json::Value::Null));
        assert_eq!(judge(&session, None, at(0)), Verdict::Ask);
    }

    #[test]
    fn only_this_turns_texts_are_the_answer() {
        let message = |id, role, content_type, text: &str, millis| Message {
            id,
            role,
            content_type,
            text: text.into(),
            tool_name: None,
            tool_use_id: None,
            at: at(millis),
            truncated: false,
        };
        let messages = [
            message(1, Role::Assistant, ContentType::Text, "old", 1),
            message(2, Role::User, ContentType::Text, "prompt", 10),
            message(3, Role::Assistant, ContentType::Text, "I look.\n", 11),
            message(4, Role::Assistant, ContentType::ToolUse, "{}", 12),
            message(5, Role::Assistant, ContentType::Text, "It is so.", 13),
        ];
        assert_eq!(said(&messages, Some(at(10))), "I look.\n\nIt is so.");
    }
}
