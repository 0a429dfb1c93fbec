//! Reads a call's arguments, and says exactly what is wrong with them.
//!
//! They are held against the very schema that the client was shown: names, types, choices and ranges. So whatever
//! the schema promises is also enforced, and the complaint can name the argument.

mod check;

use std::borrow::Cow;

use rmcp::ErrorData;
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{JsonObject, Tool};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::door::McpDoor;
use crate::domain::{ErrorCode, OpError};
use check::{Invalid, check};

pub(super) use crate::domain::nearest;

/// A tool's arguments, or what is wrong with them. Named so because the tool macro takes the input schema from a
/// parameter type of that name.
pub(super) struct Parameters<T>(pub(super) Result<T, OpError>);

impl<T: DeserializeOwned> FromContextPart<ToolCallContext<'_, McpDoor>> for Parameters<T> {
    fn from_context_part(context: &mut ToolCallContext<'_, McpDoor>) -> Result<Self, ErrorData> {
        let mut arguments = context.arguments.take().unwrap_or_default();
        let checked = match context.service.router().get(&context.name) {
            Some(tool) => check_arguments(tool, &mut arguments),
            None => Ok(()),
        };
        Ok(Self(checked.and_then(|()| read(&context.name, arguments))))
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

/// Holds the arguments of a call against the tool's input schema, before anything is done. An optional argument that
/// is null is taken out, and a whole number written as `5.0` becomes `5`.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`], with what is wrong and what would be right.
pub fn check_arguments(tool: &Tool, arguments: &mut JsonObject) -> Result<(), OpError> {
    check(&tool.name, &tool.input_schema, arguments).map_err(OpError::from)
}

impl From<Invalid> for OpError {
    fn from(Invalid { message, hint }: Invalid) -> Self {
        Self::new(ErrorCode::InvalidArgument, message).hint(hint)
    }
}

fn read<T: DeserializeOwned>(tool: &str, arguments: JsonObject) -> Result<T, OpError> {
    // The check leaves nothing to find here unless a type asks for more than its schema says.
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| OpError::new(ErrorCode::InvalidArgument, format!("{tool}: {error}")))
}

/// As much of a client's own word as an answer can repeat.
pub(super) fn brief(word: &str) -> Cow<'_, str> {
    /// The longest name of ours, several times over.
    const SHOWN: usize = 100;
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or_default()).into(),
        None => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_word_is_neither_compared_nor_repeated() {
        let tools = McpDoor::tools(crate::mcp::ToolSet::Full);
        let tool = tools.iter().find(|tool| tool.name == "send_message").unwrap();
        let long = "whenBusy".repeat(100_000);
        for arguments in [json!({ &long: 1 }), json!({"sessionId": "a", "text": "b", "whenBusy": long})] {
            let mut arguments = arguments.as_object().unwrap().clone();
            let error = check_arguments(tool, &mut arguments).unwrap_err();
            assert!(error.message.len() < 500 && !error.message.contains("did you mean"), "{error}");
        }
    }
}
