//! Bytes of the terminal as keys.

/// A key, or what arrives as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Typed text.
    Text(String),
    /// A bracketed paste.
    Paste(String),
    Enter,
    Escape,
    Up,
    Down,
    Backspace,
    /// A control character by its letter: `c` for Ctrl+C.
    Control(char),
}

const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Gathers bytes until they are keys.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    buffer: Vec<u8>,
    /// Where the end of a paste is looked for next, so that a long one is searched once.
    searched: usize,
}

impl Keys {
    /// Takes bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a lone escape waits for what may follow.
    pub(crate) fn undecided(&self) -> bool {
        self.buffer == b"\x1b"
    }

    /// Nothing followed: it was the key.
    pub(crate) fn decide(&mut self) -> Option<Key> {
        self.undecided().then(|| {
            self.buffer.clear();
            Key::Escape
        })
    }

    /// The next whole key.
    pub(crate) fn next(&mut self) -> Option<Key> {
        loop {
            let (key, len) = self.read()?;
            self.buffer.drain(..len);
            self.searched = 0;
            if key.is_some() {
                return key;
            }
        }
    }

    /// The key at the front, if it means anything, and its length; `None` while it is not whole.
    fn read(&mut self) -> Option<(Option<Key>, usize)> {
        let first = *self.buffer.first()?;
        match first {
            b'\x1b' => self.sequence(),
            b'\r' => Some((Some(Key::Enter), 1)),
            b'\n' => Some((Some(Key::Text("\n".into())), 1)),
            0x7f | 0x08 => Some((Some(Key::Backspace), 1)),
            0x01..=0x1a => Some((Some(Key::Control(char::from(first + b'a' - 1))), 1)),
            0..0x20 => Some((None, 1)),
            _ => {
                let len = self.buffer.iter().position(|b| *b < 0x20 || *b == 0x7f);
                let run = &self.buffer[..len.unwrap_or(self.buffer.len())];
                let (text, used) = match std::str::from_utf8(run) {
                    Ok(text) => (text.to_owned(), run.len()),
                    // The rest of a character is still to come, unless a key already followed it.
                    Err(error) if error.error_len().is_none() && len.is_none() => {
                        let used = error.valid_up_to();
                        (String::from_utf8_lossy(&run[..used]).into_owned(), used)
                    }
                    Err(_) => (String::from_utf8_lossy(run).into_owned(), run.len()),
                };
                (used > 0).then_some((Some(Key::Text(text)), used))
            }
        }
    }

    fn sequence(&mut self) -> Option<(Option<Key>, usize)> {
        if self.buffer.starts_with(PASTE_START) {
            let from = self.searched.max(PASTE_START.len());
            let rest = self.buffer.get(from..).unwrap_or_default();
            let Some(at) = rest.windows(PASTE_END.len()).position(|w| w == PASTE_END) else {
                self.searched = self.buffer.len().saturating_sub(PASTE_END.len()).max(PASTE_START.len());
                return None;
            };
            let end = from + at;
            let text = String::from_utf8_lossy(&self.buffer[PASTE_START.len()..end]).into_owned();
            return Some((Some(Key::Paste(text)), end + PASTE_END.len()));
        }
        match *self.buffer.get(1)? {
            b'[' => {
                let last = self.buffer.iter().skip(2).position(|b| (0x40..=0x7e).contains(b))? + 2;
                let key = match (last, self.buffer[last]) {
                    (2, b'A') => Some(Key::Up),
                    (2, b'B') => Some(Key::Down),
                    _ => None,
                };
                Some((key, last + 1))
            }
            // A string, such as the terminal's name: up to `ESC \`.
            b'P' | b']' | b'_' => {
                let end = self.buffer.windows(2).skip(2).position(|pair| pair == b"\x1b\\")? + 2;
                Some((None, end + 2))
            }
            b'O' => {
                let key = match *self.buffer.get(2)? {
                    b'A' => Some(Key::Up),
                    b'B' => Some(Key::Down),
                    _ => None,
                };
                Some((key, 3))
            }
            _ => Some((Some(Key::Escape), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<Key> {
        let mut keys = Keys::default();
        let mut found = Vec::new();
        for piece in pieces {
            keys.feed(piece);
            found.extend(std::iter::from_fn(|| keys.next()));
        }
        found.extend(keys.decide());
        found
    }

    #[test]
    fn bytes_become_the_same_keys_however_they_are_cut() {
        let bytes =
            "\x1b[200~a\r\nü\x1b[201~\rö\x13\x1b[A\x1b[?62;22c\x1b[I\x1bP>|aegis\x1b\\1\x1b".as_bytes();
        let wanted = vec![
            Key::Paste("a\r\nü".into()),
            Key::Enter,
            Key::Text("ö".into()),
            Key::Control('s'),
            Key::Up,
            Key::Text("1".into()),
            Key::Escape,
        ];
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(all(&[bytes]), wanted);
        assert_eq!(all(&single), wanted);
    }
}
