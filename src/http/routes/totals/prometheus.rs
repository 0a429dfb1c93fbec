//! Sums in the text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;
use std::time::Duration;

use super::sums::Sums;
use crate::domain::Histogram;

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of buckets, in milliseconds.
const BOUNDS: [u64; 13] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// Writes everything.
pub(super) fn text(sums: &Sums, uptime: Duration) -> String {
    let mut text = String::new();
    let tokens = sums.tokens();
    for (name, what, value) in [
        ("aegis_sessions_created_total", "Sessions on record.", sums.created as u64),
        (
            "aegis_sessions_completed_total",
            "Sessions that ended as they were meant to.",
            sums.completed as u64,
        ),
        ("aegis_sessions_failed_total", "Sessions that ended otherwise.", sums.failed as u64),
        ("aegis_messages_total", "Messages in conversations.", sums.messages),
        ("aegis_turns_total", "Turns begun.", sums.turns),
        ("aegis_tool_calls_total", "Tool calls.", sums.tool_calls),
        ("aegis_asks_total", "Asks opened.", sums.asks),
        ("aegis_approvals_total", "Asks that somebody allowed.", sums.approvals),
        ("aegis_auto_approvals_total", "Asks that a rule allowed.", sums.auto_approvals),
        ("aegis_rejections_total", "Asks refused.", sums.rejections),
        ("aegis_prompts_delivered_total", "Prompts that Claude Code took.", sums.submitted.count()),
        ("aegis_input_tokens_total", "Tokens read uncached.", tokens.input_tokens),
        ("aegis_output_tokens_total", "Tokens written.", tokens.output_tokens),
        ("aegis_cache_read_tokens_total", "Tokens read from the cache.", tokens.cache_read_tokens),
        ("aegis_cache_creation_tokens_total", "Tokens put into the cache.", tokens.cache_creation_tokens),
    ] {
        head(&mut text, name, what, "counter");
        let _ = writeln!(text, "{name} {value}");
    }
    for (name, what, value) in [
        ("aegis_sessions_active", "Sessions that live.", sums.active.to_string()),
        ("aegis_uptime_seconds", "How long this server runs.", format!("{:.3}", uptime.as_secs_f64())),
        (
            "aegis_figures_partial",
            "Whether records are missing, so that sums are too low.",
            u8::from(sums.partial).to_string(),
        ),
    ] {
        head(&mut text, name, what, "gauge");
        let _ = writeln!(text, "{name} {value}");
    }
    histogram(&mut text, "aegis_hook_latency_ms", "From a hook's start to the status it led to.", &sums.hook);
    let what = "From a change to its status; hooks tell what changes.";
    histogram(&mut text, "aegis_state_change_detection_latency_ms", what, &sums.hook);
    histogram(&mut text, "aegis_permission_response_latency_ms", "From an ask to its answer.", &sums.answer);
    let what = "From a stored prompt to Claude Code's word that it took it.";
    histogram(&mut text, "aegis_prompt_delivery_latency_ms", what, &sums.submitted);
    text
}

fn head(text: &mut String, name: &str, what: &str, kind: &str) {
    let _ = write!(text, "# HELP {name} {what}\n# TYPE {name} {kind}\n");
}

fn histogram(text: &mut String, name: &str, what: &str, counted: &Histogram) {
    head(text, name, what, "histogram");
    for bound in BOUNDS {
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {}", counted.at_most(bound));
    }
    let (sum, count) = (counted.sum(), counted.count());
    let _ = write!(text, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let mut sums = Sums::default();
        [1, 3, 3, 70, 20_000].into_iter().for_each(|millis| sums.hook.add(millis));
        let text = text(&sums, Duration::from_secs(2));
        for line in [
            "aegis_hook_latency_ms_bucket{le=\"1\"} 1",
            "aegis_hook_latency_ms_bucket{le=\"5\"} 3",
            "aegis_hook_latency_ms_bucket{le=\"100\"} 4",
            "aegis_hook_latency_ms_bucket{le=\"10000\"} 4",
            "aegis_hook_latency_ms_bucket{le=\"+Inf\"} 5",
            "aegis_hook_latency_ms_count 5",
            "aegis_uptime_seconds 2.000",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }
}
