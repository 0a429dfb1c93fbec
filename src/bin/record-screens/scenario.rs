//! What a case is made of: how its home looks, how the program is started, what the model says, which keys are
//! pressed and what is waited for. Data; [`super::stage`] plays it.

use aegis::claude::keys;
use aegis::rehearsal::{Reply, Script};
use serde_json::{Value, json};

/// An input box that takes keys: its prompt is followed by a no-break space.
const READY: &str = "^❯\u{a0}";

/// Control-C.
pub(crate) const CTRL_C: &[u8] = b"\x03";
/// Tab.
pub(crate) const TAB: &[u8] = b"\t";
/// Arrow right.
pub(crate) const RIGHT: &[u8] = b"\x1b[C";

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) case: &'static str,
    /// What is different from a home in which nothing is asked.
    pub(crate) set: Vec<Set>,
    /// Arguments of the program.
    pub(crate) arguments: Vec<&'static str>,
    /// The first prompt, as the last argument.
    pub(crate) prompt: Option<&'static str>,
    /// What the model says.
    pub(crate) script: Script,
    /// What happens; the last step waits for what is recorded.
    pub(crate) steps: Vec<Step>,
    since: Option<&'static str>,
    before: Option<&'static str>,
}

/// One difference of the home, the project or the environment.
#[derive(Clone, Debug)]
pub(crate) enum Set {
    /// The project is not trusted.
    Untrusted,
    /// Promotions are shown, as in a home that an older version used.
    Promotions,
    /// Drawn into the scrollback, where the version has the choice.
    Inline,
    /// A file of the project; `{home}` in it is the home.
    Project(&'static str, String),
    /// A file of the home.
    Home(&'static str, String),
    /// A key of `.claude.json`; null removes it.
    State(&'static str, Value),
    /// An environment variable.
    Var(&'static str, &'static str),
    /// One of our variables left out.
    Without(&'static str),
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Keys are pressed.
    Press(Vec<u8>),
    /// The screen comes to match this expression (`^` and `$` are the ends of a row).
    Until {
        /// The expression.
        shown: String,
        /// And stays as it is.
        still: bool,
    },
    /// The model was asked something with this text in it.
    Asked(&'static str),
    /// A reply that is held goes on.
    Release(&'static str),
}

/// A case in a home in which nothing is asked, in the permission mode `default`.
pub(crate) fn case(case: &'static str) -> Scenario {
    Scenario {
        case,
        set: Vec::new(),
        arguments: vec!["--permission-mode", "default"],
        prompt: None,
        script: Script::new().title("Screens"),
        steps: Vec::new(),
        since: None,
        before: None,
    }
}

impl Scenario {
    /// Known from this version on.
    pub(crate) fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Not known any more in this version.
    pub(crate) fn before(mut self, version: &'static str) -> Self {
        self.before = Some(version);
        self
    }

    /// Whether `version` can show it.
    pub(crate) fn known_to(&self, version: &str) -> bool {
        let at_least = |bound: &str| number(version) >= number(bound);
        self.since.is_none_or(at_least) && !self.before.is_some_and(at_least)
    }

    /// Prepares something.
    pub(crate) fn set(mut self, set: Set) -> Self {
        self.set.push(set);
        self
    }

    /// A file of the project.
    pub(crate) fn project(self, path: &'static str, content: impl Into<String>) -> Self {
        self.set(Set::Project(path, content.into()))
    }

    /// A variable.
    pub(crate) fn var(self, name: &'static str, value: &'static str) -> Self {
        self.set(Set::Var(name, value))
    }

    /// A file of settings for the home.
    pub(crate) fn settings(self, settings: Value) -> Self {
        self.set(Set::Home(".claude/settings.json", settings.to_string()))
    }

    /// Other arguments than the usual.
    pub(crate) fn arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// Starts with this prompt, which the model answers so.
    pub(crate) fn asks(mut self, prompt: &'static str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.prompt = Some(prompt);
        self.answers(prompt, replies)
    }

    /// The model answers so to a prompt with this text.
    pub(crate) fn answers(mut self, on: &'static str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.script = self.script.on(on, replies);
        self
    }

    /// The model suggests this as the next prompt.
    pub(crate) fn suggests(mut self, prompt: &'static str) -> Self {
        self.script = self.script.suggestion(prompt);
        self
    }

    /// Waits for the input box.
    pub(crate) fn ready(self) -> Self {
        self.until(READY)
    }

    /// Presses keys.
    pub(crate) fn press(mut self, keys: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Press(keys.as_ref().to_vec()));
        self
    }

    /// Pastes text.
    pub(crate) fn paste(self, text: impl AsRef<str>) -> Self {
        self.press(keys::paste(text.as_ref()))
    }

    /// Types a line, waits until the box shows it, and presses Enter.
    pub(crate) fn enter(self, line: &'static str) -> Self {
        self.press(line).sees(regex::escape(line)).press(keys::ENTER)
    }

    /// Waits until the screen matches, and stays as it is.
    pub(crate) fn until(mut self, shown: impl Into<String>) -> Self {
        self.steps.push(Step::Until { shown: shown.into(), still: true });
        self
    }

    /// Waits until the screen matches; it may go on changing.
    pub(crate) fn sees(mut self, shown: impl Into<String>) -> Self {
        self.steps.push(Step::Until { shown: shown.into(), still: false });
        self
    }

    /// Waits until the model was asked.
    pub(crate) fn asked(mut self, text: &'static str) -> Self {
        self.steps.push(Step::Asked(text));
        self
    }

    /// Lets a held reply go on.
    pub(crate) fn release(mut self, name: &'static str) -> Self {
        self.steps.push(Step::Release(name));
        self
    }
}

/// A call of Bash.
pub(crate) fn bash(command: &str) -> Reply {
    Reply::tool("Bash", json!({ "command": command, "description": "Do it" }))
}

fn number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}
