//! Putting an ask to the person at this terminal.
//!
//! The approval is bound to the hash of what was shown. The same ask may be answered elsewhere meanwhile; whoever
//! waits for the line drops it then.

use std::collections::BTreeMap;
use std::io::BufRead;

use tokio::sync::mpsc;

use super::asks::{self, Question};
use super::{Cx, text};
use crate::domain::{Ask, AskKind, OpError, Remember};
use crate::ops::{AnswerValue, ApprovePermission, RejectPermission, SendMessage};

/// What a person chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// Allow it.
    Approve(Remember),
    /// Refuse it.
    Reject(Option<String>),
    /// Answer an only question or a dialog.
    Text(String),
    /// Answer each question.
    Answers(BTreeMap<String, AnswerValue>),
    /// Leave the session as it is.
    Detach,
}

/// Lines from stdin, read by a thread of its own: a read that nobody waits for any more must not hold up the end.
pub(super) struct Lines {
    lines: mpsc::Receiver<String>,
}

impl Lines {
    /// Begins to read.
    pub(super) fn start() -> Self {
        let (sender, lines) = mpsc::channel(16);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// What was typed before the question was shown is no answer to it.
    fn forget(&mut self) {
        while self.lines.try_recv().is_ok() {}
    }

    /// The next line; `None` at the end of input.
    async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

/// Shows an ask and reads what the person makes of it.
pub(super) async fn put(cx: &Cx, lines: &mut Lines, ask: &Ask) -> Choice {
    lines.forget();
    cx.out.note(&format!("\n{}", asks::show(ask).trim_end()));
    match ask.kind {
        AskKind::Permission | AskKind::Plan => permission(cx, lines, ask.kind).await,
        AskKind::Question => questions(cx, lines, ask).await,
        AskKind::Trust | AskKind::Dialog => {
            match line(cx, lines, "option, by number or text; d = detach: ").await {
                Some(text) if text != "d" => Choice::Text(text),
                Some(_) | None => Choice::Detach,
            }
        }
    }
}

async fn permission(cx: &Cx, lines: &mut Lines, kind: AskKind) -> Choice {
    let keys = match kind {
        AskKind::Plan => "a = approve, r = reject, d = detach: ",
        AskKind::Permission | AskKind::Question | AskKind::Trust | AskKind::Dialog => {
            "a = approve, s = approve for the session, r = reject, d = detach: "
        }
    };
    loop {
        let Some(said) = line(cx, lines, keys).await else { return Choice::Detach };
        match decide(&said, kind) {
            Some(Choice::Reject(None)) => {
                let reason = line_or_empty(cx, lines, "reason, told to Claude (may be empty): ").await;
                return match reason {
                    Some(reason) => Choice::Reject((!reason.is_empty()).then_some(reason)),
                    None => Choice::Detach,
                };
            }
            Some(choice) => return choice,
            None => {}
        }
    }
}

/// Reads a decision; `None` if it is none. Only the letter approves: no Enter alone, no `y` of a habit.
fn decide(said: &str, kind: AskKind) -> Option<Choice> {
    match said {
        "a" | "approve" => Some(Choice::Approve(Remember::Once)),
        "s" if kind == AskKind::Permission => Some(Choice::Approve(Remember::Session)),
        "r" | "reject" => Some(Choice::Reject(None)),
        "d" | "detach" => Some(Choice::Detach),
        _ => said.strip_prefix("r ").map(|reason| Choice::Reject(Some(reason.trim().to_owned()))),
    }
}

async fn questions(cx: &Cx, lines: &mut Lines, ask: &Ask) -> Choice {
    const KEYS: &str = "answer, by number or text; d = detach: ";
    let asked = asks::questions(ask);
    if asked.is_empty() {
        return match line(cx, lines, KEYS).await {
            Some(text) if text != "d" => Choice::Text(text),
            Some(_) | None => Choice::Detach,
        };
    }
    let mut answers = BTreeMap::new();
    for question in &asked {
        if asked.len() > 1 {
            cx.out.note(&asks::show_question(question));
        }
        match line(cx, lines, KEYS).await {
            Some(text) if text != "d" => {
                answers.insert(question.text.clone(), value(question, &text));
            }
            Some(_) | None => return Choice::Detach,
        }
    }
    Choice::Answers(answers)
}

/// Numbers stand for labels; where several may be chosen, `1,3` for both.
fn value(question: &Question, said: &str) -> AnswerValue {
    let label = |text: &str| {
        let number: usize = text.trim().parse().ok()?;
        question.options.get(number.checked_sub(1)?).map(|(label, _)| label.clone())
    };
    if let Some(one) = label(said) {
        return AnswerValue::One(one);
    }
    if question.several
        && let Some(labels) = said.split(',').map(label).collect::<Option<Vec<_>>>()
    {
        return AnswerValue::Several(labels);
    }
    AnswerValue::One(said.to_owned())
}

async fn line(cx: &Cx, lines: &mut Lines, prompt: &str) -> Option<String> {
    loop {
        let said = line_or_empty(cx, lines, prompt).await?;
        if !said.is_empty() {
            return Some(said);
        }
    }
}

async fn line_or_empty(cx: &Cx, lines: &mut Lines, prompt: &str) -> Option<String> {
    cx.out.ask(prompt);
    lines.next().await.map(|said| said.trim().to_owned())
}

/// Carries the choice out; returns what to tell the person. A detach does nothing.
pub(super) async fn carry_out(
    cx: &Cx,
    session_id: &str,
    ask: &Ask,
    choice: Choice,
) -> Result<String, OpError> {
    let session_id = session_id.to_owned();
    let ask_id = Some(ask.id.to_string());
    let (text, answers) = match choice {
        Choice::Detach => return Ok("left open".into()),
        Choice::Approve(remember) => {
            let request = ApprovePermission {
                session_id,
                ask_id,
                input_hash: Some(ask.input_hash.clone()),
                remember: Some(remember),
            };
            let ask = cx.aegis.approve_permission(&cx.caller, request).await?;
            return Ok(asks::settled(&ask));
        }
        Choice::Reject(reason) => {
            let request = RejectPermission { session_id, ask_id, reason };
            let ask = cx.aegis.reject_permission(&cx.caller, request).await?;
            return Ok(asks::settled(&ask));
        }
        Choice::Text(text) => (Some(text), None),
        Choice::Answers(answers) => (None, Some(answers)),
    };
    let request = SendMessage { session_id, text, answers, ..SendMessage::default() };
    let receipt = cx.aegis.send_message(&cx.caller, request).await?;
    Ok(text::receipt(&receipt))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::cli::testing;

    #[rstest]
    #[case("a", Some(Choice::Approve(Remember::Once)))]
    #[case("s", Some(Choice::Approve(Remember::Session)))]
    #[case("r not now", Some(Choice::Reject(Some("not now".into()))))]
    #[case("r", Some(Choice::Reject(None)))]
    #[case("d", Some(Choice::Detach))]
    #[case("y", None)]
    #[case("", None)]
    fn a_letter_decides(#[case] said: &str, #[case] choice: Option<Choice>) {
        assert_eq!(decide(said, AskKind::Permission), choice);
    }

    #[test]
    fn a_plan_is_not_approved_for_a_session() {
        assert_eq!(decide("s", AskKind::Plan), None);
    }

    #[test]
    fn numbers_stand_for_labels() {
        let mut question = asks::questions(&testing::question("Colour?")).remove(0);
        assert_eq!(value(&question, "2"), AnswerValue::One("Blue".into()));
        assert_eq!(value(&question, "9"), AnswerValue::One("9".into()));
        assert_eq!(value(&question, "1,2"), AnswerValue::One("1,2".into()));
        question.several = true;
        assert_eq!(value(&question, "1,2"), AnswerValue::Several(vec!["Red".into(), "Blue".into()]));
    }
}
