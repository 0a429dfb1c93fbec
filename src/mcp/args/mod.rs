//! Reads a call's arguments, and says exactly what is wrong with them.
//!
//! They are held against the very schema that the client was shown: names, types, choices and ranges. So whatever
//! the schema promises is also enforced, and the complaint can name the argument.

mod check;

use std::borrow::Cow;

use rmcp::ErrorData;
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::JsonObject;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::door::McpDoor;
use crate::domain::{ErrorCode, OpError};
use check::{Invalid, check};

/// A tool's arguments, or what is wrong with them. Named so because the tool macro takes the input schema from a
/// parameter type of that name.
pub(super) struct Parameters<T>(pub(super) Result<T, OpError>);

impl<T: DeserializeOwned> FromContextPart<ToolCallContext<'_, McpDoor>> for Parameters<T> {
    fn from_context_part(context: &mut ToolCallContext<'_, McpDoor>) -> Result<Self, ErrorData> {
        let arguments = context.arguments.take().unwrap_or_default();
        let schema = context.service.tools.get(&context.name).map(|tool| &*tool.input_schema);
        let read = read(&context.name, schema, arguments);
        Ok(Self(read.map_err(|Invalid { message, hint }| {
            OpError::new(ErrorCode::InvalidArgument, message).hint(hint)
        })))
    }
}

impl<T: JsonSchema> JsonSchema for Parameters<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

fn read<T: DeserializeOwned>(
    tool: &str,
    schema: Option<&JsonObject>,
    arguments: JsonObject,
) -> Result<T, Invalid> {
    let mut arguments = Value::Object(arguments);
    if let Some(schema) = schema {
        check(tool, schema, &mut arguments)?;
    }
    // The check leaves nothing to find here unless a type asks for more than its schema says.
    serde_json::from_value(arguments).map_err(|error| Invalid {
        message: format!("{tool}: {error}"),
        hint: "correct the argument and call again".into(),
    })
}

/// Finds the known name that is most like `name`, if any is like it at all. Case and underscores do not count:
/// `session_id` is `sessionId`.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two names have little in common: `dir` still finds `workDir`, `colour` finds nothing.
    const ALIKE: f64 = 0.55;
    let fold = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let name = fold(name);
    known
        .map(|known| {
            let folded = fold(known);
            let part = name.len() >= 3 && (folded.contains(&name) || name.contains(&folded));
            let alike = strsim::normalized_damerau_levenshtein(&name, &folded);
            (known, if part { alike.max(ALIKE) } else { alike })
        })
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(known, _)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_the_one_that_was_meant() {
        let known = ["sessionId", "workDir", "permissionMode", "prompt"];
        for (given, meant) in [
            ("session_id", Some("sessionId")),
            ("workdir", Some("workDir")),
            ("dir", Some("workDir")),
            ("mode", Some("permissionMode")),
            ("promt", Some("prompt")),
            ("colour", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), meant, "{given}");
        }
    }
}
