//! The life of a holder: `aegis holder`, told on standard input what to hold.
//!
//! Order of the start: lock, socket, journal, terminal, Claude Code. Whoever started the holder reads one line from
//! its standard output: `ready`, or why not. From then on nothing of the holder depends on who started it.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::actor::{Actor, Input, Parts};
use super::dir::SessionDir;
use super::launch::HolderLaunch;
use super::process::{self, ProcessId};
use super::pty::Pty;
use super::serve;
use crate::claude::launch::{SECRET_VARIABLE, SESSION_VARIABLE, SOCKET_VARIABLE, arguments};
use crate::claude::settings::settings;

/// How many inputs may wait for the actor. When it is behind, the child's output waits in the terminal.
const INPUTS: usize = 256;

/// How long the last answers may take to reach their readers.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a holder says of its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// It runs, and Claude Code was launched.
    Ready {
        /// The holder.
        holder: ProcessId,
    },
    /// It could not start; nothing is left running.
    Failed {
        /// Why.
        why: String,
    },
}

/// Runs a holder. Returns when its session has ended.
///
/// # Errors
///
/// When it could not start; the reason was also told to whoever started it.
pub fn run(mut stdin: impl Read, mut stdout: impl io::Write) -> io::Result<()> {
    let mut text = String::new();
    stdin.read_to_string(&mut text)?;
    let launch: HolderLaunch = serde_json::from_str(&text)?;
    drop(text);
    // Already a leader means already detached.
    let _ = rustix::process::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(hold(launch, &mut stdout));
    if let Err(error) = &result {
        tell(&mut stdout, &Started::Failed { why: error.to_string() });
    }
    runtime.shutdown_background();
    result
}

fn tell(stdout: &mut impl io::Write, started: &Started) {
    if let Ok(line) = serde_json::to_string(started) {
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}

async fn hold(mut launch: HolderLaunch, stdout: &mut impl io::Write) -> io::Result<()> {
    let dir = SessionDir::new(&launch.dir);
    let Some(_lock) = dir.try_lock()? else {
        return Err(io::Error::other("another holder has this session"));
    };
    let me =
        ProcessId::of(std::process::id()).ok_or_else(|| io::Error::other("no entry in the process table"))?;
    private_file(&dir.pid())?.write_all(&serde_json::to_vec(&me)?)?;
    // Tools that Claude Code leaves behind become our children instead of nobody's.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))?;
    let (inputs, mut queue) = mpsc::channel(INPUTS);
    let listener = serve::listen(&launch.socket)?;
    let socket = RemoveOnDrop(&launch.socket.clone());
    let over = CancellationToken::new();
    let serving = tokio::spawn(serve::serve(
        listener,
        launch.socket.clone(),
        launch.spec.id,
        inputs.clone(),
        over.clone(),
    ));
    watch_signals(&inputs)?;

    let secret = Uuid::new_v4().to_string();
    private_file(&dir.settings())?.write_all(&serde_json::to_vec_pretty(&settings(
        &launch.aegis,
        launch.spec.policy.guarded().as_deref(),
    ))?)?;
    let mut environment = launch.environment.clone();
    environment.insert(SOCKET_VARIABLE.into(), launch.socket.to_string_lossy().into_owned());
    environment.insert(SECRET_VARIABLE.into(), secret.clone());
    environment.insert(SESSION_VARIABLE.into(), launch.spec.id.to_string());
    let prompt = launch.prompt.as_ref().filter(|first| first.as_argument).map(|first| first.text.as_str());
    let pty = Pty::spawn(
        &launch.program,
        &arguments(&launch.spec, &dir.settings(), prompt),
        &environment,
        &launch.spec.work_dir,
        launch.size,
        inputs.clone(),
    )?;
    // Only where Claude Code keeps its files is needed from here on; the rest may hold secrets.
    launch.environment.retain(|name, _| name == "HOME" || name == "CLAUDE_CONFIG_DIR");
    let actor = Actor::new(Parts { launch, secret, dir, pty, inputs })?;
    tell(stdout, &Started::Ready { holder: me });
    detach_output();
    actor.run(&mut queue).await;
    // The actor's end of every connection is closed; what is on its way to readers gets a moment.
    over.cancel();
    drop(socket);
    let _ = tokio::time::timeout(GOODBYE, serving).await;
    Ok(())
}

/// Opens a file that only this user can read.
fn private_file(path: &Path) -> io::Result<File> {
    File::options().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn watch_signals(inputs: &mpsc::Sender<Input>) -> io::Result<()> {
    let mut child = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let inputs = inputs.clone();
    tokio::spawn(async move {
        loop {
            let input = tokio::select! {
                _ = child.recv() => Input::Child,
                _ = terminate.recv() => Input::Terminate,
                // A closing terminal or Ctrl-C is meant for whoever started us, never for the session.
                _ = hangup.recv() => continue,
                _ = interrupt.recv() => continue,
            };
            if inputs.send(input).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Lets go of the standard output that whoever started us reads to its end.
fn detach_output() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stdin(&null);
    }
}

struct RemoveOnDrop<'a>(&'a Path);

impl Drop for RemoveOnDrop<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Reads what a holder says of its start.
///
/// # Errors
///
/// When it said nothing that can be read.
pub fn read_started(line: &str) -> io::Result<Started> {
    Ok(serde_json::from_str(line)?)
}

/// The boot id, for whoever records a holder.
#[must_use]
pub fn boot_id() -> String {
    process::boot_id()
}
