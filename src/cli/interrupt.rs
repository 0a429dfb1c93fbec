//! `aegis interrupt`: stops the turn.

use super::{Cx, Exit, Target, text};
use crate::domain::OpError;
use crate::ops::SessionRef;

pub(super) async fn run(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let session = cx.aegis.interrupt_session(&cx.caller, SessionRef { session_id: args.session }).await?;
    cx.out.give(&session, text::summary)?;
    Ok(Exit::Done)
}
