//! Arguments that several verbs share, and how their values are read.

use std::collections::BTreeMap;
use std::io::Read;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::domain::{ErrorCode, OpError, PermissionMode, PipelineStatus, Role, StatusWord, WhenBusy};

/// Names one session.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// The session: its id, a unique prefix of at least 6 characters, or its name
    #[arg(value_name = "SESSION")]
    pub session: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Format {
    /// Answer with JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Which page of a list.
#[derive(Clone, Debug, Args)]
pub struct Page {
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: Option<u32>,
    /// Go on where the page before ended
    #[arg(long)]
    pub cursor: Option<String>,
}

/// Reads a status word.
pub(super) fn status() -> impl TypedValueParser<Value = StatusWord> {
    PossibleValuesParser::new(StatusWord::ALL.map(StatusWord::as_str)).try_map(|word| {
        StatusWord::ALL.into_iter().find(|status| status.as_str() == word).ok_or("not a status")
    })
}

/// Reads a pipeline's status.
pub(super) fn pipeline_status() -> impl TypedValueParser<Value = PipelineStatus> {
    PossibleValuesParser::new(PipelineStatus::ALL.map(PipelineStatus::as_str)).try_map(|word| {
        PipelineStatus::ALL.into_iter().find(|status| status.as_str() == word).ok_or("not a status")
    })
}

/// Reads a permission mode.
pub(super) fn permission_mode() -> impl TypedValueParser<Value = PermissionMode> {
    PossibleValuesParser::new(PermissionMode::ALL.map(PermissionMode::as_str)).try_map(|word| {
        PermissionMode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or("not a permission mode")
    })
}

/// Reads what to do with a prompt while a turn runs.
pub(super) fn when_busy() -> impl TypedValueParser<Value = WhenBusy> {
    PossibleValuesParser::new(["queue", "interrupt", "refuse"]).try_map(|word| match word.as_str() {
        "queue" => Ok(WhenBusy::Queue),
        "interrupt" => Ok(WhenBusy::Interrupt),
        "refuse" => Ok(WhenBusy::Refuse),
        _ => Err("not one of queue, interrupt, refuse"),
    })
}

/// Reads who speaks.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(["user", "assistant", "system"]).try_map(|word| match word.as_str() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err("not one of user, assistant, system"),
    })
}

/// Reads `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// Variables as the operations take them: none is absent.
pub(super) fn variables(pairs: Vec<(String, String)>) -> Option<BTreeMap<String, String>> {
    (!pairs.is_empty()).then(|| pairs.into_iter().collect())
}

/// The text itself, or all of stdin for `-`.
pub(super) fn text_or_stdin(text: String) -> Result<String, OpError> {
    if text != "-" {
        return Ok(text);
    }
    let mut read = String::new();
    std::io::stdin().read_to_string(&mut read).map_err(|error| {
        OpError::new(ErrorCode::InvalidArgument, format!("cannot read stdin as text: {error}"))
            .hint("give UTF-8 text on stdin")
    })?;
    // The line break that `echo` or an editor adds is no part of the prompt.
    let end = read.trim_end_matches(['\n', '\r']).len();
    read.truncate(end);
    Ok(read)
}

/// The directory as an absolute path, links left as they are.
pub(super) fn absolute(dir: &str) -> Result<String, OpError> {
    let refused = |why: String| OpError::new(ErrorCode::WorkDirRefused, format!("`{dir}`: {why}"));
    let path = std::path::absolute(dir).map_err(|error| refused(error.to_string()))?;
    path.into_os_string().into_string().map_err(|_| refused("not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(pair("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert!(pair("=b").is_err());
        assert!(pair("A").is_err());
    }

    #[test]
    fn a_directory_becomes_absolute() {
        assert_eq!(absolute("/a/./b").unwrap(), "/a/b");
        assert!(absolute("sub").unwrap().ends_with("/sub"));
    }
}
