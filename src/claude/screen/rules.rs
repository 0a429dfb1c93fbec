//! The expressions, compiled once.

use regex::Regex;
use std::sync::LazyLock;

/// One expression. [`Rule::ALL`] is checked by a test, so that every one of them compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `✢ Doodling… (2s · ↓ 42 tokens)`: an ellipsis; a finished turn has a past tense and none.
    /// With reduced motion the glyph is `●`, like that of an answer; then only one capitalised word counts.
    Spinner,
    /// `✻ API error · Retrying in 1s · attempt 2/10`; small, and `retrying…` at last, in 2.1.330. Since 2.1.260 also
    /// `✻ Waiting for API response · will retry in 4m 40s · check your network`.
    Retry,
    /// `⎿  Retrying in 1s · attempt 1/2` over the spinner, in a row of its own or below the error's name (2.1.150).
    RetryNote,
    /// The footer while a turn runs, cut short on narrow screens. Text streams without a spinner.
    Busy,
    Interrupted,
    HeldBack,
    ExitArmed,
    ClearArmed,
    Transcript,
    /// `⏸ plan mode on`, `⏵⏵ accept edits on`, `⏸ manual mode on`.
    Mode,
    /// `[Pasted text #1 +9 lines]`, `[Image #2]`.
    Chip,
    /// `› stashed` in the footer (2.1.197), above the box `› Stashed (auto-restores after submit)` (2.1.150) or
    /// `draft stashed` (2.1.330).
    Stashed,
    /// `Enter to confirm · Esc to cancel` and its kin: keys and what they do. 2.1.150 writes `ctrl-g`.
    Hint,
    /// The upper rule of a box whose draft is scrolled.
    Cut,
    /// `↓ 2 more`: the list goes on.
    More,
    /// The choice that is in force, in a list that shows it before the text (2.1.330).
    Ticked,
    /// An option's number.
    Number,
    /// An option's box.
    Checkbox,
    /// Something said or done: a line of history in column 0.
    Said,
    /// The tabs over a question: ` ☐ Colour`, `←  ☒ Features  ✔ Submit  →`.
    Tabs,
}

impl Rule {
    /// Every rule with its expression.
    pub(super) const ALL: [(Self, &'static str); 20] = [
        (
            Self::Spinner,
            r"^(?:[·✢✳*✶✻✽∗] \S[^…]{0,60}|● (?:\p{Lu}[^\s…]*|Compacting conversation))…( \(.*\)?)?$",
        ),
        (Self::Retry, r"^[·✢✳*✶✻✽●∗] .* · (?:[Rr]etrying(?: in \d+|…)|will retry in \d+)"),
        (Self::RetryNote, r"^ {2}[⎿ ][ \u{a0}]{2}(Retrying in \d+\w* · attempt \d+/\d+)"),
        (Self::Busy, r"\besc to (?:int|…)"),
        (Self::Interrupted, r"^\s*⎿?\s*Interrupted( ·|$)"),
        (Self::HeldBack, r"^ *Waiting for permission…"),
        (Self::ExitArmed, r"Press Ctrl-[CD] again to exit"),
        (Self::ClearArmed, r"[Ee]sc again to clear"),
        (Self::Transcript, r"Showing detailed transcript"),
        (Self::Mode, r"^ *[⏸⏵]+ (.+?)(?: mode)? on\b"),
        (Self::Chip, r"\[(?:Pasted text|Image) #\d+(?: \+\d+ lines)?\]"),
        (Self::Stashed, r"(?:› stashed|draft stashed)\s*$|^ {2}› Stashed \("),
        (
            Self::Hint,
            r"(?i)^ *(?:press )?(?:enter|esc|space|tab|shift\+tab|ctrl[+-]\w|type|tab/arrow keys|[←→↑↓/]+|[a-z])(?:/\S+)? (?:to|twice to)\b",
        ),
        (Self::Cut, r"^─+ ↑ \d+ more ─"),
        (Self::More, r"^[↑↓] \d+ more"),
        (Self::Ticked, r"^[✔✓] (.*)$"),
        (Self::Number, r"^(\d{1,2})\. ?(.*)$"),
        (Self::Checkbox, r"^(?:\[([ ✔✓xX])\]|([☐☒◯◉])) (.*)$"),
        (Self::Said, r"^(?:[●✻✢·✶✽] |  ⎿ )"),
        (Self::Tabs, r"^ ?(?:←  )?[☐☒] \S|✔ Submit  →"),
    ];

    pub(super) fn matches(self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    pub(super) fn count(self, text: &str) -> usize {
        self.regex().map_or(0, |regex| regex.find_iter(text).count())
    }

    pub(super) fn captures(self, text: &str) -> Option<regex::Captures<'_>> {
        self.regex()?.captures(text)
    }

    pub(super) fn first_group(self, text: &str) -> Option<String> {
        Some(self.captures(text)?.get(1)?.as_str().to_owned())
    }

    fn regex(self) -> Option<&'static Regex> {
        static COMPILED: LazyLock<Vec<(Rule, Option<Regex>)>> =
            LazyLock::new(|| Rule::ALL.iter().map(|(rule, text)| (*rule, Regex::new(text).ok())).collect());
        COMPILED.iter().find(|(rule, _)| *rule == self).and_then(|(_, regex)| regex.as_ref())
    }
}

/// Whether a row is a rule from edge to edge; the upper one of the box may carry the session's name.
pub(super) fn is_rule(row: &str, cols: u16) -> bool {
    let long = row.chars().count() + 1 >= usize::from(cols);
    let drawn = row.starts_with("───") && row.ends_with('─') || row.starts_with("▔▔▔") && row.ends_with('▔');
    long && drawn
}

/// Whether a row holds nothing but line drawing.
pub(super) fn is_decoration(row: &str) -> bool {
    let text = row.trim();
    !text.is_empty() && text.chars().all(|c| matches!(c, '─' | '▔' | '╌' | '╭' | '╮' | '╰' | '╯' | '│'))
}

/// Blanks at the start of a row.
pub(super) fn indent(row: &str) -> usize {
    row.chars().take_while(|c| *c == ' ').count()
}

/// Whether `next` stands on its own row only because it did not fit behind `row`.
///
/// Claude Code wraps between words a few columns before the edge.
pub(super) fn wrapped(row: &str, next: &str, cols: u16) -> bool {
    let word = next.split_whitespace().next().map_or(0, |word| word.chars().count());
    row.chars().count() + 1 + word > usize::from(cols).saturating_sub(3)
}
