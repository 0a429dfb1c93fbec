//! `aegis wait`: waits until a session wants attention.

use std::time::{Duration, Instant};

use clap::Args;

use super::args::{Format, status};
use super::{Cx, Exit, text};
use crate::domain::{OpError, StatusWord, Timestamp};
use crate::ops::{WaitForSession, Waited};

/// The longest single wait that the operation allows; longer ones are made of several.
pub(super) const SLICE: Duration = Duration::from_secs(45);

/// What to wait for.
#[derive(Clone, Debug, Args)]
pub struct WaitArgs {
    /// Which sessions; none given means all live ones
    #[arg(value_name = "SESSION")]
    pub sessions: Vec<String>,
    /// Which statuses end the wait; by default all that want attention, and the exit code tells which it was
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', value_parser = status())]
    pub until: Option<Vec<StatusWord>>,
    /// Give up after this long: 10m, 30s, 1500ms
    #[arg(long, value_name = "TIME", value_parser = text::parse_duration)]
    pub timeout: Option<Duration>,
    /// Go on from the wait before, so that nothing between the two is missed
    #[arg(long)]
    pub cursor: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

pub(super) async fn run(cx: &Cx, args: WaitArgs) -> Result<Exit, OpError> {
    let chosen = args.until.is_some();
    let start = Instant::now();
    let mut request = WaitForSession {
        session_ids: (!args.sessions.is_empty()).then_some(args.sessions),
        until: args.until,
        timeout_ms: None,
        cursor: args.cursor,
    };
    let waited = loop {
        let left = args.timeout.map_or(SLICE, |timeout| timeout.saturating_sub(start.elapsed()).min(SLICE));
        request.timeout_ms = u64::try_from(left.as_millis()).ok();
        let waited = cx.aegis.wait_for_session(&cx.caller, request.clone()).await?;
        let over = args.timeout.is_some_and(|timeout| start.elapsed() >= timeout);
        if !waited.woke.is_empty() || over {
            break waited;
        }
        request.cursor = Some(waited.cursor);
    };
    cx.out.give(&waited, render)?;
    if !cx.out.json {
        cx.out.note(&format!("cursor: {}", waited.cursor));
    }
    Ok(exit(&waited, chosen))
}

fn render(waited: &Waited) -> String {
    if waited.woke.is_empty() {
        return String::new();
    }
    text::rows(waited.woke.iter().map(|woke| &woke.session), Timestamp::now())
}

/// Who chose the statuses got what they wanted; otherwise the first session's status decides.
fn exit(waited: &Waited, chosen: bool) -> Exit {
    match waited.woke.first() {
        None => Exit::TimedOut,
        Some(_) if chosen => Exit::Done,
        Some(woke) => Exit::of_status(woke.session.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;
    use crate::ops::Woke;

    #[test]
    fn the_exit_code_tells_what_woke_it() {
        let woke = |status| Waited {
            woke: vec![Woke { session: testing::session(status), event: None, earlier: Vec::new() }],
            cursor: String::new(),
            timed_out: false,
        };
        assert_eq!(exit(&woke(StatusWord::Idle), false), Exit::Done);
        assert_eq!(exit(&woke(StatusWord::Asking), false), Exit::NeedsAnswer);
        assert_eq!(exit(&woke(StatusWord::Ended), false), Exit::SessionEnded);
        assert_eq!(exit(&woke(StatusWord::Ended), true), Exit::Done);
        let none = Waited { woke: Vec::new(), cursor: String::new(), timed_out: true };
        assert_eq!(exit(&none, false), Exit::TimedOut);
    }
}
