//! A shell line as the commands that it runs, as far as that can be told from its text.

/// The commands of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Each simple command, trimmed.
    pub(super) commands: Vec<String>,
    /// Whether these are all that runs, and they write only where they say. Anything that a shell would expand to
    /// commands, or that sends output into files, makes this false.
    pub(super) plain: bool,
}

/// Redirections that write nowhere.
const HARMLESS: &[&str] =
    &["2>&1", "1>&2", "2>/dev/null", "1>/dev/null", "&>/dev/null", ">/dev/null", "</dev/null"];

/// Takes a line apart at what separates commands outside quotes.
pub(super) fn line(text: &str) -> Line {
    let mut commands = Vec::new();
    let mut command = String::new();
    let mut plain = true;
    let mut quote: Option<char> = None;
    let mut rest = text;
    let mut chars;
    while let Some(c) = rest.chars().next() {
        let here = rest;
        chars = rest.chars();
        chars.next();
        rest = chars.as_str();
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                command.push(c);
                if let Some(next) = chars.next() {
                    command.push(next);
                    rest = chars.as_str();
                }
                continue;
            }
            // Within double quotes these still run, or stand for what nobody sees here.
            (_, '`' | '$') => plain = false,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | ')' | '{' | '}') => plain = false,
            (None, ';' | '|' | '\n' | '\r') => {
                commands.push(std::mem::take(&mut command));
                continue;
            }
            (None, '&' | '>' | '<' | '1' | '2') => {
                let word_begins =
                    command.is_empty() || command.ends_with(char::is_whitespace) || !c.is_ascii_digit();
                let harmless = HARMLESS.iter().find(|known| {
                    word_begins
                        && here.strip_prefix(**known).is_some_and(|after| {
                            !after.starts_with(|c: char| c.is_alphanumeric() || "/._-~$".contains(c))
                        })
                });
                if let Some(known) = harmless {
                    rest = here.get(known.len()..).unwrap_or_default();
                    continue;
                }
                match c {
                    '&' => {
                        commands.push(std::mem::take(&mut command));
                        continue;
                    }
                    '>' | '<' => plain = false,
                    _ => {}
                }
            }
            (None, _) => {}
        }
        command.push(c);
    }
    commands.push(command);
    let commands =
        commands.iter().map(|command| command.trim().to_owned()).filter(|c| !c.is_empty()).collect();
    Line { commands, plain: plain && quote.is_none() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one("git status", &["git status"])]
    #[case::several("git add . && git commit -m 'a; b' ; ls | wc -l", &["git add .", "git commit -m 'a; b'", "ls", "wc -l"])]
    #[case::background("sleep 1 & rm x", &["sleep 1", "rm x"])]
    #[case::lines("ls\nrm x", &["ls", "rm x"])]
    #[case::quiet("make 2>&1 >/dev/null", &["make"])]
    #[case::quiet_pipe("make 2>&1 | tail -1", &["make", "tail -1"])]
    #[case::number("head -2 x1", &["head -2 x1"])]
    #[case::escaped("echo a\\;b", &["echo a\\;b"])]
    fn what_runs_is_told(#[case] text: &str, #[case] commands: &[&str]) {
        assert_eq!(
            line(text),
            Line { commands: commands.iter().map(|c| (*c).to_owned()).collect(), plain: true }
        );
    }

    #[rstest]
    #[case::substitution("git log $(rm x)")]
    #[case::in_quotes("git log \"$(rm x)\"")]
    #[case::backticks("git log `rm x`")]
    #[case::variable("git $X")]
    #[case::to_a_file("git log > /etc/passwd")]
    #[case::to_a_file_at_once("git log >x")]
    #[case::longer_than_null("git log >/dev/nullx")]
    #[case::from_a_file("sh < x")]
    #[case::process("diff <(rm x) y")]
    #[case::subshell("(rm x)")]
    #[case::group("{ rm x; }")]
    #[case::unclosed("git log 'x")]
    #[case::brace_expansion("rm {a,b}")]
    fn what_cannot_be_told_is_not_plain(#[case] text: &str) {
        assert!(!line(text).plain, "{:?}", line(text));
    }
}
