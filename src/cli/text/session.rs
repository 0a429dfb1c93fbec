//! Sessions and receipts in words.

use super::{ago, clip, count, fields, prose, short, table};
use crate::domain::{Ask, AskKind, EndCause, Ending, Receipt, ReceiptState, Session, StatusWord, Timestamp};
use crate::ops::SessionDetail;

/// One line: who it is and what it does.
pub(crate) fn row(session: &Session, now: Timestamp) -> Vec<String> {
    vec![
        short(session.id),
        clip(&session.name, 24),
        session.status.as_str().into(),
        ago(now, session.since),
        prose(&session.work_dir),
        outcome(session),
    ]
}

/// Sessions as a table.
pub(crate) fn rows<'a>(sessions: impl IntoIterator<Item = &'a Session>, now: Timestamp) -> String {
    let head = ["ID", "NAME", "STATUS", "SINCE", "DIRECTORY", ""].map(String::from).to_vec();
    let rows: Vec<_> =
        std::iter::once(head).chain(sessions.into_iter().map(|session| row(session, now))).collect();
    table(&rows)
}

/// One session in a line, for answers to single verbs.
pub(crate) fn summary(session: &Session) -> String {
    let what = outcome(session);
    let what = if what.is_empty() { what } else { format!(": {what}") };
    format!("{} {} {}{what}", short(session.id), clip(&session.name, 40), session.status.as_str())
}

/// What belongs to the status: the failure, the limit, the asks, the end, else the last words.
pub(crate) fn outcome(session: &Session) -> String {
    match session.status {
        StatusWord::Ended => session.ending.as_ref().map(ending).unwrap_or_default(),
        StatusWord::Error => session.error.as_ref().map(|e| clip(&e.message, 80)).unwrap_or_default(),
        StatusWord::RateLimited => session
            .limit
            .as_ref()
            .map(|limit| match limit.resets_at {
                Some(at) => format!("{} (until {at})", clip(&limit.message, 60)),
                None => clip(&limit.message, 80),
            })
            .unwrap_or_default(),
        StatusWord::PermissionPrompt | StatusWord::Asking => match session.open_asks.as_slice() {
            [] => String::new(),
            [ask] => ask_line(ask),
            [ask, rest @ ..] => format!("{} and {} more", ask_line(ask), rest.len()),
        },
        StatusWord::Starting
        | StatusWord::Working
        | StatusWord::Idle
        | StatusWord::Stalled
        | StatusWord::Unknown => {
            session.last_message.as_ref().map(|said| clip(&said.text, 60)).unwrap_or_default()
        }
    }
}

fn ask_line(ask: &Ask) -> String {
    format!("{} {}", short(ask.id), clip(&ask.title, 60))
}

/// How a session ended.
fn ending(ending: &Ending) -> String {
    let mut text = match ending.cause {
        EndCause::Exited => match ending.exit_code {
            Some(code) => format!("exited with {code}"),
            None => "exited".into(),
        },
        EndCause::Signaled => match &ending.signal {
            Some(signal) => format!("ended by signal {signal}"),
            None => "ended by a signal".into(),
        },
        EndCause::Killed => match &ending.by {
            Some(by) => format!("ended by {by}"),
            None => "ended".into(),
        },
        EndCause::LaunchFailed => "could not be started".into(),
        EndCause::HolderLost => "its holder vanished".into(),
    };
    if let Some(detail) = &ending.detail {
        text.push_str(" (");
        text.push_str(&clip(detail, 120));
        text.push(')');
    }
    text
}

/// Everything about one session.
pub(crate) fn detail(detail: &SessionDetail, now: Timestamp) -> String {
    let session = &detail.session;
    let health = &detail.health;
    let mut pairs = vec![
        ("session", session.id.to_string()),
        ("name", prose(&session.name)),
        ("status", status_line(session, now)),
        ("directory", prose(&session.work_dir)),
        ("mode", session.permission_mode.as_str().into()),
        ("created", format!("{} ({} ago)", session.created_at, ago(now, session.created_at))),
        ("activity", ago(now, session.last_activity)),
    ];
    let what = outcome(session);
    if !what.is_empty() && session.open_asks.is_empty() {
        pairs.push((if session.status == StatusWord::Idle { "last words" } else { "because" }, what));
    }
    if let Some(model) = &session.model {
        pairs.push(("model", prose(model)));
    }
    if let Some(parent) = session.parent_id {
        pairs.push(("created by", short(parent)));
    }
    if let Some(worktree) = &session.worktree {
        pairs.push(("worktree", prose(worktree)));
    }
    pairs.push(("claude", claude_line(health.pid, health.claude_version.as_deref(), health.rss_bytes)));
    if let Some(used) = health.context_used_pct {
        pairs.push(("context", format!("{used}% used")));
    }
    let holder = match (health.holder.reachable, health.holder.pid) {
        (true, Some(pid)) => format!("answers, pid {pid}"),
        (true, None) => "answers".into(),
        (false, Some(pid)) => format!("does not answer, pid {pid}"),
        (false, None) => "gone".into(),
    };
    pairs.push(("holder", holder));
    if detail.background_tasks > 0 {
        pairs.push(("background", count(detail.background_tasks, "task")));
    }
    if let Some(last) = detail.receipts.last() {
        pairs.push(("last prompt", receipt(last)));
    }
    if let Some(path) = &detail.transcript_path {
        pairs.push(("transcript", prose(path)));
    }
    fields(&pairs)
}

/// The status with its grounds.
pub(crate) fn status_line(session: &Session, now: Timestamp) -> String {
    let confidence = serde_json::to_value(session.confidence).ok();
    let source = serde_json::to_value(session.source).ok();
    let word =
        |value: &Option<serde_json::Value>| value.as_ref().and_then(|v| v.as_str()).unwrap_or("?").to_owned();
    format!(
        "{}, since {} (says {}, confidence {})",
        session.status.as_str(),
        ago(now, session.since),
        word(&source),
        word(&confidence)
    )
}

fn claude_line(pid: Option<u32>, version: Option<&str>, rss: Option<u64>) -> String {
    let mut parts = Vec::new();
    parts.extend(version.map(|version| format!("version {version}")));
    parts.extend(pid.map(|pid| format!("pid {pid}")));
    parts.extend(rss.map(|bytes| format!("{} MB", bytes / 1_000_000)));
    if parts.is_empty() { "not running".into() } else { parts.join(", ") }
}

/// How far a prompt came, and what showed it.
pub(crate) fn receipt(receipt: &Receipt) -> String {
    let state = match receipt.state {
        ReceiptState::Queued => "queued: stored, not written yet",
        ReceiptState::Written => "written: not yet taken by Claude Code",
        ReceiptState::Submitted => "submitted: Claude Code took it",
        ReceiptState::TurnEnded => "turn ended",
        ReceiptState::Refused => "refused: not delivered",
        ReceiptState::Uncertain => "uncertain: written, and nothing says whether it was taken",
    };
    match receipt.steps.last() {
        Some(step) => format!("{state} ({})", clip(&step.evidence, 80)),
        None => state.into(),
    }
}

/// What kind of answer an ask wants, as a heading.
pub(crate) fn kind(kind: AskKind) -> &'static str {
    match kind {
        AskKind::Permission => "Permission",
        AskKind::Plan => "Plan",
        AskKind::Question => "Question",
        AskKind::Trust => "Trust",
        AskKind::Dialog => "Dialog",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;

    #[test]
    fn a_list_is_aligned_and_names_the_ask() {
        let now = Timestamp::from_millis(120_000).unwrap();
        let mut asking = testing::session(StatusWord::PermissionPrompt);
        asking.open_asks.push(testing::ask("Bash", serde_json::json!({"command": "ls"})));
        let idle = testing::session(StatusWord::Idle);
        let text = rows([&asking, &idle], now);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1].find("/work"), lines[2].find("/work"));
        assert!(lines[1].contains("permission_prompt  2m"), "{text}");
        assert!(lines[1].contains(&short(asking.open_asks[0].id)), "{text}");
    }

    #[test]
    fn an_end_says_how() {
        let mut session = testing::session(StatusWord::Ended);
        session.ending = Some(Ending {
            cause: EndCause::Killed,
            exit_code: None,
            signal: None,
            by: Some("cli".into()),
            detail: None,
        });
        assert!(summary(&session).ends_with("ended: ended by cli"));
    }
}
