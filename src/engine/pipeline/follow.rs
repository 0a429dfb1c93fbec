//! Following a stage's turn to its end.

use std::io;

use super::AGAIN;
use crate::domain::{
    ErrorCode, EventData, FailureKind, OpError, Outcome, Receipt, ReceiptState, SessionId, StageFailure,
    StatusWord,
};
use crate::engine::Engine;
use crate::engine::link::Observed;
use crate::engine::wait::subscribe;
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{SessionDir, journal};
use crate::store::SessionRow;
use crate::wire::Push;

/// How a turn came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TurnOver {
    /// Claude answered. With the receipt, whose steps say when.
    Answered(Receipt),
    /// It did not come to that.
    Failed(StageFailure),
}

impl Engine {
    /// Waits until the turn is over that took the prompt with this key. A session whose holder does not answer is
    /// waited for, and so is a store that fails; a session that has ended tells by its journal.
    ///
    /// # Errors
    ///
    /// `no_such_session`.
    pub(super) async fn turn_over(&self, id: SessionId, key: &str) -> Result<TurnOver, OpError> {
        loop {
            match self.watch_turn(id, key).await {
                Err(error) if error.code == ErrorCode::StorageFailed => {
                    tracing::warn!(%error, session = %id, "a stage's turn cannot be followed just now");
                    tokio::time::sleep(AGAIN).await;
                }
                other => return other,
            }
        }
    }

    async fn watch_turn(&self, id: SessionId, key: &str) -> Result<TurnOver, OpError> {
        loop {
            let row = self.row_of(id).await?;
            if row.ended.is_none()
                && let Ok((snapshot, client, mut pushes)) = subscribe(&row, None).await
            {
                let ours = |receipt: &Receipt| receipt.idempotency_key.as_deref() == Some(key);
                let mut receipt = snapshot.receipts.into_iter().rfind(ours);
                if receipt.is_none() {
                    receipt = self.past_receipt(id, key).await?;
                }
                let mut status = snapshot.session.status;
                loop {
                    if let Some(over) = verdict(receipt.as_ref(), status) {
                        return Ok(over);
                    }
                    match pushes.recv().await {
                        Some(Push::Event { event }) => match event.data {
                            EventData::Status { report, .. } => status = report.status.word(),
                            EventData::Receipt(told) if ours(&told) => receipt = Some(told),
                            // What was missed may have been the end.
                            EventData::Gap { .. } => break,
                            EventData::Receipt(_)
                            | EventData::Launched { .. }
                            | EventData::AskOpened(_)
                            | EventData::AskResolved(_)
                            | EventData::Conversation { .. }
                            | EventData::Message { .. }
                            | EventData::ContextFilled { .. }
                            | EventData::Verified { .. }
                            | EventData::Action { .. } => {}
                        },
                        Some(Push::Output { .. } | Push::Changed | Push::Unknown) => {}
                        None => break,
                    }
                }
                drop(client);
            }
            if let Observed::Ended(_) = self.observe(&row, ANSWERS_WITHIN).await? {
                let receipt = self.past_receipt(id, key).await?;
                return Ok(verdict(receipt.as_ref(), StatusWord::Ended).unwrap_or_else(lost));
            }
            // Stopped, starved, or not up yet: none of that has an event.
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The last word on the prompt with this key, from the session's journal.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub(super) async fn past_receipt(&self, id: SessionId, key: &str) -> Result<Option<Receipt>, OpError> {
        let row: SessionRow = self.row_of(id).await?;
        let path = SessionDir::new(&row.session_dir).journal();
        let read = tokio::task::spawn_blocking(move || journal::read(&path, None, usize::MAX));
        let events = read.await.map_err(io::Error::other).and_then(|read| read).map_err(|error| {
            OpError::new(ErrorCode::StorageFailed, format!("a session's journal cannot be read: {error}"))
        })?;
        Ok(events.into_iter().rev().find_map(|event| match event.data {
            EventData::Receipt(receipt) if receipt.idempotency_key.as_deref() == Some(key) => Some(receipt),
            EventData::Receipt(_)
            | EventData::Status { .. }
            | EventData::Gap { .. }
            | EventData::Launched { .. }
            | EventData::AskOpened(_)
            | EventData::AskResolved(_)
            | EventData::Conversation { .. }
            | EventData::Message { .. }
            | EventData::ContextFilled { .. }
            | EventData::Verified { .. }
            | EventData::Action { .. } => None,
        }))
    }
}

/// How the turn came out; `None` while it is not over. It is when the receipt says so and nothing else runs in the
/// session: only then is the answer whole.
fn verdict(receipt: Option<&Receipt>, status: StatusWord) -> Option<TurnOver> {
    let ended = status == StatusWord::Ended;
    let Some(receipt) = receipt else { return ended.then(lost) };
    let why = || receipt.steps.last().map(|step| step.evidence.clone()).unwrap_or_default();
    let failed = |kind| Some(TurnOver::Failed(StageFailure::new(kind, why())));
    match (receipt.state, receipt.outcome) {
        (ReceiptState::Queued | ReceiptState::Written | ReceiptState::Submitted, _) => ended.then(lost),
        (ReceiptState::Refused | ReceiptState::Uncertain, _) => failed(FailureKind::NotDelivered),
        (ReceiptState::TurnEnded, Some(Outcome::Interrupted)) => failed(FailureKind::Interrupted),
        (ReceiptState::TurnEnded, Some(Outcome::Failed)) => failed(FailureKind::TurnFailed),
        (ReceiptState::TurnEnded, Some(Outcome::SessionEnded)) => failed(FailureKind::SessionEnded),
        (ReceiptState::TurnEnded, Some(Outcome::Completed) | None) => match status {
            StatusWord::Idle | StatusWord::Ended | StatusWord::Error | StatusWord::RateLimited => {
                Some(TurnOver::Answered(receipt.clone()))
            }
            StatusWord::Starting
            | StatusWord::Working
            | StatusWord::PermissionPrompt
            | StatusWord::Asking
            | StatusWord::Stalled
            | StatusWord::Unknown => None,
        },
    }
}

fn lost() -> TurnOver {
    TurnOver::Failed(StageFailure::new(FailureKind::SessionEnded, "the session ended before the turn did"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::{Delivery, Timestamp};

    #[rstest]
    #[case::on_its_way(ReceiptState::Written, None, StatusWord::Starting, None)]
    #[case::waits_for_an_answer(ReceiptState::Submitted, None, StatusWord::PermissionPrompt, None)]
    #[case::its_turn_ended_and_another_runs(
        ReceiptState::TurnEnded,
        Some(Outcome::Completed),
        StatusWord::Working,
        None
    )]
    #[case::answered(ReceiptState::TurnEnded, Some(Outcome::Completed), StatusWord::Idle, Some(Ok(())))]
    #[case::answered_and_ended_since(ReceiptState::TurnEnded, Some(Outcome::Completed), StatusWord::Ended, Some(Ok(())))]
    #[case::interrupted(
        ReceiptState::TurnEnded,
        Some(Outcome::Interrupted),
        StatusWord::Idle,
        Some(Err(FailureKind::Interrupted))
    )]
    #[case::failed(
        ReceiptState::TurnEnded,
        Some(Outcome::Failed),
        StatusWord::Error,
        Some(Err(FailureKind::TurnFailed))
    )]
    #[case::ended_with_it(
        ReceiptState::TurnEnded,
        Some(Outcome::SessionEnded),
        StatusWord::Ended,
        Some(Err(FailureKind::SessionEnded))
    )]
    #[case::ended_first(
        ReceiptState::Submitted,
        None,
        StatusWord::Ended,
        Some(Err(FailureKind::SessionEnded))
    )]
    #[case::refused(ReceiptState::Refused, None, StatusWord::Idle, Some(Err(FailureKind::NotDelivered)))]
    #[case::uncertain(
        ReceiptState::Uncertain,
        None,
        StatusWord::Working,
        Some(Err(FailureKind::NotDelivered))
    )]
    fn a_turn_is_over_when_receipt_and_status_say_so(
        #[case] state: ReceiptState,
        #[case] outcome: Option<Outcome>,
        #[case] status: StatusWord,
        #[case] expected: Option<Result<(), FailureKind>>,
    ) {
        let at = Timestamp::from_millis(0).unwrap();
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 5, at);
        receipt.reach(state, at, "hook");
        receipt.outcome = outcome;
        let over = verdict(Some(&receipt), status).map(|over| match over {
            TurnOver::Answered(_) => Ok(()),
            TurnOver::Failed(failure) => Err(failure.kind),
        });
        assert_eq!(over, expected);
    }

    #[test]
    fn a_prompt_that_nobody_knows_of_is_waited_for_while_the_session_lives() {
        assert_eq!(verdict(None, StatusWord::Starting), None);
        assert_eq!(verdict(None, StatusWord::Ended), Some(lost()));
    }
}
