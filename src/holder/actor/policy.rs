//! What the session's policy decides before anybody is asked.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::asks::{describe, hash, hook_ask};
use super::{Actor, ReplyTo};
use crate::claude::hook::{Agent, Before, ToolCall, allow, before_tool, deny};
use crate::domain::{
    Ask, AskKind, Decision, EventData, How, MOST_RULES, Policy, Resolution, Sameness, Source, Timestamp,
    Verdict, sameness,
};
use crate::wire::{Refusal, RefusalCode};

/// Who an ask was settled by that a rule decided.
pub(super) const BY: &str = "policy";

/// Calls that somebody approved for the session, oldest first. They end with it.
#[derive(Debug, Default)]
pub(super) struct Remembered(VecDeque<Rule>);

/// One of them.
#[derive(Debug)]
struct Rule {
    /// Of the tool and of what makes the call the same.
    hash: String,
    text: String,
}

/// What became of the session's rules since its launch.
#[derive(Debug)]
pub(super) struct Rules {
    /// The tools for which Claude Code asks before each call, as its settings file says. It never reads that again.
    guarded: Option<String>,
    /// Whether the rules are not those that the session was created with.
    pub(super) changed: bool,
}

impl Rules {
    pub(super) fn at_launch(policy: &Policy) -> Self {
        Self { guarded: policy.guarded(), changed: false }
    }

    /// Whether Claude Code asks wherever these rules may deny what it would not ask about.
    fn cover(&self, policy: &Policy) -> bool {
        match (policy.guarded().as_deref(), self.guarded.as_deref()) {
            (None, _) | (_, Some("*")) => true,
            (Some(_), None) | (Some("*"), _) => false,
            (Some(wanted), Some(had)) => wanted.split('|').all(|tool| had.split('|').any(|one| one == tool)),
        }
    }
}

impl Actor {
    /// Tells the rules, or puts others in their place if they can be kept.
    pub(super) fn on_policy(&mut self, to: ReplyTo, rules: Option<Policy>, by: &str) {
        if let Some(policy) = rules
            && policy != self.launch.spec.policy
        {
            if self.is_over() || self.kill.is_some() {
                return self.refuse(to, Refusal::new(RefusalCode::SessionEnded, "the session has ended"));
            }
            if !self.rules.cover(&policy) {
                let what = "these rules deny or ask about tools that Claude Code was not told to ask about when \
                            the session was launched, and it reads that only then";
                return self.refuse(to, Refusal::new(RefusalCode::Unsupported, what));
            }
            let what = format!("the permission policy was replaced by {by}: {} rules", policy.rules.len());
            self.note(Source::Aegis, Timestamp::now(), what, None);
            self.launch.spec.policy = policy;
            self.rules.changed = true;
        }
        let policy = self.launch.spec.policy.clone();
        self.reply(to, &policy);
    }

    /// What the policy says about a call. Questions and plans are for somebody, whatever the rules say.
    pub(super) fn verdict(&self, tool: &str, input: &Value) -> Option<Verdict> {
        self.launch.spec.policy.decide(tool, input, &self.launch.spec.directory(), real)
    }

    /// What the policy says about a call of Claude's, together with what was approved for the session: that counts before
    /// every rule but one that denies.
    fn verdict_on_call(&self, call: &ToolCall) -> Option<Verdict> {
        let verdict = self.verdict(&call.name, &call.input);
        if verdict.as_ref().is_some_and(|verdict| verdict.decision == Decision::Deny) {
            return verdict;
        }
        if self.remembered.0.is_empty() {
            return verdict;
        }
        let (hash, _) = self.sameness(call);
        let rule = self.remembered.0.iter().find(|rule| rule.hash == hash);
        rule.map_or(verdict, |rule| {
            let rule = format!("for the session: {}", rule.text);
            Some(Verdict { decision: Decision::Allow, rule })
        })
    }

    /// Allows the same call for the rest of the session; gives the rule as a person reads it.
    pub(super) fn remember(&mut self, call: &ToolCall) -> String {
        let (hash, text) = self.sameness(call);
        let rules = &mut self.remembered.0;
        rules.retain(|rule| rule.hash != hash);
        if rules.len() == MOST_RULES {
            // It is asked about once more, which harms nobody.
            rules.pop_front();
        }
        rules.push_back(Rule { hash, text: text.clone() });
        text
    }

    fn sameness(&self, call: &ToolCall) -> (String, String) {
        let Sameness { of, rule } = sameness(&call.name, &call.input, &self.launch.spec.directory(), real);
        (hash(&call.name, &of), rule)
    }

    /// Answers a permission hook if a rule decides. Returns whether it did.
    pub(super) fn decide_permission(&mut self, to: ReplyTo, call: &ToolCall, agent: Option<&Agent>) -> bool {
        if describe(call).0 != AskKind::Permission {
            return false;
        }
        let Some(Verdict { decision, rule }) = self.verdict_on_call(call) else { return false };
        match decision {
            Decision::Allow => {
                self.record(call, agent, How::Approved, BY, rule);
                self.reply_hook(to, allow(None));
            }
            Decision::Deny => {
                let told = refusal(&rule);
                self.record(call, agent, How::Rejected, BY, rule);
                self.reply_hook(to, deny(&told, false));
            }
            Decision::Ask => {
                self.note(Source::Aegis, Timestamp::now(), format!("policy, {rule}"), None);
                return false;
            }
        }
        true
    }

    /// Answers the hook before a tool call: only a refusal or a question is said here, since allowing would pass Claude
    /// Code's own rules by.
    pub(super) fn decide_before(&mut self, to: ReplyTo, call: &ToolCall, agent: Option<&Agent>) {
        let asked = describe(call).0 == AskKind::Permission;
        let verdict = self.verdict_on_call(call).filter(|_| asked);
        let stdout = match verdict {
            Some(Verdict { decision: Decision::Deny, rule }) => {
                let told = refusal(&rule);
                self.record(call, agent, How::Rejected, BY, rule);
                before_tool(Before::Deny, &told)
            }
            Some(Verdict { decision: Decision::Ask, rule }) => {
                before_tool(Before::Ask, &format!("Aegis's permission policy asks: {rule}"))
            }
            Some(Verdict { decision: Decision::Allow, .. }) | None => String::new(),
        };
        self.reply_hook(to, stdout);
    }

    /// Journals a decision, as an ask that was settled at once.
    pub(super) fn record(&mut self, call: &ToolCall, agent: Option<&Agent>, how: How, by: &str, why: String) {
        let ask = hook_ask(call, agent);
        let resolution = Resolution { by: by.to_owned(), how, at: ask.opened_at, detail: Some(why) };
        self.emit(EventData::AskResolved(Ask { resolution: Some(resolution), ..ask }));
    }
}

fn refusal(rule: &str) -> String {
    format!("Aegis's permission policy refuses this call ({rule}). Do it another way, or tell the user.")
}

/// The path with its symbolic links resolved as far as it exists.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|known| Some((fs::canonicalize(known).ok()?, known)));
    match known.and_then(|(real, known)| Some((real, path.strip_prefix(known).ok()?))) {
        Some((real, rest)) if rest.as_os_str().is_empty() => real,
        Some((real, rest)) => real.join(rest),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::PolicyRule;

    fn policy(rules: &[(&str, Decision)]) -> Policy {
        Policy { rules: rules.iter().map(|(tool, decision)| PolicyRule::read(tool, *decision)).collect() }
    }

    #[rstest]
    #[case::allowing_needs_nothing(&[], &[("Bash", Decision::Allow)], true)]
    #[case::denying_needs_the_hook(&[], &[("Bash", Decision::Deny)], false)]
    #[case::of_the_same_tool(&[("Bash", Decision::Ask)], &[("Bash(rm *)", Decision::Deny)], true)]
    #[case::of_one_of_them(&[("Bash", Decision::Ask), ("Read", Decision::Deny)], &[("Read", Decision::Ask)], true)]
    #[case::of_another(&[("Bash", Decision::Ask)], &[("Read", Decision::Deny)], false)]
    #[case::of_all(&[("Bash", Decision::Ask)], &[("*", Decision::Deny)], false)]
    #[case::under_all(&[("mcp__*", Decision::Ask)], &[("*", Decision::Deny)], true)]
    fn rules_are_taken_that_claude_code_can_be_held_to(
        #[case] launched: &[(&str, Decision)],
        #[case] wanted: &[(&str, Decision)],
        #[case] covered: bool,
    ) {
        assert_eq!(Rules::at_launch(&policy(launched)).cover(&policy(wanted)), covered);
    }
}
