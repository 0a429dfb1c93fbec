//! Slash commands and shell lines: typed on a caller's word, and proved by what Claude Code writes down of them.

use std::time::Duration;

use serde_json::json;

use super::deliver::refused_as;
use super::timers::Timer;
use super::{Actor, ReplyTo};
use crate::claude::command::{self, NotTypable};
use crate::claude::hook::ToolCall;
use crate::claude::prompt;
use crate::domain::{
    Decision, Delivery, EventData, How, Outcome, ReceiptId, ReceiptState, Source, Timestamp, Verdict,
    WhenBusy,
};
use crate::wire::{Refusal, RefusalCode};

/// The tool whose rules a shell line is held against.
const SHELL: &str = "Bash";

/// How much of a shell line's output a receipt tells, in characters: as much as Claude Code tells its model.
const OUTPUT_TOLD: usize = 30_000;

/// When the live file is asked whether a command is over that leaves nothing else behind.
pub(super) const COMMAND_SETTLES: Duration = Duration::from_millis(1500);

/// How many names of commands are remembered for lines that come late.
const COMMANDS_KEPT: usize = 8;

impl Actor {
    /// Takes a slash command or a shell line.
    pub(super) fn on_type(
        &mut self,
        to: ReplyTo,
        delivery: Delivery,
        text: &str,
        key: Option<String>,
        by: &str,
    ) {
        let limit = self.launch.max_prompt_bytes;
        let typed = match delivery {
            Delivery::Shell => command::shell(text, limit),
            Delivery::Command | Delivery::Argument | Delivery::Paste | Delivery::Answer => {
                command::slash(text, limit)
            }
        };
        let typed = match typed {
            Ok(typed) => typed,
            Err(error) => return self.refuse(to, Refusal::new(refusal_of(&error), error.to_string())),
        };
        if self.reply_known(to, key.as_deref(), &typed) {
            return;
        }
        if self.kill.is_some() {
            return self.refuse(to, Refusal::new(RefusalCode::SessionEnded, "the session is being ended"));
        }
        if !self.asks.open().is_empty() {
            return self.refuse(to, self.blocked());
        }
        if delivery == Delivery::Shell
            && let Err(refusal) = self.admit_shell(&typed, by)
        {
            return self.refuse(to, refusal);
        }
        let name = first_word(&typed).filter(|_| delivery == Delivery::Command).map(str::to_owned);
        match self.accept_typed(delivery, typed.clone(), typed, key, WhenBusy::Queue) {
            Ok(receipt) => {
                self.commands.extend(name);
                if self.commands.len() > COMMANDS_KEPT {
                    self.commands.pop_front();
                }
                self.reply(to, &receipt);
            }
            Err(refusal) => self.refuse(to, refusal),
        }
    }

    /// Holds a shell line against the policy, since Claude Code runs it unasked, and journals it.
    fn admit_shell(&mut self, typed: &str, by: &str) -> Result<(), Refusal> {
        let line = typed.strip_prefix('!').unwrap_or(typed);
        let call = ToolCall { name: SHELL.into(), input: json!({ "command": line }), tool_use_id: None };
        match self.verdict(&call.name, &call.input) {
            Some(Verdict { decision: Decision::Deny | Decision::Ask, rule }) => {
                let what = format!("the permission policy does not let this run unasked ({rule})");
                self.record(&call, None, How::Rejected, super::policy::BY, rule);
                Err(Refusal::new(RefusalCode::PolicyRefused, what))
            }
            Some(Verdict { decision: Decision::Allow, rule }) => {
                self.record(&call, None, How::Approved, by, rule);
                Ok(())
            }
            None => {
                self.record(&call, None, How::Approved, by, "a shell line sent as such".into());
                Ok(())
            }
        }
    }

    /// Enter was pressed over a command or shell line and the box is empty, or a dialog of the command stands there.
    pub(super) fn typed_was_taken(&mut self, id: ReceiptId, what: &str) {
        self.advance(id, ReceiptState::Submitted, Timestamp::now(), what);
        self.delivered(id);
        // Many a command leaves nothing that tells its end.
        self.timers.set(Timer::Live, COMMAND_SETTLES);
    }

    /// Whether a command was taken just now, and its effect may still be on its way to the screen.
    pub(super) fn command_settles(&self) -> bool {
        let settles = u64::try_from(COMMAND_SETTLES.as_millis()).unwrap_or_default();
        let now = Timestamp::now();
        self.receipts.latest(1).iter().any(|receipt| {
            receipt.delivery == Delivery::Command
                && receipt.state == ReceiptState::Submitted
                && receipt.steps.last().is_some_and(|step| now.millis_since(step.at) + 50 < settles)
        })
    }

    /// The transcript tells that Claude Code ran a command, or knows none of that name.
    pub(super) fn command_ran(&mut self, at: Timestamp, name: &str, known: bool) {
        let evidence =
            format!("transcript: {name} {}", if known { "was run" } else { "is an unknown command" });
        let this = self.receipts.oldest_of(Delivery::Command, at).filter(|id| {
            let is_this = self.receipts.typed(*id).and_then(first_word) == Some(name);
            // An alias is told by another name, and the line may come after the next command was typed.
            is_this || !self.commands.iter().any(|earlier| earlier == name)
        });
        let Some(id) = this else { return self.note(Source::Transcript, at, evidence, None) };
        self.advance(id, ReceiptState::Submitted, at, evidence.clone());
        self.delivered(id);
        if self.turn_runs || self.receipts.any_on_the_way() {
            return;
        }
        let now = Timestamp::now();
        let outcome = if known { Outcome::Completed } else { Outcome::Failed };
        self.end_turn(Source::Transcript, now, outcome, &evidence);
        self.timers.set(Timer::Live, COMMAND_SETTLES);
    }

    /// The transcript has a shell line.
    pub(super) fn shell_ran(&mut self, at: Timestamp, line: &str) {
        let typed = format!("!{line}");
        let same = |other: &str| prompt::same(other, &typed);
        self.shell_at_hand = self.receipts.shell_like(same, at);
        match self.shell_at_hand {
            Some(id) => {
                self.advance(id, ReceiptState::Submitted, at, "transcript: the shell line");
                self.delivered(id);
            }
            None => self.note(Source::Transcript, at, "transcript: a shell line", None),
        }
    }

    /// The transcript has the output of the shell line before.
    pub(super) fn shell_said(&mut self, output: &str) {
        let Some(id) = self.shell_at_hand.take() else { return };
        let mut told: String = output.chars().take(OUTPUT_TOLD).collect();
        if told.len() < output.len() {
            told.push_str("\n[cut; the transcript has it whole]");
        }
        if let Some(receipt) = self.receipts.set_output(id, told) {
            self.emit(EventData::Receipt(receipt));
        }
    }

    /// Whether the screen says that Claude Code does not know the command of this receipt. The transcript says so too,
    /// but 2.1.330 writes that only with the next prompt.
    pub(super) fn shows_unknown_command(&self, id: ReceiptId) -> bool {
        let command = self.receipts.get(id).is_some_and(|receipt| receipt.delivery == Delivery::Command);
        let typed = self.receipts.typed(id).filter(|_| command);
        let name = typed.and_then(first_word);
        name.is_some_and(|name| {
            let screen = self.grid.screen();
            (0..screen.rows.len()).any(|row| command::says_unknown(screen.row_text(row), name))
        })
    }
}

fn first_word(typed: &str) -> Option<&str> {
    typed.split_whitespace().next()
}

fn refusal_of(error: &NotTypable) -> RefusalCode {
    match error {
        NotTypable::Unsendable(unsendable) => refused_as(unsendable),
        NotTypable::NoName(_) | NotTypable::Lines | NotTypable::ManyLines | NotTypable::Backslash => {
            RefusalCode::PromptRefused
        }
    }
}
