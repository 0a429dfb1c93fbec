//! Figures as text.

use std::fmt::Write;

use super::{Say, compact, cut, word};
use crate::ops::{SessionLatency, SessionMetrics, SessionSummary};

/// The most of a message that a summary quotes.
const QUOTED: usize = 200;

impl Say for SessionSummary {
    fn say(&self) -> String {
        let mut text = format!(
            "{} {}: {}, {} s old, {} s in {} turns, {} messages",
            self.name,
            self.session_id,
            self.status.as_str(),
            self.duration_sec,
            self.working_sec,
            self.turns,
            self.total_messages
        );
        if self.history_messages > 0 {
            let _ = write!(text, " after {} of its history", self.history_messages);
        }
        let tools: Vec<_> = self
            .tools
            .iter()
            .map(|tool| format!("{} {} ({} failed)", tool.calls, tool.tool, tool.errors))
            .collect();
        section(&mut text, "tools", &tools);
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| format!("{} ({} written, {} read)", file.path, file.writes, file.reads))
            .collect();
        section(&mut text, "files", &files);
        section(&mut text, "commands", &self.commands);
        let last = self.messages.iter().map(|message| {
            format!("#{} {}: {}", message.id, word(&message.role), cut(&message.text, QUOTED))
        });
        section(&mut text, "last messages", &last.collect::<Vec<_>>());
        if self.partial {
            text.push_str("\nrecords are missing: counts are too low");
        }
        text
    }
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = write!(text, "\n{title}:\n  {}", lines.join("\n  "));
    }
}

impl Say for SessionMetrics {
    fn say(&self) -> String {
        compact(self)
    }
}

impl Say for SessionLatency {
    fn say(&self) -> String {
        compact(self)
    }
}
