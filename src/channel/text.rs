//! Texts for people: cut into messages, told with a sign for what they are about.

use crate::domain::{Notice, Topic};

/// The sign of a topic, as Slack and Telegram show it.
pub(super) fn sign(topic: Topic) -> &'static str {
    match topic {
        Topic::SessionCreated => "🟢",
        Topic::SessionEnded => "🏁",
        Topic::StatusWorking => "⏳",
        Topic::StatusStall => "⚠️",
        Topic::StatusDead => "💀",
        Topic::StatusError => "❌",
        Topic::StatusIdle => "⚪",
        Topic::StatusPermission => "🔒",
        Topic::StatusQuestion => "❓",
        Topic::StatusPlan | Topic::MessageThinking => "💭",
        Topic::StatusRateLimited => "⏱️",
        Topic::StatusPermissionTimeout => "⌛",
        Topic::StatusRecovered => "💚",
        Topic::StatusContextWarning => "🧠",
        Topic::StatusStopped => "✋",
        Topic::MessageUser => "👤",
        Topic::MessageAssistant => "🤖",
        Topic::MessageToolUse | Topic::MessageToolResult => "🔧",
        Topic::AskResolved => "✅",
        Topic::ChannelTest => "🔔",
    }
}

/// A notice as a line or more: its sign and what happened.
pub(super) fn line(notice: &Notice) -> String {
    format!("{} {}", sign(notice.event), notice.detail)
}

/// Cuts a text into pieces of at most `most` UTF-16 units, the measure of Telegram: between paragraphs if that leaves no
/// piece shorter than half, else between lines, words or, in the end, characters.
pub(super) fn split(text: &str, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_end();
    while units(rest) > most {
        let end = prefix(rest, most);
        let (head, _) = rest.split_at(end);
        let half = end / 2;
        let cut = ["\n\n", "\n", " "]
            .iter()
            .filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()))
            .find(|at| *at > half)
            .unwrap_or(end);
        let (piece, after) = rest.split_at(cut);
        if !piece.trim().is_empty() {
            pieces.push(piece.trim_end().to_owned());
        }
        rest = after;
    }
    if !rest.trim().is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

/// How many UTF-16 units a text takes.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The bytes of the longest beginning that takes at most `most` units.
fn prefix(text: &str, most: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.len_utf16();
        if taken > most {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_boundaries() {
        assert_eq!(split("short", 10), ["short"]);
        assert_eq!(split("one two three", 8), ["one two", "three"]);
        assert_eq!(split("first line\nsecond", 12), ["first line", "second"]);
        assert_eq!(split("a b\n\nc d e", 7), ["a b", "c d e"]);
        assert_eq!(split("aaaaaaaaaa", 4), ["aaaa", "aaaa", "aa"]);
        assert_eq!(split("   ", 2), Vec::<String>::new());
    }

    #[test]
    fn characters_stay_whole_and_count_as_telegram_counts() {
        let text = "😀".repeat(10);
        let pieces = split(&text, 5);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| units(piece) <= 5 && piece.chars().all(|c| c == '😀')));
    }

    #[test]
    fn nothing_of_a_long_text_is_lost() {
        let text: String = (0..5000).map(|n| format!("word{n} ")).collect();
        let pieces = split(&text, 4096);
        assert!(pieces.iter().all(|piece| units(piece) <= 4096));
        assert_eq!(pieces.join(" "), text.trim_end());
    }
}
