//! Terminal bytes as text. Reads end in the middle of characters; the text does not.

/// The bytes that wait for the rest of their character: three at most.
#[derive(Debug, Default)]
pub(super) struct Text {
    rest: Vec<u8>,
}

impl Text {
    /// Gives what is whole. What can never become a character is told as U+FFFD.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let taken = std::mem::take(&mut self.rest);
        let mut text = String::with_capacity(taken.len());
        let mut chunks = taken.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let broken = chunk.invalid();
            if broken.is_empty() {
                continue;
            }
            let unfinished = std::str::from_utf8(broken).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && unfinished {
                self.rest = broken.to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_cut_come_whole() {
        let whole = "aé→👩\u{1b}[0m";
        for size in 1..=whole.len() {
            let mut text = Text::default();
            let told: String = whole.as_bytes().chunks(size).map(|bytes| text.push(bytes)).collect();
            assert_eq!(told, whole, "{size} bytes at a time");
            assert!(text.rest.is_empty());
        }
    }

    #[test]
    fn what_is_no_text_holds_up_nothing() {
        let mut text = Text::default();
        assert_eq!(text.push(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(text.push(b"c"), "\u{fffd}c");
    }
}
