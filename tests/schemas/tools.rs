//! The tools' schemas.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aegis::mcp::{McpDoor, ToolSet};
use serde_json::{Value, json};

const REWRITE: &str = "UPDATE_SCHEMAS=1 cargo test schemas";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/tools")
}

fn generated() -> BTreeMap<String, String> {
    McpDoor::tools(ToolSet::Full)
        .into_iter()
        .map(|tool| {
            let value = json!({
                "name": tool.name,
                "title": tool.title,
                "description": tool.description,
                "annotations": tool.annotations,
                "inputSchema": tool.input_schema,
                "outputSchema": tool.output_schema,
            });
            (format!("{}.json", tool.name), format!("{value:#}\n"))
        })
        .collect()
}

fn committed() -> BTreeMap<String, String> {
    fs::read_dir(folder())
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn schemas_of_the_tools_are_the_committed_ones() {
    let generated = generated();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &generated {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let committed = committed();
    let differing: Vec<_> = generated
        .keys()
        .chain(committed.keys())
        .filter(|name| generated.get(*name) != committed.get(*name))
        .collect();
    assert!(differing.is_empty(), "schemas/tools differs in {differing:?}; rewrite it with `{REWRITE}`");
}

/// Visits every object of a schema.
fn visit(value: &Value, path: &str, look: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            look(path, map);
            map.iter().for_each(|(key, value)| visit(value, &format!("{path}/{key}"), look));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| visit(value, &format!("{path}/{i}"), look));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn schemas_are_plain_enough_for_every_client() {
    for tool in McpDoor::tools(ToolSet::Full) {
        let name = &tool.name;
        let input = Value::Object((*tool.input_schema).clone());
        let output = Value::Object((**tool.output_schema.as_ref().unwrap()).clone());
        assert_eq!(input["type"], "object", "{name}");
        assert_eq!(output["type"], "object", "{name}");
        assert_eq!(input["additionalProperties"], false, "{name}: arguments are strict");
        for schema in [&input, &output] {
            jsonschema::meta::validate(schema).unwrap();
            visit(schema, name, &mut |path, map| {
                assert!(!map.contains_key("$schema"), "{path}");
                if let Some(Value::String(format)) = map.get("format") {
                    assert!(matches!(format.as_str(), "date-time" | "uuid"), "{path}: format {format}");
                }
                assert!(!matches!(map.get("type"), Some(Value::Array(_))), "{path}: several types");
            });
        }
        for (argument, schema) in input["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}.{argument} has no description");
        }
    }
}

#[test]
fn a_tool_tells_a_model_all_it_needs_to_choose() {
    for tool in McpDoor::tools(ToolSet::Full) {
        let name = &tool.name;
        let description = tool.description.as_deref().unwrap();
        // Claude Code cuts there.
        assert!((20..=2048).contains(&description.len()), "{name}");
        assert!(!description.contains('\n'), "{name}: one sentence, one line");
        let hints = tool.annotations.as_ref().unwrap();
        assert_eq!(hints.title, tool.title, "{name}");
        assert!(
            hints.read_only_hint.is_some()
                && hints.destructive_hint.is_some()
                && hints.idempotent_hint.is_some()
                && hints.open_world_hint.is_some(),
            "{name}"
        );
    }
}

#[test]
fn every_operation_that_the_catalogue_promises_to_mcp_is_a_tool() {
    use aegis::ops::{Door, OPS};
    let mut promised: Vec<_> = OPS
        .iter()
        .filter(|op| op.doors.contains(&Door::Mcp))
        .map(|op| (op.name.to_string(), op.read_only))
        .collect();
    promised.sort();
    let offered: Vec<_> = McpDoor::tools(ToolSet::Full)
        .iter()
        .map(|tool| {
            let read_only = tool.annotations.as_ref().unwrap().read_only_hint.unwrap();
            (tool.name.to_string(), read_only)
        })
        .collect();
    assert_eq!(offered, promised);
}

/// The length of a value in compact JSON, as it goes over the wire.
fn bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).unwrap().len()
}

/// What a host's model reads of each tool before it does anything: name, description, arguments.
fn paid(set: ToolSet) -> usize {
    let read = |tool: &rmcp::model::Tool| json!({"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema});
    McpDoor::tools(set).iter().map(|tool| bytes(&read(tool))).sum()
}

#[test]
fn what_a_model_pays_for_the_tools_is_little() {
    let (full, core) = (paid(ToolSet::Full), paid(ToolSet::Core));
    assert!(full < 16 * 1024, "all tools cost a model {full} bytes");
    assert!(core < 6 * 1024, "the core tools cost a model {core} bytes");
}

#[test]
fn the_whole_list_is_small() {
    let tools = McpDoor::tools(ToolSet::Full);
    let whole = bytes(&tools);
    // There will be 25; the room of those that are not there yet is not for those that are.
    let most = 64_000 - 2_000 * 25_usize.saturating_sub(tools.len());
    assert!(whole < most, "{} tools are told in {whole} bytes; at most {most}", tools.len());
}
