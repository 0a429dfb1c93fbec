//! Which of three tiers of models a task needs, told from the words that describe it.
//!
//! Crude, and meant as advice: words are looked for whole, so that `author` is not about `auth`.

/// A tier of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// For small changes.
    Fast,
    /// For most.
    Standard,
    /// For what must not go wrong.
    Power,
}

impl Tier {
    /// The tier of a score: up to 30 is fast, from 71 on power.
    #[must_use]
    pub fn of(score: u8) -> Self {
        match score {
            0..=30 => Self::Fast,
            31..=70 => Self::Standard,
            71.. => Self::Power,
        }
    }

    /// Gives the tier as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Power => "power",
        }
    }

    /// The model of the tier, by Claude Code's name for it.
    #[must_use]
    pub fn model(self) -> &'static str {
        match self {
            Self::Fast => "claude-haiku-4-5",
            Self::Standard => "claude-sonnet-4-6",
            Self::Power => "claude-opus-4-6",
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// In a line.
    pub title: &'a str,
    /// Its labels.
    pub labels: &'a [String],
    /// More about it.
    pub description: &'a str,
}

/// A score from 0 to 100, and a sentence for each sign that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How much the task asks for.
    pub score: u8,
    /// Why.
    pub reasons: Vec<String>,
}

/// Where nothing says otherwise.
const BASELINE: u8 = 35;

const POWER_WORDS: &[&str] = &[
    "security",
    "auth",
    "authentication",
    "authorization",
    "architecture",
    "migration",
    "critical",
    "vulnerability",
    "injection",
    "encryption",
    "concurrency",
    "race condition",
    "breaking change",
    "permission",
    "permissions",
];

const FAST_WORDS: &[&str] = &[
    "typo",
    "typos",
    "docs",
    "label",
    "labels",
    "rename",
    "bump",
    "chore",
    "formatting",
    "comment",
    "comments",
    "readme",
    "changelog",
    "lint",
];

const STANDARD_WORDS: &[&str] =
    &["feature", "refactor", "api", "test", "tests", "coverage", "integration", "validation", "performance"];

/// Tells how much a task asks for.
#[must_use]
pub fn advise(task: &Task<'_>) -> Advice {
    let text = format!("{} {}", task.title, task.description).to_lowercase();
    let found = |words: &[&'static str]| words.iter().copied().find(|word| has_word(&text, word));
    let labelled = |known: &[&str]| {
        task.labels.iter().find(|label| known.iter().any(|one| one.eq_ignore_ascii_case(label.trim())))
    };
    let mut score = BASELINE;
    let mut reasons = Vec::new();
    if let Some(word) = found(POWER_WORDS) {
        score = score.max(75);
        reasons.push(format!("`{word}` asks for care: at least 75."));
    }
    if let Some(word) = found(FAST_WORDS) {
        score = score.min(20);
        reasons.push(format!("`{word}` tells of a small change: at most 20."));
    }
    if reasons.is_empty()
        && let Some(word) = found(STANDARD_WORDS)
    {
        score += 5;
        reasons.push(format!("`{word}` tells of usual work: 5 more."));
    }
    if let Some(label) = labelled(&["security", "critical", "breaking-change"]) {
        score = score.max(80);
        reasons.push(format!("The label `{label}` asks for care: at least 80."));
    }
    if let Some(label) = labelled(&["docs", "documentation", "chore"]) {
        score = score.min(20);
        reasons.push(format!("The label `{label}` tells of a small change: at most 20."));
    }
    if let Some(label) = labelled(&["P0", "P1"]) {
        score = score.max(72);
        reasons.push(format!("The label `{label}` is urgent: at least 72."));
    }
    if let Some(label) = labelled(&["P3"]) {
        score = score.min(55);
        reasons.push(format!("The label `{label}` can wait: at most 55."));
    }
    if reasons.is_empty() {
        reasons.push(format!("Nothing stands out: the baseline of {BASELINE}."));
    }
    Advice { score, reasons }
}

/// Whether the text has this word, or these words in a row, with no letter or digit on either side.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::small_beats_grave("Fix typo in security docs", &[], 20, Tier::Fast)]
    #[case::urgent("Add endpoint", &["P0"], 72, Tier::Power)]
    #[case::whole_words("Thank the author of the latest label-free apiary", &[], 20, Tier::Fast)]
    #[case::not_in_other_words("Greet the author in the latest contest", &[], 35, Tier::Standard)]
    #[case::usual("Write a test", &[], 40, Tier::Standard)]
    #[case::in_a_row("Find the race condition", &[], 75, Tier::Power)]
    #[case::label("Anything", &["Breaking-Change"], 80, Tier::Power)]
    #[case::small_label("Rework the architecture", &["chore"], 20, Tier::Fast)]
    #[case::can_wait("Rework the architecture", &["P3"], 55, Tier::Standard)]
    #[case::nothing("Paint it", &[], 35, Tier::Standard)]
    fn a_task_gets_its_tier(
        #[case] title: &str,
        #[case] labels: &[&str],
        #[case] score: u8,
        #[case] tier: Tier,
    ) {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let advice = advise(&Task { title, labels: &labels, description: "" });
        assert_eq!((advice.score, Tier::of(advice.score)), (score, tier), "{:?}", advice.reasons);
        assert!(!advice.reasons.is_empty());
    }
}
