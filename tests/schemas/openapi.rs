//! The description of the HTTP door.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use aegis::http::HttpDoor;
use aegis::ops::{Door, OPS};
use serde_json::Value;

use super::config::compare;
use crate::support::fetched::venv;

/// What checks descriptions against the specification itself.
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";

#[test]
fn the_description_is_the_committed_one() {
    compare("openapi.json", &HttpDoor::openapi());
}

#[test]
fn the_description_is_openapi() {
    let python = venv("openapi-python", &[VALIDATOR]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let checked = Command::new(python).args(["-m", "openapi_spec_validator"]).arg(file).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

/// Calls `look` with every object in a value.
fn visit(value: &Value, look: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            look(map);
            map.values().for_each(|value| visit(value, look));
        }
        Value::Array(items) => items.iter().for_each(|value| visit(value, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_name() {
    let described = HttpDoor::openapi();
    visit(&described, &mut |map| {
        if let Some(Value::String(to)) = map.get("$ref") {
            let at = to.strip_prefix('#').unwrap();
            assert!(described.pointer(at).is_some(), "{to} leads nowhere");
        }
    });
    let mut names = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} names two operations");
            assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{method} {path}");
            let named = path.matches('{').count();
            let given = operation["parameters"].as_array().into_iter().flatten();
            assert_eq!(given.filter(|one| one["in"] == "path").count(), named, "{method} {path}");
        }
    }
}

#[test]
fn every_route_is_described() {
    let described = HttpDoor::openapi();
    for (method, path) in HttpDoor::routes() {
        let path = path.replace("{*", "{");
        let operation = &described["paths"][&path][method];
        assert!(operation.is_object(), "{method} {path} is not described");
        assert!(operation["responses"]["default"].is_object(), "{method} {path} tells no failure");
    }
}

/// From the source: what handlers call.
#[test]
fn the_door_offers_the_operations_that_the_catalogue_says() {
    // What serves an operation under another name, or stands for none.
    let known = BTreeMap::from([
        ("get_session_stats", Some("get_session_latency")),
        ("figured_keys", Some("get_figures")),
        ("read_from", Some("get_transcript")),
        ("find", None),
        ("glance", Some("list_sessions")),
        // Streams and hooks are no operations that somebody asks for.
        ("hook", None),
    ]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut open = vec![source.join("routes"), source.join("terminal")];
    let mut called = BTreeSet::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text: String = std::fs::read_to_string(path).unwrap().split_whitespace().collect();
            for (at, mark) in text.match_indices(".aegis.") {
                let name: String = text[at + mark.len()..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                match known.get(name.as_str()) {
                    Some(same) => called.extend(same.map(str::to_owned)),
                    None => drop(called.insert(name)),
                }
            }
        }
    }
    let promised: BTreeSet<String> =
        OPS.iter().filter(|op| op.doors.contains(&Door::Http)).map(|op| op.name.to_owned()).collect();
    assert_eq!(called, promised);
}
