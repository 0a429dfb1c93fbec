//! Makes derived schemas fit for every client.
//!
//! What the derive writes is right but not plain: integer formats that validators warn about on the user's
//! terminal, `null` beside every optional type, and one object per enum value.
//! [`shrink`] then leaves out what no client needs.

mod shrink;

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

/// Tidies a tool's schemas and description.
pub(super) fn tidy(tool: &mut Tool) {
    tool.description = tool.description.as_ref().map(|text| one_line(text).into());
    tool.input_schema = Arc::new(tidy_root(&tool.input_schema, shrink::input));
    tool.output_schema =
        tool.output_schema.as_ref().map(|schema| Arc::new(tidy_root(schema, shrink::output)));
}

fn tidy_root(schema: &JsonObject, shrink: fn(&mut JsonObject)) -> JsonObject {
    let mut given = schema.clone();
    given.shift_remove("$schema");
    given.entry("type").or_insert_with(|| "object".into());
    given.entry("properties").or_insert_with(|| Value::Object(JsonObject::new()));
    tidy_object(&mut given);
    shrink(&mut given);
    // The derive and the library leave them in any order; readers and diffs want always the same.
    let mut schema = JsonObject::new();
    for keyword in ["type", "properties", "required", "additionalProperties"] {
        if let Some(value) = given.shift_remove(keyword) {
            schema.insert(keyword.into(), value);
        }
    }
    schema.extend(given);
    schema
}

fn tidy_value(value: &mut Value) {
    match value {
        Value::Object(schema) => tidy_object(schema),
        Value::Array(items) => items.iter_mut().for_each(tidy_value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tidy_object(schema: &mut JsonObject) {
    if schema.get("format").and_then(Value::as_str).is_some_and(names_a_number) {
        schema.shift_remove("format");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.shift_remove("default");
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = one_line(text);
    }
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).map(String::from).collect())
        .unwrap_or_default();
    for (keyword, value) in schema.iter_mut() {
        match (keyword.as_str(), value) {
            // Their keys are names, not keywords.
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties.iter_mut() {
                    // What may be left out is left out, never null.
                    if !required.contains(name) {
                        without_null(property);
                    }
                    tidy_value(property);
                }
            }
            ("$defs" | "patternProperties", Value::Object(schemas)) => {
                schemas.iter_mut().for_each(|(_, schema)| tidy_value(schema));
            }
            ("enum" | "const" | "default" | "examples" | "required", _) => {}
            (_, value) => tidy_value(value),
        }
    }
    constants_to_enum(schema);
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn names_a_number(format: &str) -> bool {
    matches!(format, "float" | "double")
        || ["int", "uint"].iter().any(|kind| {
            format.strip_prefix(kind).is_some_and(|bits| bits.is_empty() || bits.parse::<u8>().is_ok())
        })
}

/// Takes `null` out of a schema that also allows something else.
fn without_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.shift_remove("anyOf");
        for (keyword, value) in only {
            // The field's own description says more than its type's.
            schema.entry(keyword).or_insert(value);
        }
    }
}

/// Writes a choice among constant strings as one `enum`, which more clients and models understand.
fn constants_to_enum(schema: &mut JsonObject) {
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let mut words = Vec::new();
    for choice in choices {
        match (choice.get("const"), choice.get("enum")) {
            (Some(word @ Value::String(_)), None) => words.push(word.clone()),
            (None, Some(Value::Array(several))) if several.iter().all(Value::is_string) => {
                words.extend(several.iter().cloned());
            }
            _ => return,
        }
    }
    schema.shift_remove("oneOf");
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), Value::Array(words));
}
