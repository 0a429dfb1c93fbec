//! Makes schemas small without making them wrong: a host reads every tool's, and pays for each byte.
//!
//! Of an input the arguments are described, and not what they are made of: an argument's own words say that. An output
//! has types and words, no prose: it is for programs that hold an answer against it. What is referred to once stands
//! where it is used.

use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::Value;

/// Shrinks a tool's input schema.
pub(super) fn input(schema: &mut JsonObject) {
    inline(schema);
    each(schema, &mut undescribe);
}

/// Shrinks a tool's output schema.
pub(super) fn output(schema: &mut JsonObject) {
    undescribe(schema);
    let defs = match schema.get("$defs") {
        Some(Value::Object(defs)) => defs.clone(),
        _ => JsonObject::new(),
    };
    merge(schema, &defs);
    inline(schema);
}

/// Calls `look` with each schema directly in this one.
fn each(schema: &mut JsonObject, look: &mut dyn FnMut(&mut JsonObject)) {
    for (keyword, value) in schema.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "patternProperties", Value::Object(schemas)) => {
                schemas.values_mut().filter_map(Value::as_object_mut).for_each(&mut *look);
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter_mut().filter_map(Value::as_object_mut).for_each(&mut *look);
            }
            ("items" | "additionalProperties", Value::Object(schema)) => look(schema),
            _ => {}
        }
    }
}

/// Takes out of all schemas in this one what a reader does without: descriptions, and that nothing else is taken, which
/// the check of arguments holds to anyway.
fn undescribe(schema: &mut JsonObject) {
    each(schema, &mut |schema| {
        schema.shift_remove("description");
        if schema.get("additionalProperties").is_some_and(|more| *more == false) {
            schema.shift_remove("additionalProperties");
        }
        undescribe(schema);
    });
}

/// Tells a choice among objects as one object: what all of them have is required, and what differs is left open.
fn merge(schema: &mut JsonObject, defs: &JsonObject) {
    if let Some(merged) = schema.get("oneOf").and_then(|choices| merged(choices, defs)) {
        schema.shift_remove("oneOf");
        for (keyword, value) in merged {
            match (schema.get_mut(&keyword), value) {
                (Some(Value::Object(known)), Value::Object(more)) => {
                    more.into_iter().for_each(|(name, schema)| {
                        known.entry(name).or_insert(schema);
                    });
                }
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                (Some(_), _) => {}
                (None, value) => {
                    schema.insert(keyword, value);
                }
            }
        }
    }
    each(schema, &mut |schema| merge(schema, defs));
}

fn merged(choices: &Value, defs: &JsonObject) -> Option<JsonObject> {
    let choices: Vec<&JsonObject> =
        choices.as_array()?.iter().map(|choice| resolved(choice, defs)).collect::<Option<_>>()?;
    let properties: Vec<&JsonObject> =
        choices.iter().map(|choice| choice.get("properties")?.as_object()).collect::<Option<_>>()?;
    let mut common = JsonObject::new();
    for name in properties.iter().flat_map(|properties| properties.keys()) {
        if !common.contains_key(name) {
            let told: Vec<&Value> = properties.iter().filter_map(|properties| properties.get(name)).collect();
            common.insert(name.clone(), in_common(&told, defs));
        }
    }
    let requires = |choice: &JsonObject, name: &String| {
        choice.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|n| n == name))
    };
    let required: Vec<Value> = common
        .keys()
        .filter(|name| choices.iter().all(|choice| requires(choice, name)))
        .map(|name| name.as_str().into())
        .collect();
    let mut merged = JsonObject::new();
    merged.insert("type".into(), "object".into());
    merged.insert("properties".into(), Value::Object(common));
    merged.insert("required".into(), Value::Array(required));
    Some(merged)
}

/// What several schemas of one property have in common: all, their words, their kind, or nothing.
fn in_common(told: &[&Value], defs: &JsonObject) -> Value {
    let all_like_the_first = |part: &dyn Fn(&Value) -> Option<Value>| {
        let first = part(told.first()?)?;
        told.iter().all(|schema| part(schema).as_ref() == Some(&first)).then_some(first)
    };
    if let Some(same) = all_like_the_first(&|schema| Some(schema.clone())) {
        return same;
    }
    let mut common = JsonObject::new();
    if let Some(kind) = all_like_the_first(&|schema| resolved(schema, defs)?.get("type").cloned()) {
        common.insert("type".into(), kind);
    }
    let words: Option<Vec<Value>> = told.iter().map(|schema| schema.get("const").cloned()).collect();
    if let Some(words) = words {
        common.insert("enum".into(), Value::Array(words));
    }
    Value::Object(common)
}

/// The schema itself, or the one that it refers to.
fn resolved<'a>(schema: &'a Value, defs: &'a JsonObject) -> Option<&'a JsonObject> {
    let schema = schema.as_object()?;
    match reference(schema) {
        Some(name) => defs.get(name)?.as_object(),
        None => Some(schema),
    }
}

/// Puts what is referred to once, or is as short as a reference, in the place of the reference. What is not referred
/// to goes.
fn inline(root: &mut JsonObject) {
    let Some(Value::Object(defs)) = root.shift_remove("$defs") else { return };
    let mut uses = BTreeMap::new();
    root.values().for_each(|value| count(value, &defs, &mut uses));
    let stays = |name: &str, schema: &Value| {
        let long = ["$ref", "properties", "additionalProperties", "anyOf", "oneOf", "items", "enum"]
            .iter()
            .any(|key| schema.get(key).is_some());
        long && uses.get(name).is_some_and(|uses| *uses > 1)
    };
    let (apart, once): (JsonObject, JsonObject) =
        defs.into_iter().partition(|(name, schema)| stays(name, schema));
    expand(root, &once);
    if !apart.is_empty() {
        root.insert("$defs".into(), Value::Object(apart));
        each(root, &mut |schema| expand(schema, &once));
    }
}

/// Counts the references to each definition, from what is reached.
fn count(value: &Value, defs: &JsonObject, uses: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(schema) => {
            if let Some(name) = reference(schema) {
                let times = uses.entry(name.into()).or_default();
                *times += 1;
                if let (1, Some(meant)) = (*times, defs.get(name)) {
                    count(meant, defs, uses);
                }
            }
            schema.values().for_each(|value| count(value, defs, uses));
        }
        Value::Array(values) => values.iter().for_each(|value| count(value, defs, uses)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts definitions in the place of references to them. It ends: what refers to itself is referred to twice.
fn expand(schema: &mut JsonObject, defs: &JsonObject) {
    if let Some(Value::Object(meant)) = reference(schema).and_then(|name| defs.get(name)) {
        schema.shift_remove("$ref");
        for (keyword, value) in meant {
            // The place's own description says more than the type's.
            schema.entry(keyword).or_insert_with(|| value.clone());
        }
        // It may be nothing but a reference itself.
        return expand(schema, defs);
    }
    each(schema, &mut |schema| expand(schema, defs));
}

fn reference(schema: &JsonObject) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_input_keeps_what_is_said_of_arguments() {
        let mut schema = object(json!({
            "properties": {"steps": {"description": "Steps.", "type": "array", "items": {"$ref": "#/$defs/Step"}}},
            "$defs": {"Step": {"description": "A step.", "type": "object", "properties": {
                "how": {"description": "How.", "type": "string"}}}},
        }));
        input(&mut schema);
        let expected = json!({
            "properties": {"steps": {"description": "Steps.", "type": "array", "items": {"type": "object",
                "properties": {"how": {"type": "string"}}}}},
        });
        assert_eq!(Value::Object(schema), expected);
    }

    #[test]
    fn a_choice_among_objects_becomes_one() {
        let event = |kind: &str, data: Value| {
            json!({"type": "object", "properties": {"type": {"type": "string", "const": kind}, "data": data},
                "required": ["type", "data"]})
        };
        let mut schema = object(json!({
            "type": "object",
            "properties": {"seq": {"type": "integer"}},
            "required": ["seq"],
            "oneOf": [
                event("one", json!({"type": "object", "properties": {"a": {"type": "string"}}})),
                event("two", json!({"$ref": "#/$defs/Two"})),
            ],
            "$defs": {"Two": {"type": "object", "properties": {"b": {"type": "string"}}}},
        }));
        output(&mut schema);
        let expected = json!({
            "type": "object",
            "properties": {
                "seq": {"type": "integer"},
                "type": {"type": "string", "enum": ["one", "two"]},
                "data": {"type": "object"},
            },
            "required": ["seq", "type", "data"],
        });
        assert_eq!(Value::Object(schema), expected);
    }

    #[test]
    fn what_is_used_twice_stays_apart() {
        let ask = json!({"type": "object", "properties": {"id": {"$ref": "#/$defs/Id"}}});
        let mut schema = object(json!({
            "properties": {"a": {"$ref": "#/$defs/Ask"}, "b": {"$ref": "#/$defs/Ask"}},
            "$defs": {"Ask": ask, "Id": {"description": "An id.", "type": "string"}, "Unused": {"enum": ["x"]}},
        }));
        output(&mut schema);
        let defs = json!({"Ask": {"type": "object", "properties": {"id": {"type": "string"}}}});
        assert_eq!(schema.get("$defs"), Some(&defs));
    }
}
