//! `aegis answer`: answers a session's question or dialog.

use std::collections::BTreeMap;

use clap::Args;

use super::args::{Target, text_or_stdin};
use super::asks::{Question, questions};
use super::{Cx, Exit, send};
use crate::domain::{Ask, AskKind, ErrorCode, OpError};
use crate::ops::{AnswerValue, SendMessage, SessionRef};

/// What to answer.
#[derive(Clone, Debug, Args)]
pub struct AnswerArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// An option's label or number, or free text; `-` reads it from stdin
    #[arg(required_unless_present = "answers", conflicts_with = "answers")]
    pub text: Option<String>,
    /// One question's answer, when there are several: the question's text or number, and a label or free text; may
    /// be repeated, also for the same question where several labels may be chosen
    #[arg(long = "answer", value_name = "QUESTION=LABEL")]
    pub answers: Vec<String>,
    /// Repeating a call with the same key gives the receipt of the first call and sends nothing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

pub(super) async fn run(cx: &Cx, args: AnswerArgs) -> Result<Exit, OpError> {
    let session_id = args.target.session;
    let detail = cx.aegis.get_status(&cx.caller, SessionRef { session_id: session_id.clone() }).await?;
    // Without an open question the text would become a prompt, which is not what this verb says.
    let open = &detail.session.open_asks;
    if !open.iter().any(takes_answers) {
        return Err(OpError::new(ErrorCode::NothingToApprove, "no question is open"));
    }
    let asked: Vec<Question> = open.iter().flat_map(questions).collect();
    let answers = if args.answers.is_empty() { None } else { Some(by_question(&asked, &args.answers)?) };
    let request = SendMessage {
        session_id,
        text: args.text.map(text_or_stdin).transpose()?,
        answers,
        when_busy: None,
        idempotency_key: args.key,
    };
    let receipt = cx.aegis.send_message(&cx.caller, request).await?;
    cx.out.give(&receipt, send::render)?;
    send::delivered(&receipt)
}

fn takes_answers(ask: &Ask) -> bool {
    match ask.kind {
        AskKind::Question | AskKind::Dialog | AskKind::Trust | AskKind::Plan => true,
        AskKind::Permission => false,
    }
}

/// Sorts `QUESTION=LABEL` by question. A question may hold `=` itself, so the known ones are tried first.
fn by_question(asked: &[Question], given: &[String]) -> Result<BTreeMap<String, AnswerValue>, OpError> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in given {
        let (question, label) = split(asked, text).ok_or_else(|| {
            OpError::new(ErrorCode::InvalidAnswer, format!("`{text}` is not QUESTION=LABEL"))
                .hint("give the question's text or number, `=`, and an option's label or free text")
        })?;
        labels.entry(question).or_default().push(label);
    }
    Ok(labels
        .into_iter()
        .map(|(question, mut labels)| match (labels.pop(), labels.is_empty()) {
            (Some(one), true) => (question, AnswerValue::One(one)),
            (last, _) => {
                labels.extend(last);
                (question, AnswerValue::Several(labels))
            }
        })
        .collect())
}

fn split(asked: &[Question], text: &str) -> Option<(String, String)> {
    for question in asked {
        if let Some(label) = text.strip_prefix(&question.text).and_then(|rest| rest.strip_prefix('=')) {
            return Some((question.text.clone(), label.to_owned()));
        }
    }
    let (name, label) = text.split_once('=')?;
    let numbered = name.trim().parse::<usize>().ok().and_then(|n| asked.get(n.checked_sub(1)?));
    let question = numbered.map_or_else(|| name.to_owned(), |question| question.text.clone());
    Some((question, label.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Vec<Question> {
        ["Is a=b?", "Colour?"]
            .map(|text| Question { text: text.into(), options: Vec::new(), several: false })
            .to_vec()
    }

    #[test]
    fn answers_find_their_question_by_text_or_number() {
        let given = ["Is a=b?=Yes".to_owned(), "2=Red".to_owned(), "Colour?=Blue".to_owned()];
        let answers = by_question(&asked(), &given).unwrap();
        assert_eq!(answers["Is a=b?"], AnswerValue::One("Yes".into()));
        assert_eq!(answers["Colour?"], AnswerValue::Several(vec!["Red".into(), "Blue".into()]));
    }

    #[test]
    fn an_answer_without_a_question_is_refused() {
        assert_eq!(by_question(&asked(), &["Yes".into()]).unwrap_err().code, ErrorCode::InvalidAnswer);
    }
}
