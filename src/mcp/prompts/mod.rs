//! Prompts: what a person starts as a command in their host.
//!
//! The texts are files with named places. What is put into a place is data: each argument is held to a narrow format
//! ([`argument`]), so that nothing in it can pass for a part of the text, an end of it, or a call of a tool.

mod argument;

use std::collections::BTreeMap;

use rmcp::ErrorData;
use rmcp::model::{GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

use super::args::{brief, nearest};
use super::door::McpDoor;
use crate::domain::{ErrorCode, OpError};
use crate::ops::Repository;
use argument::{Invalid, Kind};

/// An argument as it is declared.
struct Declared {
    name: &'static str,
    kind: Kind,
    required: bool,
    about: &'static str,
}

/// A prompt as it is declared.
struct Text {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    arguments: &'static [Declared],
    text: &'static str,
}

const WORK_DIR: Declared = Declared {
    name: "workDir",
    kind: Kind::Directory,
    required: true,
    about: "Absolute path of a clone of the repository.",
};
const OWNER: Declared = Declared {
    name: "repoOwner",
    kind: Kind::Owner,
    required: false,
    about: "The repository's owner; that of workDir's git remote unless given.",
};
const NAME: Declared = Declared {
    name: "repoName",
    kind: Kind::Name,
    required: false,
    about: "The repository's name; that of workDir's git remote unless given.",
};

/// Every prompt, in the order in which they are listed.
const PROMPTS: &[Text] = &[
    Text {
        name: "debug_session",
        title: "Debug a session",
        about: "Finds out what is wrong with a Claude Code session and gets it going again.",
        arguments: &[Declared {
            name: "sessionId",
            kind: Kind::Session,
            required: true,
            about: "The session: its id, a unique prefix of at least 6 characters, or its name.",
        }],
        text: include_str!("../../../prompts/debug_session.md"),
    },
    Text {
        name: "implement_issue",
        title: "Implement an issue",
        about: "Has an issue implemented by a Claude Code session in a worktree of its own, watched and proved.",
        arguments: &[
            Declared {
                name: "issueNumber",
                kind: Kind::Number,
                required: true,
                about: "The issue's number.",
            },
            WORK_DIR,
            OWNER,
            NAME,
        ],
        text: include_str!("../../../prompts/implement_issue.md"),
    },
    Text {
        name: "review_pr",
        title: "Review a pull request",
        about: "Has a pull request reviewed by a Claude Code session that changes nothing.",
        arguments: &[
            Declared {
                name: "prNumber",
                kind: Kind::Number,
                required: true,
                about: "The pull request's number.",
            },
            WORK_DIR,
            OWNER,
            NAME,
        ],
        text: include_str!("../../../prompts/review_pr.md"),
    },
];

/// The prompts as clients see them.
pub(super) fn list() -> Vec<Prompt> {
    let argument = |declared: &Declared| {
        PromptArgument::new(declared.name).with_description(declared.about).with_required(declared.required)
    };
    let prompt = |prompt: &Text| {
        let arguments = prompt.arguments.iter().map(argument).collect();
        Prompt::new(prompt.name, Some(prompt.about), Some(arguments)).with_title(prompt.title)
    };
    PROMPTS.iter().map(prompt).collect()
}

/// Whether an argument of a prompt names a session.
///
/// # Errors
///
/// `invalid_argument` for an unknown prompt or argument.
pub(super) fn takes_session(prompt: &str, argument: &str) -> Result<bool, OpError> {
    let prompt = find(prompt)?;
    let declared = prompt.arguments.iter().find(|declared| declared.name == argument);
    declared.map(|declared| declared.kind == Kind::Session).ok_or_else(|| prompt.unknown(argument))
}

fn find(name: &str) -> Result<&'static Text, OpError> {
    PROMPTS.iter().find(|prompt| prompt.name == name).ok_or_else(|| {
        let near = nearest(name, PROMPTS.iter().map(|prompt| prompt.name));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        OpError::new(ErrorCode::InvalidArgument, format!("unknown prompt `{}`{near}", brief(name)))
            .hint("prompts/list shows them")
    })
}

impl Text {
    fn accepted(&self) -> String {
        let name =
            |declared: &Declared| format!("{}{}", declared.name, if declared.required { "" } else { "?" });
        format!("{} accepts {}", self.name, self.arguments.iter().map(name).collect::<Vec<_>>().join(", "))
    }

    fn unknown(&self, argument: &str) -> OpError {
        let near = nearest(argument, self.arguments.iter().map(|declared| declared.name));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        OpError::new(ErrorCode::InvalidArgument, format!("unknown argument `{}`{near}", brief(argument)))
            .hint(self.accepted())
    }

    /// Puts the values into their places. What a value holds is no place, whatever it looks like.
    fn fill(&self, values: &BTreeMap<&'static str, String>) -> Result<String, OpError> {
        let mut filled = String::with_capacity(self.text.len() + 256);
        let mut rest = self.text;
        while let Some((before, after)) = rest.split_once("{{") {
            let place = after.split_once("}}").and_then(|(name, rest)| Some((values.get(name)?, rest)));
            let Some((value, after)) = place else {
                let what = format!("the prompt {} has a place without a value", self.name);
                return Err(OpError::new(ErrorCode::Internal, what));
            };
            filled.push_str(before);
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

impl McpDoor {
    /// Gives a prompt with its arguments in their places.
    ///
    /// # Errors
    ///
    /// Invalid params, with a code and the argument's name, for whatever is wrong with the request.
    pub(super) async fn prompt(
        &self,
        request: &GetPromptRequestParams,
    ) -> Result<GetPromptResult, ErrorData> {
        let prompt = find(&request.name).map_err(|error| fault(error, None))?;
        let mut values = read(prompt, request.arguments.as_ref())?;
        if let Some(reference) = values.get("sessionId") {
            let id = self.aegis.find(&self.caller, reference).await;
            // A name may hold anything that can be typed; an id holds nothing but itself.
            let id = id.map_err(|error| fault(error, Some("sessionId")))?;
            values.insert("sessionId", id.to_string());
        }
        if let Some(dir) = values.get("workDir") {
            let project = self.aegis.project(&self.caller, dir).await;
            let remote = project.map_err(|error| fault(error, Some("workDir")))?.remote;
            complete(&mut values, remote)?;
        }
        let text = prompt.fill(&values).map_err(|error| fault(error, None))?;
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
            .with_description(prompt.about))
    }
}

/// Reads the arguments of a request, each by its kind.
fn read(
    prompt: &Text,
    given: Option<&serde_json::Map<String, Value>>,
) -> Result<BTreeMap<&'static str, String>, ErrorData> {
    let empty = serde_json::Map::new();
    let given = given.unwrap_or(&empty);
    let known = |name: &str| prompt.arguments.iter().any(|declared| declared.name == name);
    if let Some(name) = given.keys().find(|name| !known(name)) {
        return Err(fault(prompt.unknown(name), Some(name)));
    }
    let mut values = BTreeMap::new();
    for declared in prompt.arguments {
        let name = declared.name;
        let invalid = |what: String| {
            let error =
                OpError::new(ErrorCode::InvalidArgument, what).hint(format!("{name}: {}", declared.about));
            fault(error, Some(name))
        };
        match given.get(name) {
            // Hosts send what was left empty as an empty text.
            None | Some(Value::Null) if !declared.required => {}
            Some(Value::String(text)) if text.is_empty() && !declared.required => {}
            None | Some(Value::Null) => return Err(invalid(format!("`{name}` is missing"))),
            Some(Value::String(text)) => match declared.kind.check(text) {
                Ok(()) => drop(values.insert(name, text.clone())),
                Err(Invalid(why)) => return Err(invalid(format!("`{name}` {why}"))),
            },
            Some(_) => return Err(invalid(format!("`{name}` must be a string"))),
        }
    }
    Ok(values)
}

/// Adds owner and name of the repository where they were not given.
fn complete(
    values: &mut BTreeMap<&'static str, String>,
    remote: Option<Repository>,
) -> Result<(), ErrorData> {
    let (owner, name) = remote.map(|remote| (remote.owner, remote.name)).unzip();
    for (argument, kind, found) in [("repoOwner", Kind::Owner, owner), ("repoName", Kind::Name, name)] {
        if values.contains_key(argument) {
            continue;
        }
        // A configuration may come with a clone: its words are held to the same format.
        let Some(found) = found.filter(|found| kind.check(found).is_ok()) else {
            let what = format!("`{argument}` is missing, and workDir has no git remote that tells it");
            let error = OpError::new(ErrorCode::InvalidArgument, what)
                .hint("pass repoOwner and repoName, or give workDir a git remote `origin`");
            return Err(fault(error, Some(argument)));
        };
        values.insert(argument, found);
    }
    Ok(())
}

fn fault(error: OpError, argument: Option<&str>) -> ErrorData {
    let mut data = error.to_json();
    if let Some(argument) = argument {
        data["argument"] = brief(argument).into();
    }
    match error.code {
        ErrorCode::Internal | ErrorCode::StorageFailed | ErrorCode::HolderUnreachable => {
            ErrorData::internal_error(error.message, Some(data))
        }
        _ => ErrorData::invalid_params(error.message, Some(data)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::mcp::ToolSet;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0).collect()
    }

    #[test]
    fn every_place_has_an_argument_and_every_argument_a_place() {
        for prompt in PROMPTS {
            let declared: BTreeSet<_> = prompt.arguments.iter().map(|declared| declared.name).collect();
            assert_eq!(places(prompt.text), declared, "{}", prompt.name);
        }
    }

    #[test]
    fn a_value_that_looks_like_a_place_stays_what_it_is() {
        let values = BTreeMap::from([("sessionId", "{{sessionId}}".to_owned())]);
        let filled = find("debug_session").unwrap().fill(&values).unwrap();
        assert!(filled.contains("sessionId \"{{sessionId}}\""), "{filled}");
    }

    #[test]
    fn every_tool_that_a_prompt_names_exists() {
        let tools: BTreeSet<_> = McpDoor::tools(ToolSet::Full).into_iter().map(|tool| tool.name).collect();
        for prompt in PROMPTS {
            assert!(prompt.text.contains("wait_for_session"), "{} polls", prompt.name);
            let words = prompt.text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
            let statuses = crate::domain::StatusWord::ALL.map(crate::domain::StatusWord::as_str);
            for word in words.filter(|word| word.contains('_') && !statuses.contains(word)) {
                assert!(tools.contains(word), "{}: {word} is no tool", prompt.name);
            }
        }
    }
}
