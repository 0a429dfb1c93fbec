//! `aegis config`: each value, and where it comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::args::Format;
use super::{Exit, out, text};
use crate::config::{Config, Loaded, Origin, Sources};
use crate::domain::{ErrorCode, OpError};

/// One value of the configuration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Setting {
    value: Value,
    /// `default`, `file` or `environment`.
    from: &'static str,
    /// The file or the variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// Prints the configuration as a process with these surroundings has it; secrets as asterisks.
pub fn config(format: Format, sources: &Sources) -> std::process::ExitCode {
    let out = out::Out { json: format.json };
    let shown = Config::load(sources).map_err(|error| {
        OpError::new(ErrorCode::InvalidArgument, error.to_string()).hint("correct it and look again")
    });
    match shown.and_then(|loaded| out.give(&settings(&loaded), render)) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            out.error(&error);
            Exit::Failed.into()
        }
    }
}

fn settings(loaded: &Loaded) -> BTreeMap<String, Setting> {
    // Secrets are asterisks in this already.
    let values = serde_json::to_value(&loaded.config).unwrap_or_default();
    let setting = |(name, origin): (&String, &Origin)| {
        let pointer = format!("/{}", name.replace('.', "/"));
        let value = values.pointer(&pointer).cloned().unwrap_or_default();
        let (from, place) = match origin {
            Origin::Default => ("default", None),
            Origin::File(path) => ("file", Some(path.display().to_string())),
            Origin::Environment(variable) => ("environment", Some((*variable).to_owned())),
        };
        (name.clone(), Setting { value, from, place })
    };
    loaded.origins.iter().map(setting).collect()
}

fn render(settings: &BTreeMap<String, Setting>) -> String {
    let row = |(name, setting): (&String, &Setting)| {
        let value = match &setting.value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let from = setting.place.as_deref().unwrap_or(setting.from);
        vec![name.clone(), text::clip(&value, 60), text::prose(from)]
    };
    text::table(&settings.iter().map(row).collect::<Vec<_>>())
}
