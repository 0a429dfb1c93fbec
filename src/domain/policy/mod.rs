//! Rules that decide on a tool call before anybody is asked.
//!
//! The first rule that matches decides; where none does, somebody is asked as ever. A rule that allows matches only
//! what it can be seen to cover whole: every command of a shell line, every path of a call. A rule that denies or asks
//! matches as soon as any part is covered.

mod glob;
mod same;
mod shell;
mod subject;

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use subject::Subject;

pub use same::{Sameness, sameness};

/// The most rules of one policy: more than a person can follow.
pub const MOST_RULES: usize = 100;

/// The most paths of one rule.
const MOST_PATHS: usize = 50;

/// The longest tool name, pattern or path, in bytes.
const LONGEST_TEXT: usize = 1000;

/// Tools of which only the paths matter.
const FILE_TOOLS: &[&str] = &["Read", "Edit", "Write", "MultiEdit", "NotebookEdit", "LS"];

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Decision {
    /// The call runs; nobody is asked.
    Allow,
    /// The call is refused; Claude is told which rule did it.
    Deny,
    /// Somebody is asked, even where Claude Code would not ask.
    Ask,
}

/// One rule of a permission policy. All that it names must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct PolicyRule {
    /// The tool's name; `*` stands for any characters, as in `mcp__github__*`.
    pub tool: String,
    /// What the call must be, whole: a shell command, a URL, a query. `*` stands for any characters, `?` for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Directories or files that the call's paths must lie in; relative ones count from the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Only tools that change nothing (true), or only the others (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// What is decided.
    pub decision: Decision,
}

/// As a person reads it: `deny Bash(rm *)`.
impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self.decision {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::Ask => "ask",
        };
        write!(f, "{decision} {}", self.tool)?;
        if let Some(pattern) = &self.pattern {
            write!(f, "({pattern})")?;
        }
        if let Some(paths) = &self.paths {
            write!(f, " in {}", paths.join(", "))?;
        }
        match self.read_only {
            Some(true) => f.write_str(" if it only reads"),
            Some(false) => f.write_str(" if it changes something"),
            None => Ok(()),
        }
    }
}

/// A rule as one word of a command line: `Bash(git *)`, or a tool's name alone.
impl PolicyRule {
    /// Reads `TOOL` or `TOOL(PATTERN)`.
    #[must_use]
    pub fn read(text: &str, decision: Decision) -> Self {
        let split = text.split_once('(').and_then(|(tool, rest)| Some((tool, rest.strip_suffix(')')?)));
        let (tool, pattern) = split.map_or((text, None), |(tool, pattern)| (tool, Some(pattern.to_owned())));
        Self { tool: tool.trim().to_owned(), pattern, paths: None, read_only: None, decision }
    }

    /// Tells what is wrong with the rule, if anything.
    ///
    /// # Errors
    ///
    /// What is wrong, for a person.
    pub fn check(&self) -> Result<(), String> {
        let texts = [Some(&self.tool), self.pattern.as_ref()];
        for text in texts.into_iter().flatten().chain(self.paths.iter().flatten()) {
            if text.is_empty() || text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
                return Err(format!(
                    "each text of a rule has 1 to {LONGEST_TEXT} bytes and no control characters"
                ));
            }
        }
        if let (Some(pattern), true) = (&self.pattern, FILE_TOOLS.contains(&&*self.tool)) {
            return Err(format!("{} takes `paths`, not the pattern `{pattern}`", self.tool));
        }
        match &self.paths {
            Some(paths) if paths.is_empty() => Err("paths is empty; leave it out to mean any".into()),
            Some(paths) if paths.len() > MOST_PATHS => Err(format!("paths names more than {MOST_PATHS}")),
            _ => Ok(()),
        }
    }
}

/// Rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Policy {
    /// The first that matches decides.
    pub rules: Vec<PolicyRule>,
}

impl Policy {
    /// Tells what is wrong with the rules, if anything.
    ///
    /// # Errors
    ///
    /// What is wrong with which rule, for a person.
    pub fn check(&self) -> Result<(), String> {
        if self.rules.len() > MOST_RULES {
            return Err(format!("a policy has at most {MOST_RULES} rules"));
        }
        self.rules
            .iter()
            .enumerate()
            .try_for_each(|(at, rule)| rule.check().map_err(|what| format!("rule {}: {what}", at + 1)))
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// What a policy decided, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What.
    pub decision: Decision,
    /// The rule's place, from 1, and its text.
    pub rule: String,
}

impl Policy {
    /// Decides on a call of `tool` in `work_dir`. `real` gives a path with its symbolic links resolved as far as they
    /// exist. `None` if no rule matches.
    #[must_use]
    pub fn decide(
        &self,
        tool: &str,
        input: &Value,
        work_dir: &Path,
        real: impl Fn(&Path) -> std::path::PathBuf,
    ) -> Option<Verdict> {
        let subject = Subject::of(tool, input, work_dir, real);
        let at = self.rules.iter().position(|rule| subject.matches(rule))?;
        let rule = self.rules.get(at)?;
        Some(Verdict { decision: rule.decision, rule: format!("rule {}: {rule}", at + 1) })
    }

    /// The tools for which Claude Code must ask before each call, since a rule may deny what it would not ask about:
    /// names joined for its hook matcher. `None` if there is no such rule.
    #[must_use]
    pub fn guarded(&self) -> Option<String> {
        let mut tools: Vec<_> = self
            .rules
            .iter()
            .filter(|rule| rule.decision != Decision::Allow)
            .map(|rule| &*rule.tool)
            .collect();
        tools.sort_unstable();
        tools.dedup();
        let plain = |tool: &&str| tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        match tools.as_slice() {
            [] => None,
            names if names.iter().all(plain) => Some(names.join("|")),
            _ => Some("*".into()),
        }
    }
}

#[cfg(test)]
mod tests;
