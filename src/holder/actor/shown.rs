//! What the input box shows of a text that was typed.

use unicode_normalization::UnicodeNormalization as _;

use super::Actor;
use super::deliver::Outgoing;
use crate::claude::screen::InputBox;
use crate::domain::{Delivery, ReceiptId};

impl Actor {
    /// Whether the box shows the text, and as what it is meant.
    pub(super) fn shows_as_meant(&self, input: &InputBox, prompt: &Outgoing) -> bool {
        let delivery = self.delivery_of(prompt.id);
        let same = match delivery {
            Some(Delivery::Command) => shows_command(input, &prompt.typed),
            _ => shows(input, &prompt.typed),
        };
        same && input.shell == (delivery == Some(Delivery::Shell))
    }

    pub(super) fn delivery_of(&self, id: ReceiptId) -> Option<Delivery> {
        self.receipts.get(id).map(|receipt| receipt.delivery)
    }
}

pub(super) fn is_empty(input: &InputBox) -> bool {
    // In shell mode even an empty box is somebody's: what is typed into it would run.
    input.text.trim().is_empty() && input.chips == 0 && !input.shell
}

/// Whether what the box shows is this text, or a part of it (a tall one scrolls), and nothing else. A long paste
/// shows as a chip. Letters and digits are compared: how a terminal draws the rest is not worth a mistake.
pub(super) fn shows(input: &InputBox, typed: &str) -> bool {
    let shown = input.text.trim();
    if input.chips > 0 {
        return input.chips == 1 && shown.starts_with("[Pasted text #") && shown.ends_with(']');
    }
    let letters = |text: &str| text.nfc().filter(|c| c.is_alphanumeric()).collect::<String>();
    !shown.is_empty() && letters(typed).contains(&letters(shown))
}

/// Whether the box shows this command, with what Claude Code says of its arguments behind it: `/compact  <optional …>`,
/// drawn like typed text (2.1.330).
fn shows_command(input: &InputBox, typed: &str) -> bool {
    let rest = input.text.trim().strip_prefix(typed.trim());
    rest.map(str::trim_start).is_some_and(|hint| hint.is_empty() || hint.starts_with(['<', '[']))
}
