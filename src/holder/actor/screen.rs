//! What the screen shows, looked at only while something depends on it.

use std::time::Duration;

use tokio::time::Instant;

use super::Actor;
use super::keying::Choice;
use super::timers::Timer;
use crate::claude::live::Activity;
use crate::claude::screen::{self, Dialog, DialogKind, InputBox, Reading};
use crate::domain::{AskKind, AskVia, How, Signal, Source, StatusWord, Timestamp};

/// How long a dialog must stand before it counts: a frame of an animation is not a dialog.
const STEADY: Duration = Duration::from_millis(150);
/// How long a dialog that has a hook may stand without it. The hook fires 50 ms before the dialog is drawn
/// (2.1.197); after an answer the dialog is gone within 0.2 s.
const HOOK_DUE: Duration = Duration::from_millis(2000);
/// How long after a hook was answered its dialog may still be drawn, or stand: on a busy machine 2.1.330 was seen to
/// draw it only after the answer.
const ANSWER_SHOWS: Duration = Duration::from_secs(10);
/// How long the input box must stand, where no live file says that Claude Code is ready.
const BOX_STEADY: Duration = Duration::from_millis(1500);

/// The newest reading of the screen, and since when it shows what it shows.
#[derive(Debug, Default)]
pub(super) struct View {
    reading: Option<Reading>,
    /// Whether the screen changed since the reading.
    stale: bool,
    dialog_since: Option<Instant>,
    box_since: Option<Instant>,
    expected: bool,
    ready_since: Option<Instant>,
}

impl View {
    /// The screen changed.
    pub(super) fn changed(&mut self) {
        self.stale = true;
    }

    pub(super) fn dialog(&self) -> Option<&Dialog> {
        self.reading.as_ref()?.dialog.as_ref()
    }

    pub(super) fn input(&self) -> Option<&InputBox> {
        let reading = self.reading.as_ref()?;
        if reading.dialog.is_some() { None } else { reading.input.as_ref() }
    }

    /// Something that only the screen shows is open, or closed again.
    pub(super) fn expect_dialog(&mut self, expected: bool) {
        self.expected = expected;
    }

    /// Since when Claude Code takes prompts.
    pub(super) fn ready_since(&self) -> Option<Instant> {
        self.ready_since
    }
}

impl Actor {
    /// The child printed.
    pub(super) fn on_output(&mut self, bytes: &[u8]) {
        let answers = self.grid.feed(bytes);
        if !answers.is_empty() {
            self.pty.write(answers, None);
        }
        self.view.changed();
        self.show(bytes);
        self.watch_files();
    }

    /// Claude Code takes prompts from now on.
    pub(super) fn ready(&mut self) {
        if self.view.ready_since.is_none() {
            self.view.ready_since = Some(Instant::now());
        }
    }

    /// Looks at the screen if anything depends on it.
    pub(super) fn look(&mut self) {
        if !self.depends_on_screen() {
            return;
        }
        self.read_screen();
        self.weigh_screen();
    }

    fn depends_on_screen(&self) -> bool {
        let waiting =
            || matches!(&self.live, Some(live) if matches!(live.activity, Some(Activity::Waiting(_))));
        matches!(
            self.status.current().word(),
            StatusWord::Starting | StatusWord::Unknown | StatusWord::PermissionPrompt | StatusWord::Asking
        ) || self.deliver.busy()
            || self.keying.is_some()
            || self.waits.for_stop()
            || self.view.expected
            || self.live.is_none()
            || waiting()
            || self.view.dialog().is_some()
    }

    /// Reads the screen if it is whole and has changed.
    pub(super) fn read_screen(&mut self) {
        if !self.view.stale || !self.grid.whole() {
            return;
        }
        let reading = screen::read(&self.grid.screen());
        let now = Instant::now();
        let same = match (self.view.dialog(), &reading.dialog) {
            (Some(old), Some(new)) => old.same_as(new),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.view.dialog_since = reading.dialog.as_ref().map(|_| now);
        }
        self.view.box_since = match (&reading.input, &reading.dialog) {
            (Some(_), None) => self.view.box_since.or(Some(now)),
            _ => None,
        };
        self.view.reading = Some(reading);
        self.view.stale = false;
    }

    fn weigh_screen(&mut self) {
        let now = Instant::now();
        self.close_gone_dialogs();
        if let (Some(dialog), Some(since)) = (self.view.dialog().cloned(), self.view.dialog_since) {
            let due = match self.asks.hook_answered() {
                Some(answered) if has_hook(&dialog) => (since + HOOK_DUE).max(answered + ANSWER_SHOWS),
                None if has_hook(&dialog) => since + HOOK_DUE,
                Some(_) | None => since + STEADY,
            };
            if now < due {
                self.timers.set_at(Timer::Screen, due);
            } else {
                self.on_dialog(dialog);
            }
        } else if let Some(since) = self.view.box_since
            && matches!(self.status.current().word(), StatusWord::Starting | StatusWord::Unknown)
        {
            let due = since + BOX_STEADY;
            if now < due {
                self.timers.set_at(Timer::Screen, due);
            } else if self.live.as_ref().is_none_or(|live| live.activity == Some(Activity::Idle)) {
                if self.receipts.any_on_the_way() {
                    return self.ready();
                }
                self.signal(Source::Screen, Timestamp::now(), &Signal::Ready, "screen: the input box");
                self.ready();
            }
        }
    }

    /// A dialog stands: dismiss it if it is known to be harmless, trust it if the configuration does, else ask.
    fn on_dialog(&mut self, dialog: Dialog) {
        if self.keying.is_some() {
            return;
        }
        if let Some(option) = dialog.harmless() {
            let what =
                format!("screen rule {}: dismissed with `{}`", dialog.rule, dialog.options[option].label);
            self.note(Source::Screen, Timestamp::now(), what, None);
            self.press(dialog, Choice::Option(option), "aegis", None, None);
            return;
        }
        // While a hook waits, its dialog is that hook's.
        if has_hook(&dialog) && self.asks.any_by_hook() {
            return;
        }
        let known =
            |open: &super::asks::OpenAsk| open.dialog.as_ref().is_some_and(|other| other.same_as(&dialog));
        if self.asks.open().iter().any(known) {
            return;
        }
        let kind = match dialog.kind {
            DialogKind::Permission => AskKind::Permission,
            DialogKind::Plan => AskKind::Plan,
            DialogKind::Question => AskKind::Question,
            DialogKind::Trust => AskKind::Trust,
            DialogKind::Other => AskKind::Dialog,
        };
        let yes = dialog.consent();
        let id = self.open_screen_ask(kind, dialog.clone());
        if kind == AskKind::Trust
            && self.launch.spec.trusted
            && let Some(option) = yes
        {
            let trusted = Some((id, How::Approved));
            self.press(dialog, Choice::Option(option), "config", trusted, None);
        }
    }

    /// Closes asks whose dialog is not on the screen any more: somebody answered in the terminal.
    fn close_gone_dialogs(&mut self) {
        if self.view.stale || self.keying.is_some() {
            return;
        }
        let Some(open) = self.asks.by_screen() else { return };
        let still = match (&open.dialog, self.view.dialog()) {
            (Some(asked), Some(shown)) => asked.same_as(shown),
            _ => false,
        };
        if !still {
            let id = open.ask.id;
            self.settle_in_terminal(|open| open.ask.id == id && open.ask.via == AskVia::Screen, How::Settled);
        }
    }
}

/// Whether a permission hook fires for such a dialog.
fn has_hook(dialog: &Dialog) -> bool {
    matches!(dialog.kind, DialogKind::Permission | DialogKind::Plan | DialogKind::Question)
}
