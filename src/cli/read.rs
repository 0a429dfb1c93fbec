//! `aegis read`: a session's conversation, once or as it grows.

use std::time::Duration;

use clap::Args;

use super::args::{Target, role};
use super::follow::Follower;
use super::wait::SLICE;
use super::{Cx, Exit, explain, text};
use crate::domain::{ContentType, Message, MessagePage, OpError, Role, StatusWord};
use crate::ops::{GetTranscript, SessionRef};

/// Lines of a tool's input or result shown without `--full`.
const TOOL_LINES: usize = 8;

/// How long after a turn's end its last messages may still be on their way into the transcript.
const SETTLE: Duration = Duration::from_secs(1);

/// What to read.
#[derive(Clone, Debug, Args)]
pub struct ReadArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// Print new messages as they come, until the session ends or Ctrl-C; with --json one message a line
    #[arg(long, short, conflicts_with = "before")]
    pub follow: bool,
    /// At most so many messages; the newest unless --after is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: Option<u32>,
    /// Only messages before this id
    #[arg(long, value_name = "ID", conflicts_with = "after")]
    pub before: Option<u64>,
    /// Only messages after this id
    #[arg(long, value_name = "ID")]
    pub after: Option<u64>,
    /// Only messages of this role
    #[arg(long, value_parser = role())]
    pub role: Option<Role>,
    /// Thinking too
    #[arg(long)]
    pub thinking: bool,
    /// At most so many characters in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_chars: Option<u32>,
    /// Inputs and results of tools in full
    #[arg(long)]
    pub full: bool,
}

pub(super) async fn run(cx: &Cx, args: ReadArgs) -> Result<Exit, OpError> {
    let request = GetTranscript {
        session_id: args.target.session.clone(),
        before_id: args.before,
        after_id: args.after,
        limit: args.limit,
        role: args.role,
        include_thinking: Some(args.thinking),
        max_chars: args.max_chars,
    };
    let page = cx.aegis.get_transcript(&cx.caller, request).await?;
    if !args.follow {
        cx.out.give(&page, |page| page.messages.iter().map(|m| render(m, args.full)).collect())?;
        if let Some(more) = more(&page, args.after.is_some())
            && !cx.out.json
        {
            cx.out.note(&more);
        }
        return Ok(Exit::Done);
    }
    tokio::select! {
        exit = follow(cx, &args, page) => exit,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}

fn more(page: &MessagePage, forward: bool) -> Option<String> {
    if !page.has_more {
        return None;
    }
    match (forward, page.oldest_id, page.newest_id) {
        (true, _, Some(newest)) => Some(format!("there are more: --after {newest}")),
        (false, Some(oldest), _) => Some(format!("there are more: --before {oldest}")),
        (_, _, _) => None,
    }
}

async fn follow(cx: &Cx, args: &ReadArgs, page: MessagePage) -> Result<Exit, OpError> {
    let detail =
        cx.aegis.get_status(&cx.caller, SessionRef { session_id: args.target.session.clone() }).await?;
    let mut session = detail.session;
    let after = page.newest_id.or(args.after).unwrap_or(0);
    let mut follower = Follower::new(cx, &session, after).thinking(args.thinking);
    let mut messages = page.messages;
    let mut most = SLICE;
    loop {
        for message in messages.iter().filter(|m| args.role.is_none_or(|role| m.role == role)) {
            let read =
                if cx.out.json { cx.out.line(message)? } else { cx.out.answer(&render(message, args.full)) };
            if !read {
                return Ok(Exit::Done);
            }
        }
        if session.status == StatusWord::Ended {
            cx.out.note(&text::summary(&session));
            return Ok(Exit::Done);
        }
        if let Some(now) = follower.wait(most).await? {
            if now.status != session.status {
                cx.out.note(&format!("· {}", now.status.as_str()));
            }
            // After a turn look once more soon: its last words may come a moment after the status.
            most = SETTLE;
            session = now;
        } else {
            most = SLICE;
        }
        messages = follower.messages().await?;
    }
}

/// A message with who speaks and when.
fn render(message: &Message, full: bool) -> String {
    let who = match message.role {
        Role::User => "user",
        Role::Assistant => "claude",
        Role::System => "system",
    };
    let tool = message.tool_name.as_deref().unwrap_or("");
    let (head, short) = match message.content_type {
        ContentType::Text => (who.to_owned(), false),
        ContentType::Thinking => (format!("{who} thinks"), false),
        ContentType::ToolUse => (format!("tool {tool}"), true),
        ContentType::ToolResult => (format!("result {tool}"), true),
        ContentType::ToolError => (format!("failure {tool}"), true),
        ContentType::Attachment => (format!("{who} attaches"), false),
        ContentType::Error => ("error".to_owned(), false),
    };
    let mut lines: Vec<&str> = message.text.lines().collect();
    let hidden = if short && !full { lines.len().saturating_sub(TOOL_LINES) } else { 0 };
    lines.truncate(lines.len() - hidden);
    let mut shown =
        format!("── #{} {} {}\n", message.id, text::prose(head.trim_end()), explain::clock(message.at));
    shown.push_str(&text::prose(&lines.join("\n")));
    shown.push('\n');
    if hidden > 0 {
        shown.push_str(&format!("… {} more (--full shows them)\n", text::count(hidden, "line")));
    } else if message.truncated {
        shown.push_str("… cut (--max-chars shows more)\n");
    }
    shown.push('\n');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn long_results_are_cut_unless_asked_for() {
        let message = Message {
            id: 7,
            role: Role::User,
            content_type: ContentType::ToolResult,
            text: (0..20).map(|n| format!("line {n}\n")).collect(),
            tool_name: Some("Bash".into()),
            tool_use_id: None,
            at: Timestamp::from_millis(0).unwrap(),
            truncated: false,
        };
        let short = render(&message, false);
        assert!(short.starts_with("── #7 result Bash 00:00:00.000Z\nline 0\n"), "{short}");
        assert!(short.contains("… 12 lines more"), "{short}");
        assert!(render(&message, true).contains("line 19\n"));
    }

    #[test]
    fn a_page_says_where_to_go_on() {
        let page =
            MessagePage { messages: Vec::new(), has_more: true, oldest_id: Some(3), newest_id: Some(9) };
        assert_eq!(more(&page, false).unwrap(), "there are more: --before 3");
        assert_eq!(more(&page, true).unwrap(), "there are more: --after 9");
    }
}
