//! The command line: what Claude Code takes, as far as Aegis gives it.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the program was started with.
#[derive(Debug, Default)]
pub(crate) struct Args {
    /// `--version`: say it and end.
    pub(crate) version: bool,
    /// `--session-id`, the conversation to begin.
    pub(crate) session_id: Option<String>,
    /// `--resume`, the conversation to go on with.
    pub(crate) resume: Option<String>,
    /// `--fork-session`: copy the resumed conversation.
    pub(crate) fork: bool,
    /// `--permission-mode`.
    pub(crate) permission_mode: Option<String>,
    /// `--settings`, a file.
    pub(crate) settings: Option<PathBuf>,
    /// `--name`, shown in the title.
    pub(crate) name: Option<String>,
    /// `--model`.
    pub(crate) model: Option<String>,
    /// The first prompt.
    pub(crate) prompt: Option<String>,
}

/// Options with a value that are taken and change nothing here.
const IGNORED: &[&str] =
    &["--append-system-prompt", "--worktree", "--add-dir", "--mcp-config", "--setting-sources"];

impl Args {
    /// Reads the arguments, without the program's own name.
    ///
    /// # Errors
    ///
    /// What Claude Code prints for an option that it does not know or that lacks its value.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let mut value =
                || args.next().ok_or_else(|| format!("error: option '{arg} <value>' argument missing"));
            match arg.as_str() {
                "--version" | "-v" => parsed.version = true,
                "--session-id" => parsed.session_id = Some(value()?),
                "--resume" | "-r" => parsed.resume = Some(value()?),
                "--fork-session" => parsed.fork = true,
                "--permission-mode" => parsed.permission_mode = Some(value()?),
                "--settings" => parsed.settings = Some(value()?.into()),
                "--name" | "-n" => parsed.name = Some(value()?),
                "--model" => parsed.model = Some(value()?),
                "--strict-mcp-config" => {}
                other if IGNORED.contains(&other) => drop(value()?),
                "--" => parsed.prompt = args.next(),
                other if other.starts_with('-') => return Err(format!("error: unknown option '{other}'")),
                _ => parsed.prompt = Some(arg),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Args, String> {
        Args::parse(line.iter().map(OsString::from))
    }

    #[test]
    fn the_line_that_aegis_gives_is_understood() {
        let args = parse(&[
            "--resume",
            "a",
            "--session-id",
            "b",
            "--permission-mode",
            "default",
            "--settings",
            "/s.json",
            "--model",
            "m",
            "--append-system-prompt",
            "p",
            "--add-dir",
            "/d",
            "--fork-session",
            "--",
            "--hello",
        ])
        .unwrap();
        assert_eq!((args.resume.as_deref(), args.session_id.as_deref()), (Some("a"), Some("b")));
        assert!(args.fork);
        assert_eq!(args.prompt.as_deref(), Some("--hello"));
    }

    #[test]
    fn what_claude_code_does_not_know_is_an_error() {
        assert_eq!(parse(&["--no-such"]).unwrap_err(), "error: unknown option '--no-such'");
        assert!(parse(&["--model"]).is_err());
    }
}
