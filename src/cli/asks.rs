//! Asks as a person sees them: whole, with nothing hidden, and named by a few characters.

use serde_json::Value;

use super::{Cx, text};
use crate::domain::{Ask, AskKind, ErrorCode, OpError, Session};
use crate::ops::SessionRef;

pub(super) use crate::domain::{Question, questions};

/// An ask in full: what kind, whose, the whole input, the choices.
pub(super) fn show(ask: &Ask) -> String {
    let mut shown = text::kind(ask.kind).to_owned();
    if let Some(tool) = &ask.tool {
        shown.push_str(": ");
        shown.push_str(&text::strict(tool));
    }
    shown.push_str(&format!("   ask {}", text::short(ask.id)));
    if let Some(agent) = &ask.agent {
        shown.push_str(&format!(" of subagent {}", text::strict(agent)));
    }
    shown.push('\n');
    shown.push_str(&indent(&text::strict(&ask.title)));
    let questions = questions(ask);
    if ask.kind == AskKind::Question && !questions.is_empty() {
        for question in &questions {
            shown.push_str(&indent(&show_question(question)));
        }
        return shown;
    }
    if let Some(input) = &ask.input {
        let whole = serde_json::to_string_pretty(input).unwrap_or_else(|_| input.to_string());
        shown.push_str(&indent(&text::strict(&whole)));
    }
    for (n, option) in ask.options.iter().enumerate() {
        shown.push_str(&format!("  {}. {}\n", n + 1, text::strict(option)));
    }
    shown
}

/// A question with its numbered options.
pub(super) fn show_question(question: &Question) -> String {
    let mut shown = text::strict(&question.text);
    if question.several {
        shown.push_str(" (several may be chosen: 1,3)");
    }
    for (n, (label, meaning)) in question.options.iter().enumerate() {
        shown.push_str(&format!("\n  {}. {}", n + 1, text::strict(label)));
        if !meaning.is_empty() {
            shown.push_str(&format!(": {}", text::strict(meaning)));
        }
    }
    shown
}

fn indent(block: &str) -> String {
    block.lines().map(|line| format!("  {line}\n")).collect()
}

/// The commands that answer the open asks.
pub(super) fn commands(session: &Session) -> String {
    let id = text::short(session.id);
    let mut lines = Vec::new();
    for ask in &session.open_asks {
        let name = text::short(ask.id);
        match ask.kind {
            AskKind::Permission | AskKind::Plan => {
                lines.push(format!("aegis approve {id} --ask {name}"));
                lines.push(format!("aegis reject {id} --ask {name} --reason '…'"));
            }
            AskKind::Question if questions(ask).len() > 1 => {
                lines.push(format!("aegis answer {id} --answer 1='…' --answer 2='…'"));
            }
            AskKind::Question | AskKind::Trust | AskKind::Dialog => {
                lines.push(format!("aegis answer {id} '…'"));
            }
        }
    }
    lines.join("\n")
}

/// Finds the one open ask whose id starts with `prefix`.
///
/// A whole id is passed on even if no such ask is open: the operation knows who answered it.
pub(super) fn named(open: &[Ask], prefix: &str) -> Result<String, OpError> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.parse::<crate::domain::AskId>().is_ok() {
        return Ok(prefix);
    }
    let mut fitting = open.iter().map(|ask| ask.id.to_string()).filter(|id| id.starts_with(&prefix));
    match (fitting.next(), fitting.next()) {
        (Some(id), None) if !prefix.is_empty() => Ok(id),
        (Some(_), _) => {
            Err(OpError::new(ErrorCode::AmbiguousAsk, format!("`{prefix}` fits several open asks"))
                .hint("give more characters of the ask's id"))
        }
        (None, _) => Err(OpError::new(ErrorCode::NoSuchAsk, format!("no open ask starts with `{prefix}`"))),
    }
}

/// Turns what was given with `--ask` into a whole id, looking at the open asks.
pub(super) async fn resolve(cx: &Cx, session: &str, ask: Option<String>) -> Result<Option<String>, OpError> {
    let Some(ask) = ask else { return Ok(None) };
    let detail = cx.aegis.get_status(&cx.caller, SessionRef { session_id: session.to_owned() }).await?;
    named(&detail.session.open_asks, &ask).map(Some)
}

/// A settled ask in a line.
pub(super) fn settled(ask: &Ask) -> String {
    let what = ask.tool.as_deref().unwrap_or(&ask.title);
    let Some(resolution) = &ask.resolution else {
        return format!("{} {} is open", text::short(ask.id), text::clip(what, 60));
    };
    let how = serde_json::to_value(resolution.how).ok();
    let how = how.as_ref().and_then(Value::as_str).unwrap_or("settled").to_owned();
    let mut line = format!("{} {} {how} by {}", text::short(ask.id), text::clip(what, 60), resolution.by);
    if let Some(detail) = &resolution.detail {
        line.push_str(&format!(": {}", text::clip(detail, 120)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;
    use crate::domain::StatusWord;

    #[test]
    fn the_whole_input_is_shown_and_nothing_hides() {
        let long = "x".repeat(5000);
        let ask = testing::ask("Bash", serde_json::json!({"command": format!("ls \u{202e}{long}"), "n": 1}));
        let shown = show(&ask);
        assert!(shown.contains(&long));
        assert!(shown.contains("\\u{202e}") && !shown.contains('\u{202e}'));
        assert!(shown.contains("\"n\": 1"));
    }

    #[test]
    fn a_unique_prefix_names_an_ask() {
        let open = [testing::ask("Bash", Value::Null), testing::ask("Edit", Value::Null)];
        let id = open[1].id.to_string();
        assert_eq!(named(&open, &id[..8].to_uppercase()).unwrap(), id);
        assert_eq!(named(&open, "").unwrap_err().code, ErrorCode::AmbiguousAsk);
        assert_eq!(named(&open, "zz").unwrap_err().code, ErrorCode::NoSuchAsk);
        let other = crate::domain::AskId::mint().to_string();
        assert_eq!(named(&open, &other).unwrap(), other);
    }

    #[test]
    fn the_commands_name_session_and_ask() {
        let mut session = testing::session(StatusWord::PermissionPrompt);
        session.open_asks = vec![testing::ask("Bash", Value::Null), testing::question("Colour?")];
        let text = commands(&session);
        assert!(text.contains(&format!(
            "aegis approve {} --ask {}",
            text::short(session.id),
            text::short(session.open_asks[0].id)
        )));
        assert!(text.ends_with("'…'"));
    }

    #[test]
    fn a_question_lists_its_options_with_their_meaning() {
        let shown = show(&testing::question("Which colour?"));
        assert!(shown.contains("1. Red: warm") && shown.contains("2. Blue: cold"), "{shown}");
    }
}
