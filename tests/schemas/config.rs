//! The configuration's schema.

use std::path::Path;

use serde_json::Value;

/// Compares a schema with its committed file, or rewrites the file when `UPDATE_SCHEMAS` is set.
pub(super) fn compare(name: &str, schema: &impl serde::Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let expected = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "schemas/{name} is not what the types say; rewrite it with `UPDATE_SCHEMAS=1 cargo test schemas`"
    );
}

#[test]
fn the_configuration_has_its_schema() {
    compare("config.json", &schemars::schema_for!(aegis::config::Config));
}

#[test]
fn the_default_configuration_fits_its_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(aegis::config::Config)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let default: Value = serde_json::to_value(aegis::config::Config::default()).unwrap();
    assert!(validator.is_valid(&default));
    assert!(!validator.is_valid(&serde_json::json!({ "stallThresholdMs": 1 })));
}
