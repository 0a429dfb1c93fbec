//! `aegis reject`: refuses what a session asks for.

use clap::Args;

use super::{Cx, Exit, Target, asks};
use crate::domain::OpError;
use crate::ops::RejectPermission;

/// What to refuse.
#[derive(Clone, Debug, Args)]
pub struct RejectArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// Which ask, by a unique beginning of its id; may be left out when exactly one is open
    #[arg(long, value_name = "ASK")]
    pub ask: Option<String>,
    /// Told to Claude, who goes on with it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

pub(super) async fn run(cx: &Cx, args: RejectArgs) -> Result<Exit, OpError> {
    let ask_id = asks::resolve(cx, &args.target.session, args.ask).await?;
    let request = RejectPermission { session_id: args.target.session, ask_id, reason: args.reason };
    let ask = cx.aegis.reject_permission(&cx.caller, request).await?;
    cx.out.give(&ask, asks::settled)?;
    Ok(Exit::Done)
}
