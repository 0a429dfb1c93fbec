//! The running program: what it knows, what it shows, and how it waits without losing a key.
//!
//! Everything happens in one task. Whatever takes time goes through [`Session::pause`], which meanwhile takes keys,
//! signals and moments; what ends a turn or the program from there travels up as a [`Cut`].

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::dialog::{Choice, Dialog};
use super::entry::Entry;
use super::hooks::{self, Decision, Hooks};
use super::inbox::{Inbox, Wake};
use super::keys::Key;
use super::live::LiveFile;
use super::rows::hung;
use super::script::{At, Moment, Script, SwallowEnter, Wait};
use super::transcript::Transcript;
use super::tty::Tty;

/// How often a file that is waited for is looked for.
const LOOKS: Duration = Duration::from_millis(10);

/// Why something did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The turn was interrupted.
    Interrupted,
    /// The turn has failed, and all is said about that.
    Failed,
    /// The program ends, with this exit code.
    End { code: i32, reason: &'static str },
}

/// The program.
pub(crate) struct Session {
    pub(crate) script: Script,
    pub(crate) hooks: Hooks,
    pub(crate) inbox: Inbox,
    pub(crate) tty: Tty,
    pub(crate) live: LiveFile,
    pub(crate) transcript: Transcript,
    pub(crate) cwd: PathBuf,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) mode: String,
    pub(crate) entry: Entry,
    pub(crate) moments: Vec<Moment>,
    /// Rows that are not printed yet.
    pub(crate) history: Vec<String>,
    pub(crate) dialogs: Vec<Dialog>,
    /// Prompts entered while nothing ran.
    pub(crate) submitted: VecDeque<String>,
    /// Prompts entered while a turn ran.
    pub(crate) queued: VecDeque<String>,
    /// Since when a turn runs.
    pub(crate) working: Option<Instant>,
    /// Whether the box stands.
    pub(crate) ready: bool,
    pub(crate) prompt_id: Option<String>,
    /// Whether the turn has shown anything yet.
    pub(crate) said: bool,
    /// What was said last in the turn.
    pub(crate) last_said: String,
    pub(crate) swallow: Option<SwallowEnter>,
    pub(crate) swallowing_until: Option<Instant>,
    pub(crate) clear_armed: bool,
    /// The SessionStart hook, which the first prompt waits for.
    pub(crate) starting: Option<JoinHandle<Option<Decision>>>,
}

impl Session {
    /// Shows everything: the screen, the title, the live file.
    pub(crate) fn show(&mut self) {
        let (cols, _) = Tty::size();
        let live = self.live_rows(cols);
        self.tty.frame(&std::mem::take(&mut self.history), &live);
        if !self.ready {
            return;
        }
        let status = match self.dialogs.last() {
            Some(dialog) => ("waiting", dialog.waiting_for),
            None if self.working.is_some() => ("busy", ""),
            None => ("idle", ""),
        };
        let glyph = if status.0 == "busy" { '⠂' } else { '✳' };
        self.tty.title(&format!("{glyph} {}", self.name));
        self.live.tell(&self.transcript.session_id, &self.script.version, status);
    }

    /// Adds an item to the history: a blank row, and text behind a mark.
    pub(crate) fn print(&mut self, mark: &str, text: &str) {
        let (cols, _) = Tty::size();
        if !mark.starts_with(' ') {
            self.history.push(String::new());
        }
        self.history.extend(hung(mark, text, cols));
    }

    async fn wake(&mut self) -> Wake {
        // The spinner counts seconds.
        let second =
            self.working.filter(|_| self.dialogs.is_empty()).map(|_| Instant::now() + Duration::from_secs(1));
        let due = self.transcript.due().into_iter().chain(second).min();
        let time = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            wake = self.inbox.next() => wake,
            () = time => Wake::Draw,
        }
    }

    /// Waits for something while the program goes on.
    pub(crate) async fn pause<T>(&mut self, until: impl Future<Output = T>) -> Result<T, Cut> {
        tokio::pin!(until);
        loop {
            tokio::select! {
                biased;
                out = &mut until => return Ok(out),
                wake = self.wake() => self.on_wake(wake).await?,
            }
        }
    }

    /// Takes one thing from outside; used when nothing else is waited for.
    pub(crate) async fn rest(&mut self) -> Result<(), Cut> {
        let wake = self.wake().await;
        self.on_wake(wake).await
    }

    async fn on_wake(&mut self, wake: Wake) -> Result<(), Cut> {
        match wake {
            Wake::Key(key) => self.on_key(key).await?,
            Wake::Draw => {
                let late = self.transcript.due();
                self.transcript.write_due();
                // A line that was due is no reason to draw.
                if late.is_none() || self.transcript.due() == late {
                    self.show();
                }
            }
            Wake::Moment(steps) => Box::pin(self.do_steps(&steps, "")).await?,
            Wake::End(code) => return Err(Cut::End { code, reason: "other" }),
        }
        Ok(())
    }

    /// A key for the box.
    async fn on_key(&mut self, key: Key) -> Result<(), Cut> {
        let clears = std::mem::take(&mut self.clear_armed);
        let typed = matches!(key, Key::Text(_) | Key::Paste(_));
        match key {
            Key::Text(text) => self.entry.text(&text),
            Key::Paste(text) => self.entry.paste(&text),
            Key::Backspace => self.entry.backspace(),
            Key::Enter => self.on_enter()?,
            Key::Control('s') => self.entry.stash(),
            Key::Control('u') => self.entry.clear(),
            Key::Escape | Key::Control('c') if self.working.is_some() => return Err(Cut::Interrupted),
            Key::Escape if clears => self.entry.clear(),
            Key::Escape => self.clear_armed = !self.entry.is_empty(),
            Key::Control('c') => self.entry.clear(),
            Key::Control('d') if self.entry.is_empty() => return Err(exit()),
            Key::Up | Key::Down | Key::Control(_) => {}
        }
        // What happens at that point stands on the screen together with the text.
        if typed {
            self.reach(At::Typed).await?;
        }
        self.show();
        Ok(())
    }

    fn on_enter(&mut self) -> Result<(), Cut> {
        if self.entry.is_empty() || self.swallows() || self.entry.continues() {
            return Ok(());
        }
        let text = self.entry.submit();
        let word = text.trim();
        if matches!(word, "/exit" | "exit" | "quit" | ":q") {
            return Err(exit());
        }
        if word.is_empty() {
        } else if self.working.is_some() {
            let line = json!({"type": "queue-operation", "operation": "enqueue", "content": text});
            self.transcript.add_bare(line);
            self.queued.push_back(text);
        } else {
            self.submitted.push_back(text);
        }
        Ok(())
    }

    fn swallows(&mut self) -> bool {
        match &mut self.swallow {
            None | Some(SwallowEnter::Count(0)) => false,
            Some(SwallowEnter::Count(left)) => {
                *left -= 1;
                true
            }
            Some(SwallowEnter::ForMs(millis)) => {
                let now = Instant::now();
                let time = Duration::from_millis(*millis);
                now < *self.swallowing_until.get_or_insert(now + time)
            }
        }
    }

    /// Lets a dialog stand until a key answers it, or `other` does.
    pub(crate) async fn ask<T>(
        &mut self,
        dialog: Dialog,
        other: impl Future<Output = T>,
    ) -> Result<Result<Choice, T>, Cut> {
        self.dialogs.push(dialog);
        let place = self.dialogs.len() - 1;
        self.show();
        let answer = self.until_answered(place, other).await;
        self.dialogs.truncate(place);
        if !matches!(answer, Err(Cut::End { .. })) {
            self.show();
        }
        answer
    }

    async fn until_answered<T>(
        &mut self,
        place: usize,
        other: impl Future<Output = T>,
    ) -> Result<Result<Choice, T>, Cut> {
        if self.dialogs[place].waiting_for == "permission prompt" {
            self.reach(At::Asked).await?;
        }
        tokio::pin!(other);
        loop {
            tokio::select! {
                biased;
                out = &mut other => return Ok(Err(out)),
                wake = self.wake() => match wake {
                    Wake::Key(key) => {
                        if let Some(choice) = self.dialogs[place].press(&key) {
                            return Ok(Ok(choice));
                        }
                        self.show();
                    }
                    wake => self.on_wake(wake).await?,
                }
            }
        }
    }

    /// A point in the program's life is reached: does what is due at it, and sets going what comes after it.
    pub(crate) async fn reach(&mut self, at: At) -> Result<(), Cut> {
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.moments).into_iter().partition(|m| m.at == at);
        self.moments = later;
        for moment in now {
            match moment.after {
                Some(wait) => self.inbox.moment(come(wait, self.cwd.clone()), moment.steps),
                None => Box::pin(self.do_steps(&moment.steps, "")).await?,
            }
        }
        Ok(())
    }

    /// Waits for time or for a file.
    pub(crate) async fn wait(&mut self, wait: &Wait) -> Result<(), Cut> {
        self.pause(come(wait.clone(), self.cwd.clone())).await
    }

    /// Runs the hooks of an event and waits for them, unless the script says otherwise.
    pub(crate) async fn hook(&mut self, event: &str, fields: Value) -> Result<Option<Decision>, Cut> {
        let runs = self.script.hooks.get(event).copied().unwrap_or_default();
        let handle = self.start_hook(event, fields);
        if runs.delay_ms.is_some() {
            return Ok(None);
        }
        Ok(self.pause(handle).await?.ok().flatten())
    }

    /// Starts the hooks of an event.
    pub(crate) fn start_hook(&self, event: &str, fields: Value) -> JoinHandle<Option<Decision>> {
        let runs = self.script.hooks.get(event).copied().unwrap_or_default();
        let mut payload = json!({
            "session_id": self.transcript.session_id,
            "transcript_path": self.transcript.path,
            "cwd": self.cwd,
            "permission_mode": self.mode,
            "hook_event_name": event,
        });
        if let Some(id) = &self.prompt_id {
            payload["prompt_id"] = id.clone().into();
        }
        if let (Some(payload), Value::Object(fields)) = (payload.as_object_mut(), fields) {
            payload.extend(fields);
        }
        let about = payload["tool_name"].as_str().or(payload["source"].as_str());
        let handlers = self.hooks.handlers(event, about);
        let env = vec![
            ("CLAUDE_PROJECT_DIR", self.cwd.to_string_lossy().into_owned()),
            ("CLAUDE_CODE_SESSION_ID", self.transcript.session_id.clone()),
            ("CLAUDECODE", "1".to_owned()),
            ("CLAUDE_CODE_ENTRYPOINT", "cli".to_owned()),
        ];
        tokio::spawn(async move {
            if let Some(millis) = runs.delay_ms {
                sleep(Duration::from_millis(millis)).await;
            }
            // Those that may decide run side by side, as hooks of several settings do; the others one after the other.
            let times = runs.times as usize;
            if payload["hook_event_name"] == "PermissionRequest" {
                let all = std::iter::repeat_n(handlers, times).flatten().collect();
                return hooks::run(all, payload, env).await;
            }
            for _ in 1..times {
                hooks::run(handlers.clone(), payload.clone(), env.clone()).await;
            }
            if times == 0 { None } else { hooks::run(handlers, payload, env).await }
        })
    }
}

/// What `/exit` does.
fn exit() -> Cut {
    Cut::End { code: 0, reason: "prompt_input_exit" }
}

async fn come(wait: Wait, cwd: PathBuf) {
    match wait {
        Wait::Ms(millis) => sleep(Duration::from_millis(millis)).await,
        Wait::File(name) => {
            let path = cwd.join(name);
            while !path.exists() {
                sleep(LOOKS).await;
            }
        }
    }
}
