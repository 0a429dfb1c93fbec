//! `aegis kill`: ends a session and everything it started.

use clap::Args;

use super::{Cx, Exit, Target, text};
use crate::domain::OpError;
use crate::ops::KillSession;

/// What to end.
#[derive(Clone, Debug, Args)]
pub struct KillArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// Do not ask Claude Code to exit first
    #[arg(long, short)]
    pub force: bool,
}

pub(super) async fn run(cx: &Cx, args: KillArgs) -> Result<Exit, OpError> {
    let request = KillSession { session_id: args.target.session, force: Some(args.force) };
    let session = cx.aegis.kill_session(&cx.caller, request).await?;
    cx.out.give(&session, text::summary)?;
    Ok(Exit::Done)
}
