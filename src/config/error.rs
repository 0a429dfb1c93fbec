//! Why the configuration was not accepted. Each message names the place, what stands there and what may.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use super::Origin;

/// Why the configuration was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read; for `--config` also when it is missing.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("the configuration {path} is not JSON: {source}")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file holds something else than an object.
    #[error("the configuration {path} must be a JSON object")]
    NotAnObject {
        /// The file.
        path: PathBuf,
    },
    /// The file has a key that does not exist.
    #[error("{path}: there is no key {:?}{}", brief(key), did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key; a dot leads into an object.
        key: String,
        /// The key that was likely meant.
        nearest: Option<String>,
    },
    /// A project's file sets what only the user may set.
    #[error(
        "{path}: {key} cannot be set by a project; set it in ~/.aegis/config.json or by {variable}, or name the file with --config"
    )]
    NotForProjects {
        /// The file.
        path: PathBuf,
        /// The key; a dot leads into an object.
        key: String,
        /// The variable that sets it.
        variable: &'static str,
    },
    /// A value is of the wrong kind or out of its range.
    #[error("{} is {}; expected {expected}", origin.place(key), brief(value))]
    BadValue {
        /// The key.
        key: String,
        /// Where the value stands.
        origin: Origin,
        /// The value as it stands there.
        value: String,
        /// What may stand there.
        expected: String,
    },
    /// A path begins with `~` and the home directory is not known.
    #[error("{} begins with ~, and the home directory is not known", origin.place(key))]
    NoHome {
        /// The key.
        key: String,
        /// Where the value stands.
        origin: Origin,
    },
}

/// As much of what stands in a file or variable as a message can show.
fn brief(text: &str) -> Cow<'_, str> {
    /// Longer than any value that is meant.
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}
