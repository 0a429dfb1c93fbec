//! `aegis approve`: allows what a session asks for.

use clap::Args;

use super::{Cx, Exit, Target, asks};
use crate::domain::{OpError, Remember};
use crate::ops::ApprovePermission;

/// What to allow.
#[derive(Clone, Debug, Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// Which ask, by a unique beginning of its id; may be left out when exactly one is open
    #[arg(long, value_name = "ASK")]
    pub ask: Option<String>,
    /// Allow the same call whenever it comes again, until the session ends
    #[arg(long = "session")]
    pub for_session: bool,
    /// Refuse if the open call is not the one with this hash
    #[arg(long, value_name = "HASH")]
    pub input_hash: Option<String>,
}

pub(super) async fn run(cx: &Cx, args: ApproveArgs) -> Result<Exit, OpError> {
    let ask_id = asks::resolve(cx, &args.target.session, args.ask).await?;
    let request = ApprovePermission {
        session_id: args.target.session,
        ask_id,
        input_hash: args.input_hash,
        remember: args.for_session.then_some(Remember::Session),
    };
    let ask = cx.aegis.approve_permission(&cx.caller, request).await?;
    cx.out.give(&ask, asks::settled)?;
    Ok(Exit::Done)
}
