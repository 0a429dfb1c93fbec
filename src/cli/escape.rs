//! `aegis escape`: presses Escape once.

use super::{Cx, Exit, Target, text};
use crate::domain::OpError;
use crate::ops::SessionRef;

pub(super) async fn run(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let session = cx.aegis.escape_session(&cx.caller, SessionRef { session_id: args.session }).await?;
    cx.out.give(&session, text::summary)?;
    Ok(Exit::Done)
}
