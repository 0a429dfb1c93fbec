//! `aegis send`: a prompt for a session, or the answer to its open question.

use clap::Args;

use super::args::{Target, text_or_stdin, when_busy};
use super::{Cx, Exit, text};
use crate::domain::{ErrorCode, OpError, Receipt, ReceiptState, WhenBusy};
use crate::ops::SendMessage;

/// What to send.
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// The prompt; `-` reads it from stdin. While a question is open this answers it
    pub text: String,
    /// While a turn runs: give it to Claude now, stop the turn first, or deliver nothing
    #[arg(long, value_name = "HOW", value_parser = when_busy())]
    pub when_busy: Option<WhenBusy>,
    /// Repeating a call with the same key gives the receipt of the first call and sends nothing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

pub(super) async fn run(cx: &Cx, args: SendArgs) -> Result<Exit, OpError> {
    let request = SendMessage {
        session_id: args.target.session,
        text: Some(text_or_stdin(args.text)?),
        answers: None,
        when_busy: args.when_busy,
        idempotency_key: args.key,
    };
    let receipt = cx.aegis.send_message(&cx.caller, request).await?;
    cx.out.give(&receipt, render)?;
    delivered(&receipt)
}

/// What became of the prompt, in a line.
pub(super) fn render(receipt: &Receipt) -> String {
    format!("{} {}", text::short(receipt.id), text::receipt(receipt))
}

/// Tells whether the prompt arrived or still can.
pub(super) fn delivered(receipt: &Receipt) -> Result<Exit, OpError> {
    let (code, what) = match receipt.state {
        ReceiptState::Queued | ReceiptState::Written | ReceiptState::Submitted | ReceiptState::TurnEnded => {
            return Ok(Exit::Done);
        }
        ReceiptState::Refused => (ErrorCode::PromptRefused, "the prompt was not delivered"),
        ReceiptState::Uncertain => (ErrorCode::NotConfirmed, "nothing says whether the prompt was taken"),
    };
    let why = receipt.steps.last().map(|step| format!("{what}: {}", step.evidence));
    let error = OpError::new(code, why.unwrap_or_else(|| what.to_owned()));
    Err(error.hint("get_status and capture_pane show what the session is doing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Delivery, SessionId, Timestamp};

    #[test]
    fn a_prompt_that_did_not_arrive_is_a_failure() {
        let at = Timestamp::from_millis(0).unwrap();
        let mut receipt = Receipt::new(SessionId::mint(), None, Delivery::Paste, 5, at);
        assert_eq!(delivered(&receipt).unwrap(), Exit::Done);
        receipt.reach(ReceiptState::Refused, at, "a dialog is open");
        let error = delivered(&receipt).unwrap_err();
        assert_eq!(error.code, ErrorCode::PromptRefused);
        assert!(error.message.ends_with("a dialog is open"));
    }
}
