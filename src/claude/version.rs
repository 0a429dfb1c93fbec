//! Which versions of Claude Code there are rules for.

use std::fmt;

/// A version of Claude Code, such as 2.1.330.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// The first version whose hooks can be given as a program with arguments (2.1.139). Before it no hook of ours
/// fires (seen with 2.1.120), so nothing could be proved.
pub const OLDEST_SUPPORTED: Version = Version { major: 2, minor: 1, patch: 139 };

impl Version {
    /// Reads the version out of what `claude --version` prints (`2.1.330 (Claude Code)`) or a package names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?;
        let core = word.split(['-', '+']).next()?;
        let mut parts = core.split('.').map(str::parse::<u32>);
        let version =
            Self { major: parts.next()?.ok()?, minor: parts.next()?.ok()?, patch: parts.next()?.ok()? };
        parts.next().is_none().then_some(version)
    }

    /// Tells whether Aegis works with it.
    #[must_use]
    pub fn supported(self) -> bool {
        self >= OLDEST_SUPPORTED
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::printed("2.1.330 (Claude Code)\n", Some("2.1.330"), true)]
    #[case::bare("2.1.139", Some("2.1.139"), true)]
    #[case::old("2.1.120 (Claude Code)", Some("2.1.120"), false)]
    #[case::older_major("1.9.200", Some("1.9.200"), false)]
    #[case::preview("2.2.0-beta.1", Some("2.2.0"), true)]
    #[case::noise("command not found", None, false)]
    fn versions_are_read(#[case] text: &str, #[case] shown: Option<&str>, #[case] supported: bool) {
        let version = Version::parse(text);
        assert_eq!(version.map(|v| v.to_string()).as_deref(), shown);
        assert_eq!(version.is_some_and(Version::supported), supported);
    }
}
