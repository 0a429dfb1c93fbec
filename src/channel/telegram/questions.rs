//! An ask with several questions: one after the other in the same message, each with a button for each of its choices,
//! and all answers given together once the last is chosen.
//!
//! What was chosen is told by which buttons were taken, and the store remembers that: whoever is killed between two
//! questions goes on where it was, and a tap that comes again does again what it led to.

use std::collections::BTreeMap;

use super::api::Button;
use super::ask::MOST_OPTIONS;
use super::{LONGEST, NAME, TelegramChannel};
use crate::channel::SendError;
use crate::channel::text::split;
use crate::domain::{Answer, AskId, OpenAsk};
use crate::store::{ChatAsk, ChatButton};

/// One of the questions, as its buttons have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    question: String,
    /// Labels and what stands in their buttons.
    options: Vec<Button>,
    /// What was chosen, and what stands in its button.
    chosen: Option<Button>,
}

/// What a choice came to.
pub(super) enum Chosen {
    /// Nothing is to be answered yet, or any more; this is told.
    Said(String),
    /// All questions are answered.
    All(BTreeMap<String, String>),
}

/// Whether the questions can be answered by tapping.
pub(super) fn by_steps(open: &OpenAsk) -> bool {
    !open.asked.is_empty() && open.asked.iter().all(|asked| asked.options.len() <= MOST_OPTIONS)
}

/// The buttons of all questions, in their order: each answers one of them.
pub(super) fn choices(open: &OpenAsk) -> Vec<Vec<(String, Answer)>> {
    if !by_steps(open) {
        return Vec::new();
    }
    let all = open.asked.iter().flat_map(|asked| asked.options.iter().map(|label| (&asked.question, label)));
    all.map(|(question, label)| {
        let answers = BTreeMap::from([(question.clone(), label.clone())]);
        vec![(label.clone(), Answer::Choices { answers })]
    })
    .collect()
}

/// The questions that buttons stand for; `None` if they stand for no such.
pub(super) fn steps(buttons: impl IntoIterator<Item = (ChatButton, bool)>) -> Option<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for (button, used) in buttons {
        let Answer::Choices { answers } = button.choice else { return None };
        let (question, label) = answers.into_iter().next()?;
        let step = match steps.iter_mut().find(|step| step.question == question) {
            Some(step) => step,
            None => {
                steps.push(Step { question, options: Vec::new(), chosen: None });
                steps.last_mut()?
            }
        };
        let option = (label, button.token);
        if used {
            step.chosen = Some(option.clone());
        }
        step.options.push(option);
    }
    (!steps.is_empty()).then_some(steps)
}

/// The answers so far, as text.
fn answers(steps: &[Step]) -> String {
    let told = steps.iter().filter_map(|step| {
        let (label, _) = step.chosen.as_ref()?;
        Some(format!("\n\n{}\n→ {label}", step.question))
    });
    told.collect()
}

/// The answers as text, if all were chosen here: half of them were given to nobody.
pub(super) fn given(steps: &[Step]) -> String {
    if steps.iter().all(|step| step.chosen.is_some()) { answers(steps) } else { String::new() }
}

/// What the message shows: what was chosen, and the first open question with its buttons.
pub(super) fn page(shown: &str, steps: &[Step]) -> (String, Vec<Vec<Button>>) {
    let mut text = format!("{shown}{}", answers(steps));
    let mut rows = Vec::new();
    if let Some(at) = steps.iter().position(|step| step.chosen.is_none()) {
        let (number, of) = (at + 1, steps.len());
        text.push_str(&format!(
            "\n\nQuestion {number} of {of}: {}\n\nTap one choice; for several, or words of your own, answer with \
             `aegis answer` or in the terminal.",
            steps[at].question
        ));
        rows = steps[at].options.iter().map(|option| vec![option.clone()]).collect();
    }
    // What is asked now stands at the end.
    (split(&text, LONGEST).pop().unwrap_or(text), rows)
}

impl TelegramChannel {
    /// The questions of an ask; `None` if it has not several.
    pub(super) async fn steps(&self, ask: AskId) -> Result<Option<Vec<Step>>, SendError> {
        Ok(steps(self.db(move |store| store.chat_buttons(NAME, ask)).await?))
    }

    /// Takes the answer to one question, and shows the next, or gives all answers.
    pub(super) async fn choose(
        &self,
        ask: &ChatAsk,
        token: &str,
        choice: &BTreeMap<String, String>,
    ) -> Result<Chosen, SendError> {
        let id = ask.ask;
        let before = self.steps(id).await?.unwrap_or_default();
        let Some(at) = before.iter().position(|step| choice.contains_key(&step.question)) else {
            return Ok(Chosen::Said("This button is not known any more.".into()));
        };
        match &before[at].chosen {
            // The same tap again, as after a crash: what it led to is done again.
            Some((_, taken)) if taken == token => {}
            Some((label, _)) => return Ok(Chosen::Said(format!("Already chosen: {label}."))),
            None if before[..at].iter().any(|step| step.chosen.is_none()) => {
                return Ok(Chosen::Said("Another question comes first.".into()));
            }
            None => {
                let taken = token.to_owned();
                self.db(move |store| store.use_button(&taken)).await?;
            }
        }
        let after = self.steps(id).await?.unwrap_or_default();
        let open = after.iter().filter(|step| step.chosen.is_none()).count();
        if open == 0 {
            let chosen = after.into_iter().filter_map(|step| Some((step.question, step.chosen?.0)));
            return Ok(Chosen::All(chosen.collect()));
        }
        if let Some(message) = ask.message {
            let (text, rows) = page(&ask.shown, &after);
            self.api.edit(self.group, message, &text, &rows).await?;
        }
        // Whoever settled it meanwhile has edited the message before this did.
        let now = self.db(move |store| store.chat_ask(NAME, id)).await?;
        if let Some(ChatAsk { settled: Some(words), message: Some(message), shown, .. }) = now {
            self.api.edit(self.group, message, &format!("{shown}\n\n☑️ {words}"), &[]).await?;
            return Ok(Chosen::Said(format!("Already {words}.")));
        }
        let left = if open == 1 { "one question".to_owned() } else { format!("{open} questions") };
        let label = choice.values().next().map_or("", String::as_str);
        Ok(Chosen::Said(format!("Chosen: {label}. Still {left} to answer.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button(question: &str, label: &str, used: bool) -> (ChatButton, bool) {
        let answers = BTreeMap::from([(question.to_owned(), label.to_owned())]);
        (ChatButton { token: format!("{question}{label}"), choice: Answer::Choices { answers } }, used)
    }

    #[test]
    fn questions_are_shown_one_after_the_other() {
        let all = |first: bool, second: bool| {
            [button("Zoo?", "yes", first), button("Zoo?", "no", false), button("Ark?", "both", second)]
        };
        let shown = |first, second| {
            let steps = steps(all(first, second)).unwrap();
            let (text, rows) = page("Two things", &steps);
            (text, rows.into_iter().flatten().map(|(label, _)| label).collect::<Vec<_>>(), given(&steps))
        };
        let (text, rows, given) = shown(false, false);
        assert!(text.starts_with("Two things\n\nQuestion 1 of 2: Zoo?") && given.is_empty(), "{text}");
        assert_eq!(rows, ["yes", "no"]);
        let (text, rows, given) = shown(true, false);
        assert!(text.contains("Zoo?\n→ yes\n\nQuestion 2 of 2: Ark?") && given.is_empty(), "{text}");
        assert_eq!(rows, ["both"]);
        let (text, rows, given) = shown(true, true);
        assert_eq!((text, rows.len()), (format!("Two things{given}"), 0));
        assert_eq!(given, "\n\nZoo?\n→ yes\n\nArk?\n→ both");
    }

    #[test]
    fn buttons_of_other_asks_are_no_questions() {
        let choice = Answer::Text { text: "yes".into() };
        assert_eq!(steps([(ChatButton { token: "t".into(), choice }, false)]), None);
        assert_eq!(steps([]), None);
    }

    #[test]
    fn what_is_asked_stays_in_a_long_message() {
        let steps = steps([button("Zoo?", "yes", false)]).unwrap();
        let (text, rows) = page(&"word ".repeat(2000), &steps);
        assert!(text.contains("Question 1 of 1: Zoo?") && text.len() <= LONGEST, "{}", text.len());
        assert_eq!(rows.len(), 1);
    }
}
