//! `aegis list`: sessions, newest first.

use clap::Args;

use super::args::{Format, Page, absolute, status};
use super::{Cx, Exit, text};
use crate::domain::{OpError, StatusWord, Timestamp};
use crate::ops::{ListSessions, SessionList};

/// Which sessions to list.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only sessions in this status
    #[arg(long, value_parser = status())]
    pub status: Option<StatusWord>,
    /// Ended sessions too
    #[arg(long, short, conflicts_with_all = ["status", "cursor"])]
    pub all: bool,
    /// Only sessions that work in this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub page: Page,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

pub(super) async fn run(cx: &Cx, args: ListArgs) -> Result<Exit, OpError> {
    let work_dir = args.dir.as_deref().map(absolute).transpose()?;
    let page =
        |status, cursor| ListSessions { status, work_dir: work_dir.clone(), limit: args.page.limit, cursor };
    let mut list = cx.aegis.list_sessions(&cx.caller, page(args.status, args.page.cursor)).await?;
    if args.all {
        let ended = cx.aegis.list_sessions(&cx.caller, page(Some(StatusWord::Ended), None)).await?;
        list = join(list, ended);
    }
    cx.out.give(&list, render)?;
    if list.next_cursor.is_some() && !cx.out.json {
        let more = if args.all { "--limit 200 shows more".to_owned() } else { more(&list) };
        cx.out.note(&more);
    }
    Ok(Exit::Done)
}

fn more(list: &SessionList) -> String {
    format!("there are more: aegis list --cursor {}", list.next_cursor.as_deref().unwrap_or_default())
}

/// Live and ended in one, newest first; an end between the two calls must not list a session twice.
fn join(live: SessionList, ended: SessionList) -> SessionList {
    let mut sessions = live.sessions;
    for session in ended.sessions {
        match sessions.iter_mut().find(|known| known.id == session.id) {
            Some(known) => *known = session,
            None => sessions.push(session),
        }
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    SessionList { sessions, next_cursor: live.next_cursor.or(ended.next_cursor) }
}

fn render(list: &SessionList) -> String {
    if list.sessions.is_empty() {
        return "no sessions\n".into();
    }
    text::rows(&list.sessions, Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;

    #[test]
    fn a_session_that_ended_meanwhile_is_listed_once() {
        let live = testing::session(StatusWord::Idle);
        let mut ended = live.clone();
        ended.status = StatusWord::Ended;
        let page = |session| SessionList { sessions: vec![session], next_cursor: None };
        let joined = join(page(live), page(ended.clone()));
        assert_eq!(joined.sessions, [ended]);
    }
}
