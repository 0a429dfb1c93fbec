//! Taking queries out of a session's output.
//!
//! The session's own emulator has answered them already. This terminal would answer again, and its answers would
//! arrive in the session as keys.

/// A sequence longer than this is none that asks.
const LONGEST: usize = 16 << 10;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Strips queries from a stream; sequences may be split anywhere between two pieces.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// The beginning of a sequence whose end has not come yet.
    held: Vec<u8>,
}

impl Queries {
    /// Gives `bytes` without queries.
    pub(super) fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.held.is_empty() && byte != ESC {
                passed.push(byte);
                continue;
            }
            self.held.push(byte);
            match judge(&self.held) {
                Verdict::More if self.held.len() < LONGEST => {}
                Verdict::Query => self.held.clear(),
                Verdict::More | Verdict::Other => passed.append(&mut self.held),
            }
        }
        passed
    }
}

enum Verdict {
    More,
    Query,
    Other,
}

fn judge(held: &[u8]) -> Verdict {
    match held {
        [ESC] | [ESC, b'[' | b']' | b'P'] => Verdict::More,
        [ESC, b'[', parameters @ .., end] => match end {
            0x20..=0x3f => Verdict::More,
            0x40..=0x7e => verdict(control_asks(parameters, *end)),
            _ => Verdict::Other,
        },
        [ESC, b']', text @ .., BEL] | [ESC, b']', text @ .., ESC, b'\\'] => verdict(text.ends_with(b";?")),
        [ESC, b'P', text @ .., ESC, b'\\'] => verdict(text.starts_with(b"+q") || text.starts_with(b"$q")),
        [ESC, b']' | b'P', ..] => Verdict::More,
        _ => Verdict::Other,
    }
}

fn verdict(asks: bool) -> Verdict {
    if asks { Verdict::Query } else { Verdict::Other }
}

/// Tells whether a control sequence is a question to the terminal.
fn control_asks(parameters: &[u8], end: u8) -> bool {
    match end {
        // Device attributes; device and cursor reports; terminal parameters.
        b'c' | b'n' | b'x' => true,
        // Whether a mode is set.
        b'p' => parameters.contains(&b'$'),
        // The terminal's name and version.
        b'q' => parameters.starts_with(b">"),
        // Keyboard protocol flags.
        b'u' => parameters == b"?",
        // Window reports.
        b't' => matches!(parameters, b"11" | b"13" | b"14" | b"15" | b"16" | b"18" | b"19" | b"20" | b"21"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::attributes(b"a\x1b[cb\x1b[>0cd", b"abd")]
    #[case::cursor(b"\x1b[6n", b"")]
    #[case::mode(b"\x1b[?2026$p\x1b[?2026h", b"\x1b[?2026h")]
    #[case::version(b"\x1b[>0q\x1b[2 q", b"\x1b[2 q")]
    #[case::keyboard(b"\x1b[?u\x1b[>1u", b"\x1b[>1u")]
    #[case::colour(b"\x1b]11;?\x07\x1b]0;title\x07", b"\x1b]0;title\x07")]
    #[case::colour_st(b"\x1b]10;?\x1b\\x", b"x")]
    #[case::capability(b"\x1bP+q544e\x1b\\x", b"x")]
    #[case::paint(b"\x1b[1;31mred\x1b[0m\x1b[8;24;80t\x1b7", b"\x1b[1;31mred\x1b[0m\x1b[8;24;80t\x1b7")]
    fn queries_are_taken_out(#[case] output: &[u8], #[case] passed: &[u8]) {
        assert_eq!(Queries::default().strip(output), passed);
        let mut split = Queries::default();
        let bytewise: Vec<u8> = output.iter().flat_map(|byte| split.strip(&[*byte])).collect();
        assert_eq!(bytewise, passed);
    }

    #[test]
    fn a_sequence_without_end_is_not_held_for_ever() {
        let mut output = b"\x1b]".to_vec();
        output.extend(vec![b'x'; LONGEST * 2]);
        assert_eq!(Queries::default().strip(&output), output);
    }
}
