//! Fits a scripted message to the program that asked: tool names and inputs differ from version to version.
//!
//! Pure: what the program offers is read from its request.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::conversation;
use super::reply::{Message, ToolCall};

/// Stands, as a whole input value, for the plan file the program names in plan mode.
pub(super) const PLAN_FILE: &str = "{plan_file}";

/// The plan file, as a reminder of plan mode names it.
static PLAN_PATH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:plan at|plan file exists at|plan file at) (\S+\.md)").ok());

/// The message with the names and inputs that the asking program knows.
///
/// A call that needs a plan file is left out where the program names none.
pub(super) fn resolve(mut message: Message, request: &Value) -> Message {
    let plan_file = plan_file(request);
    message.tools =
        message.tools.into_iter().filter_map(|call| fit(call, request, plan_file.as_deref())).collect();
    message
}

fn fit(mut call: ToolCall, request: &Value, plan_file: Option<&str>) -> Option<ToolCall> {
    let subagent = call.name == "Agent" || call.name == "Task";
    if let Some(input) = call.input.as_object_mut() {
        for value in input.values_mut().filter(|value| *value == PLAN_FILE) {
            *value = Value::from(plan_file?);
        }
    }
    if subagent {
        // The subagent tool is `Agent`; old programs call it `Task`. Which inputs it takes varies.
        let offered = ["Agent", "Task"].into_iter().find_map(|name| Some((name, schema(request, name)?)));
        if let Some((name, schema)) = offered {
            call.name = name.to_owned();
            if let (Some(input), Some(known)) = (call.input.as_object_mut(), schema["properties"].as_object())
            {
                input.retain(|key, _| known.contains_key(key));
            }
        }
    }
    Some(call)
}

fn schema<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    let mut tools = request["tools"].as_array()?.iter();
    tools.find(|tool| tool["name"] == name).map(|tool| &tool["input_schema"])
}

fn plan_file(request: &Value) -> Option<String> {
    let pattern = PLAN_PATH.as_ref()?;
    let messages = request["messages"].as_array()?;
    messages.iter().rev().find_map(|message| {
        let text = conversation::text_of(&message["content"]);
        let found = pattern.captures_iter(&text).last()?;
        Some(found.get(1)?.as_str().to_owned())
    })
}
