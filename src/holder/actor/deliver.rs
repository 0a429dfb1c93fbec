//! Putting a prompt in and proving that it was taken.
//!
//! One prompt at a time: pasted as a whole, Enter apart and only when the box shows it and no dialog stands, then
//! the proof awaited: a hook, or the transcript. Enter is pressed again only over our own text; the body is never
//! typed twice.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Actor;
use super::menu::{Menu, Next, Shows};
use super::shown::{is_empty, shows};
use super::timers::Timer;
use crate::claude::command::menu_is_open;
use crate::claude::live::Activity;
use crate::claude::{keys, prompt};
use crate::domain::{
    Delivery, Receipt, ReceiptId, ReceiptState, SessionId, Signal, Source, Timestamp, WhenBusy,
};
use crate::fault;
use crate::holder::launch::FirstPrompt;
use crate::wire::{Refusal, RefusalCode};

/// Claude Code swallows Enter in its first moments (2.1.197: at 0 s one of two, from 0.05 s on none of twelve).
const READY_MARGIN: Duration = Duration::from_millis(120);
/// How long the box may take to show a paste, and more for each MiB of it.
const SHOWS: Duration = Duration::from_secs(3);
const SHOWS_PER_MIB: Duration = Duration::from_secs(10);
/// When Enter is pressed again, counted from the first time, as long as the box still shows our text.
const AGAIN: [Duration; 2] = [Duration::from_millis(1500), Duration::from_secs(21)];
/// When a prompt that was entered counts as uncertain. A UserPromptSubmit hook of the user's own may take 30 s.
const PROOF_DUE: Duration = Duration::from_secs(45);
/// How long a key on the box may take to show.
const BOX_CHANGES: Duration = Duration::from_millis(1500);
/// An interrupt before the first word of an answer puts the prompt back into the box, within some 100 ms.
const PUT_BACK: Duration = Duration::from_millis(400);
/// A subscription's limit brings a menu of its own, 0.7 s after the failure is told (2.1.197).
const MENU_COMES: Duration = Duration::from_millis(2000);
/// How long Claude Code may say busy after its Stop hook, in milliseconds, before that means another turn.
const SETTLES_MS: u64 = 1000;
/// Two Escapes clear the box; closer together they are taken as one (2.1.197: 0.4 s apart).
const BETWEEN_ESCAPES: Duration = Duration::from_millis(400);

/// A prompt that waits to be typed.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) id: ReceiptId,
    pub(super) typed: String,
}

/// How far the prompt at hand is.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Rest,
    /// What an interrupt left of our own text is being cleared.
    Clearing { since: Instant, again: bool },
    /// Somebody's draft is being put aside.
    Stashing { since: Instant },
    /// The terminal is taking the bytes.
    Writing { prompt: Outgoing, token: u64 },
    /// The box should show it.
    Showing { prompt: Outgoing, since: Instant },
    /// A menu under the box is being closed: Enter would take its choice.
    Closing { prompt: Outgoing, menu: Menu },
    /// Enter was pressed.
    Entered { prompt: Outgoing, since: Instant, again: usize },
}

/// The prompts on their way.
#[derive(Debug, Default)]
pub(super) struct Deliver {
    queue: VecDeque<Outgoing>,
    stage: Stage,
    tokens: u64,
    /// Nothing is typed before this.
    not_before: Option<Instant>,
    /// The last prompt that was taken: an early interrupt puts it back into the box.
    last: Option<String>,
}

impl Deliver {
    /// Whether the screen matters to a delivery.
    pub(super) fn busy(&self) -> bool {
        !self.queue.is_empty() || self.typing()
    }

    /// Whether keys of others would get into our text.
    pub(super) fn typing(&self) -> bool {
        !matches!(self.stage, Stage::Rest)
    }

    /// Whether a prompt was entered and nothing says yet that it was taken.
    pub(super) fn entered(&self) -> bool {
        matches!(self.stage, Stage::Entered { .. })
    }

    fn at_hand(&self) -> Option<ReceiptId> {
        match &self.stage {
            Stage::Writing { prompt, .. }
            | Stage::Showing { prompt, .. }
            | Stage::Closing { prompt, .. }
            | Stage::Entered { prompt, .. } => Some(prompt.id),
            Stage::Rest | Stage::Clearing { .. } | Stage::Stashing { .. } => None,
        }
    }
}

impl Actor {
    /// Takes the prompt that the session was created with.
    pub(super) fn accept_first(&mut self, first: FirstPrompt, now: Timestamp) {
        let FirstPrompt { text, mut receipt, as_argument } = first;
        let Ok(typed) = prompt::typed(&text, self.launch.max_prompt_bytes) else { return };
        let id = receipt.id;
        receipt.delivery = if as_argument { Delivery::Argument } else { Delivery::Paste };
        self.receipts.add(receipt.clone(), &text, typed.clone());
        self.emit(crate::domain::EventData::Receipt(receipt));
        if as_argument {
            self.deliver.last = Some(typed);
            self.advance(id, ReceiptState::Written, now, "given as an argument at launch");
        } else {
            self.deliver.queue.push_back(Outgoing { id, typed });
        }
    }

    /// Stores a prompt and puts it in line. Nothing was written when it is refused.
    pub(super) fn accept(
        &mut self,
        text: &str,
        key: Option<String>,
        when_busy: WhenBusy,
    ) -> Result<Receipt, Refusal> {
        let typed = prompt::typed(text, self.launch.max_prompt_bytes)
            .map_err(|unsendable| Refusal::new(refused_as(&unsendable), unsendable.to_string()))?;
        self.accept_typed(Delivery::Paste, text.to_owned(), typed, key, when_busy)
    }

    /// Stores what is to be typed and puts it in line. Nothing was written when it is refused.
    pub(super) fn accept_typed(
        &mut self,
        delivery: Delivery,
        text: String,
        typed: String,
        key: Option<String>,
        when_busy: WhenBusy,
    ) -> Result<Receipt, Refusal> {
        let busy = self.status.current().in_turn() || self.receipts.any_on_the_way();
        if busy && when_busy == WhenBusy::Refuse {
            return Err(Refusal::new(RefusalCode::SessionBusy, "a turn is running"));
        }
        let now = Timestamp::now();
        let session: SessionId = self.launch.spec.id;
        let mut receipt = Receipt::new(session, key, delivery, text.len(), now);
        if !self.emit(crate::domain::EventData::Receipt(receipt.clone())) {
            let what =
                format!("the journal cannot be written: {}", self.events.failing().unwrap_or("unknown"));
            receipt.reach(ReceiptState::Refused, now, what.clone());
            self.emit(crate::domain::EventData::Receipt(receipt));
            return Err(Refusal::new(RefusalCode::StorageFailed, what));
        }
        fault::point("holder.queued");
        self.receipts.add(receipt.clone(), &text, typed.clone());
        self.deliver.queue.push_back(Outgoing { id: receipt.id, typed });
        if self.status.current().takes_prompt() {
            self.signal(Source::Aegis, now, &Signal::TurnStarted, "a prompt was accepted");
        }
        if busy && when_busy == WhenBusy::Interrupt {
            self.start_interrupt(None);
        }
        Ok(receipt)
    }

    /// The turn was interrupted: nothing is typed until the box shows what that put back.
    pub(super) fn wait_for_box(&mut self) {
        self.deliver.not_before = Some(Instant::now() + PUT_BACK);
    }

    /// A limit was reached: its menu comes by itself, and would swallow what is typed just then.
    pub(super) fn wait_for_menu(&mut self) {
        self.deliver.not_before = Some(Instant::now() + MENU_COMES);
    }

    /// The terminal took the bytes.
    pub(super) fn on_written(&mut self, token: u64) {
        if let Stage::Writing { token: wanted, .. } = &self.deliver.stage
            && *wanted == token
            && let Stage::Writing { prompt, .. } = std::mem::take(&mut self.deliver.stage)
        {
            self.deliver.stage = Stage::Showing { prompt, since: Instant::now() };
        }
    }

    /// Claude Code says that it took this prompt.
    pub(super) fn delivered(&mut self, id: ReceiptId) {
        if self.deliver.at_hand() != Some(id) {
            return;
        }
        self.timers.clear(Timer::Deliver);
        if let Stage::Writing { prompt, .. }
        | Stage::Showing { prompt, .. }
        | Stage::Closing { prompt, .. }
        | Stage::Entered { prompt, .. } = std::mem::take(&mut self.deliver.stage)
        {
            self.deliver.last = Some(prompt.typed);
        }
        self.pass_held_keys();
    }

    /// Claude Code put a prompt into its own queue: it is out of our hands, but not proved yet.
    pub(super) fn enqueued(&mut self, like: impl Fn(&str) -> bool, at: Timestamp) {
        if let Some(id) = self.receipts.open_like(like, at) {
            self.receipts.mark_enqueued(id);
            self.delivered(id);
        }
    }

    /// Moves the prompt at hand one step on.
    pub(super) fn step_delivery(&mut self) {
        if !self.deliver.busy() || self.kill.is_some() || self.keying.is_some() {
            return;
        }
        self.read_screen();
        if !self.grid.whole() {
            return;
        }
        let now = Instant::now();
        match std::mem::take(&mut self.deliver.stage) {
            Stage::Rest => self.deliver.stage = self.begin_delivery(now),
            Stage::Clearing { since, again } => self.deliver.stage = self.go_on_clearing(now, since, again),
            Stage::Stashing { since } => self.deliver.stage = self.go_on_stashing(now, since),
            Stage::Writing { prompt, token } => self.deliver.stage = Stage::Writing { prompt, token },
            Stage::Showing { prompt, since } => self.deliver.stage = self.go_on_showing(now, prompt, since),
            Stage::Closing { prompt, menu } => self.deliver.stage = self.go_on_closing(now, prompt, menu),
            Stage::Entered { prompt, since, again } => {
                self.deliver.stage = self.go_on_entered(now, prompt, since, again);
            }
        }
        if !self.deliver.typing() {
            self.pass_held_keys();
        }
    }

    fn begin_delivery(&mut self, now: Instant) -> Stage {
        if !self.asks.open().is_empty() || self.waits.stopping() || !self.grid.bracketed_paste() {
            return Stage::Rest;
        }
        let Some(ready) = self.view.ready_since() else { return Stage::Rest };
        let due = self.deliver.not_before.map_or(ready + READY_MARGIN, |at| at.max(ready + READY_MARGIN));
        if now < due {
            self.timers.set_at(Timer::Deliver, due);
            return Stage::Rest;
        }
        if !self.may_be_typed(now) {
            return Stage::Rest;
        }
        let Some(input) = self.view.input() else { return Stage::Rest };
        if !is_empty(input) {
            let ours = self.deliver.last.as_ref().is_some_and(|last| shows(input, last));
            if !ours && input.stashed {
                // A second draft would push the first out of its place, and it would be lost (2.1.330).
                self.refuse_next("somebody typed into the input box, and another draft is put aside already");
                return Stage::Rest;
            }
            let key = if ours { keys::ESCAPE } else { keys::STASH };
            self.pty.write(key.to_vec(), None);
            self.timers.set(Timer::Deliver, if ours { BETWEEN_ESCAPES } else { BOX_CHANGES });
            return if ours {
                Stage::Clearing { since: now, again: false }
            } else {
                Stage::Stashing { since: now }
            };
        }
        let Some(prompt) = self.deliver.queue.pop_front() else { return Stage::Rest };
        self.deliver.tokens += 1;
        let token = self.deliver.tokens;
        // Noted first: a crash from here on must leave doubt, not a prompt that looks unsent.
        self.advance(prompt.id, ReceiptState::Written, Timestamp::now(), "pasted into the input box");
        self.pty.write(keys::paste(&prompt.typed), Some(token));
        Stage::Writing { prompt, token }
    }

    /// Whether the next prompt may be typed while Claude Code does what it does now.
    ///
    /// Just after a turn's end it is still busy for some 0.1 s and would queue the prompt. And its queue takes text
    /// for a command that the box does not (2.1.197), so such a text waits for the turn's end here.
    fn may_be_typed(&mut self, now: Instant) -> bool {
        let busy = self.live.as_ref().is_some_and(|live| live.activity == Some(Activity::Busy));
        let next = self.deliver.queue.front();
        let like_a_command = next.is_some_and(|next| next.typed.trim_start().starts_with(['/', '!']));
        if like_a_command && (busy || self.turn_runs) {
            return false;
        }
        let since_stop = self.stopped_at.map(|at| Timestamp::now().millis_since(at));
        let settling = busy && !self.turn_runs && since_stop.is_some_and(|millis| millis < SETTLES_MS);
        if settling {
            self.timers.set_at(Timer::Deliver, now + Duration::from_millis(SETTLES_MS));
        }
        !settling
    }

    fn go_on_clearing(&mut self, now: Instant, since: Instant, again: bool) -> Stage {
        if self.view.input().is_some_and(is_empty) {
            return Stage::Rest;
        }
        if !again && now >= since + BETWEEN_ESCAPES {
            self.pty.write(keys::ESCAPE.to_vec(), None);
            self.timers.set(Timer::Deliver, BOX_CHANGES);
            return Stage::Clearing { since: now, again: true };
        }
        if again && now >= since + BOX_CHANGES {
            self.refuse_next("what an interrupt left in the input box could not be cleared");
            return Stage::Rest;
        }
        Stage::Clearing { since, again }
    }

    fn go_on_stashing(&mut self, now: Instant, since: Instant) -> Stage {
        if self.view.input().is_some_and(is_empty) {
            self.note(Source::Aegis, Timestamp::now(), "a draft in the input box was put aside", None);
            return Stage::Rest;
        }
        if now >= since + BOX_CHANGES {
            self.refuse_next("somebody typed into the input box, and it could not be put aside");
            return Stage::Rest;
        }
        Stage::Stashing { since }
    }

    fn go_on_showing(&mut self, now: Instant, prompt: Outgoing, since: Instant) -> Stage {
        if self.view.dialog().is_some() {
            // The dialog swallowed the paste, or stands over it; which of the two shows when it is gone.
            return Stage::Showing { prompt, since: now };
        }
        let mib = u32::try_from(prompt.typed.len() >> 20).unwrap_or(0) + 1;
        let due = since + SHOWS + SHOWS_PER_MIB * mib;
        let shown = self.view.input().is_some_and(|input| !is_empty(input));
        if !shown && now < due {
            self.timers.set_at(Timer::Deliver, due);
            return Stage::Showing { prompt, since };
        }
        if !shown && self.view.input().is_some() {
            self.advance(
                prompt.id,
                ReceiptState::Uncertain,
                Timestamp::now(),
                "the input box never showed it",
            );
            self.doubt();
            return Stage::Rest;
        }
        if shown && !self.view.input().is_some_and(|input| self.shows_as_meant(input, &prompt)) {
            if now < due {
                self.timers.set_at(Timer::Deliver, due);
                return Stage::Showing { prompt, since };
            }
            let what = "the input box holds other text as well; Enter was not pressed";
            self.advance(prompt.id, ReceiptState::Uncertain, Timestamp::now(), what);
            self.doubt();
            return Stage::Rest;
        }
        if self.delivery_of(prompt.id) == Some(Delivery::Command) {
            return self.go_on_closing(now, prompt, Menu::new(now));
        }
        self.enter(now, prompt)
    }

    fn go_on_closing(&mut self, now: Instant, prompt: Outgoing, mut menu: Menu) -> Stage {
        let ours = self.view.input().is_some_and(|input| self.shows_as_meant(input, &prompt));
        let shows = match ours {
            true if menu_is_open(&self.grid.screen()) => Shows::Menu,
            true => Shows::Text,
            false => Shows::Other,
        };
        let at = match menu.next(now, shows) {
            Next::Closed => return self.enter(now, prompt),
            Next::Stuck => {
                let what = "a menu under the input box did not close; Enter was not pressed";
                self.advance(prompt.id, ReceiptState::Uncertain, Timestamp::now(), what);
                self.doubt();
                return Stage::Rest;
            }
            Next::Escape(at) => {
                self.pty.write(keys::ESCAPE.to_vec(), None);
                at
            }
            Next::Wait(at) => at,
        };
        self.timers.set_at(Timer::Deliver, at);
        Stage::Closing { prompt, menu }
    }

    fn enter(&mut self, now: Instant, prompt: Outgoing) -> Stage {
        self.pty.write(keys::ENTER.to_vec(), None);
        fault::point("holder.entered");
        self.timers.set(Timer::Deliver, AGAIN[0]);
        Stage::Entered { prompt, since: now, again: 0 }
    }

    fn go_on_entered(&mut self, now: Instant, prompt: Outgoing, since: Instant, again: usize) -> Stage {
        if matches!(self.delivery_of(prompt.id), Some(Delivery::Command | Delivery::Shell)) {
            // Nothing else tells of every command: some only open a dialog, some only print.
            let dialog = self.view.dialog().is_some();
            if dialog || self.view.input().is_some_and(is_empty) {
                let what =
                    if dialog { "screen: a dialog opened" } else { "screen: the input box is empty again" };
                self.typed_was_taken(prompt.id, what);
                return Stage::Rest;
            }
        }
        let ours = self.view.input().is_some_and(|input| self.shows_as_meant(input, &prompt));
        if let Some(after) = AGAIN.get(again)
            && now >= since + *after
        {
            if ours {
                self.note(Source::Aegis, Timestamp::now(), "Enter was not taken; pressed again", None);
                self.pty.write(keys::ENTER.to_vec(), None);
            }
            return self.go_on_entered(now, prompt, since, again + 1);
        }
        if now >= since + PROOF_DUE {
            let what = if ours { "Enter was not taken" } else { "nothing says that it was taken" };
            self.advance(prompt.id, ReceiptState::Uncertain, Timestamp::now(), what);
            self.doubt();
            return Stage::Rest;
        }
        let next = AGAIN.get(again).copied().unwrap_or(PROOF_DUE);
        self.timers.set_at(Timer::Deliver, since + next);
        // While a turn runs an empty box means that Claude Code has queued it; its proof comes with the turn.
        let queued = self.status.current().in_turn() && self.receipts.is_enqueued(prompt.id);
        if queued { Stage::Rest } else { Stage::Entered { prompt, since, again } }
    }

    fn refuse_next(&mut self, why: &str) {
        if let Some(prompt) = self.deliver.queue.pop_front() {
            self.advance(prompt.id, ReceiptState::Refused, Timestamp::now(), why);
            self.doubt();
        }
    }

    /// A prompt did not arrive: what the status rests on must be looked at again.
    fn doubt(&mut self) {
        self.timers.set(Timer::Live, Duration::from_millis(1));
    }

    /// Gives up what was not typed yet, when the session ends.
    pub(super) fn drop_deliveries(&mut self, at: Timestamp) {
        self.deliver.queue.clear();
        self.deliver.stage = Stage::Rest;
        for id in self.receipts.pending() {
            let untouched =
                self.receipts.get(id).is_some_and(|receipt| receipt.state == ReceiptState::Queued);
            let state = if untouched { ReceiptState::Refused } else { ReceiptState::Uncertain };
            self.advance(id, state, at, "the session ended");
        }
    }

    /// Written prompts that nothing proves although nothing runs any more are uncertain.
    pub(super) fn doubt_written(&mut self, older_than: Duration) {
        let now = Timestamp::now();
        let limit = u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX);
        let at_hand = self.deliver.at_hand();
        for id in self.receipts.pending() {
            let old = self.receipts.get(id).is_some_and(|receipt| {
                receipt.state != ReceiptState::Queued
                    && receipt.steps.last().is_some_and(|step| now.millis_since(step.at) > limit)
            });
            if old && at_hand != Some(id) {
                self.advance(id, ReceiptState::Uncertain, now, "nothing says that it was taken");
            }
        }
    }
}

/// The code for a text that cannot be typed.
pub(super) fn refused_as(unsendable: &prompt::Unsendable) -> RefusalCode {
    match unsendable {
        prompt::Unsendable::TooLong { .. } => RefusalCode::PromptTooLarge,
        prompt::Unsendable::Blank | prompt::Unsendable::Control { .. } => RefusalCode::PromptRefused,
    }
}
