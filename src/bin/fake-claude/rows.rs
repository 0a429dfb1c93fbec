//! Text as rows of a terminal.

/// Columns that a character takes; near enough for what stands in a conversation.
fn width(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffdc}' | '\u{1f000}'.. => 2,
        _ => 1,
    }
}

/// Wraps text, between words where it can, into rows of at most `cols` columns.
pub(crate) fn wrap(text: &str, cols: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrap_line(line, cols.max(8))).collect()
}

fn wrap_line(line: &str, cols: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut row, mut taken) = (String::new(), 0);
    for c in line.chars().filter(|c| !c.is_control()) {
        if taken + width(c) > cols {
            let rest = match row.rfind(' ') {
                Some(at) if c != ' ' && at > 0 => {
                    let rest = row[at + 1..].to_owned();
                    row.truncate(at);
                    rest
                }
                _ => String::new(),
            };
            rows.push(std::mem::replace(&mut row, rest));
            taken = row.chars().map(width).sum();
            if c == ' ' && row.is_empty() {
                continue;
            }
        }
        row.push(c);
        taken += width(c);
    }
    rows.push(row);
    rows
}

/// Text behind a mark, further rows below the text.
pub(crate) fn hung(mark: &str, text: &str, cols: usize) -> Vec<String> {
    let indent = mark.chars().count();
    let rows = wrap(text, cols.saturating_sub(indent + 2));
    rows.iter()
        .enumerate()
        .map(|(i, row)| if i == 0 { format!("{mark}{row}") } else { format!("{}{row}", " ".repeat(indent)) })
        .collect()
}

/// A rule from edge to edge.
pub(crate) fn rule(cols: usize) -> String {
    "─".repeat(cols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words_and_within_what_has_none() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 8), ["abcdefgh", "ij"]);
        assert_eq!(wrap("漢字漢字漢", 8), ["漢字漢字", "漢"]);
        assert_eq!(wrap("a\n\nb", 8), ["a", "", "b"]);
    }
}
