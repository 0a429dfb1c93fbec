//! Schemas of answers that hosts read more often than people do.

use schemars::Schema;
use serde_json::Value;

/// Takes out of an answer's schema what only bounds or describes its fields: hosts get schemas along with each list of
/// tools, and these names speak for themselves. The code keeps it all.
pub(super) fn terse(schema: &mut Schema) {
    for keyword in ["properties", "items", "additionalProperties"] {
        if let Some(below) = schema.get_mut(keyword) {
            silence(below, keyword == "properties");
        }
    }
}

/// What goes.
const UNSAID: [&str; 3] = ["description", "minimum", "default"];

/// Does so for a schema, or for each schema of a map by name.
fn silence(value: &mut Value, by_name: bool) {
    match value {
        Value::Object(map) => {
            if !by_name {
                UNSAID.iter().for_each(|keyword| drop(map.shift_remove(*keyword)));
            }
            for (keyword, below) in map.iter_mut() {
                silence(below, !by_name && keyword == "properties");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| silence(item, false)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use schemars::json_schema;

    use super::*;

    #[test]
    fn descriptions_go_and_a_field_of_that_name_stays() {
        let mut schema = json_schema!({
            "description": "An answer.",
            "properties": {
                "description": {"type": "string", "description": "x"},
                "all": {"type": "array", "items": {"minimum": 0, "default": 0, "properties": {"a": {"description": "z"}}}}
            }
        });
        terse(&mut schema);
        let expected = json_schema!({
            "description": "An answer.",
            "properties": {
                "description": {"type": "string"},
                "all": {"type": "array", "items": {"properties": {"a": {}}}}
            }
        });
        assert_eq!(schema, expected);
    }
}
