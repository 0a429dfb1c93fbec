//! Processes as text.

use std::fmt::Write;

use super::Say;
use crate::ops::{Swarm, SwarmProcess};

impl Say for Swarm {
    fn say(&self) -> String {
        let mut lines: Vec<_> = self.processes.iter().map(line).collect();
        if lines.is_empty() {
            lines.push("no Claude Code process runs".into());
        }
        if self.left_off > 0 {
            lines.push(format!("{} more are left off", self.left_off));
        }
        lines.join("\n")
    }
}

fn line(process: &SwarmProcess) -> String {
    let mut text = format!("pid {}", process.pid);
    match (&process.session_id, &process.session_name) {
        (Some(id), Some(name)) => {
            let _ = write!(text, ", session {name} {id}");
        }
        _ => text.push_str(", not ours"),
    }
    if let Some(status) = process.status {
        let _ = write!(text, ": {}", status.as_str());
    }
    if let Some(dir) = &process.work_dir {
        let _ = write!(text, " in {dir}");
    }
    if let Some(id) = process.conversation_id {
        let _ = write!(text, ", conversation {id}");
    }
    if let Some(at) = process.started_at {
        let _ = write!(text, ", since {at}");
    }
    if !process.subagents.is_empty() {
        let _ = write!(text, ", {} subagents", process.subagents.len());
    }
    for member in &process.teammates {
        let _ = write!(text, ", leads {}", member.name);
    }
    text
}
