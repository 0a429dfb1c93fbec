//! Slash commands and shell lines: the two kinds of text that Claude Code does not take as a prompt.
//!
//! Measured on 2.1.197 and 2.1.330: after `/com` Enter runs the command that the menu offers first, here `/compact`, so
//! the menu is closed before Enter; an unknown name is told as such then. A word with a second slash is a path and so a
//! prompt. A pasted text of more than four lines becomes a block, which is never taken for either.

use super::prompt::Unsendable;
use crate::term::Screen;

/// The most lines of a shell line that is typed as such.
const MOST_LINES: usize = 4;

/// Why a text is no command or no shell line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTypable {
    /// The terminal would act on it, or it is blank or too long.
    #[error("{0}")]
    Unsendable(Unsendable),
    /// It has no name of a command where one must stand.
    #[error("`{0}` is no command's name: letters, digits, `-`, `_`, `:` and `.` only")]
    NoName(String),
    /// It has several lines.
    #[error("a command has one line")]
    Lines,
    /// It has too many lines to be taken as a shell line.
    #[error("a shell line has at most {MOST_LINES} lines; put a longer one into a file")]
    ManyLines,
    /// A backslash at the end would swallow Enter.
    #[error("a shell line cannot end with a backslash")]
    Backslash,
}

/// Gives what to type for a slash command; the slash is added where it is missing.
///
/// # Errors
///
/// [`NotTypable`]; nothing has been written then.
pub fn slash(text: &str, limit: usize) -> Result<String, NotTypable> {
    let text = text.trim();
    check(text, limit)?;
    if text.contains(['\n', '\r']) {
        return Err(NotTypable::Lines);
    }
    let line = text.strip_prefix('/').unwrap_or(text);
    let name = line.split_whitespace().next().unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
    if name.is_empty() || !line.starts_with(name) || !name.chars().all(plain) {
        return Err(NotTypable::NoName(name.chars().take(60).collect()));
    }
    Ok(format!("/{line}"))
}

/// Gives what to type for a shell line; the `!` is added.
///
/// # Errors
///
/// [`NotTypable`]; nothing has been written then.
pub fn shell(text: &str, limit: usize) -> Result<String, NotTypable> {
    let text = text.trim();
    let line = text.strip_prefix('!').unwrap_or(text).trim_start();
    check(line, limit)?;
    if line.lines().count() > MOST_LINES {
        return Err(NotTypable::ManyLines);
    }
    if line.ends_with('\\') {
        return Err(NotTypable::Backslash);
    }
    Ok(format!("!{line}"))
}

fn check(text: &str, limit: usize) -> Result<(), NotTypable> {
    super::prompt::check(text, limit).map_err(NotTypable::Unsendable)
}

/// What Claude Code wrote down of a shell line's output, with its own escapes taken back (2.1.197, 2.1.330): standard
/// output and error are one text there, in the order in which they came.
#[must_use]
pub fn shell_output(text: &str) -> Option<String> {
    let (out, rest) = text.trim().strip_prefix("<bash-stdout>")?.split_once("</bash-stdout>")?;
    let err = rest.trim().strip_prefix("<bash-stderr>").and_then(|rest| rest.strip_suffix("</bash-stderr>"));
    let mut output = unescaped(out);
    if let Some(err) = err.filter(|err| !err.is_empty()) {
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str(&unescaped(err));
    }
    Some(output)
}

/// The shell line itself, which is written down as it was typed.
#[must_use]
pub fn shell_input(text: &str) -> Option<&str> {
    text.trim().strip_prefix("<bash-input>")?.strip_suffix("</bash-input>")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The command that a line says was run by Claude Code itself, by its own name for it: an alias is told as what it
/// stands for. Commands that become prompts are told otherwise.
#[must_use]
pub fn command_ran(text: &str) -> Option<&str> {
    Some(text.trim_start().strip_prefix("<command-name>")?.split_once("</command-name>")?.0)
}

/// What was typed for a command that became a prompt, from the line that stands for it: `/name arguments`. Commands of
/// Claude Code's own are told otherwise ([`command_ran`]).
#[must_use]
pub fn command_typed(text: &str) -> Option<String> {
    let text = text.trim_start();
    if !text.starts_with("<command-message>") {
        return None;
    }
    let name = between(text, "<command-name>", "</command-name>")?;
    let arguments = between(text, "<command-args>", "</command-args>").unwrap_or_default();
    name.starts_with('/').then(|| format!("{name} {arguments}").trim_end().to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// Whether a row of the screen says that there is no command of this name (2.1.197, 2.1.330).
#[must_use]
pub fn says_unknown(row: &str, name: &str) -> bool {
    let told = row.trim_start_matches(['●', ' ']).strip_prefix("Unknown command: ");
    let rest = told.and_then(|told| told.strip_prefix(name));
    // "Unknown command: /com. Did you mean /cd?"
    rest.is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with(". "))
}

/// Whether a menu stands open under the input box: commands, or what may stand behind one. Enter would take its choice
/// for what was typed, also when a blank stands behind the name; Escape closes it and leaves the text (2.1.197, 2.1.330).
#[must_use]
pub fn menu_is_open(screen: &Screen) -> bool {
    let rows: Vec<&str> = (0..screen.rows.len()).map(|row| screen.row_text(row).trim()).collect();
    let rule = |row: &&str| !row.is_empty() && row.chars().all(|c| c == '─');
    let Some(bottom) = rows.iter().rposition(rule) else { return true };
    let below = rows.iter().skip(bottom + 1).filter(|row| !row.is_empty());
    let offers = |row: &&&str| row.trim_start_matches(['❯', ' ']).starts_with('/') || row.starts_with('❯');
    below.clone().any(|row| offers(&row)) || below.count() > FOOTER_ROWS
}

/// Rows that may stand under the box without a menu.
const FOOTER_ROWS: usize = 5;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("compact", Ok("/compact"))]
    #[case("/model opus", Ok("/model opus"))]
    #[case(" /plugin:do it ", Ok("/plugin:do it"))]
    #[case("/etc/hosts is a path", Err(NotTypable::NoName("etc/hosts".into())))]
    #[case("/", Err(NotTypable::NoName(String::new())))]
    #[case("/ compact", Err(NotTypable::NoName("compact".into())))]
    #[case("!ls", Err(NotTypable::NoName("!ls".into())))]
    #[case("/a\n/b", Err(NotTypable::Lines))]
    #[case(" ", Err(NotTypable::Unsendable(Unsendable::Blank)))]
    #[case("/a\x1b", Err(NotTypable::Unsendable(Unsendable::Control { code: 0x1b, at: 2 })))]
    fn a_command_is_typed_with_its_slash(#[case] text: &str, #[case] expected: Result<&str, NotTypable>) {
        assert_eq!(slash(text, 100), expected.map(str::to_owned));
    }

    #[rstest]
    #[case("ls -l", Ok("!ls -l"))]
    #[case("!ls", Ok("!ls"))]
    #[case("a\nb", Ok("!a\nb"))]
    #[case("a\nb\nc\nd\ne", Err(NotTypable::ManyLines))]
    #[case("ls \\", Err(NotTypable::Backslash))]
    #[case("!", Err(NotTypable::Unsendable(Unsendable::Blank)))]
    fn a_shell_line_is_typed_as_one(#[case] text: &str, #[case] expected: Result<&str, NotTypable>) {
        assert_eq!(shell(text, 100), expected.map(str::to_owned));
    }

    #[rstest]
    #[case("● Unknown command: /com", true)]
    #[case("● Unknown command: /com. Did you mean /cd?", true)]
    #[case("● Unknown command: /compact", false)]
    #[case("❯ /com", false)]
    fn an_unknown_command_is_told(#[case] row: &str, #[case] unknown: bool) {
        assert_eq!(says_unknown(row, "/com"), unknown);
    }

    #[test]
    fn what_is_written_down_reads_back() {
        let told = "<bash-stdout>hi\n&lt;b&gt;&amp;lt;</bash-stdout><bash-stderr></bash-stderr>";
        assert_eq!(shell_output(told).as_deref(), Some("hi\n<b>&lt;"));
        assert_eq!(
            shell_output("<bash-stdout>a</bash-stdout><bash-stderr>b</bash-stderr>").as_deref(),
            Some("a\nb")
        );
        assert_eq!(shell_input("<bash-input>echo '&lt;'</bash-input>"), Some("echo '&lt;'"));
        assert_eq!(command_ran("<command-name>/usage</command-name>\n  <command-message>"), Some("/usage"));
    }

    #[rstest]
    #[case(
        "<command-message>my</command-message>\n<command-name>/my</command-name>\n<command-args>a b</command-args>",
        Some("/my a b")
    )]
    #[case("<command-message>my</command-message>\n<command-name>/my</command-name>", Some("/my"))]
    #[case("<command-message>The \"pdf\" skill</command-message>\n<command-name>pdf</command-name>", None)]
    #[case("<command-name>/usage</command-name>\n<command-message>usage</command-message>", None)]
    fn a_command_that_became_a_prompt_reads_back(#[case] text: &str, #[case] typed: Option<&str>) {
        assert_eq!(command_typed(text).as_deref(), typed);
        assert_eq!(typed.and(command_ran(text)), None);
    }
}
