//! Answering asks: which one, whether the answer fits, and how it travels.

use std::collections::BTreeMap;

use serde_json::Value;

use super::asks::OpenAsk;
use super::keying::Choice;
use super::{Actor, ReplyTo};
use crate::claude::hook::{allow, deny};
use crate::claude::screen::Dialog;
use crate::domain::{Answer, Ask, AskId, AskKind, AskVia, How, Remember};
use crate::wire::{Refusal, RefusalCode};

impl Actor {
    /// Answers an ask for a caller.
    pub(super) fn on_answer(&mut self, to: ReplyTo, ask_id: Option<AskId>, answer: Answer, by: &str) {
        match self.pick(ask_id, &answer) {
            Err(refusal) => self.refuse(to, refusal),
            Ok(id) => self.answer(to, id, answer, by),
        }
    }

    /// Finds the ask that is meant.
    fn pick(&self, ask_id: Option<AskId>, answer: &Answer) -> Result<AskId, Refusal> {
        if let Some(id) = ask_id {
            if self.asks.find(id).is_some() {
                return Ok(id);
            }
            return Err(match self.asks.resolved(id) {
                Some(ask) => {
                    let by = ask.resolution.as_ref().map_or("somebody", |resolution| resolution.by.as_str());
                    Refusal::new(RefusalCode::AlreadyResolved, format!("the ask was settled by {by}"))
                        .about(ask)
                }
                None => Refusal::new(RefusalCode::NoSuchAsk, format!("the session has no ask {id}")),
            });
        }
        // Answers by choice are for questions; approvals are not.
        let question = matches!(answer, Answer::Choices { .. });
        let fits = |open: &&OpenAsk| !question || open.ask.kind == AskKind::Question;
        let fitting: Vec<_> = self.asks.open().iter().filter(fits).collect();
        match fitting.as_slice() {
            [] => Err(Refusal::new(RefusalCode::NothingToApprove, "nothing waits for an answer")),
            [open] => Ok(open.ask.id),
            several => Err(Refusal::new(
                RefusalCode::AmbiguousAsk,
                format!("{} asks are open; name one", several.len()),
            )
            .about(&self.asks.list())),
        }
    }

    fn answer(&mut self, to: ReplyTo, id: AskId, answer: Answer, by: &str) {
        let Some(open) = self.asks.find(id) else { return };
        if let Answer::Approve { input_hash: Some(seen), .. } = &answer
            && *seen != open.ask.input_hash
        {
            let refusal =
                Refusal::new(RefusalCode::InputChanged, "the open call is not the one that was shown")
                    .about(&open.ask);
            return self.refuse(to, refusal);
        }
        match open.ask.via {
            AskVia::Hook => self.answer_by_hook(to, id, answer, by),
            AskVia::Screen => self.answer_by_keys(to, id, &answer, by),
        }
    }

    fn answer_by_hook(&mut self, to: ReplyTo, id: AskId, answer: Answer, by: &str) {
        let Some(open) = self.asks.find(id) else { return };
        let kind = open.ask.kind;
        let (stdout, how, detail) = match answer {
            Answer::Approve { remember, .. } if kind != AskKind::Question => {
                let input = open.ask.input.clone().filter(|_| kind == AskKind::Plan);
                let lasts = remember == Remember::Session && kind == AskKind::Permission;
                let call = open.call.clone().filter(|_| lasts);
                let detail = call.map(|call| format!("for the session: {}", self.remember(&call)));
                (allow(input), How::Approved, detail)
            }
            Answer::Approve { .. } => {
                let refusal =
                    Refusal::new(RefusalCode::InvalidAnswer, "a question wants an answer, not an approval");
                return self.refuse(to, refusal.about(&open.ask));
            }
            Answer::Reject { reason } => {
                let told = reason.clone().unwrap_or_else(|| "The user refused this.".into());
                (deny(&told, false), How::Rejected, reason)
            }
            Answer::Choices { answers } => match fill(&open.ask, answers) {
                Ok((input, said)) => (allow(Some(input)), How::Answered, Some(said)),
                Err(refusal) => return self.refuse(to, refusal),
            },
            Answer::Text { text } => {
                match single(&open.ask, &text).and_then(|answers| fill(&open.ask, answers)) {
                    Ok((input, said)) => (allow(Some(input)), How::Answered, Some(said)),
                    Err(refusal) => return self.refuse(to, refusal),
                }
            }
        };
        let Some(open) = self.resolve(id, by, how, detail) else { return };
        if let Some(hook) = open.hook {
            self.reply_hook(hook, stdout);
        }
        self.reply_answered(to, &open.ask);
    }

    /// Refuses a permission that a hook waits for.
    pub(super) fn deny_by_hook(&mut self, id: AskId, by: &str, reason: &str, interrupt: bool) {
        let how = if interrupt { How::Withdrawn } else { How::Rejected };
        if let Some(open) = self.resolve(id, by, how, Some(reason.to_owned()))
            && let Some(hook) = open.hook
        {
            self.reply_hook(hook, deny(reason, interrupt));
        }
    }

    fn answer_by_keys(&mut self, to: ReplyTo, id: AskId, answer: &Answer, by: &str) {
        let Some(dialog) = self.asks.find(id).and_then(|open| open.dialog.clone()) else {
            let refusal = Refusal::new(RefusalCode::NotConfirmed, "the ask's dialog is not on the screen");
            return self.refuse(to, refusal);
        };
        if self.keying.is_some() {
            let refusal =
                Refusal::new(RefusalCode::AlreadyResolved, "another answer is being given right now");
            return self.refuse(to, refusal);
        }
        let (choice, how) = match answer {
            Answer::Approve { .. } => (yes(&dialog).map(Choice::Option), How::Approved),
            Answer::Reject { .. } => {
                (Some(no(&dialog).map_or(Choice::Escape, Choice::Option)), How::Rejected)
            }
            Answer::Text { text } => (option(&dialog, text).map(Choice::Option), How::Answered),
            Answer::Choices { answers } => {
                let only = if answers.len() == 1 { answers.values().next() } else { None };
                (only.and_then(|text| option(&dialog, text)).map(Choice::Option), How::Answered)
            }
        };
        match choice {
            Some(choice) => self.press(dialog, choice, by, Some((id, how)), Some(to)),
            None => {
                let what = "the answer is none of the dialog's options";
                let labels: Vec<_> = dialog.options.iter().map(|option| option.label.clone()).collect();
                self.refuse(to, Refusal::new(RefusalCode::InvalidAnswer, what).about(&labels));
            }
        }
    }
}

/// The option that a text means: its own text, or its number.
pub(super) fn option(dialog: &Dialog, text: &str) -> Option<usize> {
    dialog.find(text).or_else(|| {
        let number: usize = text.trim().parse().ok()?;
        (1..=dialog.options.len()).contains(&number).then(|| number - 1)
    })
}

/// The option that approves: a known dialog's own, else `Yes`, else the only one that begins with it.
fn yes(dialog: &Dialog) -> Option<usize> {
    dialog.consent().or_else(|| dialog.find("Yes")).or_else(|| dialog.find("Yes, manually approve edits"))
}

/// The option that refuses, by its beginning. Without one, Escape refuses.
fn no(dialog: &Dialog) -> Option<usize> {
    ["No", "Cancel", "Decline", "Exit"].iter().find_map(|word| dialog.find(word))
}

/// The answers that one text gives to a single question.
fn single(ask: &Ask, text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let questions = questions(ask);
    match questions.as_slice() {
        [question] => {
            let key = question["question"].as_str().unwrap_or_default().to_owned();
            Ok(BTreeMap::from([(key, text.to_owned())]))
        }
        several => {
            let what = format!("{} questions are open; answer each by its text", several.len());
            Err(Refusal::new(RefusalCode::InvalidAnswer, what).about(&several))
        }
    }
}

/// Puts answers into the question tool's input. Claude Code wants them keyed by the full question text, a label
/// by its label, several joined by a comma and a space, or free text.
fn fill(ask: &Ask, answers: BTreeMap<String, String>) -> Result<(Value, String), Refusal> {
    let questions = questions(ask);
    let mut filled = serde_json::Map::new();
    for (key, answer) in answers {
        let exact = questions.iter().position(|question| question["question"] == key.as_str());
        let by_header = || questions.iter().position(|question| question["header"] == key.as_str());
        let Some(at) = exact.or_else(by_header) else {
            let what = format!("there is no question `{key}`");
            return Err(Refusal::new(RefusalCode::InvalidAnswer, what).about(&questions));
        };
        let text = questions[at]["question"].as_str().unwrap_or_default().to_owned();
        filled.insert(text, label(&questions[at], &answer).into());
    }
    let missing: Vec<_> = questions
        .iter()
        .filter_map(|q| q["question"].as_str())
        .filter(|text| !filled.contains_key(*text))
        .collect();
    if !missing.is_empty() {
        let what = format!("{} of {} questions are not answered", missing.len(), questions.len());
        return Err(Refusal::new(RefusalCode::InvalidAnswer, what).about(&missing));
    }
    let said = filled.values().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let mut input = ask.input.clone().unwrap_or_default();
    input["answers"] = filled.into();
    Ok((input, said))
}

fn questions(ask: &Ask) -> Vec<Value> {
    ask.input.as_ref().and_then(|input| input["questions"].as_array().cloned()).unwrap_or_default()
}

/// The label that an answer means, by its text in any case or by its number; free text stays as it is.
fn label(question: &Value, answer: &str) -> String {
    let labels: Vec<_> = question["options"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|option| option["label"].as_str())
        .collect();
    let wanted = answer.trim();
    let by_text = labels.iter().find(|label| label.eq_ignore_ascii_case(wanted));
    let by_number = || labels.get(wanted.parse::<usize>().ok()?.checked_sub(1)?);
    by_text.or_else(by_number).map_or_else(|| answer.to_owned(), |label| (*label).to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::domain::Timestamp;

    fn ask() -> Ask {
        Ask {
            id: AskId::mint(),
            kind: AskKind::Question,
            tool: Some("AskUserQuestion".into()),
            input: Some(json!({"questions":[
                {"question":"Which colour?","header":"Colour","options":[{"label":"Red"},{"label":"Blue"}]},
                {"question":"Which size?","header":"Size","options":[{"label":"Large"}]}]})),
            input_hash: String::new(),
            title: String::new(),
            options: vec![],
            opened_at: Timestamp::from_millis(0).unwrap(),
            via: AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        }
    }

    fn answers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn answers_are_keyed_by_the_full_question() {
        let (input, _) = fill(&ask(), answers(&[("Colour", "2"), ("Which size?", "huge")])).unwrap();
        assert_eq!(input["answers"], json!({"Which colour?":"Blue","Which size?":"huge"}));
        assert!(input["questions"].is_array());
    }

    #[rstest]
    #[case::missing(&[("Which size?", "Large")])]
    #[case::unknown(&[("Which size?", "Large"), ("Colour", "Red"), ("Which shape?", "x")])]
    fn answers_that_do_not_fit_are_refused(#[case] pairs: &[(&str, &str)]) {
        assert_eq!(fill(&ask(), answers(pairs)).unwrap_err().code, RefusalCode::InvalidAnswer);
    }

    #[test]
    fn one_text_cannot_answer_two_questions() {
        assert_eq!(single(&ask(), "Red").unwrap_err().code, RefusalCode::InvalidAnswer);
    }
}
