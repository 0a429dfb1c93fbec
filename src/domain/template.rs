//! Templates: a prompt with variables, and the settings of the sessions that are made from it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{ErrorCode, OpError};
use super::id::TemplateId;
use super::memory::MemoryKey;
use super::nearest::nearest;
use super::session::PermissionMode;
use super::time::Timestamp;

/// What sessions are made from, as it is kept. Doors tell it without the values of its variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// Its name, unique among templates.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The first prompt, with `{{variables}}`.
    pub prompt: Option<String>,
    /// The directory to work in.
    pub work_dir: Option<String>,
    /// The permission mode.
    pub permission_mode: Option<PermissionMode>,
    /// The model.
    pub model: Option<String>,
    /// Variables of the environment.
    pub env: SecretEnv,
    /// Keys of the memory whose values go before the prompt.
    pub memory_keys: Vec<MemoryKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A part that a template can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum TemplateField {
    /// What it is for.
    Description,
    /// The first prompt.
    Prompt,
    /// The directory.
    WorkDir,
    /// The permission mode.
    PermissionMode,
    /// The model.
    Model,
    /// All variables of the environment.
    Env,
    /// All keys of the memory.
    MemoryKeys,
}

impl TemplateField {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::Description,
        Self::Prompt,
        Self::WorkDir,
        Self::PermissionMode,
        Self::Model,
        Self::Env,
        Self::MemoryKeys,
    ];

    /// Gives the part as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Prompt => "prompt",
            Self::WorkDir => "workDir",
            Self::PermissionMode => "permissionMode",
            Self::Model => "model",
            Self::Env => "env",
            Self::MemoryKeys => "memoryKeys",
        }
    }
}

/// What becomes of a template: the parts that are set, after those of `clear` are taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another prompt.
    pub prompt: Option<String>,
    /// Another directory.
    pub work_dir: Option<String>,
    /// Another permission mode.
    pub permission_mode: Option<PermissionMode>,
    /// Another model.
    pub model: Option<String>,
    /// Variables in place of all that there were.
    pub env: Option<SecretEnv>,
    /// Keys in place of all that there were.
    pub memory_keys: Option<Vec<MemoryKey>>,
    /// Parts to take out.
    pub clear: Vec<TemplateField>,
}

impl Template {
    /// Builds a template without settings.
    #[must_use]
    pub fn new(id: TemplateId, name: String, now: Timestamp) -> Self {
        Self {
            id,
            name,
            description: None,
            prompt: None,
            work_dir: None,
            permission_mode: None,
            model: None,
            env: SecretEnv::default(),
            memory_keys: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Changes the template.
    pub fn change(&mut self, change: &TemplateChange, now: Timestamp) {
        fn set<T: Clone>(part: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                part.clone_from(value);
            }
        }
        for field in &change.clear {
            match field {
                TemplateField::Description => self.description = None,
                TemplateField::Prompt => self.prompt = None,
                TemplateField::WorkDir => self.work_dir = None,
                TemplateField::PermissionMode => self.permission_mode = None,
                TemplateField::Model => self.model = None,
                TemplateField::Env => self.env = SecretEnv::default(),
                TemplateField::MemoryKeys => self.memory_keys = Vec::new(),
            }
        }
        set(&mut self.name, change.name.as_ref());
        self.description = change.description.clone().or(self.description.take());
        self.prompt = change.prompt.clone().or(self.prompt.take());
        self.work_dir = change.work_dir.clone().or(self.work_dir.take());
        self.permission_mode = change.permission_mode.or(self.permission_mode);
        self.model = change.model.clone().or(self.model.take());
        set(&mut self.env, change.env.as_ref());
        set(&mut self.memory_keys, change.memory_keys.as_ref());
        self.updated_at = now;
    }
}

/// Variables of an environment, whose values are secrets: they are kept and passed on, and never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct SecretEnv(pub BTreeMap<String, String>);

impl SecretEnv {
    /// The variables' names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl fmt::Debug for SecretEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a prompt cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// Variables of the prompt have no value.
    #[error("no value is given for {}", quoted(names))]
    Missing {
        /// Their names, each once, in the prompt's order.
        names: Vec<String>,
    },
    /// A value is given for what is no variable of the prompt.
    #[error("the prompt has no variable `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The prompt's variables.
        known: Vec<String>,
    },
}

impl From<FillError> for OpError {
    fn from(error: FillError) -> Self {
        let what = error.to_string();
        match error {
            FillError::Missing { names } => {
                Self::new(ErrorCode::MissingVariable, what).details(Some(names.into()))
            }
            FillError::Unknown { name, known } => {
                let all = format!("its variables are: {}", known.join(", "));
                let near = nearest(&name, known.iter().map(String::as_str));
                Self::new(ErrorCode::InvalidArgument, what).hint(all).did_you_mean(near)
            }
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Finds the variables of a prompt, each once, in their order. A variable is a name in double braces, blanks around it
/// or not: an ASCII letter or `_`, then letters, digits, `_` and `-`. All else in braces is text.
#[must_use]
pub fn variables(prompt: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for piece in pieces(prompt) {
        if let Piece::Variable(name) = piece
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Puts the values in place of a prompt's variables. Values are data: what looks like a variable in one stays.
///
/// # Errors
///
/// [`FillError`] unless exactly the prompt's variables have values.
pub fn fill(prompt: &str, values: &BTreeMap<String, String>) -> Result<String, FillError> {
    let known = variables(prompt);
    let missing: Vec<String> =
        known.iter().filter(|name| !values.contains_key(**name)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(FillError::Missing { names: missing });
    }
    if let Some(name) = values.keys().find(|name| !known.contains(&name.as_str())) {
        let known = known.iter().map(ToString::to_string).collect();
        return Err(FillError::Unknown { name: name.clone(), known });
    }
    let filled = pieces(prompt).into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Variable(name) => values.get(name).map_or("", String::as_str),
    });
    Ok(filled.collect())
}

enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn pieces(prompt: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once("{{") {
        pieces.push(Piece::Text(before));
        match after.split_once("}}") {
            Some((inside, behind)) if is_name(inside.trim_matches(' ')) => {
                pieces.push(Piece::Variable(inside.trim_matches(' ')));
                rest = behind;
            }
            _ => {
                pieces.push(Piece::Text("{{"));
                rest = after;
            }
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[rstest]
    #[case::none("plain", &[], "plain")]
    #[case::twice("{{a}} and {{ a }}", &[("a", "x")], "x and x")]
    #[case::side_by_side("{{a}}{{b-c}}", &[("a", "1"), ("b-c", "2")], "12")]
    #[case::data_stays("{{a}} {{b}}", &[("a", "{{b}}"), ("b", "{{a}}")], "{{b}} {{a}}")]
    #[case::open("{{ {{a}}", &[("a", "x")], "{{ x")]
    #[case::other_braces("{{stages.one.output}} {{#if}} {{{a}}} {{}} {{1}}", &[],
        "{{stages.one.output}} {{#if}} {{{a}}} {{}} {{1}}")]
    #[case::empty_value("a{{b}}c", &[("b", "")], "ac")]
    fn variables_get_their_values(
        #[case] prompt: &str,
        #[case] given: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(fill(prompt, &values(given)).as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let missing = fill("{{b}} {{a}} {{c}} {{b}}", &values(&[("a", "x")])).unwrap_err();
        assert_eq!(missing.to_string(), "no value is given for `b`, `c`");
        let unknown = fill("{{a}}", &values(&[("a", "x"), ("z", "y")])).unwrap_err();
        assert_eq!(unknown, FillError::Unknown { name: "z".into(), known: vec!["a".into()] });
    }

    #[test]
    fn secrets_are_not_shown() {
        let env = SecretEnv(values(&[("TOKEN", "hidden")]));
        assert_eq!(format!("{env:?}"), r#"{"TOKEN"}"#);
    }
}
