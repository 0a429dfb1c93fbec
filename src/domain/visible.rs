//! Which characters hide, and how they are shown to whoever decides on a text.

use std::fmt::Write;

/// Tells whether `c` cannot be seen, moves others, breaks the line, or passes for an ordinary space.
#[must_use]
pub fn hides(c: char) -> bool {
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

/// Shows every character that hides by its number; line breaks stay. For what somebody approves.
#[must_use]
pub fn visible(text: &str) -> String {
    escape(text, hides)
}

/// The first `most` characters of a text.
#[must_use]
pub fn beginning(text: &str, most: usize) -> &str {
    match text.get(..most) {
        // So few bytes have no more characters.
        None if text.len() < most => text,
        Some(start) if start.is_ascii() => start,
        _ => text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text),
    }
}

/// Shows every character that `hidden` names by its number; line breaks stay.
#[must_use]
pub fn escape(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && hidden(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("abc", 5, "abc")]
    #[case("abc", 3, "abc")]
    #[case("abcd", 3, "abc")]
    #[case("áéí", 2, "áé")]
    #[case("aéi", 2, "aé")]
    #[case("", 0, "")]
    fn a_beginning_counts_characters(#[case] text: &str, #[case] most: usize, #[case] expected: &str) {
        assert_eq!(beginning(text, most), expected);
    }
}
