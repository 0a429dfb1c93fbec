//! Dialogs we have met, in the order in which they are tried. Data only.
//!
//! A dialog that is not here is found all the same, see `detect`; the table adds its kind and what may
//! be chosen without asking anybody.

use super::dialog::DialogKind;
use regex::Regex;
use std::sync::LazyLock;

/// One known dialog.
#[derive(Debug)]
pub struct Known {
    /// Its name in reports.
    pub id: &'static str,
    /// Releases it was seen in; empty if it is known by description only.
    pub versions_seen: &'static [&'static str],
    /// Matched against trimmed lines, see [`Known::place`].
    pub pattern: &'static str,
    /// Which lines may match.
    pub place: Place,
    /// What it is about.
    pub kind: DialogKind,
    /// The option, by the start of its text, that dismisses it without consequences.
    pub harmless: Option<&'static str>,
    /// The option, by the start of its text, that says yes. Chosen only when the caller has said so.
    pub consent: Option<&'static str>,
}

/// Where a pattern may match. What stands in a dialog's body is often the model's own text, a command or a plan,
/// and must not turn one dialog into another that answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first line, and only under the dialog's own rule: a dialog that is higher than the screen has lost it,
    /// and then the first line visible may be anybody's.
    Title,
    /// The last two lines before the options.
    Question,
    /// Any line. Only for dialogs that nothing may answer by itself.
    Anywhere,
}

/// Every release that screens are recorded of.
const ALL: &[&str] = &["2.1.150", "2.1.197", "2.1.220", "2.1.260", "2.1.300", "2.1.330"];

const fn row(
    id: &'static str,
    kind: DialogKind,
    pattern: &'static str,
    versions_seen: &'static [&'static str],
) -> Known {
    Known { id, versions_seen, pattern, place: Place::Title, kind, harmless: None, consent: None }
}

impl Known {
    const fn harmless(self, label: &'static str) -> Self {
        Self { harmless: Some(label), ..self }
    }

    const fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    const fn consent(self, label: &'static str) -> Self {
        Self { consent: Some(label), ..self }
    }
}

/// The table.
pub static KNOWN: &[Known] = &[
    row("trust", DialogKind::Trust, r"^Accessing workspace:", ALL).consent("Yes, I trust this folder"),
    row("bypass", DialogKind::Other, r"^WARNING: Claude Code running in Bypass Permissions mode", ALL)
        .consent("Yes, I accept"),
    row("api-key", DialogKind::Other, r"^Detected a custom API key in your environment", ALL).consent("Yes"),
    row("theme", DialogKind::Other, r"^Choose the text style that looks best", ALL).at(Place::Anywhere),
    row("login", DialogKind::Other, r"^Select login method:", &["2.1.197"]),
    row("security-notes", DialogKind::Other, r"^Security notes:", &["2.1.197"]),
    // Its first option starts a paid turn.
    row("settings-error", DialogKind::Other, r"^Settings Error$", ALL)
        .harmless("Continue without these settings"),
    row("settings-warning", DialogKind::Other, r"^Settings Warning$", ALL).harmless("Continue"),
    row(
        "project-mcp",
        DialogKind::Other,
        r"^(\d+ )?[Nn]ew MCP servers? found in (this project|\.mcp\.json)",
        ALL,
    ),
    row("imports", DialogKind::Other, r"^Allow external CLAUDE\.md file imports\?", ALL)
        .harmless("No, disable external imports")
        .consent("Yes, allow external imports"),
    row("config-error", DialogKind::Other, r"^Configuration [Ee]rror$", ALL),
    row(
        "fullscreen-promotion",
        DialogKind::Other,
        r"^Try the new fullscreen renderer\?",
        &["2.1.260", "2.1.300", "2.1.330"],
    )
    .harmless("Not now"),
    // Before 2.1.197 a session in auto mode begins with it.
    row("auto-mode-consent", DialogKind::Other, r"^Enable auto mode\?$", &["2.1.150"]),
    row("auto-mode", DialogKind::Other, r"^Auto mode can't check actions in this session", &["2.1.330"]),
    row("resume-picker", DialogKind::Other, r"^Resume session", ALL),
    row("rewind", DialogKind::Other, r"^Rewind$", ALL),
    row(
        "rate-limit",
        DialogKind::Other,
        r"^What do you want to do\?$",
        &["2.1.150", "2.1.197", "2.1.220", "2.1.260", "2.1.300"],
    )
    .harmless("Stop and wait for limit to reset"),
    row("elicitation", DialogKind::Other, r"^MCP server .+ requests your input", &["2.1.197"]),
    row("plan-none", DialogKind::Plan, r"^Exit plan mode\?", ALL),
    row("plan", DialogKind::Plan, r"^Claude has written up a plan and is ready to execute\.", ALL)
        .at(Place::Question),
    row("question-review", DialogKind::Question, r"^Review your answers$", ALL).at(Place::Anywhere),
    row(
        "permission",
        DialogKind::Permission,
        r"^Do you want to (proceed|make|create|allow|overwrite|run|use|read|write|edit|fetch|search)\b",
        ALL,
    )
    .at(Place::Question),
];

/// The row that matches `head`, the trimmed lines above the options; the table's order decides. `framed` says
/// that the first of them is the dialog's own first line.
pub(super) fn matching(head: &[&str], framed: bool) -> Option<&'static Known> {
    static COMPILED: LazyLock<Vec<(&Known, Option<Regex>)>> =
        LazyLock::new(|| KNOWN.iter().map(|known| (known, Regex::new(known.pattern).ok())).collect());
    let lines: Vec<&str> = head.iter().copied().filter(|line| !line.is_empty()).collect();
    let title = if framed { lines.get(..1) } else { None }.unwrap_or_default();
    let question = lines.get(lines.len().saturating_sub(2)..).unwrap_or_default();
    let hit = COMPILED.iter().find(|(known, regex)| {
        let place = match known.place {
            Place::Title => title,
            Place::Question => question,
            Place::Anywhere => lines.as_slice(),
        };
        regex.as_ref().is_some_and(|regex| place.iter().any(|line| regex.is_match(line)))
    })?;
    Some(hit.0)
}

/// The row of that name.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}
