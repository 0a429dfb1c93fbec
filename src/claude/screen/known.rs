//! Dialogs we have met, in the order in which they are tried. Data only.
//!
//! A dialog that is not here is found all the same, see [`super::detect`]; the table adds its kind and what may
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
    /// Matched against the title and the body, line by line.
    pub pattern: &'static str,
    /// What it is about.
    pub kind: DialogKind,
    /// The option, by the start of its text, that dismisses it without consequences.
    pub harmless: Option<&'static str>,
    /// The option, by the start of its text, that says yes. Chosen only when the caller has said so.
    pub consent: Option<&'static str>,
}

const BOTH: &[&str] = &["2.1.197", "2.1.330"];

const fn row(id: &'static str, kind: DialogKind, pattern: &'static str, versions_seen: &'static [&'static str]) -> Known {
    Known { id, versions_seen, pattern, kind, harmless: None, consent: None }
}

impl Known {
    const fn harmless(self, label: &'static str) -> Self {
        Self { harmless: Some(label), ..self }
    }

    const fn consent(self, label: &'static str) -> Self {
        Self { consent: Some(label), ..self }
    }
}

/// The table.
pub static KNOWN: &[Known] = &[
    row("trust", DialogKind::Trust, r"^Accessing workspace:|^Quick safety check: Is this a project", BOTH)
        .consent("Yes, I trust this folder"),
    row("bypass", DialogKind::Other, r"^WARNING: Claude Code running in Bypass Permissions mode", BOTH)
        .consent("Yes, I accept"),
    row("api-key", DialogKind::Other, r"^Detected a custom API key in your environment", BOTH).consent("Yes"),
    row("theme", DialogKind::Other, r"^Choose the text style that looks best", BOTH),
    row("login", DialogKind::Other, r"^Select login method:", &["2.1.197"]),
    row("security-notes", DialogKind::Other, r"^Security notes:", &["2.1.197"]),
    // Its first option starts a paid turn.
    row("settings-error", DialogKind::Other, r"^Settings Error$", BOTH).harmless("Continue without these settings"),
    row("settings-warning", DialogKind::Other, r"^Settings Warning$|^The values listed above were skipped", BOTH)
        .harmless("Continue"),
    row("project-mcp", DialogKind::Other, r"^(\d+ )?[Nn]ew MCP servers? found in this project", BOTH),
    row("imports", DialogKind::Other, r"^Allow external CLAUDE\.md file imports\?", BOTH)
        .harmless("No, disable external imports")
        .consent("Yes, allow external imports"),
    row("config-error", DialogKind::Other, r"^Configuration error$", BOTH),
    row("fullscreen-promotion", DialogKind::Other, r"^Try the new fullscreen renderer\?", &["2.1.330"])
        .harmless("Not now"),
    row("auto-mode", DialogKind::Other, r"^Auto mode can't check actions in this session", &["2.1.330"]),
    row("resume-picker", DialogKind::Other, r"^Resume session", BOTH),
    row("rewind", DialogKind::Other, r"^Rewind$", BOTH),
    row("rate-limit", DialogKind::Other, r"^What do you want to do\?$", &["2.1.197"])
        .harmless("Stop and wait for limit to reset"),
    row("elicitation", DialogKind::Other, r"^MCP server .+ requests your input", &["2.1.197"]),
    row("plan-none", DialogKind::Plan, r"^Exit plan mode\?", BOTH),
    row(
        "plan",
        DialogKind::Plan,
        r"^Ready to code\?$|^Claude has written up a plan and is ready to execute\.",
        BOTH,
    ),
    row("question-review", DialogKind::Question, r"^Review your answers$", BOTH),
    row("permission", DialogKind::Permission, r"^Do you want to (proceed|make|create|allow|overwrite|run|use|read|write|edit|fetch|search)\b", BOTH),
];

/// The row that matches one of `lines`, which are trimmed; the table's order decides.
pub(super) fn matching(lines: &[&str]) -> Option<&'static Known> {
    static COMPILED: LazyLock<Vec<Option<Regex>>> =
        LazyLock::new(|| KNOWN.iter().map(|known| Regex::new(known.pattern).ok()).collect());
    let hit = COMPILED.iter().position(|regex| {
        regex.as_ref().is_some_and(|regex| lines.iter().any(|line| regex.is_match(line)))
    })?;
    KNOWN.get(hit)
}

/// The row of that name.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}
