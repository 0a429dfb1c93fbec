//! Log messages for clients that asked for them: asks that opened, sessions that ended, what went wrong here.
//!
//! What a session runs or says may hold secrets, so no input, title or text of one is in a message; who wants to know
//! more reads the session.

use std::fmt::Write as _;

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::domain::{EndCause, EventData, visible};
use crate::ops::News;

/// How many warnings may wait for a client. Who is slower misses some; all are on standard error.
const KEPT: usize = 64;

/// The most of a warning, in characters.
const LONGEST: usize = 500;

/// A message for a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    level: LoggingLevel,
    data: Value,
}

impl Entry {
    /// What the news are worth telling, if anything.
    pub(super) fn of(news: &News) -> Option<Self> {
        match news {
            News::Event(event) => {
                let EventData::AskOpened(ask) = &event.data else { return None };
                let data = json!({
                    "event": "ask_opened",
                    "sessionId": event.session_id,
                    "askId": ask.id,
                    "kind": ask.kind,
                    "tool": ask.tool,
                });
                Some(Self { level: LoggingLevel::Notice, data })
            }
            News::Ended(session) => {
                let ending = session.ending.as_ref();
                let level = match ending.map(|ending| ending.cause) {
                    Some(EndCause::Exited | EndCause::Killed) => LoggingLevel::Info,
                    Some(EndCause::Signaled | EndCause::LaunchFailed | EndCause::HolderLost) | None => {
                        LoggingLevel::Warning
                    }
                };
                let data = json!({
                    "event": "session_ended",
                    "sessionId": session.id,
                    "cause": ending.map(|ending| ending.cause),
                    "exitCode": ending.and_then(|ending| ending.exit_code),
                });
                Some(Self { level, data })
            }
            News::Came(_) | News::Missed => None,
        }
    }

    /// The message, if it is as grave as the client wants them.
    pub(super) fn for_level(self, least: LoggingLevel) -> Option<LoggingMessageNotificationParam> {
        (gravity(self.level) >= gravity(least))
            .then(|| LoggingMessageNotificationParam::new(self.level, self.data).with_logger("aegis"))
    }
}

fn gravity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

/// This process's own warnings and errors, for clients that want them. Clones share one stream.
#[derive(Clone, Debug)]
pub struct Warnings(broadcast::Sender<Entry>);

impl Default for Warnings {
    fn default() -> Self {
        Self(broadcast::channel(KEPT).0)
    }
}

impl Warnings {
    /// From here on.
    pub(super) fn listen(&self) -> broadcast::Receiver<Entry> {
        self.0.subscribe()
    }
}

/// As a layer of the log, it passes on what is at least a warning and ours.
impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        let level = match *about.level() {
            Level::ERROR => LoggingLevel::Error,
            Level::WARN => LoggingLevel::Warning,
            _ => return,
        };
        let ours = about.target().split("::").next() == Some("aegis");
        if !ours || self.0.receiver_count() == 0 {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let text: String = visible(&said.message).chars().take(LONGEST).collect();
        let data = json!({"event": "warning", "message": text});
        // The count may have changed since; then nobody wants it.
        let _ = self.0.send(Entry { level, data });
    }
}

/// The words of a log line, and those of its fields that are known to hold nothing of a session.
#[derive(Default)]
struct Said {
    message: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message.insert_str(0, &format!("{value:?}")),
            "error" | "session" => {
                let _ = write!(self.message, " ({} {value:?})", field.name());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::domain::{Ask, AskId, AskKind, AskVia, Epoch, SessionId, Timestamp};

    #[test]
    fn an_ask_is_told_without_what_it_asks() {
        let ask = Ask {
            id: AskId::mint(),
            kind: AskKind::Permission,
            tool: Some("Bash".into()),
            input: Some(json!({"command": "curl -H 'Authorization: a-secret'"})),
            input_hash: "00".into(),
            title: "curl a-secret".into(),
            options: vec!["a-secret".into()],
            opened_at: Timestamp::from_millis(0).unwrap(),
            via: AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        };
        let event = crate::domain::Event {
            epoch: Epoch::mint(),
            seq: 1,
            session_id: SessionId::mint(),
            at: Timestamp::from_millis(0).unwrap(),
            data: EventData::AskOpened(ask),
        };
        let entry = Entry::of(&News::Event(Arc::new(event))).unwrap();
        assert!(!entry.data.to_string().contains("secret"), "{entry:?}");
        assert!(entry.clone().for_level(LoggingLevel::Warning).is_none());
        assert!(entry.for_level(LoggingLevel::Notice).is_some());
    }

    #[test]
    fn our_own_warnings_are_passed_on_and_nothing_else() {
        let warnings = Warnings::default();
        let mut heard = warnings.listen();
        let log = tracing_subscriber::registry().with(warnings);
        tracing::subscriber::with_default(log, || {
            tracing::info!("all is well");
            tracing::warn!(target: "rmcp::service", "not ours");
            tracing::warn!(error = %"disk full", prompt = "a-secret", "a journal could not be copied");
        });
        let entry = heard.try_recv().unwrap();
        assert_eq!(entry.data["message"], "a journal could not be copied (error disk full)");
        assert!(heard.try_recv().is_err());
    }
}
