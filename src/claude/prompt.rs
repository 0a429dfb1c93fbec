//! A prompt on its way into the input box: what may be typed, and how the same text comes back.
//!
//! Measured on 2.1.197 and 2.1.330: a first `!` runs a shell line, a first `/` a command, `exit` and its like end
//! the program, a backslash at the end swallows Enter, and a mention at the end lets Enter choose a file. One space
//! before keeps the first as text; for a command that is enough in 2.1.197, while 2.1.330 wants it pasted as a
//! block; a full stop keeps the third, a space after (which Claude Code trims again) the last two.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// Why a text cannot be given to Claude Code as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// It is empty or blank.
    Blank,
    /// It holds a character that the terminal would act on: its code point and place, counted in characters.
    Control {
        /// The code point.
        code: u32,
        /// The place, from 0.
        at: usize,
    },
    /// It is longer than the limit, in bytes.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("the text is blank"),
            Self::Control { code, at } => write!(
                f,
                "the text holds the control character U+{code:04X} at character {at}, which a terminal would act on"
            ),
            Self::TooLong { bytes, limit } => {
                write!(f, "the text has {bytes} bytes; at most {limit} can be sent")
            }
        }
    }
}

/// Words that end Claude Code when they are all there is (2.1.197; more for editors' habits).
const EXIT_WORDS: &[&str] = &["exit", "quit", ":q", ":q!", ":wq", ":wq!"];

/// More lines than this, and Claude Code keeps a paste as a block, which it never takes for a command (2.1.330).
/// Line ends at the end of a prompt are trimmed again.
const BLOCK: &str = "\n\n\n\n";

/// Gives the text to type so that it is taken as text, or says why it cannot be sent.
///
/// # Errors
///
/// [`Unsendable`]; nothing has been written then.
pub fn typed(text: &str, limit: usize) -> Result<String, Unsendable> {
    check(text, limit)?;
    let mut typed = String::with_capacity(text.len() + 8);
    let start = text.trim_start_matches(is_blank);
    if start.starts_with(['/', '!']) && !text.starts_with([' ', '\t']) {
        typed.push(' ');
    }
    typed.push_str(text);
    let shown = trimmed(text);
    if EXIT_WORDS.iter().any(|word| shown.eq_ignore_ascii_case(word)) {
        typed.truncate(typed.trim_end_matches(is_blank).len());
        typed.push('.');
    }
    // A mention at the end has a list of files open, and Enter would choose from it; a blank closes it.
    let mention = shown.split_whitespace().next_back().is_some_and(|word| word.starts_with('@'));
    if shown.ends_with('\\') || mention {
        typed.push(' ');
    }
    if start.starts_with('/') {
        typed.push_str(BLOCK);
    }
    Ok(typed)
}

/// Tells why a text cannot be typed at all.
pub(super) fn check(text: &str, limit: usize) -> Result<(), Unsendable> {
    if text.len() > limit {
        return Err(Unsendable::TooLong { bytes: text.len(), limit });
    }
    if trimmed(text).is_empty() {
        return Err(Unsendable::Blank);
    }
    match text.chars().enumerate().find(|(_, c)| is_forbidden(*c)) {
        Some((at, c)) => Err(Unsendable::Control { code: u32::from(c), at }),
        None => Ok(()),
    }
}

/// Tells whether the text can be the last argument at launch: Linux limits one argument to 128 KiB, and commands
/// and exit words are taken as such there too.
#[must_use]
pub fn fits_argument(text: &str, limit: usize) -> bool {
    const LONGEST_ARGUMENT: usize = 100_000;
    text.len() <= LONGEST_ARGUMENT && typed(text, limit).is_ok_and(|typed| typed == text)
}

/// Tells whether `seen`, as Claude Code reports it, is the text that was typed. It normalises to NFC, turns tabs
/// into four spaces and line ends into `\n`, and trims (2.1.197); around a block it puts tags (2.1.330).
#[must_use]
pub fn same(typed: &str, seen: &str) -> bool {
    // A prompt may hold such tags itself.
    typed == seen || normal(typed).eq(normal(seen)) || normal(typed).eq(normal(&unwrapped(seen)))
}

/// Takes the tags off a pasted block: `<pasted_content id="1a2b">`, a line end, the text, a line end,
/// `</pasted_content id="1a2b">` (2.1.330).
#[must_use]
pub fn unwrapped(text: &str) -> Cow<'_, str> {
    let inner = || {
        let rest = trimmed(text).strip_prefix("<pasted_content id=\"")?;
        let (id, rest) = rest.split_once("\">\n")?;
        rest.strip_suffix(&format!("\n</pasted_content id=\"{id}\">"))
    };
    inner().map_or(Cow::Borrowed(text), Cow::Borrowed)
}

fn normal(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut after_return = false;
    trimmed(text)
        .nfc()
        .filter_map(move |c| {
            let skip = after_return && c == '\n';
            after_return = c == '\r';
            (!skip).then_some(if c == '\r' { '\n' } else { c })
        })
        .flat_map(|c| {
            let (c, count) = if c == '\t' { (' ', 4) } else { (c, 1) };
            std::iter::repeat_n(c, count)
        })
}

/// Trims as JavaScript does, and so Claude Code.
fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// What JavaScript counts as a blank: U+FEFF too.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Control characters other than tab and line ends: the terminal, or Claude Code's reader of keys, acts on them.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const LIMIT: usize = 1000;

    #[rstest]
    #[case::plain("hello", "hello")]
    #[case::shell_line("!ls", " !ls")]
    #[case::command("/cost", " /cost\n\n\n\n")]
    #[case::command_after_a_line("\n/cost", " \n/cost\n\n\n\n")]
    #[case::spaced_already(" /cost", " /cost\n\n\n\n")]
    #[case::path("/etc/hosts is a path", " /etc/hosts is a path\n\n\n\n")]
    #[case::exit("exit", "exit.")]
    #[case::exit_with_space(" Exit \n", " Exit.")]
    #[case::exit_after_a_mark("\u{feff}exit", "\u{feff}exit.")]
    #[case::command_after_a_mark("\u{feff}/cost", " \u{feff}/cost\n\n\n\n")]
    #[case::vim(":q", ":q.")]
    #[case::backslash("a\\", "a\\ ")]
    #[case::mention("look at @src", "look at @src ")]
    #[case::lines("a\nb\tc", "a\nb\tc")]
    fn text_stays_text(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(typed(text, LIMIT).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case::empty("", Unsendable::Blank)]
    #[case::blank(" \n", Unsendable::Blank)]
    #[case::blank_mark("\u{feff} \n", Unsendable::Blank)]
    #[case::end_of_paste("a\x1b[201~b", Unsendable::Control { code: 0x1b, at: 1 })]
    #[case::nul("ab\0", Unsendable::Control { code: 0, at: 2 })]
    #[case::c1("a\u{9b}", Unsendable::Control { code: 0x9b, at: 1 })]
    fn what_a_terminal_acts_on_is_refused(#[case] text: &str, #[case] expected: Unsendable) {
        assert_eq!(typed(text, LIMIT), Err(expected));
    }

    #[test]
    fn a_long_text_is_refused() {
        assert_eq!(typed(&"a".repeat(1001), LIMIT), Err(Unsendable::TooLong { bytes: 1001, limit: 1000 }));
    }

    #[rstest]
    #[case::nfc("e\u{301}", "é", true)]
    #[case::tab("a\tb", "a    b", true)]
    #[case::line_ends("a\r\nb\rc", "a\nb\nc", true)]
    #[case::trimmed("  a\n", "a", true)]
    #[case::block("a\nb\n", "\n\n<pasted_content id=\"1a\">\na\nb\n</pasted_content id=\"1a\">\n", true)]
    #[case::own_tags(
        "<pasted_content id=\"1a\">\na\n</pasted_content id=\"1a\">\n",
        "<pasted_content id=\"1a\">\na\n</pasted_content id=\"1a\">",
        true
    )]
    #[case::mark("\u{feff}a", "a", true)]
    #[case::other("a", "b", false)]
    #[case::longer("a", "a b", false)]
    fn the_same_text_is_known_again(#[case] typed: &str, #[case] seen: &str, #[case] expected: bool) {
        assert_eq!(same(typed, seen), expected);
    }
}
