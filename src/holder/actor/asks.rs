//! What waits for an answer.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::timers::Timer;
use super::{Actor, ReplyTo};
use crate::claude::hook::{Agent, ToolCall};
use crate::claude::live::{Activity, Live};
use crate::claude::screen::{Dialog, DialogKind};
use crate::domain::{
    Ask, AskId, AskKind, AskVia, Attention, EventData, How, Resolution, Signal, Source, Timestamp,
};

/// How many answered asks are remembered, so that a second answer learns who gave the first.
const RESOLVED_KEPT: usize = 200;

/// How long after Claude Code says that nothing waits an ask may still be on its way to the screen or closing.
const SETTLE: Duration = Duration::from_millis(400);

/// An open ask and how its answer travels.
#[derive(Debug)]
pub(super) struct OpenAsk {
    pub(super) ask: Ask,
    /// The hook that waits for the decision.
    pub(super) hook: Option<ReplyTo>,
    pub(super) call: Option<ToolCall>,
    pub(super) agent: Option<Agent>,
    /// What the screen shows, for asks that came from there.
    pub(super) dialog: Option<Dialog>,
}

/// All asks.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: Vec<OpenAsk>,
    resolved: VecDeque<Ask>,
    /// When a waiting hook was answered last.
    hook_answered: Option<Instant>,
}

impl Asks {
    pub(super) fn open(&self) -> &[OpenAsk] {
        &self.open
    }

    pub(super) fn find(&self, id: AskId) -> Option<&OpenAsk> {
        self.open.iter().find(|open| open.ask.id == id)
    }

    pub(super) fn find_mut(&mut self, id: AskId) -> Option<&mut OpenAsk> {
        self.open.iter_mut().find(|open| open.ask.id == id)
    }

    pub(super) fn resolved(&self, id: AskId) -> Option<&Ask> {
        self.resolved.iter().find(|ask| ask.id == id)
    }

    /// The open asks as others see them.
    pub(super) fn list(&self) -> Vec<Ask> {
        self.open.iter().map(|open| open.ask.clone()).collect()
    }

    pub(super) fn any_by_hook(&self) -> bool {
        self.open.iter().any(|open| open.ask.via == AskVia::Hook)
    }

    pub(super) fn by_screen(&self) -> Option<&OpenAsk> {
        self.open.iter().find(|open| open.ask.via == AskVia::Screen)
    }

    /// When a waiting hook was answered last.
    pub(super) fn hook_answered(&self) -> Option<Instant> {
        self.hook_answered
    }

    fn attention(&self) -> Attention {
        if self.open.is_empty() {
            Attention::None
        } else if self.open.iter().all(|open| open.ask.kind == AskKind::Question) {
            Attention::Question
        } else {
            Attention::Permission
        }
    }
}

/// SHA-256 (hex) over what is asked.
pub(super) fn hash(tool: &str, input: &Value) -> String {
    let mut digest = Sha256::new();
    digest.update(tool.as_bytes());
    digest.update([0]);
    digest.update(input.to_string().as_bytes());
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a hook asks about a call, now.
pub(super) fn hook_ask(call: &ToolCall, agent: Option<&Agent>) -> Ask {
    let (kind, title, options) = describe(call);
    Ask {
        id: AskId::mint(),
        kind,
        tool: Some(call.name.clone()),
        input_hash: hash(&call.name, &call.input),
        title,
        options,
        opened_at: Timestamp::now(),
        via: AskVia::Hook,
        agent: agent.map(|agent| agent.kind.clone()),
        tool_use_id: call.tool_use_id.clone(),
        input: Some(call.input.clone()),
        resolution: None,
    }
}

impl Actor {
    /// Opens an ask for a permission hook that waits.
    pub(super) fn open_hook_ask(&mut self, to: ReplyTo, call: ToolCall, agent: Option<Agent>) {
        let ask = Ask {
            tool_use_id: self.conversation.open_call(&call.name, &call.input),
            ..hook_ask(&call, agent.as_ref())
        };
        let what = format!("hook PermissionRequest: {}", ask.title);
        self.open_ask(
            OpenAsk { ask, hook: Some(to), call: Some(call), agent, dialog: None },
            Source::Hook,
            what,
        );
        if let Some(after) = self.launch.deny_after_ms {
            self.timers.ensure(Timer::Deny, Duration::from_millis(after));
        }
    }

    /// Opens an ask for a dialog that only the screen shows.
    pub(super) fn open_screen_ask(&mut self, kind: AskKind, dialog: Dialog) -> AskId {
        let options: Vec<_> = dialog.options.iter().map(|option| option.label.clone()).collect();
        let asked = Value::from(options.clone());
        let id = AskId::mint();
        let ask = Ask {
            id,
            kind,
            tool: None,
            input: Some(serde_json::json!({ "title": dialog.title, "body": dialog.body })),
            input_hash: hash(&dialog.title, &asked),
            title: dialog.title.clone(),
            options,
            opened_at: Timestamp::now(),
            via: AskVia::Screen,
            agent: None,
            tool_use_id: None,
            resolution: None,
        };
        let what = format!("screen rule {}: {}", dialog.rule, ask.title);
        let open = OpenAsk { ask, hook: None, call: None, agent: None, dialog: Some(dialog) };
        self.open_ask(open, Source::Screen, what);
        id
    }

    fn open_ask(&mut self, open: OpenAsk, source: Source, what: String) {
        let ask = open.ask.clone();
        self.asks.open.push(open);
        self.emit(EventData::AskOpened(ask));
        // What is asked is asked: the rank of the source does not matter for that.
        self.asks_changed(source, what);
    }

    /// Settles an ask once. Returns it as resolved, or `None` if it is not open any more.
    pub(super) fn resolve(
        &mut self,
        id: AskId,
        by: &str,
        how: How,
        detail: Option<String>,
    ) -> Option<OpenAsk> {
        let at = self.asks.open.iter().position(|open| open.ask.id == id)?;
        let mut open = self.asks.open.remove(at);
        if open.hook.is_some() {
            self.asks.hook_answered = Some(Instant::now());
        }
        open.ask.resolution = Some(Resolution { by: by.to_owned(), how, at: Timestamp::now(), detail });
        if self.asks.resolved.len() == RESOLVED_KEPT {
            self.asks.resolved.pop_front();
        }
        self.asks.resolved.push_back(open.ask.clone());
        self.emit(EventData::AskResolved(open.ask.clone()));
        let source = if by == "terminal" { Source::Screen } else { Source::Aegis };
        self.asks_changed(source, format!("an ask was settled by {by}: {}", open.ask.title));
        if let Some(to) = open.hook
            && by == "terminal"
        {
            // Whatever the hook would say now, Claude Code does not listen any more.
            self.reply_hook(to, String::new());
        }
        Some(open)
    }

    fn asks_changed(&mut self, source: Source, what: String) {
        let attention = self.asks.attention();
        // Asks are opened and closed by their own evidence; what else was said about the turn is not newer.
        let at = Timestamp::now();
        self.signal(source, at, &Signal::Asks(attention), what);
    }

    /// Settles asks that were answered in the terminal.
    pub(super) fn settle_in_terminal(&mut self, which: impl Fn(&OpenAsk) -> bool, how: How) {
        let ids: Vec<_> = self.asks.open.iter().filter(|open| which(open)).map(|open| open.ask.id).collect();
        let settled = !ids.is_empty();
        for id in ids {
            self.resolve(id, "terminal", how, None);
        }
        let idle = |live: &Live| matches!(live.activity, Some(Activity::Idle | Activity::Shell));
        if settled && self.live.as_ref().is_some_and(idle) {
            // What it said while the ask was still open counts now.
            self.weigh_live();
        }
    }

    /// Withdraws asks whose turn is over.
    pub(super) fn withdraw(&mut self, which: impl Fn(&OpenAsk) -> bool, why: &str) {
        let ids: Vec<_> = self.asks.open.iter().filter(|open| which(open)).map(|open| open.ask.id).collect();
        for id in ids {
            if let Some(open) = self.resolve(id, "terminal", How::Withdrawn, Some(why.to_owned()))
                && let Some(to) = open.hook
            {
                self.reply_hook(to, String::new());
            }
        }
    }

    /// Matches asks to the transcript's tool calls as they become known.
    pub(super) fn match_asks(&mut self) {
        for open in &mut self.asks.open {
            if let (None, Some(call)) = (&open.ask.tool_use_id, &open.call) {
                open.ask.tool_use_id = self.conversation.open_call(&call.name, &call.input);
            }
        }
    }

    /// Claude Code says that nothing waits any more. It is believed a moment later, if it still says so and the
    /// screen shows no dialog.
    pub(super) fn doubt_asks(&mut self) {
        if !self.asks.open.is_empty() {
            self.timers.set(Timer::Asks, SETTLE);
        }
    }

    pub(super) fn recheck_asks(&mut self) {
        let Some(live) = self.live.clone() else { return };
        let (Some(activity), Some(since)) = (live.activity, live.since) else { return };
        if matches!(activity, Activity::Waiting(_)) {
            return;
        }
        self.read_screen();
        if !self.grid.whole() || self.view.dialog().is_some() {
            self.timers.set(Timer::Asks, SETTLE);
            return;
        }
        let how = if activity == Activity::Busy { How::Settled } else { How::Withdrawn };
        self.settle_in_terminal(|open| open.ask.via == AskVia::Hook && open.ask.opened_at < since, how);
    }

    /// The hook of an ask is gone without an answer from us: Esc in the terminal, or its time ran out. If the dialog
    /// still stands it is answered by keys from now on.
    pub(super) fn on_hook_gone(&mut self, id: AskId) {
        self.read_screen();
        let shown = self.view.dialog().cloned();
        let only = self.asks.open.len() == 1;
        let Some(open) = self.asks.find_mut(id) else { return };
        open.hook = None;
        match shown {
            Some(dialog) if only && dialog.kind != DialogKind::Other => {
                open.ask.via = AskVia::Screen;
                open.dialog = Some(dialog);
            }
            _ => {
                self.settle_in_terminal(|open| open.ask.id == id, How::Rejected);
            }
        }
    }

    /// Denies permissions that nobody answered in time, where the configuration says so.
    pub(super) fn deny_overdue(&mut self) {
        let Some(after) = self.launch.deny_after_ms else { return };
        let now = Timestamp::now();
        let overdue = |open: &&OpenAsk| open.hook.is_some() && now.millis_since(open.ask.opened_at) >= after;
        let ids: Vec<_> = self.asks.open.iter().filter(overdue).map(|open| open.ask.id).collect();
        for id in ids {
            self.deny_by_hook(id, "config", crate::domain::NOBODY_ANSWERED, false);
        }
        if let Some(oldest) =
            self.asks.open.iter().filter(|open| open.hook.is_some()).map(|o| o.ask.opened_at).min()
        {
            let left = after.saturating_sub(now.millis_since(oldest)).max(1);
            self.timers.set(Timer::Deny, Duration::from_millis(left));
        }
    }
}

/// What kind of answer a tool call wants, its title, and its choices.
pub(super) fn describe(call: &ToolCall) -> (AskKind, String, Vec<String>) {
    let input = &call.input;
    match call.name.as_str() {
        "AskUserQuestion" => {
            let first = &input["questions"][0];
            let labels = first["options"].as_array().into_iter().flatten();
            let options = labels.filter_map(|option| option["label"].as_str().map(str::to_owned)).collect();
            let title = first["question"].as_str().unwrap_or("Claude asks a question").to_owned();
            (AskKind::Question, title, options)
        }
        "ExitPlanMode" => (AskKind::Plan, "Claude has a plan and asks to carry it out".into(), yes_no()),
        name => {
            let main =
                ["command", "file_path", "notebook_path", "url", "query", "pattern", "path", "description"]
                    .iter()
                    .find_map(|key| input[*key].as_str());
            let title = main.map_or_else(|| name.to_owned(), |main| format!("{name}: {main}"));
            (AskKind::Permission, title, yes_no())
        }
    }
}

fn yes_no() -> Vec<String> {
    vec!["Yes".into(), "No".into()]
}
