//! `aegis explain`: why a session has the status it has.

use serde_json::Value;

use super::{Cx, Exit, Target, text};
use crate::domain::{Evidence, OpError, Timestamp};
use crate::ops::{Explanation, SessionRef};

pub(super) async fn run(cx: &Cx, args: Target) -> Result<Exit, OpError> {
    let explanation = cx.aegis.explain(&cx.caller, SessionRef { session_id: args.session }).await?;
    cx.out.give(&explanation, |explanation| render(explanation, Timestamp::now()))?;
    Ok(Exit::Done)
}

fn render(explanation: &Explanation, now: Timestamp) -> String {
    let session = &explanation.session;
    let mut shown = format!(
        "{} {}: {}\n\n",
        text::short(session.id),
        text::prose(&session.name),
        text::status_line(session, now)
    );
    if explanation.evidence.is_empty() {
        shown.push_str("no evidence is kept\n");
        return shown;
    }
    let rows: Vec<_> = explanation.evidence.iter().map(row).collect();
    shown.push_str(&text::table(&rows));
    shown.push_str("\n✓ changed or confirmed the status   ✗ outranked   · only informs\n");
    shown
}

fn row(evidence: &Evidence) -> Vec<String> {
    let source = serde_json::to_value(evidence.source).ok();
    vec![
        clock(evidence.at),
        source.as_ref().and_then(Value::as_str).unwrap_or("?").to_owned(),
        match evidence.accepted {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "·",
        }
        .to_owned(),
        text::clip(&evidence.what, 100),
    ]
}

/// The time of day, UTC, with milliseconds: order matters here more than the date.
pub(super) fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('T').map_or(text.clone(), |(_, time)| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;
    use crate::domain::{Source, StatusWord};

    #[test]
    fn evidence_is_a_table() {
        let at = Timestamp::from_millis(1000).unwrap();
        let said = |source, accepted, what: &str| Evidence { at, source, what: what.into(), accepted };
        let explanation = Explanation {
            session: testing::session(StatusWord::Idle),
            evidence: vec![
                said(Source::Hook, Some(true), "Stop"),
                said(Source::Screen, Some(false), "a spinner"),
                said(Source::Title, None, "✳ done"),
            ],
        };
        let shown = render(&explanation, Timestamp::from_millis(61_000).unwrap());
        assert!(shown.contains("idle, since 1m (says hook, confidence high)"), "{shown}");
        assert!(shown.contains("00:00:01.000Z  hook    ✓  Stop\n"), "{shown}");
        assert!(shown.contains("00:00:01.000Z  screen  ✗  a spinner\n"), "{shown}");
        assert!(shown.contains("00:00:01.000Z  title   ·  ✳ done\n"), "{shown}");
    }
}
