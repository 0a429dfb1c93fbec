//! `aegis summary`, `aegis metrics`, `aegis latency`: a session in numbers.

use super::{Cx, Exit, Target, text};
use crate::domain::{OpError, Percentiles};
use crate::ops::{SessionLatency, SessionMetrics, SessionRef, SessionSummary};

/// How much of a command or message a line shows, in characters.
const ROOM: usize = 100;

pub(super) async fn summary(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let summary = cx.aegis.get_session_summary(&cx.caller, reference(args)).await?;
    cx.out.give(&summary, show_summary)?;
    Ok(Exit::Done)
}

pub(super) async fn metrics(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let metrics = cx.aegis.get_session_metrics(&cx.caller, reference(args)).await?;
    cx.out.give(&metrics, show_metrics)?;
    Ok(Exit::Done)
}

pub(super) async fn latency(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let latency = cx.aegis.get_session_latency(&cx.caller, reference(args)).await?;
    cx.out.give(&latency, show_latency)?;
    Ok(Exit::Done)
}

fn reference(args: Target) -> SessionRef {
    SessionRef { session_id: args.session }
}

fn show_summary(summary: &SessionSummary) -> String {
    let roles = summary.by_role;
    let mut messages = format!(
        "{} ({} user, {} assistant, {} system)",
        summary.total_messages, roles.user, roles.assistant, roles.system
    );
    if summary.history_messages > 0 {
        messages.push_str(&format!(", after {} of its history", summary.history_messages));
    }
    let statuses: Vec<_> = summary.status_history.iter().map(|change| change.status.as_str()).collect();
    let mut shown = text::fields(&[
        ("session", format!("{} {}", text::short(summary.session_id), text::prose(&summary.name))),
        ("status", summary.status.as_str().into()),
        ("directory", text::prose(&summary.work_dir)),
        ("lasted", format!("{}, {} in turns", span(summary.duration_sec), span(summary.working_sec))),
        ("turns", summary.turns.to_string()),
        ("messages", messages),
        ("statuses", text::clip(&statuses.join(" → "), ROOM)),
        ("commands", summary.commands_run.to_string()),
    ]);
    let tools = summary.tools.iter().map(|tool| {
        let failed = if tool.errors > 0 { format!("{} failed", tool.errors) } else { String::new() };
        vec![text::clip(&tool.tool, ROOM), tool.calls.to_string(), failed]
    });
    section(&mut shown, "tools", &tools.collect::<Vec<_>>());
    let files = summary.files.iter().map(|file| {
        vec![format!("{} written", file.writes), format!("{} read", file.reads), text::prose(&file.path)]
    });
    section(&mut shown, "files", &files.collect::<Vec<_>>());
    let commands = summary.commands.iter().map(|command| vec![text::clip(command, ROOM)]);
    section(&mut shown, "commands", &commands.collect::<Vec<_>>());
    let last = summary.messages.iter().map(|message| {
        let who = message.tool_name.clone().unwrap_or_else(|| format!("{:?}", message.role).to_lowercase());
        vec![format!("#{}", message.id), text::clip(&who, ROOM), text::clip(&message.text, ROOM)]
    });
    section(&mut shown, "last messages", &last.collect::<Vec<_>>());
    if summary.partial {
        shown.push_str("\nrecords are missing: counts are too low\n");
    }
    shown
}

fn section(shown: &mut String, title: &str, rows: &[Vec<String>]) {
    if !rows.is_empty() {
        let table = text::table(rows);
        let lines = table.lines().map(|line| format!("  {line}\n"));
        shown.push_str(&format!("\n{title}:\n"));
        shown.extend(lines);
    }
}

fn show_metrics(metrics: &SessionMetrics) -> String {
    let used = metrics.token_usage;
    let tokens = format!(
        "{} in, {} out, {} from the cache, {} into it",
        used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens
    );
    let cost = match (used.estimated_cost_usd, &metrics.no_cost) {
        (Some(cost), _) => format!("about ${cost:.4} by the list prices of {}", metrics.prices_as_of),
        (None, why) => format!("not known: {}", text::prose(why.as_deref().unwrap_or("no price"))),
    };
    let by: Vec<_> =
        metrics.answered_by.iter().map(|(by, count)| format!("{count} by {}", text::prose(by))).collect();
    let asks = format!(
        "{}: {} allowed, {} allowed by a rule, {} refused{}{}",
        metrics.asks,
        metrics.approvals,
        metrics.auto_approvals,
        metrics.rejections,
        if by.is_empty() { "" } else { "; " },
        by.join(", ")
    );
    let mut shown = text::fields(&[
        ("lasted", span(metrics.duration_sec)),
        ("turns", metrics.turns.to_string()),
        ("messages", metrics.messages.to_string()),
        ("tool calls", format!("{}, {} failed", metrics.tool_calls, metrics.tool_errors)),
        ("subagents", metrics.subagents.to_string()),
        ("tokens", tokens),
        ("cost", cost),
        ("asks", asks),
        ("statuses", text::count(usize::try_from(metrics.status_changes).unwrap_or(usize::MAX), "change")),
    ]);
    let models = metrics.models.iter().map(|model| {
        let used = model.tokens;
        vec![
            text::clip(&model.model, ROOM),
            format!("{} answers", model.api_messages),
            format!("{} in", used.input_tokens + used.cache_read_tokens + used.cache_creation_tokens),
            format!("{} out", used.output_tokens),
            used.estimated_cost_usd.map_or_else(|| "no price".into(), |cost| format!("${cost:.4}")),
        ]
    });
    section(&mut shown, "models", &models.collect::<Vec<_>>());
    if metrics.partial {
        shown.push_str("\nrecords are missing: counts are too low\n");
    }
    shown
}

fn show_latency(latency: &SessionLatency) -> String {
    let row = |name: &str, of: &Percentiles| {
        let cell = |millis: Option<u64>| millis.map_or_else(|| "–".into(), |millis| format!("{millis} ms"));
        vec![name.into(), of.count.to_string(), cell(of.p50), cell(of.p95), cell(of.p99), cell(of.max)]
    };
    text::table(&[
        ["", "count", "p50", "p95", "p99", "longest"].map(String::from).to_vec(),
        row("prompt → submitted", &latency.prompt_to_submitted),
        row("turn", &latency.turn),
        row("ask → answer", &latency.ask_to_answer),
        row("hook → status", &latency.hook_to_status),
    ])
}

/// A time in the largest two units.
fn span(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{:02}s", seconds % 60),
        _ => format!("{hours}h{:02}m", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Histogram;

    #[test]
    fn a_time_is_told_in_two_units() {
        assert_eq!([span(59), span(61), span(7260)], ["59s", "1m01s", "2h01m"]);
    }

    #[test]
    fn latencies_are_a_table() {
        let mut turn = Histogram::default();
        turn.add(1200);
        let shown = show_latency(&SessionLatency {
            session_id: crate::domain::SessionId::mint(),
            prompt_to_submitted: Percentiles::default(),
            turn: turn.percentiles(),
            ask_to_answer: Percentiles::default(),
            hook_to_status: Percentiles::default(),
            partial: false,
        });
        assert!(shown.contains("turn                1      1200 ms"), "{shown}");
        assert!(shown.contains("ask → answer        0      –"), "{shown}");
    }
}
