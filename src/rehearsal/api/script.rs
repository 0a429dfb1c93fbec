//! Which reply a call gets.
//!
//! The place in a list comes from the conversation itself (how often the model has spoken since the human's
//! prompt), so a script needs no memory but one: how often a bounded failure has happened.

use serde::{Deserialize, Serialize};

use super::reply::Reply;

/// What the model says when a list has ended.
const CLOSING: &str = "Done.";

/// How much of a prompt the default answer repeats; more would only fill a screen.
const ECHO_LENGTH: usize = 200;

/// Rules, of which the newest that fits answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The rules, oldest first.
    pub rules: Vec<Rule>,
    /// The title given to a session; `Rehearsal` if not given.
    pub title: Option<String>,
    /// What is suggested as the next prompt; nothing if not given.
    pub suggestion: Option<String>,
}

/// The replies to one human prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Text that the human's latest prompt, or a subagent's task, must contain.
    pub on: String,
    /// The n-th answers the n-th model call since that prompt; then a plain closing text.
    pub replies: Vec<Reply>,
    /// How often each bounded failure was given.
    #[serde(skip)]
    given: Vec<u32>,
}

impl Rule {
    /// Answers a prompt that contains `on` with these replies, one a call.
    pub fn new(on: impl Into<String>, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { on: on.into(), replies: replies.into_iter().collect(), given: Vec::new() }
    }

    /// The reply to the call after the model has spoken `spoken` times.
    fn reply(&mut self, spoken: usize) -> Reply {
        self.given.resize(self.replies.len(), 0);
        let mut open = (0..self.replies.len()).filter(|&at| self.replies[at].bound() != Some(self.given[at]));
        let Some(at) = open.nth(spoken) else {
            return Reply::text(CLOSING);
        };
        self.given[at] = self.given[at].saturating_add(1);
        self.replies[at].clone()
    }
}

impl Script {
    /// A script that repeats what it is told.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule; it goes before all that stand.
    #[must_use]
    pub fn on(mut self, text: impl Into<String>, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.add(Rule::new(text, replies));
        self
    }

    /// Gives sessions this title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Suggests this as the next prompt.
    #[must_use]
    pub fn suggestion(mut self, prompt: impl Into<String>) -> Self {
        self.suggestion = Some(prompt.into());
        self
    }

    /// Adds a rule; it goes before all that stand.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// The reply to `prompt` after the model has spoken `spoken` times since.
    pub(super) fn reply(&mut self, prompt: &str, spoken: usize) -> Reply {
        if let Some(rule) = self.rules.iter_mut().rev().find(|rule| prompt.contains(&rule.on)) {
            return rule.reply(spoken);
        }
        if spoken > 0 {
            return Reply::text(CLOSING);
        }
        Reply::text(format!("You said: {}", prompt.chars().take(ECHO_LENGTH).collect::<String>()))
    }
}
