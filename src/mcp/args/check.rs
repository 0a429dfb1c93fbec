//! Holds a value against the part of JSON Schema that our own tools use.
//!
//! Not a validator for other people's schemas: keywords that no tool of ours has are not looked at.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::{brief, nearest};

/// What is wrong with an argument, and what would be right.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Checks `arguments` of `tool` against its input schema. An optional argument that is null counts as absent and
/// is taken out; a whole number written as `5.0` is rewritten as `5`.
pub(super) fn check(tool: &str, schema: &JsonObject, arguments: &mut JsonObject) -> Result<(), Invalid> {
    let look = Look { tool, root: schema };
    look.arguments(schema, arguments)
}

struct Look<'a> {
    tool: &'a str,
    root: &'a JsonObject,
}

impl Look<'_> {
    fn arguments(&self, schema: &JsonObject, arguments: &mut JsonObject) -> Result<(), Invalid> {
        let empty = JsonObject::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = required(schema);
        names(properties, &required, arguments, "")
            .map_err(|message| Invalid { message, hint: self.accepted(properties, &required) })?;
        for (name, value) in arguments.iter_mut() {
            let Some(property) = properties.get(name).and_then(Value::as_object) else { continue };
            self.value(property, value, name).map_err(|message| {
                let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
                Invalid { message, hint: format!("{name}: {about}") }
            })?;
        }
        Ok(())
    }

    fn accepted(&self, properties: &JsonObject, required: &[&str]) -> String {
        let optional = properties.keys().filter(|name| !required.contains(&name.as_str()));
        let names: Vec<_> =
            required.iter().map(ToString::to_string).chain(optional.map(|name| format!("{name}?"))).collect();
        if names.is_empty() {
            return format!("{} takes no arguments", self.tool);
        }
        format!("{} accepts {}", self.tool, names.join(", "))
    }

    /// Checks one value; `path` is what to call it.
    fn value(&self, schema: &JsonObject, value: &mut Value, path: &str) -> Result<(), String> {
        if let Some(meant) = self.referenced(schema) {
            return self.value(meant, value, path);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let choices: Vec<_> = choices.iter().filter_map(Value::as_object).collect();
            if choices.iter().any(|choice| self.value(choice, value, path).is_ok()) {
                return Ok(());
            }
            let kinds: Vec<_> =
                choices.iter().filter_map(|choice| choice.get("type")?.as_str()).map(article).collect();
            return Err(format!("`{path}` must be {}", kinds.join(" or ")));
        }
        if let Some(kind) = schema.get("type").and_then(Value::as_str) {
            whole(kind, value);
            if !is_of(kind, value) {
                return Err(format!("`{path}` must be {}, not {}", article(kind), article(kind_of(value))));
            }
        }
        one_of(schema, value, path)?;
        in_range(schema, value, path)?;
        match value {
            Value::Array(items) => {
                let Some(of) = schema.get("items").and_then(Value::as_object) else { return Ok(()) };
                items
                    .iter_mut()
                    .enumerate()
                    .try_for_each(|(place, item)| self.value(of, item, &format!("{path}[{place}]")))
            }
            Value::Object(entries) => {
                let rest = schema.get("additionalProperties").and_then(Value::as_object);
                let properties = schema.get("properties").and_then(Value::as_object);
                if let Some(properties) = properties.filter(|_| rest.is_none()) {
                    names(properties, &required(schema), entries, &format!("{path}."))?;
                }
                entries.iter_mut().try_for_each(|(name, entry)| {
                    let of = properties.and_then(|known| known.get(name)?.as_object()).or(rest);
                    of.map_or(Ok(()), |of| self.value(of, entry, &format!("{path}.{}", brief(name))))
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn referenced(&self, schema: &JsonObject) -> Option<&JsonObject> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        self.root.get("$defs")?.get(name)?.as_object()
    }
}

/// Checks which names stand in an object, and takes out the optional ones that are null. `path` stands before a name.
fn names(
    properties: &JsonObject,
    required: &[&str],
    entries: &mut JsonObject,
    path: &str,
) -> Result<(), String> {
    if let Some(name) = entries.keys().find(|name| !properties.contains_key(*name)) {
        let near = nearest(name, properties.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("unknown argument `{path}{}`{near}", brief(name)));
    }
    entries.retain(|name, value| !value.is_null() || required.contains(&name.as_str()));
    match required.iter().find(|name| !entries.contains_key(**name)) {
        Some(name) => Err(format!("`{path}{name}` is missing")),
        None => Ok(()),
    }
}

fn required(schema: &JsonObject) -> Vec<&str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Rewrites `5.0` as `5` where an integer is wanted: to JSON they are the same number.
fn whole(kind: &str, value: &mut Value) {
    /// Beyond this a floating-point number no longer names one integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if kind == "integer"
        && value.is_f64()
        && let Some(number) = value.as_f64()
        && number.fract() == 0.0
        && number.abs() <= EXACT
    {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        let number = number as i64;
        *value = number.into();
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(kind: &str) -> String {
    match kind {
        "null" => kind.to_string(),
        "integer" | "array" | "object" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

fn one_of(schema: &JsonObject, value: &Value, path: &str) -> Result<(), String> {
    let Some(words) = schema.get("enum").and_then(Value::as_array) else { return Ok(()) };
    if words.contains(value) {
        return Ok(());
    }
    let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
    let near = value.as_str().and_then(|given| nearest(given, words.iter().copied()));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("`{path}` must be one of {}{near}", words.join(", ")))
}

fn in_range(schema: &JsonObject, value: &Value, path: &str) -> Result<(), String> {
    let (least, most, size, of) = match value {
        Value::Number(number) => ("minimum", "maximum", number.as_f64(), "be"),
        Value::String(text) => ("minLength", "maxLength", count(text.chars().count()), "have a length"),
        Value::Array(items) => ("minItems", "maxItems", count(items.len()), "have a length"),
        Value::Null | Value::Bool(_) | Value::Object(_) => return Ok(()),
    };
    let Some(size) = size else { return Ok(()) };
    let least = schema.get(least).and_then(Value::as_f64);
    let most = schema.get(most).and_then(Value::as_f64);
    if least.is_none_or(|least| size >= least) && most.is_none_or(|most| size <= most) {
        return Ok(());
    }
    Err(match (least, most) {
        (Some(least), Some(most)) => format!("`{path}` must {of} from {least} to {most}"),
        (Some(least), None) => format!("`{path}` must {of} of at least {least}").replace("be of at", "be at"),
        (None, Some(most)) => format!("`{path}` must {of} of at most {most}").replace("be of at", "be at"),
        (None, None) => return Ok(()),
    })
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
#[expect(clippy::unnecessary_wraps, reason = "stands beside a number that may not fit")]
fn count(length: usize) -> Option<f64> {
    Some(length as f64)
}
