//! Stopping a turn, pressing Escape, ending the session; and those who wait for something to come about.

use std::time::Duration;

use rustix::process::Signal as SystemSignal;
use tokio::time::Instant;

use super::timers::Timer;
use super::{Actor, ReplyTo};
use crate::claude::keys;
use crate::domain::{Action, EventData, Receipt, ReceiptId, ReceiptState, StatusWord};
use crate::holder::process::ProcessId;
use crate::wire::{Refusal, RefusalCode};

/// How long a turn may take to stop.
const STOPS: Duration = Duration::from_secs(10);
/// When Escape is pressed again, if the turn still runs. Sooner, the second could open the rewind menu.
const ESCAPE_AGAIN: Duration = Duration::from_secs(3);
/// How long Claude Code may take for `/exit`, and for SIGTERM (0.1 s, or 1.5 s with background shells, 2.1.197).
const EXITS: Duration = Duration::from_secs(3);

/// Somebody who waits.
#[derive(Debug)]
enum Wait {
    Receipt { id: ReceiptId, until: Instant, output: bool, to: ReplyTo },
    Stopped { until: Instant, to: ReplyTo },
}

/// Those who wait, and a turn that is being stopped.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waits: Vec<Wait>,
    stopping: Option<Stopping>,
    /// Answered when the session has ended.
    pub(super) ended: Vec<ReplyTo>,
}

#[derive(Debug)]
struct Stopping {
    since: Instant,
    pressed: Option<Instant>,
    presses: u32,
}

impl Waits {
    /// Whether a turn is being stopped.
    pub(super) fn stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether the screen matters to a stop.
    pub(super) fn for_stop(&self) -> bool {
        self.stopping()
    }
}

/// How far the session's end is.
#[derive(Debug)]
pub(super) struct Kill {
    pub(super) by: String,
    pub(super) steps: Vec<&'static str>,
    stage: KillStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KillStage {
    Asked,
    Terminated,
    Killed,
}

impl Actor {
    /// Waits for a receipt on a caller's behalf.
    pub(super) fn await_receipt(&mut self, to: ReplyTo, id: ReceiptId, timeout_ms: u64, output: bool) {
        if self.receipts.get(id).is_none() {
            return self.refuse(to, Refusal::new(RefusalCode::NoSuchReceipt, format!("no receipt {id}")));
        }
        let until = Instant::now() + Duration::from_millis(timeout_ms);
        self.waits.waits.push(Wait::Receipt { id, until, output, to });
    }

    /// Stops the turn. `to` is answered once it has stopped.
    pub(super) fn start_interrupt(&mut self, to: Option<ReplyTo>) {
        let now = Instant::now();
        if let Some(to) = to {
            self.waits.waits.push(Wait::Stopped { until: now + STOPS, to });
        }
        if self.waits.stopping.is_none() {
            self.waits.stopping = Some(Stopping { since: now, pressed: None, presses: 0 });
        }
        // Those that wait in hooks are told to end the turn; whatever still runs gets the key.
        let waiting: Vec<_> =
            self.asks.open().iter().filter(|open| open.hook.is_some()).map(|open| open.ask.id).collect();
        for id in waiting {
            self.deny_by_hook(id, "interrupt", "The user interrupted the turn.", true);
        }
        self.step_stop(now);
    }

    /// Presses Escape once.
    pub(super) fn press_escape(&mut self, by: &str) {
        self.emit(EventData::Action { action: Action::Escape, by: by.to_owned() });
        self.pty.write(keys::ESCAPE.to_vec(), None);
    }

    /// Moves a stop on, and answers those whose time or event has come.
    pub(super) fn step_waits(&mut self) {
        let now = Instant::now();
        self.step_stop(now);
        let mut left = Vec::new();
        let mut next = None;
        for wait in std::mem::take(&mut self.waits.waits) {
            match wait {
                Wait::Receipt { id, until, output, to } => {
                    let receipt = self.receipts.get(id);
                    let enough = |receipt: &Receipt| match output {
                        true => receipt.output.is_some() || receipt.state.settled(),
                        false => receipt.state >= ReceiptState::Submitted,
                    };
                    let done = receipt.is_none_or(enough)
                        || (!output && self.turn_runs && self.receipts.is_enqueued(id))
                        || now >= until;
                    if done {
                        let receipt = receipt.cloned();
                        self.reply(to, &receipt);
                        continue;
                    }
                    next = next.into_iter().chain([until]).min();
                    left.push(Wait::Receipt { id, until, output, to });
                }
                Wait::Stopped { until, to } => {
                    if self.waits.stopping.is_none() {
                        self.reply_snapshot(to);
                    } else if now >= until {
                        self.waits.stopping = None;
                        let what = format!("the turn did not stop within {} s", STOPS.as_secs());
                        self.refuse(to, Refusal::new(RefusalCode::NotConfirmed, what));
                    } else {
                        next = next.into_iter().chain([until]).min();
                        left.push(Wait::Stopped { until, to });
                    }
                }
            }
        }
        self.waits.waits.extend(left);
        if let Some(next) = next {
            self.timers.set_at(Timer::Waits, next);
        }
    }

    fn step_stop(&mut self, now: Instant) {
        let Some(stopping) = &self.waits.stopping else { return };
        let (since, pressed, presses) = (stopping.since, stopping.pressed, stopping.presses);
        let word = self.status.current().word();
        if !self.status.current().in_turn() && word != StatusWord::Starting {
            self.waits.stopping = None;
            return;
        }
        if now >= since + STOPS {
            self.waits.stopping = None;
            return;
        }
        // A prompt half delivered is finished first: Escape would clear or keep it, and nobody could tell which.
        // A prompt that is accepted but not typed has no turn to stop yet; the queue waits for the stop.
        if self.deliver.typing() {
            self.timers.ensure(Timer::Waits, Duration::from_millis(50));
            return;
        }
        let due = pressed.is_none_or(|at| now >= at + ESCAPE_AGAIN) && presses < 3;
        if due && self.keying.is_none() {
            self.pty.write(keys::ESCAPE.to_vec(), None);
            if let Some(stopping) = &mut self.waits.stopping {
                stopping.pressed = Some(now);
                stopping.presses += 1;
            }
            self.timers.set(Timer::Waits, ESCAPE_AGAIN);
        }
    }

    /// Starts to end the session. `to` is answered when it has ended.
    pub(super) fn start_kill(&mut self, force: bool, by: &str, to: Option<ReplyTo>) {
        self.waits.ended.extend(to);
        if self.kill.is_some() {
            if force {
                self.timers.set(Timer::Kill, Duration::ZERO);
            }
            return;
        }
        self.emit(EventData::Action { action: Action::Kill, by: by.to_owned() });
        self.record_tree();
        self.read_screen();
        let box_is_free =
            self.view.input().is_some_and(|input| input.text.trim().is_empty() && input.chips == 0);
        let polite = !force && self.status.current().takes_prompt() && box_is_free && !self.deliver.typing();
        let mut kill = Kill { by: by.to_owned(), steps: Vec::new(), stage: KillStage::Asked };
        if polite {
            kill.steps.push("/exit");
            self.pty.write(keys::paste("/exit"), None);
            self.pty.write(keys::ENTER.to_vec(), None);
            self.timers.set(Timer::Kill, EXITS);
        } else {
            self.timers.set(Timer::Kill, Duration::ZERO);
        }
        self.kill = Some(kill);
    }

    /// The last step did not end it in time.
    pub(super) fn advance_kill(&mut self) {
        let Some(kill) = &mut self.kill else { return };
        let (stage, step, signal) = match kill.stage {
            KillStage::Asked => (KillStage::Terminated, "SIGTERM", SystemSignal::TERM),
            KillStage::Terminated | KillStage::Killed => (KillStage::Killed, "SIGKILL", SystemSignal::KILL),
        };
        kill.stage = stage;
        kill.steps.push(step);
        if let Some(process) = ProcessId::of(self.pid) {
            process.signal(signal);
        }
        self.timers.set(Timer::Kill, EXITS);
        self.check_child();
    }
}
