//! What went wrong lately in this process, for whoever may read it.
//!
//! Fed by the log. Only the words of a line and fields that hold nothing of a session are kept: what a session runs or
//! says may be secret.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::domain::{Timestamp, visible};

/// How many are kept.
pub(super) const KEPT: usize = 100;

/// The most of each text, in characters.
const LONGEST: usize = 200;

/// One thing that went wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Diagnostic")]
pub(super) struct Entry {
    /// Component and operation with a dot between them.
    event: String,
    /// `warn` or `error`.
    level: String,
    /// Which part of Aegis.
    component: String,
    /// Which part of that.
    operation: String,
    /// The session that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    timestamp: Timestamp,
    /// `message` and, where there is one, `error`.
    attributes: Map<String, Value>,
}

/// The latest warnings and errors of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Arc<Mutex<VecDeque<Entry>>>);

impl Diagnostics {
    /// The latest, oldest first.
    pub(super) fn latest(&self, most: usize) -> Vec<Entry> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().skip(kept.len().saturating_sub(most)).cloned().collect()
    }
}

/// As a layer of the log, it keeps what is at least a warning and ours.
impl<S: Subscriber> Layer<S> for Diagnostics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        let level = match *about.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => return,
        };
        let mut path = about.target().split("::");
        if path.next() != Some("aegis") {
            return;
        }
        let component = path.next().unwrap_or("main").to_owned();
        let operation = path.next().unwrap_or("run").to_owned();
        let mut said = Said::default();
        event.record(&mut said);
        let entry = Entry {
            event: format!("{component}.{operation}"),
            level: level.into(),
            component,
            operation,
            session_id: said.session,
            timestamp: Timestamp::now(),
            attributes: said.attributes,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(entry);
    }
}

#[derive(Default)]
struct Said {
    session: Option<String>,
    attributes: Map<String, Value>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        let text: String = visible(&text).chars().take(LONGEST).collect();
        match field.name() {
            "session" => self.session = Some(text),
            name @ ("message" | "error") => drop(self.attributes.insert(name.into(), text.into())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn our_own_warnings_are_kept_without_what_may_be_secret() {
        let diagnostics = Diagnostics::default();
        let log = tracing_subscriber::registry().with(diagnostics.clone());
        tracing::subscriber::with_default(log, || {
            tracing::info!("all is well");
            tracing::warn!(target: "rmcp::service", "not ours");
            for n in 0..KEPT + 1 {
                tracing::error!(target: "aegis::store::sqlite", error = n, prompt = "a-secret", "it failed");
            }
        });
        let kept = diagnostics.latest(usize::MAX);
        assert_eq!(kept.len(), KEPT);
        assert_eq!(diagnostics.latest(1)[0].attributes["error"], KEPT.to_string());
        assert_eq!((kept[0].event.as_str(), kept[0].level.as_str()), ("store.sqlite", "error"));
        assert!(!serde_json::to_string(&kept).unwrap().contains("secret"));
    }
}
