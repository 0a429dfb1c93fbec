//! Environment over file over defaults, key by key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::keys::{KEYS, Key, Kind, nearest};
use super::{Config, ConfigError, Webhook};
use crate::domain::{Policy, Topic};

type Object = Map<String, Value>;

/// Where settings come from, as the process found them at its start.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`. It must exist.
    pub file: Option<PathBuf>,
    /// The working directory.
    pub cwd: PathBuf,
    /// The user's home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The whole environment. An empty variable counts as unset.
    pub env: BTreeMap<String, OsString>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable.
    Environment(&'static str),
}

/// The configuration, and where each value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The origin of every key; a dot leads into an object, as in `terminal.cols`.
    pub origins: BTreeMap<String, Origin>,
}

impl Origin {
    /// Names the place of `key` for a person: the variable, or the key and its file.
    #[must_use]
    pub fn place(&self, key: &str) -> String {
        match self {
            Self::Default => format!("the default of {key}"),
            Self::File(path) => format!("{key} in {}", path.display()),
            Self::Environment(variable) => (*variable).to_owned(),
        }
    }
}

impl Config {
    /// The files that are read, whether they are there or not.
    pub(super) fn files(sources: &Sources) -> Vec<PathBuf> {
        files(sources).into_iter().map(|file| file.path).collect()
    }

    /// Reads the configuration: variables `AEGIS_…` over files over defaults. The file is that of `--config`; without
    /// it `aegis.config.json` in the working directory over `~/.aegis/config.json`, each of which may be missing.
    /// The file in the working directory may come with somebody's project, so it sets only what is harmless.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is no JSON object, has an unknown key or one that is not for projects, or a
    /// value is not of its kind or out of range. The first mistake is reported.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let mut merged = Merged {
            values: serde_json::to_value(Config::default()).unwrap_or_default(),
            config: Config::default(),
            origins: KEYS.iter().map(|key| (key.name.to_owned(), Origin::Default)).collect(),
            home: sources.home.as_deref(),
        };
        for ConfigFile { path, whose } in files(sources) {
            let Some(object) = read_file(&path, whose)? else { continue };
            let base = path.parent().unwrap_or(Path::new("")).to_owned();
            for (key, value) in flatten(&path, "", object)? {
                if key.users && whose == Whose::Project {
                    let (key, variable) = (key.name.to_owned(), key.variable);
                    return Err(ConfigError::NotForProjects { path, key, variable });
                }
                merged.set(key, value, &Origin::File(path.clone()), &base)?;
            }
        }
        for key in KEYS {
            let Some(raw) = sources.env.get(key.variable).filter(|raw| !raw.is_empty()) else { continue };
            let origin = Origin::Environment(key.variable);
            let value = from_variable(key, raw)
                .ok_or_else(|| bad(key, &origin, &shown(key, || raw.to_string_lossy().into_owned())))?;
            merged.set(key, value, &origin, &sources.cwd)?;
        }
        Ok(Loaded { config: merged.config, origins: merged.origins })
    }
}

/// Who wrote a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The user named it on the command line.
    Named,
    /// The user's own.
    User,
    /// It lies in the working directory, and may be anybody's.
    Project,
}

struct ConfigFile {
    path: PathBuf,
    whose: Whose,
}

/// The files that count, weakest first.
fn files(sources: &Sources) -> Vec<ConfigFile> {
    if let Some(file) = &sources.file {
        return vec![ConfigFile { path: sources.cwd.join(file), whose: Whose::Named }];
    }
    let users = sources.home.as_ref().map(|home| home.join(".aegis/config.json"));
    let project = ConfigFile { path: sources.cwd.join("aegis.config.json"), whose: Whose::Project };
    users.map(|path| ConfigFile { path, whose: Whose::User }).into_iter().chain([project]).collect()
}

/// Reads a file; only a named one must exist.
fn read_file(path: &Path, whose: Whose) -> Result<Option<Object>, ConfigError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && whose != Whose::Named => return Ok(None),
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    };
    match serde_json::from_slice(&text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(ConfigError::NotAnObject { path }),
        Err(source) => Err(ConfigError::NotJson { path, source }),
    }
}

/// Turns nested objects into keys of the table.
fn flatten(path: &Path, prefix: &str, object: Object) -> Result<Vec<(&'static Key, Value)>, ConfigError> {
    let mut found = Vec::new();
    for (last, value) in object {
        let name = if prefix.is_empty() { last.clone() } else { format!("{prefix}.{last}") };
        let group = format!("{name}.");
        // A dot leads into an object only in our own spelling, not in the file's.
        if let Some(key) = KEYS.iter().find(|key| key.name == name && !last.contains('.')) {
            found.push((key, value));
        } else if KEYS.iter().any(|key| key.name.starts_with(&group)) {
            let Value::Object(object) = value else {
                return Err(ConfigError::BadValue {
                    key: name,
                    origin: Origin::File(path.to_owned()),
                    value: value.to_string(),
                    expected: "an object".into(),
                });
            };
            found.extend(flatten(path, &name, object)?);
        } else {
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                nearest: nearest(prefix, &last),
                key: name,
            });
        }
    }
    Ok(found)
}

/// What a variable says, as the file would say it; `None` if it is not Unicode or no number.
fn from_variable(key: &Key, raw: &OsStr) -> Option<Value> {
    Some(match key.kind {
        Kind::Paths => std::env::split_paths(raw)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| path.to_str().map(Value::from))
            .collect::<Option<Value>>()?,
        Kind::Names => parts(raw.to_str()?).map(Value::from).collect(),
        Kind::Number(..) => raw.to_str()?.trim().parse::<u64>().ok()?.into(),
        Kind::Path | Kind::Program | Kind::Text | Kind::Secret => raw.to_str()?.into(),
        Kind::Integer => raw.to_str()?.trim().parse::<i64>().ok()?.into(),
        Kind::Users => parts(raw.to_str()?)
            .map(|part| part.parse::<i64>().ok().map(Value::from))
            .collect::<Option<Value>>()?,
        Kind::Topics | Kind::Webhooks => match raw.to_str()?.trim() {
            json if json.starts_with('[') => serde_json::from_str(json).ok()?,
            list => parts(list).map(Value::from).collect(),
        },
        Kind::Policy => serde_json::from_str(raw.to_str()?).ok()?,
        Kind::Flag => match raw.to_str()?.trim() {
            "true" | "1" => true.into(),
            "false" | "0" => false.into(),
            _ => return None,
        },
    })
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// A value as an error may tell it.
fn shown(key: &Key, value: impl FnOnce() -> String) -> String {
    match key.kind {
        Kind::Secret | Kind::Webhooks => "a value that is not shown".into(),
        _ => value(),
    }
}

/// The values so far, and where they come from.
struct Merged<'a> {
    values: Value,
    config: Config,
    origins: BTreeMap<String, Origin>,
    home: Option<&'a Path>,
}

impl Merged<'_> {
    /// Sets one key, after its value was found good. Relative paths count from `base`.
    fn set(
        &mut self,
        key: &'static Key,
        value: Value,
        origin: &Origin,
        base: &Path,
    ) -> Result<(), ConfigError> {
        let shown = shown(key, || value.to_string());
        let good = match key.kind {
            Kind::Number(min, max) => value.as_u64().is_some_and(|number| (min..=max).contains(&number)),
            Kind::Flag => value.is_boolean(),
            Kind::Names => value.as_array().is_some_and(|names| names.iter().all(is_name)),
            // An empty path would be the base directory itself, which nobody means.
            Kind::Path | Kind::Program | Kind::Text => value.as_str() != Some(""),
            Kind::Secret => value.is_null() || value.as_str().is_some_and(|text| !text.is_empty()),
            Kind::Users => value.as_array().is_some_and(|users| users.iter().all(Value::is_i64)),
            Kind::Integer => value.is_null() || value.is_i64(),
            Kind::Paths => value.as_array().is_some_and(|paths| !paths.contains(&Value::from(""))),
            // What is wrong with which rule is told below.
            Kind::Policy | Kind::Webhooks | Kind::Topics => true,
        };
        let closer = match key.kind {
            Kind::Policy => check_policy(&value).map_err(|what| format!("a list of rules ({what})")),
            Kind::Webhooks => check_webhooks(&value).map_err(|what| format!("a list of webhooks ({what})")),
            Kind::Topics => check_topics(&value).map_err(|what| format!("a list of events ({what})")),
            _ => Ok(()),
        };
        if let Err(expected) = closer {
            let (key, origin) = (key.name.into(), origin.clone());
            return Err(ConfigError::BadValue { key, origin, value: shown, expected });
        }
        if !good {
            return Err(bad(key, origin, &shown));
        }
        let value = self.resolve(key, value, origin, base)?;
        let pointer = format!("/{}", key.name.replace('.', "/"));
        if let Some(place) = self.values.pointer_mut(&pointer) {
            *place = value;
        }
        // After each key, so that what the types refuse is this one's value.
        self.config = serde_json::from_value(self.values.clone()).map_err(|error| ConfigError::BadValue {
            key: key.name.into(),
            origin: origin.clone(),
            value: shown,
            expected: expected(key, Some(&error.to_string())),
        })?;
        self.origins.insert(key.name.to_owned(), origin.clone());
        Ok(())
    }

    fn resolve(&self, key: &Key, value: Value, origin: &Origin, base: &Path) -> Result<Value, ConfigError> {
        let one = |text: &str| {
            let path = match text.strip_prefix('~') {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    let home = self.home.ok_or_else(|| ConfigError::NoHome {
                        key: key.name.into(),
                        origin: origin.clone(),
                    })?;
                    home.join(rest.trim_start_matches('/'))
                }
                _ => base.join(text),
            };
            path.into_os_string()
                .into_string()
                .map(Value::from)
                .map_err(|_| bad(key, origin, &format!("{text:?}")))
        };
        match (key.kind, value) {
            (Kind::Program, Value::String(name)) if !name.contains('/') => Ok(name.into()),
            (Kind::Path | Kind::Program, Value::String(text)) => one(&text),
            (Kind::Paths, Value::Array(paths)) => {
                paths.into_iter().map(|path| path.as_str().map_or(Ok(path.clone()), one)).collect()
            }
            (_, value) => Ok(value),
        }
    }
}

fn check_policy(value: &Value) -> Result<(), String> {
    Policy::deserialize(value).map_err(|error| error.to_string())?.check()
}

/// What is wrong with which webhook; never with what stands in it.
fn check_webhooks(value: &Value) -> Result<(), String> {
    let Some(list) = value.as_array() else { return Err("each an address or an object".into()) };
    list.iter().enumerate().try_for_each(|(at, value)| {
        let found = Webhook::deserialize(value).map_err(|error| without_values(&error.to_string()));
        found.and_then(|webhook| webhook.check()).map_err(|what| format!("number {}: {what}", at + 1))
    })
}

/// A message of the types without the value that it quotes: that may be a secret.
fn without_values(message: &str) -> String {
    match (message.strip_prefix("invalid "), message.rsplit_once(", expected ")) {
        (Some(_), Some((_, expected))) => format!("a value is not what is expected: {expected}"),
        _ => message.to_owned(),
    }
}

fn check_topics(value: &Value) -> Result<(), String> {
    let Some(list) = value.as_array() else { return Err("by their names".into()) };
    list.iter().try_for_each(|value| match value.as_str() {
        Some(name) => name.parse::<Topic>().map(drop).map_err(|error| error.to_string()),
        None => Err("by their names".into()),
    })
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| !name.is_empty() && !name.contains(['=', '\0', ',']))
}

fn bad(key: &Key, origin: &Origin, value: &str) -> ConfigError {
    ConfigError::BadValue {
        key: key.name.into(),
        origin: origin.clone(),
        value: value.into(),
        expected: expected(key, None),
    }
}

/// What may stand at a key; `said` is what the types say about a value that they do not take.
fn expected(key: &Key, said: Option<&str>) -> String {
    match key.kind {
        Kind::Number(min, max) => format!("a whole number from {min} to {max}"),
        Kind::Flag => "true or false".into(),
        Kind::Path | Kind::Program => "a path".into(),
        Kind::Paths => "a list of paths".into(),
        Kind::Names => "a list of variable names".into(),
        Kind::Policy => "a list of rules, as JSON".into(),
        Kind::Secret => "a text that is not empty".into(),
        Kind::Webhooks => "addresses separated by commas, or a JSON array".into(),
        Kind::Topics => "events separated by commas, or a JSON array".into(),
        Kind::Users => "numbers separated by commas".into(),
        Kind::Integer => "a whole number".into(),
        // The types' own list of words: "unknown variant `x`, expected one of `a`, `b`".
        Kind::Text => match said.and_then(|said| said.rsplit_once(", expected ")) {
            Some((_, words)) => words.to_owned(),
            None => "a text that is not empty".into(),
        },
    }
}
