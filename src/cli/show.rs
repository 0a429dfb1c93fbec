//! `aegis show`: all that is known about one session.

use super::{Cx, Exit, Target, asks, text};
use crate::domain::{OpError, Timestamp};
use crate::ops::{SessionDetail, SessionRef};

pub(super) async fn run(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let detail = cx.aegis.get_status(&cx.caller, SessionRef { session_id: args.session }).await?;
    cx.out.give(&detail, render)?;
    Ok(Exit::Done)
}

fn render(detail: &SessionDetail) -> String {
    let mut shown = text::detail(detail, Timestamp::now());
    for ask in &detail.session.open_asks {
        shown.push('\n');
        shown.push_str(&asks::show(ask));
    }
    let next: Vec<String> = if detail.session.open_asks.is_empty() {
        detail.next_steps.iter().map(|step| text::hint(step)).collect()
    } else {
        asks::commands(&detail.session).lines().map(String::from).collect()
    };
    if !next.is_empty() {
        shown.push_str("\nnext:\n");
        shown.extend(next.iter().map(|step| format!("  {step}\n")));
    }
    shown
}
