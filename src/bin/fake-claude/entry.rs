//! The input box: what was typed and pasted, the blocks that a long paste shows as, and the draft put aside.

use unicode_normalization::UnicodeNormalization as _;

/// More characters or lines than this, and a paste shows as a block (2.1.197).
const LONGEST_SHOWN: usize = 800;
const MOST_LINES_SHOWN: usize = 3;

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Block { number: usize, text: String },
}

/// The box.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    parts: Vec<Part>,
    stash: Option<Vec<Part>>,
    blocks: usize,
}

impl Entry {
    /// A box in which a person has typed this.
    pub(crate) fn with(draft: &str) -> Self {
        let mut entry = Self::default();
        entry.text(draft);
        entry
    }

    /// Types.
    pub(crate) fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// Pastes, as Claude Code takes it: NFC, LF, four blanks for a tab.
    pub(crate) fn paste(&mut self, text: &str) {
        let text: String =
            text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ").nfc().collect();
        if text.chars().count() > LONGEST_SHOWN || text.trim_end().lines().count() > MOST_LINES_SHOWN {
            self.blocks += 1;
            self.parts.push(Part::Block { number: self.blocks, text });
        } else {
            self.text(&text);
        }
    }

    /// Takes the last character, or block, away.
    pub(crate) fn backspace(&mut self) {
        let emptied = match self.parts.last_mut() {
            Some(Part::Text(text)) => {
                text.pop();
                text.is_empty()
            }
            Some(Part::Block { .. }) => true,
            None => false,
        };
        if emptied {
            self.parts.pop();
        }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
    }

    /// Whether nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether Enter would only start a new line; the backslash that says so is taken away.
    pub(crate) fn continues(&mut self) -> bool {
        match self.parts.last_mut() {
            Some(Part::Text(text)) if text.ends_with('\\') => {
                text.pop();
                text.push('\n');
                true
            }
            _ => false,
        }
    }

    /// Puts the draft aside, or takes it back into an empty box.
    pub(crate) fn stash(&mut self) {
        if self.parts.is_empty() {
            self.parts = self.stash.take().unwrap_or_default();
        } else {
            self.stash = Some(std::mem::take(&mut self.parts));
        }
    }

    /// Whether a draft is put aside.
    pub(crate) fn stashed(&self) -> bool {
        self.stash.is_some()
    }

    /// Takes everything as a prompt, trimmed at its end; the draft that was put aside comes back.
    pub(crate) fn submit(&mut self) -> String {
        let text: String = self
            .parts
            .drain(..)
            .map(|part| match part {
                Part::Text(text) | Part::Block { text, .. } => text,
            })
            .collect();
        self.parts = self.stash.take().unwrap_or_default();
        text.trim_end().to_owned()
    }

    /// What the box shows.
    pub(crate) fn shown(&self) -> String {
        let show = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Block { number, text } => match text.trim_end().lines().count().saturating_sub(1) {
                0 => format!("[Pasted text #{number}]"),
                more => format!("[Pasted text #{number} +{more} lines]"),
            },
        };
        self.parts.iter().map(show).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_paste_shows_as_a_block_and_arrives_whole() {
        let mut entry = Entry::default();
        entry.paste("a\r\nb\nc\nd\te\n\n");
        assert_eq!(entry.shown(), "[Pasted text #1 +3 lines]");
        assert_eq!(entry.submit(), "a\nb\nc\nd    e");
        entry.paste(&"x".repeat(801));
        assert_eq!(entry.shown(), "[Pasted text #2]");
    }

    #[test]
    fn a_draft_put_aside_comes_back_after_the_next_prompt() {
        let mut entry = Entry::with("half a thought");
        entry.stash();
        assert!(entry.is_empty() && entry.stashed());
        entry.paste("prompt ");
        assert_eq!(entry.submit(), "prompt");
        assert_eq!(entry.shown(), "half a thought");
    }
}
