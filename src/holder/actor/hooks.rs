//! What the hooks say.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::timers::Timer;
use super::{Actor, ReplyTo};
use crate::claude::hook::{HookCall, HookEvent, ToolCall};
use crate::claude::live::Activity;
use crate::claude::prompt;
use crate::domain::{
    ErrorKind, How, Limit, Outcome, ReceiptId, ReceiptState, Signal, Source, Timestamp, TurnError, same,
};
use crate::wire::{HookReply, Refusal, RefusalCode};

/// How long a reply may wait for what comes before it in the turn and the transcript still lacks. Claude Code writes
/// it within 0.2 s, on a machine that is busy with other things within seconds.
const LAGS_AT_MOST: Duration = Duration::from_secs(5);

/// How long after a Stop the live file may still say busy before it is believed: a Stop hook of the user's own may
/// have sent Claude on.
const STILL_BUSY: Duration = Duration::from_millis(1500);

/// How long after the live file says idle a turn's own Stop may come, in milliseconds; it takes 10 (2.1.330), and the
/// reply stands in the transcript 100 ms later.
const STOP_FOLLOWS_MS: u64 = 400;

/// A turn's end that waits for the transcript.
#[derive(Debug)]
pub(in crate::holder) struct HeldStop {
    reply: Option<String>,
    /// When its hook was started.
    called: Option<u64>,
    /// Whether a turn ran until just now that this could be the end of.
    ends_a_turn: bool,
}

impl Actor {
    /// Takes a hook event.
    pub(super) fn on_hook(&mut self, to: ReplyTo, secret: &str, event: &str, payload: Value) {
        if !same(secret, &self.secret) {
            self.refuse(to, Refusal::new(RefusalCode::Forbidden, "the hook's secret is wrong"));
            return;
        }
        let now = Timestamp::now();
        let call = HookCall::read(event, payload);
        if call.agent.is_none() {
            self.follow_conversation(&call);
            if let Some(mode) = call.permission_mode {
                self.permission_mode = mode;
            }
        }
        self.alive(now);
        let agent = call.agent.clone();
        let mut waits = false;
        match call.event {
            HookEvent::PermissionRequest(call) => {
                self.signal(Source::Hook, now, &Signal::TurnStarted, "hook PermissionRequest");
                if self.decide_permission(to, &call, agent.as_ref()) {
                    return;
                }
                self.read_files();
                if agent.is_none() {
                    self.conversation.call_told(&call.name, &call.input);
                }
                self.open_hook_ask(to, call, agent);
                waits = true;
            }
            HookEvent::PreToolUse(call) => {
                self.signal(Source::Hook, now, &Signal::Activity, format!("hook PreToolUse: {}", call.name));
                return self.decide_before(to, &call, agent.as_ref());
            }
            HookEvent::SessionStart { source, model } => {
                if let Some(model) = model {
                    self.conversation.runs(model);
                }
                self.note(Source::Hook, now, format!("hook SessionStart: {source}"), None);
            }
            HookEvent::SessionEnd { reason } => {
                self.note(Source::Hook, now, format!("hook SessionEnd: {reason}"), None);
            }
            HookEvent::UserPromptSubmit { prompt, prompt_id } => self.on_prompt(now, &prompt, prompt_id),
            HookEvent::PostToolUse { call, failed } => self.on_tool(now, &call, failed, agent.is_some()),
            HookEvent::Stop { prompt_id, .. } if self.was_over(prompt_id.as_deref()) => {
                self.note(Source::Hook, now, "hook Stop, of a turn that was over before", Some(false));
            }
            HookEvent::Stop { last_message, background, .. } => self.on_stop(now, last_message, background),
            HookEvent::StopFailure { kind, message } => self.on_failure(now, kind, message),
            HookEvent::Notification { kind, message } => {
                self.note(Source::Hook, now, format!("hook Notification: {kind}: {message}"), None);
            }
            HookEvent::SubagentStop => {
                self.conversation.read_agents();
                self.signal(Source::Hook, now, &Signal::Activity, "hook SubagentStop");
            }
            HookEvent::PreCompact => {
                self.signal(Source::Hook, now, &Signal::Activity, format!("hook {event}"));
            }
            HookEvent::Elicitation { message } => {
                self.note(Source::Hook, now, format!("hook Elicitation: {message}"), None);
                self.view.expect_dialog(true);
            }
            HookEvent::ElicitationResult => self.view.expect_dialog(false),
            HookEvent::Other(name) => self.note(Source::Hook, now, format!("hook {name}"), None),
        }
        if !waits {
            self.reply_hook(to, String::new());
        }
    }

    /// Answers a waiting hook.
    pub(super) fn reply_hook(&mut self, to: ReplyTo, stdout: String) {
        self.reply(to, &HookReply { stdout });
    }

    /// Claude Code took a prompt.
    fn on_prompt(&mut self, now: Timestamp, text: &str, prompt_id: Option<String>) {
        // A stop still held belongs to the turn before.
        self.release_stop();
        self.read_files();
        let during_a_turn = self.turn_runs;
        if self.is_over_already(text, prompt_id.as_deref(), now) {
            self.note(Source::Hook, now, "hook UserPromptSubmit, after its turn", Some(false));
            return;
        }
        self.signal(Source::Hook, now, &Signal::TurnStarted, "hook UserPromptSubmit");
        self.turn_runs = true;
        self.prompt_id.clone_from(&prompt_id);
        self.interrupted = false;
        if let Some(id) = self.conversation.prompt_told(text, prompt_id, now) {
            self.announce_message(id);
        }
        let taken = |typed: &str| prompt::same(typed, text);
        if let Some(id) = self.receipt_proved(taken, now, "hook UserPromptSubmit") {
            if during_a_turn {
                // 2.1.330 tells a prompt when it joins its own queue; its turn comes later.
                self.receipts.mark_enqueued(id);
            } else {
                self.receipts.unqueue(id);
            }
        }
    }

    /// Whether a prompt that is told now had its whole turn already: the transcript has it, nobody waits for it, and
    /// Claude Code is idle.
    fn is_over_already(&self, text: &str, prompt_id: Option<&str>, now: Timestamp) -> bool {
        let same = |typed: &str| prompt::same(typed, text);
        !self.turn_runs
            && self.idle_for(0)
            && prompt_id.is_some_and(|id| self.conversation.knows_prompt(id))
            && self.receipts.open_like(same, now).is_none()
            && self.receipts.enqueued_like(same, now).is_none()
    }

    /// Whether the turn of this prompt ended, as something else than its hook told, before the turn that runs now. On a
    /// busy machine a hook's process takes seconds to start.
    fn was_over(&self, prompt_id: Option<&str>) -> bool {
        let over = self.over_unsaid.as_deref();
        prompt_id.is_some() && over == prompt_id && self.prompt_id.as_deref() != prompt_id
    }

    /// A tool ended: a sign of life, and the end of its ask.
    fn on_tool(&mut self, now: Timestamp, call: &ToolCall, failed: bool, in_subagent: bool) {
        let what = format!("hook PostToolUse{}: {}", if failed { "Failure" } else { "" }, call.name);
        self.signal(Source::Hook, now, &Signal::Activity, what);
        self.read_files();
        // What subagents do stands in files of their own.
        if let (Some(id), false) = (&call.tool_use_id, in_subagent) {
            self.conversation.result_told(id);
        }
        self.match_asks();
        let same_id = |ask: &Option<String>| ask.is_some() && *ask == call.tool_use_id;
        self.settle_in_terminal(
            |open| {
                same_id(&open.ask.tool_use_id)
                    || (open.ask.tool_use_id.is_none()
                        && open.call.as_ref().is_some_and(|c| c.name == call.name && c.input == call.input))
            },
            How::Approved,
        );
    }

    fn on_stop(&mut self, now: Timestamp, reply: Option<String>, background: Vec<String>) {
        self.read_files();
        let goes_on = background.iter().any(|kind| kind != "shell");
        self.background = background;
        if goes_on {
            let what = format!("hook Stop, but background work goes on: {}", self.background.join(", "));
            self.note(Source::Hook, now, what, Some(false));
            if let Some(text) = reply
                && let Some(id) = self.conversation.reply_told(&text, false, now)
            {
                self.announce_message(id);
            }
            return;
        }
        let ends_a_turn = self.turn_runs && !self.idle_for(STOP_FOLLOWS_MS);
        self.turn_runs = false;
        self.stopped_at = Some(now);
        self.held_stop = Some(HeldStop { reply, called: self.hook_called, ends_a_turn });
        if self.lags() {
            self.timers.set(Timer::HeldStop, LAGS_AT_MOST);
        } else {
            self.release_stop();
        }
    }

    /// Whether the live file has said idle for so many milliseconds.
    fn idle_for(&self, millis: u64) -> bool {
        let Some(live) = &self.live else { return false };
        let idle = matches!(live.activity, Some(Activity::Idle | Activity::Shell));
        idle && live.since.is_some_and(|since| Timestamp::now().millis_since(since) >= millis)
    }

    /// Whether something of the turn that comes before its last words is still to be told, a prompt that was entered
    /// too.
    pub(super) fn lags(&self) -> bool {
        self.conversation.lags() || self.deliver.entered() || self.receipts.shell_lags()
    }

    /// Announces a held end of a turn.
    pub(super) fn release_stop(&mut self) {
        let Some(HeldStop { reply, called, ends_a_turn }) = self.held_stop.take() else { return };
        let other = std::mem::replace(&mut self.hook_called, called);
        self.timers.clear(Timer::HeldStop);
        let now = Timestamp::now();
        self.read_files();
        self.conversation.turn_over();
        if let Some(text) = reply
            // One that comes long after its turn says again what the transcript has told since.
            && (ends_a_turn || !self.conversation.has_said(&text))
            && let Some(id) = self.conversation.reply_told(&text, false, now)
        {
            self.announce_message(id);
        }
        self.withdraw(|open| open.agent.is_none() && open.hook.is_some(), "the turn ended");
        self.end_turn(Source::Hook, now, Outcome::Completed, "hook Stop");
        self.hook_called = other;
        self.timers.set(Timer::Live, STILL_BUSY);
    }

    /// Settles receipts and status at a turn's end. With prompts still in Claude Code's own queue the session goes
    /// on with those.
    pub(super) fn end_turn(&mut self, source: Source, at: Timestamp, outcome: Outcome, what: &str) {
        if !self.status.admits(source, at) {
            self.note(source, at, what, Some(false));
            return;
        }
        self.turn_runs = false;
        if outcome == Outcome::Interrupted {
            self.wait_for_box();
        }
        self.finish_receipts(outcome, at, what);
        if self.receipts.any_on_the_way() {
            self.note(source, at, format!("{what}; the next prompt is on its way"), Some(false));
            self.timers.set(Timer::Live, STILL_BUSY);
        } else {
            if source != Source::Hook {
                self.over_unsaid.clone_from(&self.prompt_id);
            }
            self.signal(source, at, &Signal::TurnEnded, what);
        }
    }

    fn on_failure(&mut self, now: Timestamp, kind: ErrorKind, message: String) {
        self.held_stop = None;
        self.turn_runs = false;
        self.stopped_at = Some(now);
        self.read_files();
        self.conversation.turn_over();
        if let Some(id) = self.conversation.reply_told(&message, true, now) {
            self.announce_message(id);
        }
        self.fail_turn(Source::Hook, now, kind, message, "hook StopFailure");
    }

    /// Ends the turn with a failure.
    pub(super) fn fail_turn(
        &mut self,
        source: Source,
        at: Timestamp,
        kind: ErrorKind,
        message: String,
        what: &str,
    ) {
        let what = format!("{what}: {message}");
        let signal = if kind == ErrorKind::RateLimit {
            self.wait_for_menu();
            let resets_at = crate::claude::limit::resets_at(&message, at);
            Signal::LimitReached(Limit { resets_at, message })
        } else {
            Signal::TurnFailed(TurnError { kind, message })
        };
        if self.signal(source, at, &signal, what.clone()) {
            self.finish_receipts(Outcome::Failed, at, &what);
        }
    }

    fn follow_conversation(&mut self, call: &HookCall) {
        let Some(id) = call.conversation_id else { return };
        let spec = &self.launch.spec;
        let current = self.conversation.chain().last().copied();
        if let (true, None, Some(original), Some(path)) =
            (spec.fork, current, spec.resume, &call.transcript_path)
        {
            // Both files stand in the same directory; the hook names the one or the other (2.1.197, 2.1.330).
            let original = Path::new(path).with_file_name(format!("{original}.jsonl"));
            self.conversation.read_original(original, Timestamp::now());
        }
        let reason = match &call.event {
            // A fork's start still names the conversation it was copied from (2.1.197).
            HookEvent::SessionStart { .. } if spec.fork && Some(id) == spec.resume && current.is_none() => {
                return;
            }
            HookEvent::SessionStart { source, .. } => source.clone(),
            HookEvent::SessionEnd { .. } => return,
            _ if current.is_none() => if spec.fork { "fork" } else { "startup" }.to_owned(),
            _ if current == Some(id) => String::new(),
            // Only a start rebinds; anything else that names another conversation is not ours.
            _ => return,
        };
        let path = call.transcript_path.clone().map(Into::into);
        if self.conversation.bind(id, path) {
            self.files.watch_transcript(self.conversation.path());
            if !reason.is_empty() {
                self.emit(crate::domain::EventData::Conversation {
                    conversation_id: id,
                    reason,
                    transcript_path: call.transcript_path.clone(),
                });
            }
            // What stands in it already, such as the history of a resumed one, is no change that anybody tells.
            self.read_files();
        }
    }

    /// Marks the receipt of a prompt that Claude Code says it took.
    pub(super) fn receipt_proved(
        &mut self,
        taken: impl Fn(&str) -> bool,
        at: Timestamp,
        evidence: &str,
    ) -> Option<ReceiptId> {
        let id = self.receipts.open_like(taken, at)?;
        self.advance(id, ReceiptState::Submitted, at, evidence);
        self.delivered(id);
        Some(id)
    }

    /// A prompt stands in the conversation: it is proved, and if it was queued its turn is running, or over.
    pub(super) fn prompt_stands(&mut self, text: &str, at: Timestamp, evidence: &str) {
        let same = |typed: &str| prompt::same(typed, text);
        let queued = self.receipts.enqueued_like(same, at);
        self.receipt_proved(same, at, evidence);
        if let Some(id) = queued.filter(|id| self.receipts.unqueue(*id))
            && let Some(stopped) = self.stopped_at.filter(|stopped| *stopped >= at)
        {
            self.note(
                Source::Transcript,
                at,
                format!("{evidence}; its turn ended before this was seen"),
                None,
            );
            self.advance(id, ReceiptState::Submitted, at, evidence);
            self.end_turn(
                Source::Hook,
                stopped.max(self.status.settled_at()),
                Outcome::Completed,
                "hook Stop",
            );
        }
    }
}
