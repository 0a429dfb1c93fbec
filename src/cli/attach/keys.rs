//! Keys as bytes, and the one that detaches.

use std::io::Read;
use std::str::FromStr;

use tokio::sync::mpsc;

/// Bytes from stdin, read by a thread of its own: a pending read must not hold up the end of the program.
pub(super) struct Keys {
    bytes: mpsc::Receiver<Vec<u8>>,
}

impl Keys {
    /// Begins to read.
    pub(super) fn start() -> Self {
        let (sender, bytes) = mpsc::channel(64);
        std::thread::spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut buffer = [0; 4096];
            loop {
                match stdin.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) => {
                        let read = buffer.get(..n).unwrap_or_default().to_vec();
                        if sender.blocking_send(read).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Self { bytes }
    }

    /// The next bytes; `None` when stdin has ended.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.bytes.recv().await
    }
}

/// The key that detaches: Ctrl with a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetachKey {
    /// The control byte.
    byte: u8,
}

impl Default for DetachKey {
    fn default() -> Self {
        Self { byte: 0x1d }
    }
}

impl FromStr for DetachKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no key; write ctrl-] or another ctrl-<character>");
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("ctrl-").or_else(|| lower.strip_prefix('^')).ok_or_else(wrong)?;
        let &[character] = name.as_bytes() else { return Err(wrong()) };
        let byte = match character {
            // Tab, Enter and Escape cannot be told from these.
            b'i' | b'm' | b'j' | b'[' => return Err(format!("`{text}` is needed for typing")),
            b'a'..=b'z' | b'\\' | b']' | b'^' | b'_' => character & 0x1f,
            _ => return Err(wrong()),
        };
        Ok(Self { byte })
    }
}

impl DetachKey {
    /// Finds where the key begins, in whichever way the terminal was told to report it.
    pub(super) fn find(self, bytes: &[u8]) -> Option<usize> {
        let character = match self.byte | 0x40 {
            letter @ b'A'..=b'Z' => letter.to_ascii_lowercase(),
            other => other,
        };
        let spellings = [
            vec![self.byte],
            format!("\x1b[{character};5u").into_bytes(),
            format!("\x1b[{character};5:1u").into_bytes(),
            format!("\x1b[27;5;{character}~").into_bytes(),
        ];
        spellings.iter().filter_map(|key| bytes.windows(key.len()).position(|window| window == key)).min()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ctrl-]", 0x1d)]
    #[case("Ctrl-Q", 0x11)]
    #[case("^\\", 0x1c)]
    fn a_key_is_read(#[case] text: &str, #[case] byte: u8) {
        assert_eq!(text.parse::<DetachKey>().unwrap(), DetachKey { byte });
    }

    #[rstest]
    #[case("]")]
    #[case("ctrl-")]
    #[case("ctrl-m")]
    #[case("ctrl-ab")]
    fn what_is_no_key_is_refused(#[case] text: &str) {
        assert!(text.parse::<DetachKey>().is_err());
    }

    #[rstest]
    #[case::byte(b"ab\x1dc", Some(2))]
    #[case::kitty(b"\x1b[93;5u", Some(0))]
    #[case::other_keys(b"x\x1b[27;5;93~", Some(1))]
    #[case::none(b"\x1b[93;2u]", None)]
    fn the_key_is_found(#[case] bytes: &[u8], #[case] at: Option<usize>) {
        assert_eq!(DetachKey::default().find(bytes), at);
    }
}
