//! Making visible what hides.
//!
//! Text from a session may hold terminal controls that repaint the screen, or characters that turn or swallow their
//! neighbours. Before a person decides on it, every such character is shown by its number.

pub(crate) use crate::domain::visible as strict;

use crate::domain::escape;

/// Shows control characters by their number, except line breaks and tabs; scripts and emoji stay whole.
///
/// For prose on a terminal.
pub(crate) fn prose(text: &str) -> String {
    escape(text, |c| c.is_control() && c != '\t')
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
