//! Making visible what hides.
//!
//! Text from a session may hold terminal controls that repaint the screen, or characters that turn or swallow their
//! neighbours. Before a person decides on it, every such character is shown by its number.

use std::fmt::Write;

/// Shows every control, bidi, zero-width and look-alike space character by its number; line breaks stay.
///
/// For what somebody approves.
pub(crate) fn strict(text: &str) -> String {
    escape(text, hidden)
}

/// Shows control characters by their number, except line breaks and tabs; scripts and emoji stay whole.
///
/// For prose on a terminal.
pub(crate) fn prose(text: &str) -> String {
    escape(text, |c| c.is_control() && c != '\t')
}

fn escape(text: &str, hides: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && hides(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Tells whether `c` cannot be seen, moves others, or passes for an ordinary space.
fn hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            0x00AD                      // soft hyphen
            | 0x034F                    // combining grapheme joiner
            | 0x061C                    // Arabic letter mark
            | 0x115F | 0x1160           // Hangul fillers
            | 0x17B4 | 0x17B5           // Khmer inherent vowels
            | 0x180B..=0x180F           // Mongolian selectors
            | 0x200B..=0x200F           // zero-width, direction marks
            | 0x2028..=0x202E           // separators, direction overrides
            | 0x2060..=0x206F           // joiners, isolates
            | 0x2800                    // blank Braille pattern
            | 0x3164 | 0xFFA0           // Hangul fillers
            | 0xFE00..=0xFE0F           // variation selectors
            | 0xFEFF                    // byte order mark
            | 0xFFF0..=0xFFFB           // specials
            | 0x1D173..=0x1D17A         // musical controls
            | 0xE0000..=0xE0FFF         // tags
        )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("rm -rf ./build\nünïcode", "rm -rf ./build\nünïcode")]
    #[case::escape("a\x1b[2Kb", "a\\u{1b}[2Kb")]
    #[case::carriage_return("safe\rrm", "safe\\u{d}rm")]
    #[case::c1("a\u{9b}31m", "a\\u{9b}31m")]
    #[case::override_direction("\u{202e}txt.exe", "\\u{202e}txt.exe")]
    #[case::zero_width("pay\u{200b}load", "pay\\u{200b}load")]
    #[case::tag("x\u{e0041}", "x\\u{e0041}")]
    #[case::no_break_space("a\u{a0}b", "a\\u{a0}b")]
    fn what_hides_is_shown(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(strict(text), shown);
    }

    #[test]
    fn prose_keeps_scripts_and_loses_controls() {
        assert_eq!(prose("שלום 👩\u{200d}💻\t\x1b[31m"), "שלום 👩\u{200d}💻\t\\u{1b}[31m");
    }
}
