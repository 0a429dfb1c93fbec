//! The description of every route, made of the routes themselves and of the types that handlers read and write.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::refusal::Envelope;
use super::route::Route;
use crate::access::Needs;

/// Describes the routes as OpenAPI 3.1, whose schemas are those of JSON Schema 2020-12.
pub(super) fn describe(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut asked = settings.clone().for_deserialize().into_generator();
    let mut told = settings.for_serialize().into_generator();
    let failure = told.subschema_for::<Envelope>();
    let mut paths = Map::new();
    for route in routes {
        let mut operation = json!({
            "summary": route.summary,
            "operationId": operation_id(route),
            "tags": [tag(route.path)],
        });
        let mut parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(path_parameter)
            .collect();
        if let Some(query) = route.query {
            parameters.extend(query_parameters(&query(&mut asked).to_value(), asked.definitions()));
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = route.body {
            let schema = body(&mut asked).to_value();
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
        }
        let mut answers = Map::new();
        for answer in &route.answers {
            let mut described = json!({ "description": reason(answer.status) });
            if let Some(schema) = answer.schema {
                described["content"] = json!({ answer.content: { "schema": schema(&mut told).to_value() } });
            }
            answers.insert(answer.status.to_string(), described);
        }
        answers.insert(
            "default".into(),
            json!({ "description": "It failed.", "content": { "application/json": { "schema": failure } } }),
        );
        operation["responses"] = answers.into();
        operation["security"] = match route.needs {
            Needs::Nothing => json!([]),
            // Without a configured token none is needed.
            _ => json!([{ "bearer": [] }, {}]),
        };
        if let Some(path) =
            paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({})).as_object_mut()
        {
            path.insert(route.method.into(), operation);
        }
    }
    let mut schemas = asked.take_definitions(true);
    // What is both read and written has the fields of both; the two differ only in what may be absent.
    for (name, schema) in told.take_definitions(true) {
        schemas.insert(name, schema);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Aegis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Drive Claude Code sessions.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The method and the path, as one word.
fn operation_id(route: &Route) -> String {
    let path: Vec<_> = route
        .path
        .split(['/', '-', '.'])
        .map(|part| part.trim_matches(['{', '}', '*']))
        .filter(|part| !part.is_empty() && *part != "v1")
        .collect();
    // The older spelling of a path may be a route of its own.
    let older =
        if route.path.starts_with("/v1/") || route.path.starts_with("/v2/") { "" } else { "unversioned_" };
    format!("{}_{older}{}", route.method, path.join("_"))
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/v1").split('/').nth(1).filter(|part| !part.is_empty()).unwrap_or("server")
}

fn path_parameter(name: &str) -> Value {
    let name = name.trim_start_matches('*');
    let schema = if name == "id" {
        json!({ "type": "string", "format": "uuid" })
    } else {
        json!({ "type": "string" })
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// The fields of the query's type, each a parameter.
fn query_parameters(schema: &Value, definitions: &Map<String, Value>) -> Vec<Value> {
    let schema = match schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        Some(name) => definitions.get(name).unwrap_or(schema),
        None => schema,
    };
    let required = |name: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|one| one == name))
    };
    let fields = schema.get("properties").and_then(Value::as_object);
    fields
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter =
                json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameter
        })
        .collect()
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "The connection becomes a WebSocket.",
        200 => "It was done.",
        201 => "It was made.",
        204 => "It was done, and there is nothing to tell.",
        _ => "See the schema.",
    }
}
