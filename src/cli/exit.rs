//! Exit codes: what a script learns without reading a word.

use std::process::ExitCode;

use crate::domain::StatusWord;

/// How a command came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// An operation failed; the error is on stderr with its code.
    Failed,
    /// The command line made no sense. Given by clap itself, too.
    Usage,
    /// Something waits for an answer.
    NeedsAnswer,
    /// The time ran out; the session lives on.
    TimedOut,
    /// The turn ended with an API failure or at a usage limit.
    TurnFailed,
    /// The session ended meanwhile.
    SessionEnded,
    /// Ctrl-C stopped the turn.
    Interrupted,
}

impl Exit {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NeedsAnswer,
        Self::TimedOut,
        Self::TurnFailed,
        Self::SessionEnded,
        Self::Interrupted,
    ];

    /// Gives the number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NeedsAnswer => 3,
            Self::TimedOut => 4,
            Self::TurnFailed => 5,
            Self::SessionEnded => 6,
            // What a shell reports for a program that Ctrl-C ended.
            Self::Interrupted => 130,
        }
    }

    /// What a status means for whoever waited for something good.
    #[must_use]
    pub fn of_status(status: StatusWord) -> Self {
        match status {
            StatusWord::PermissionPrompt | StatusWord::Asking => Self::NeedsAnswer,
            StatusWord::RateLimited | StatusWord::Error => Self::TurnFailed,
            StatusWord::Ended => Self::SessionEnded,
            StatusWord::Starting
            | StatusWord::Working
            | StatusWord::Idle
            | StatusWord::Stalled
            | StatusWord::Unknown => Self::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Shown at the end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    failed; the error and its code are on stderr
  2    wrong usage
  3    an ask needs an answer; the session is alive
  4    timed out; the session is alive
  5    the turn failed (error or rate limit)
  6    the session ended meanwhile
  130  stopped by Ctrl-C

Answers go to stdout, progress and errors to stderr. With --json the answer is
one JSON document, and an error is {code, message, hint, details?} on stderr.
A SESSION is its id, a unique prefix of at least 6 characters, or its name.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_code_once() {
        for exit in Exit::ALL {
            let start = format!("  {} ", exit.code());
            assert_eq!(HELP.lines().filter(|line| line.starts_with(&start)).count(), 1, "{exit:?}");
        }
    }

    #[test]
    fn a_status_tells_the_code() {
        assert_eq!(Exit::of_status(StatusWord::Idle).code(), 0);
        assert_eq!(Exit::of_status(StatusWord::Asking).code(), 3);
        assert_eq!(Exit::of_status(StatusWord::RateLimited).code(), 5);
        assert_eq!(Exit::of_status(StatusWord::Ended).code(), 6);
    }
}
