//! Answering a dialog by keys: only for dialogs without a hook, only over exactly the dialog that was reported,
//! and by the option's text. The marker is moved one step at a time and looked at before Enter is pressed.

use std::time::Duration;

use tokio::time::Instant;

use super::timers::Timer;
use super::{Actor, ReplyTo};
use crate::claude::keys;
use crate::claude::screen::Dialog;
use crate::domain::{AskId, How, Source, Timestamp};
use crate::wire::{Refusal, RefusalCode};

/// How long one key may take to show.
const KEY_SHOWS: Duration = Duration::from_millis(700);
/// How long a dialog may take to close.
const CLOSES: Duration = Duration::from_secs(8);
/// When the last key is pressed again over a dialog that has stood there all the while. Claude Code swallows keys in a
/// dialog's first 0.2 s (2.1.330).
const AGAIN: Duration = Duration::from_secs(2);
/// How many keys are pressed at most; no dialog has so many options.
const MOST_KEYS: u32 = 40;

/// What to press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The option at this place.
    Option(usize),
    /// Escape.
    Escape,
}

/// An answer being pressed.
#[derive(Debug)]
pub(super) struct Keying {
    dialog: Dialog,
    choice: Choice,
    by: String,
    ask: Option<(AskId, How)>,
    reply: Option<ReplyTo>,
    keys: u32,
    /// When the last arrow was pressed, and where the marker stood.
    moved: Option<(Instant, Option<usize>)>,
    /// When the last key was pressed first.
    confirmed: Option<Instant>,
    confirmed_again: bool,
}

impl Keying {
    /// Whether the marker stands where the last key can be pressed.
    fn chosen(&self, marked: Option<usize>) -> bool {
        match self.choice {
            Choice::Escape => true,
            Choice::Option(wanted) => marked == Some(wanted),
        }
    }

    fn last_key(&self) -> &'static [u8] {
        match self.choice {
            Choice::Escape => keys::ESCAPE,
            Choice::Option(_) => keys::ENTER,
        }
    }
}

impl Actor {
    /// Starts to press an answer. `ask` is settled, and `reply` answered, when the dialog has closed.
    pub(super) fn press(
        &mut self,
        dialog: Dialog,
        choice: Choice,
        by: &str,
        ask: Option<(AskId, How)>,
        reply: Option<ReplyTo>,
    ) {
        let by = by.to_owned();
        self.keying = Some(Keying {
            dialog,
            choice,
            by,
            ask,
            reply,
            keys: 0,
            moved: None,
            confirmed: None,
            confirmed_again: false,
        });
        self.step_keying();
    }

    /// Moves the answer that is being pressed one step on.
    pub(super) fn step_keying(&mut self) {
        let Some(mut keying) = self.keying.take() else { return };
        self.read_screen();
        if !self.grid.whole() {
            self.keying = Some(keying);
            return;
        }
        let now = Instant::now();
        let shown = self.view.dialog().filter(|shown| shown.same_as(&keying.dialog));
        let marked = shown.map(|shown| shown.options.iter().position(|option| option.marked));
        match (marked, keying.confirmed) {
            (None, Some(_)) => return self.keyed(keying),
            (None, None) => {
                return self.not_keyed(keying, RefusalCode::AlreadyResolved, "the dialog is gone");
            }
            (Some(_), Some(at)) if now >= at + CLOSES => {
                return self.not_keyed(keying, RefusalCode::NotConfirmed, "the dialog did not close");
            }
            (Some(_), Some(at)) if now < at + AGAIN => self.timers.set_at(Timer::Keying, at + AGAIN),
            (Some(marked), Some(at)) => {
                if !std::mem::replace(&mut keying.confirmed_again, true) && keying.chosen(marked) {
                    self.pty.write(keying.last_key().to_vec(), None);
                }
                self.timers.set_at(Timer::Keying, at + CLOSES);
            }
            (Some(marked), None) => {
                let shows = keying.moved.is_none_or(|(at, from)| marked != from || now >= at + KEY_SHOWS);
                if keying.keys >= MOST_KEYS {
                    return self.not_keyed(
                        keying,
                        RefusalCode::NotConfirmed,
                        "the marker does not follow the keys",
                    );
                }
                if shows {
                    self.press_next(&mut keying, marked, now);
                }
            }
        }
        self.keying = Some(keying);
    }

    fn press_next(&mut self, keying: &mut Keying, marked: Option<usize>, now: Instant) {
        keying.keys += 1;
        let key = match (keying.choice, marked) {
            _ if keying.chosen(marked) => {
                keying.confirmed = Some(now);
                keying.last_key()
            }
            (Choice::Option(wanted), Some(marked)) if wanted < marked => keys::UP,
            (Choice::Option(_) | Choice::Escape, _) => keys::DOWN,
        };
        keying.moved = Some((now, marked));
        self.timers.set(Timer::Keying, if keying.confirmed.is_some() { AGAIN } else { KEY_SHOWS });
        self.pty.write(key.to_vec(), None);
    }

    /// The session ended: a key that was pressed did it.
    pub(super) fn finish_keying(&mut self) {
        if let Some(keying) = self.keying.take_if(|keying| keying.confirmed.is_some()) {
            self.keyed(keying);
        }
    }

    fn keyed(&mut self, keying: Keying) {
        let label = match keying.choice {
            Choice::Option(at) => keying.dialog.options.get(at).map(|option| option.label.clone()),
            Choice::Escape => Some("Esc".into()),
        };
        let what =
            format!("pressed `{}` in the dialog `{}`", label.as_deref().unwrap_or(""), keying.dialog.title);
        self.note(Source::Aegis, Timestamp::now(), what, None);
        let resolved = keying.ask.and_then(|(id, how)| self.resolve(id, &keying.by, how, label));
        if let (Some(to), Some(open)) = (keying.reply, resolved) {
            self.reply_answered(to, &open.ask);
        }
    }

    fn not_keyed(&mut self, keying: Keying, code: RefusalCode, why: &str) {
        self.note(Source::Aegis, Timestamp::now(), format!("an answer was not taken: {why}"), None);
        if let Some(to) = keying.reply {
            self.refuse(to, Refusal::new(code, why));
        }
    }
}
