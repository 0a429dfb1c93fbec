//! From the start of the program to its end.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::args::Args;
use super::dialog::{Choice, Dialog};
use super::entry::Entry;
use super::hooks::Hooks;
use super::inbox::Inbox;
use super::live::LiveFile;
use super::new_id;
use super::script::{At, Script};
use super::session::{Cut, Session};
use super::transcript::{Transcript, directory};
use super::tty::Tty;

/// How long the SessionEnd hook may take (2.1.197).
const GOODBYE: Duration = Duration::from_millis(1500);

/// Runs the program; gives its exit code.
///
/// # Errors
///
/// What Claude Code prints when it cannot start; its exit code is 1 then.
pub(crate) async fn run(args: Args, script: Script, config_dir: &Path, marks: bool) -> Result<u8, String> {
    let failed = |error: std::io::Error| format!("fake-claude: {error}");
    let cwd = std::env::current_dir().and_then(std::fs::canonicalize).map_err(failed)?;
    let hooks = args.settings.as_deref().map_or_else(|| Ok(Hooks::default()), Hooks::load)?;
    let transcript = conversation(&args, &script, &directory(config_dir, &cwd), &cwd)?;
    let inbox = Inbox::open().map_err(failed)?;
    let live = LiveFile::new(config_dir, script.live_file).map_err(failed)?;
    // Signals are heard from the first moment on, as in the real program; keys are not.
    sleep(Duration::from_millis(script.start_delay_ms)).await;
    let tty = Tty::open(marks);
    inbox.read_terminal().map_err(failed)?;
    let mut session = Session {
        hooks,
        inbox,
        tty,
        live,
        transcript,
        name: args.name.clone().unwrap_or_else(|| "Claude Code".into()),
        model: args.model.clone().unwrap_or_else(|| "claude-fake".into()),
        mode: args.permission_mode.clone().unwrap_or_else(|| "default".into()),
        entry: Entry::with(&script.draft),
        moments: script.moments.clone(),
        swallow: script.swallow_enter,
        swallowing_until: None,
        script,
        cwd,
        history: Vec::new(),
        dialogs: Vec::new(),
        submitted: args.prompt.clone().into_iter().collect(),
        queued: std::collections::VecDeque::new(),
        working: None,
        ready: false,
        prompt_id: None,
        said: false,
        last_said: String::new(),
        clear_armed: false,
        starting: None,
    };
    let end = match session.start(&args).await {
        Ok(()) => session.serve().await,
        Err(cut) => cut,
    };
    Ok(session.end(&end).await)
}

/// The conversation that the arguments name.
fn conversation(args: &Args, script: &Script, dir: &Path, cwd: &Path) -> Result<Transcript, String> {
    let delay = Duration::from_millis(script.transcript_delay_ms);
    let file = |id: &str| dir.join(format!("{id}.jsonl"));
    let new = |id: &str| {
        let transcript = Transcript::new(dir, id, cwd, &script.version, delay);
        transcript.answered_by(&script.api_model, &script.usage)
    };
    let own = || {
        let id = args.session_id.clone().unwrap_or_else(new_id);
        if file(&id).exists() { Err(format!("Error: Session ID {id} is already in use.")) } else { Ok(id) }
    };
    match &args.resume {
        Some(from) if !file(from).exists() => Err(format!("No conversation found with session ID: {from}")),
        Some(from) if args.fork => Ok(new(&own()?).copy_of(file(from))),
        Some(from) => Ok(new(from)),
        None => Ok(new(&own()?)),
    }
}

impl Session {
    async fn start(&mut self, args: &Args) -> Result<(), Cut> {
        self.reach(At::Start).await?;
        if self.script.trust_dialog {
            let folder = self.cwd.to_string_lossy().into_owned();
            let answer = self.ask(Dialog::trust(&folder), std::future::pending::<()>()).await?;
            if answer != Ok(Choice::Option("Yes, I trust this folder".into())) {
                return Err(Cut::End { code: 1, reason: "" });
            }
        }
        self.print("╭─── ", &format!("Claude Code v{} (stand-in)", self.script.version));
        self.ready = true;
        self.show();
        let mut fields = json!({"source": "startup", "model": self.model});
        if let Some(from) = &args.resume {
            fields["source"] = "resume".into();
            // A fork's start still names the conversation that it copies (2.1.197).
            fields["session_id"] = from.clone().into();
        }
        self.starting = Some(self.start_hook("SessionStart", fields));
        self.reach(At::Ready).await
    }

    /// Leaves cleanly.
    async fn end(&mut self, cut: &Cut) -> u8 {
        let Cut::End { code, reason } = cut else { return 0 };
        if self.ready {
            let hook = self.start_hook("SessionEnd", json!({"reason": reason}));
            let _ = timeout(GOODBYE, hook).await;
        }
        self.transcript.flush();
        self.live.remove();
        let resume =
            format!("Resume this session with:\r\nclaude --resume {}\r\n", self.transcript.session_id);
        self.tty.close(if self.transcript.path.exists() { &resume } else { "" });
        u8::try_from(*code).unwrap_or(1)
    }
}
