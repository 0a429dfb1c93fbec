//! Events held against their schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aegis::domain::Event;
use aegis::holder::SessionDir;
use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Lab;

/// The events' schema, as they are written, which is what their readers see.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    serde_json::to_value(settings.into_generator().into_root_schema_for::<Event>()).unwrap()
}

pub static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// Ends the test unless this, as it stands in a journal, fits the schema; gives its type.
#[track_caller]
pub fn fits(event: &Value) -> String {
    let errors: Vec<_> =
        VALIDATOR.iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?} in {event:#}");
    event["type"].as_str().unwrap().to_owned()
}

/// The types of all events in the laboratory's journals, each of which fits the schema.
pub fn journaled(lab: &Lab) -> BTreeSet<String> {
    let journals = lab.session_dirs().into_iter().map(|dir| SessionDir::new(dir).journal());
    let texts = journals.map(|journal| std::fs::read_to_string(journal).unwrap());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.map(|line| fits(&serde_json::from_str(&line).unwrap())).collect()
}
