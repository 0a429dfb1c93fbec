//! The live file, `sessions/<pid>.json`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::now_millis;

/// The live file of this process.
pub(crate) struct LiveFile {
    path: PathBuf,
    writes: bool,
    file: Option<File>,
    longest: usize,
    started_at: i64,
    proc_start: String,
    last: Option<(String, &'static str, &'static str)>,
}

impl LiveFile {
    /// Prepares it; it comes into being with the first status. With `writes` false it never does.
    pub(crate) fn new(config_dir: &Path, writes: bool) -> io::Result<Self> {
        let dir = config_dir.join("sessions");
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{}.json", std::process::id()));
        let stat = fs::read_to_string("/proc/self/stat")?;
        // Field 22; the name in field 2 may hold blanks.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let proc_start = after_name.split_whitespace().nth(19).unwrap_or_default().to_owned();
        Ok(Self { path, writes, file: None, longest: 0, started_at: now_millis(), proc_start, last: None })
    }

    /// Says what the program is doing, if that changed.
    pub(crate) fn tell(
        &mut self,
        session_id: &str,
        version: &str,
        (status, waiting_for): (&'static str, &'static str),
    ) {
        let told = (session_id.to_owned(), status, waiting_for);
        if !self.writes || self.last.as_ref() == Some(&told) {
            return;
        }
        if self.file.is_none() {
            self.file = File::options().create(true).truncate(false).write(true).open(&self.path).ok();
        }
        let Some(file) = &self.file else { return };
        let now = now_millis();
        let mut content = json!({
            "pid": std::process::id(),
            "sessionId": session_id,
            "cwd": std::env::current_dir().unwrap_or_default(),
            "startedAt": self.started_at,
            "procStart": self.proc_start,
            "version": version,
            "peerProtocol": 1,
            "kind": "interactive",
            "entrypoint": "cli",
            "status": status,
            "updatedAt": now,
            "statusUpdatedAt": now,
        });
        if !waiting_for.is_empty() {
            content["waitingFor"] = waiting_for.into();
        }
        // In place and in one write, never shorter than before: a reader sees the old or the new one.
        let mut text = content.to_string();
        self.longest = self.longest.max(text.len());
        text.extend(std::iter::repeat_n(' ', self.longest - text.len()));
        if file.write_all_at(text.as_bytes(), 0).is_ok() {
            self.last = Some(told);
        }
    }

    /// Takes it away, at a clean end.
    pub(crate) fn remove(&self) {
        if self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
