//! `aegis command` and `aegis bash`: a slash command or a shell line for a session.

use clap::Args;

use super::args::Target;
use super::{Cx, Exit, send};
use crate::domain::{OpError, Receipt};
use crate::ops::SendLine;

/// What to type.
#[derive(Clone, Debug, Args)]
pub struct LineArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// The line, with or without its mark (`/` or `!`)
    pub line: String,
    /// Repeating a call with the same key gives the receipt of the first call and sends nothing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl LineArgs {
    fn request(self) -> SendLine {
        SendLine { session_id: self.target.session, command: self.line, idempotency_key: self.key }
    }
}

pub(super) async fn command(cx: &Cx, args: LineArgs) -> Result<Exit, OpError> {
    let receipt = cx.aegis.send_command(&cx.caller, args.request()).await?;
    cx.out.give(&receipt, send::render)?;
    send::delivered(&receipt)
}

pub(super) async fn bash(cx: &Cx, args: LineArgs) -> Result<Exit, OpError> {
    let receipt = cx.aegis.send_bash(&cx.caller, args.request()).await?;
    cx.out.give(&receipt, render)?;
    send::delivered(&receipt)
}

/// What it printed; what became of it where that is not known.
fn render(receipt: &Receipt) -> String {
    match &receipt.output {
        Some(output) => super::text::prose(output),
        None => send::render(receipt),
    }
}
