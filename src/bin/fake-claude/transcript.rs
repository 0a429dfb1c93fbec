//! The transcript, one JSON object a line.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{new_id, now_text};

/// Longer names of a project's directory are cut.
const LONGEST_NAME: usize = 200;

/// The file of the present conversation.
pub(crate) struct Transcript {
    pub(crate) session_id: String,
    pub(crate) path: PathBuf,
    /// The file whose lines stand first, for a fork.
    copied: Option<PathBuf>,
    version: String,
    /// The model that answers, and what each of its answers uses.
    answers: (String, Value),
    cwd: PathBuf,
    parent: Option<String>,
    delay: Duration,
    pending: VecDeque<(Instant, String)>,
}

/// Where the transcripts of a project stand.
pub(crate) fn directory(config_dir: &Path, cwd: &Path) -> PathBuf {
    let text = cwd.to_string_lossy();
    let plain =
        |unit: u16| char::from_u32(u32::from(unit)).filter(char::is_ascii_alphanumeric).unwrap_or('-');
    let name: String = text.encode_utf16().map(plain).take(LONGEST_NAME).collect();
    config_dir.join("projects").join(name)
}

impl Transcript {
    pub(crate) fn new(dir: &Path, session_id: &str, cwd: &Path, version: &str, delay: Duration) -> Self {
        Self {
            session_id: session_id.to_owned(),
            path: dir.join(format!("{session_id}.jsonl")),
            copied: None,
            version: version.to_owned(),
            answers: (String::new(), Value::Null),
            cwd: cwd.to_owned(),
            parent: None,
            delay,
            pending: VecDeque::new(),
        }
    }

    /// The conversation begins with the lines of that file.
    pub(crate) fn copy_of(mut self, path: PathBuf) -> Self {
        self.copied = Some(path);
        self
    }

    /// This model answers, and each answer uses this.
    pub(crate) fn answered_by(mut self, model: &str, usage: &Value) -> Self {
        self.answers = (model.to_owned(), usage.clone());
        self
    }

    /// Goes on with an empty conversation.
    pub(crate) fn begin(&mut self, session_id: &str) {
        self.flush();
        self.path = self.path.with_file_name(format!("{session_id}.jsonl"));
        session_id.clone_into(&mut self.session_id);
        self.parent = None;
    }

    /// Adds a line that has a place in the conversation.
    pub(crate) fn add(&mut self, mut line: Value) {
        let id = new_id();
        line["uuid"] = id.clone().into();
        line["parentUuid"] = self.parent.replace(id).into();
        line["isSidechain"] = false.into();
        line["userType"] = "external".into();
        line["entrypoint"] = "cli".into();
        line["cwd"] = self.cwd.to_string_lossy().into();
        line["version"] = self.version.clone().into();
        self.add_bare(line);
    }

    /// Adds a line without a place, such as those of the queue.
    pub(crate) fn add_bare(&mut self, mut line: Value) {
        line["timestamp"] = now_text().into();
        line["sessionId"] = self.session_id.clone().into();
        self.pending.push_back((Instant::now() + self.delay, format!("{line}\n")));
    }

    /// Adds what Claude says, or calls.
    pub(crate) fn add_assistant(&mut self, content: Value, stop_reason: &str) {
        let id = format!("msg_{}", new_id().replace('-', ""));
        let (model, usage) = self.answers.clone();
        self.add(json!({"type": "assistant", "message": {
            "id": id, "type": "message", "role": "assistant", "model": model, "content": [content],
            "stop_reason": stop_reason, "usage": usage,
        }}));
    }

    /// When the next line is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pending.front().map(|(due, _)| *due)
    }

    /// Writes the lines that are due.
    pub(crate) fn write_due(&mut self) {
        let now = Instant::now();
        let count = self.pending.iter().take_while(|(due, _)| *due <= now).count();
        self.write(count);
    }

    /// Writes all lines.
    pub(crate) fn flush(&mut self) {
        self.write(self.pending.len());
    }

    fn write(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let lines: String = self.pending.drain(..count).map(|(_, line)| line).collect();
        // As in the real program a file that cannot be written is not the conversation's end.
        let _ = self.append(&lines);
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = File::options().create(true).append(true).open(&self.path)?;
        if let Some(copied) = self.copied.take() {
            file.write_all(&fs::read(copied)?)?;
        }
        file.write_all(lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_named_as_claude_code_names_it() {
        let dir = |cwd: &str| directory(Path::new("/c"), Path::new(cwd));
        assert_eq!(dir("/home/user/pe/a.b c"), Path::new("/c/projects/-home-user-pe-a-b-c"));
        assert_eq!(dir("/ünï日本"), Path::new("/c/projects/--n---"));
    }
}
