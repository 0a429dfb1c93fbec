//! Prompts, answers, stops and ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use crate::domain::{
    Answer, Ask, AskId, Delivery, ErrorCode, OpError, Receipt, ReceiptState, Session, SessionId, WhenBusy,
};
use crate::fault;
use crate::holder::client::ANSWERS_WITHIN;
use crate::store::SessionRow;
use crate::wire::{Request, Snapshot};

/// How long a call waits for a prompt to be taken before it tells how far the receipt is. A prompt into an idle
/// session takes 0.2 s; one that is queued behind a turn is told as such.
const PROOF_WAIT_MS: u64 = 4000;

/// How long a call waits for what a shell line prints.
const OUTPUT_WAIT_MS: u64 = 10_000;

/// How long a dialog may take to be answered by keys.
const KEYS_WITHIN: Duration = Duration::from_secs(15);

/// How long a turn may take to stop, with the holder's own limit below it.
const STOPS_WITHIN: Duration = Duration::from_secs(12);

/// How long a session may take to end: `/exit`, SIGTERM and SIGKILL with 3 s each, then the sweep.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

impl Engine {
    /// Delivers a prompt and tells what became of it.
    ///
    /// # Errors
    ///
    /// Those of `send_message`.
    pub async fn send(
        &self,
        id: SessionId,
        text: String,
        when_busy: WhenBusy,
        key: Option<String>,
        by: &str,
    ) -> Result<Receipt, OpError> {
        let row = self.row_of(id).await?;
        let request = Request::Send { text, when_busy, key, by: by.to_owned() };
        fault::point("server.send");
        let receipt: Receipt = self.ask(&row, request, KEYS_WITHIN).await?;
        fault::point("server.sent");
        if receipt.state >= ReceiptState::Submitted {
            return Ok(receipt);
        }
        Ok(self.follow_receipt(&row, receipt, PROOF_WAIT_MS, false).await)
    }

    /// Types a slash command, or a shell line, and tells what became of it: of a shell line what it printed, if it ended
    /// soon.
    ///
    /// # Errors
    ///
    /// Those of `send_command` and `send_bash`.
    pub async fn type_in(
        &self,
        id: SessionId,
        delivery: Delivery,
        text: String,
        key: Option<String>,
        by: &str,
    ) -> Result<Receipt, OpError> {
        let row = self.row_of(id).await?;
        let request = Request::Type { delivery, text, key, by: by.to_owned() };
        let receipt: Receipt = self.ask(&row, request, KEYS_WITHIN).await?;
        let shell = delivery == Delivery::Shell;
        let wait = if shell { OUTPUT_WAIT_MS } else { PROOF_WAIT_MS };
        Ok(self.follow_receipt(&row, receipt, wait, shell).await)
    }

    /// Waits for what becomes of a receipt. It is stored: that the wait failed is no reason to hide it.
    async fn follow_receipt(&self, row: &SessionRow, receipt: Receipt, millis: u64, output: bool) -> Receipt {
        let wait = Request::AwaitReceipt { id: receipt.id, timeout_ms: millis, output };
        let within = Duration::from_millis(millis) + ANSWERS_WITHIN;
        self.ask::<Receipt>(row, wait, within).await.unwrap_or(receipt)
    }

    /// Answers the open question and gives a receipt for it.
    ///
    /// # Errors
    ///
    /// Those of `send_message`.
    pub async fn answer_questions(
        &self,
        id: SessionId,
        answers: BTreeMap<String, String>,
        key: Option<String>,
        by: &str,
    ) -> Result<Receipt, OpError> {
        let row = self.row_of(id).await?;
        self.ask(&row, Request::Choose { answers, key, by: by.to_owned() }, KEYS_WITHIN).await
    }

    /// Answers an ask.
    ///
    /// # Errors
    ///
    /// Those of `approve_permission`.
    pub async fn answer(
        &self,
        id: SessionId,
        ask_id: Option<AskId>,
        answer: Answer,
        by: &str,
    ) -> Result<Ask, OpError> {
        let row = self.row_of(id).await?;
        self.ask(&row, Request::Answer { ask_id, answer, by: by.to_owned() }, KEYS_WITHIN).await
    }

    /// Stops the turn.
    ///
    /// # Errors
    ///
    /// Those of `interrupt_session`.
    pub async fn interrupt(&self, id: SessionId, by: &str) -> Result<Session, OpError> {
        let row = self.row_of(id).await?;
        let request = Request::Interrupt { by: by.to_owned() };
        Ok(self.ask::<Snapshot>(&row, request, STOPS_WITHIN).await?.session)
    }

    /// Presses Escape.
    ///
    /// # Errors
    ///
    /// Those of `escape_session`.
    pub async fn escape(&self, id: SessionId, by: &str) -> Result<Session, OpError> {
        let row = self.row_of(id).await?;
        let request = Request::Escape { by: by.to_owned() };
        Ok(self.ask::<Snapshot>(&row, request, ANSWERS_WITHIN).await?.session)
    }

    /// Ends a session. One that has ended is told as it is.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `holder_unreachable`.
    pub async fn kill(&self, id: SessionId, force: bool, by: &str) -> Result<Session, OpError> {
        let row = self.row_of(id).await?;
        if let Some(session) = row.ended {
            return Ok(session);
        }
        let request = Request::Kill { force, by: by.to_owned() };
        match self.ask::<Snapshot>(&row, request, ENDS_WITHIN).await {
            Ok(snapshot) => {
                // The holder's last word, then its lock: from here on the session's records are closed.
                Ok(self.closed(&row).await?.unwrap_or(snapshot.session))
            }
            Err(error) if error.code == ErrorCode::SessionEnded => self.closed(&row).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }
}
