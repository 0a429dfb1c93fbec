//! A scripted stand-in for Claude Code, for what the real program cannot be made to do on demand.
//!
//! It takes the command line that Aegis gives, draws what 2.1.197 draws inline, writes the live file and the
//! transcript, and runs the hooks of the settings file, all without a model, an account or a network. It runs no
//! tools. What a terminal program can do wrong it does on request: start slowly, swallow Enter, open dialogs, call
//! hooks late, twice or never, print megabytes, crash at a given point. An idle one costs a few megabytes and no
//! processor time, so hundreds can run at once.
//!
//! # Use
//!
//! ```sh
//! cargo build --features fake-claude --bin fake-claude
//! export AEGIS_CLAUDE_PATH=$PWD/target/debug/fake-claude
//! export AEGIS_PASS_ENV=FAKE_CLAUDE_SCRIPT FAKE_CLAUDE_SCRIPT=$PWD/script.json
//! aegis run "make the file"
//! ```
//!
//! The script is the file that `FAKE_CLAUDE_SCRIPT` names, else `fake-claude.json` in Claude Code's own directory
//! (`$CLAUDE_CONFIG_DIR` or `~/.claude`), else a program that behaves well and answers `You said: <prompt>`. Times are
//! in milliseconds. An unknown word is an error: it is printed, and the program ends with code 2.
//!
//! ```json
//! {
//!   "startDelayMs": 900,
//!   "swallowEnter": {"count": 1},
//!   "hooks": {"Stop": {"delayMs": 2000}, "PostToolUse": {"times": 2}, "SessionEnd": {"times": 0}},
//!   "rules": [
//!     {"on": "make", "steps": [
//!       {"say": "I will make it."},
//!       {"tool": {"name": "Write", "input": {"file_path": "a.txt"}, "creates": "a.txt"}},
//!       {"wait": {"file": "go"}},
//!       {"say": "Made."}
//!     ]},
//!     {"on": "crash", "steps": [{"flood": {"bytes": 20000000}}, {"crash": {"signal": 9}}]}
//!   ],
//!   "moments": [
//!     {"at": "ready", "after": {"ms": 500}, "steps": [
//!       {"dialog": {"title": "Something new", "options": ["Try it", "Not now"]}}
//!     ]}
//!   ]
//! }
//! ```
//!
//! # Words
//!
//! | field | what it does | default |
//! |---|---|---|
//! | `version` | what `--version` and the live file tell | `2.1.197` |
//! | `startDelayMs` | time until anything is drawn | 0 |
//! | `trustDialog` | asks for the folder's trust at the start | `false` |
//! | `swallowEnter` | `{"count": n}` Enters do nothing, or all within `{"forMs": n}` from the first | none |
//! | `draft` | what a person has typed into the box; Ctrl+S puts it aside until the next prompt | none |
//! | `suggestion` | the faint text in an empty box | none |
//! | `hooks` | by event: `times` (0 never, 2 doubled), `delayMs` (so much later, and nothing waits) | once, waited for |
//! | `permissionDialogDelayMs` | from the PermissionRequest hook to its dialog | 50 |
//! | `transcriptDelayMs` | until a line stands in the transcript | 100 |
//! | `liveFile` | whether `sessions/<pid>.json` is written | `true` |
//! | `rules` | `{on, steps}`: the first whose `on` is part of the prompt answers it | it echoes |
//! | `moments` | `{at, after, steps}`: each once, at `start`, `ready`, `typed`, `entered`, `asked`, `stopping` | none |
//!
//! | step | what it does |
//! |---|---|
//! | `{"say": text}` | Claude says it; `{prompt}` is the prompt |
//! | `{"tool": {name, input, ask, takes, creates, result, fails}}` | a call: hooks, permission, result; runs nothing, makes the file `creates` |
//! | `{"wait": {"ms": n}}`, `{"wait": {"file": name}}` | waits for time, or for a file |
//! | `{"dialog": {title, body, options, numbered}}` | a dialog that no hook tells |
//! | `{"flood": {"bytes": n}}` | prints so much |
//! | `{"error": {kind, text}}` | the turn fails as at the API |
//! | `{"crash": {"code": n}}`, `{"crash": {"signal": n}}` | ends at once, telling nobody |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod args;
mod dialog;
mod entry;
mod hooks;
mod inbox;
mod keys;
mod life;
mod live;
mod live_rows;
mod rows;
mod script;
mod session;
mod tool;
mod transcript;
mod tty;
mod turn;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use aegis::domain::Timestamp;
use aegis::fault;
use args::Args;
use script::Script;

/// What is wrong with the script or the surroundings; Claude Code never ends with it.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    // A clock that a test steps is stepped for all.
    fault::arm(env::var("FAKE_CLAUDE_FAULTS").ok().as_deref());
    let args = match Args::parse(env::args_os().skip(1)) {
        Ok(args) => args,
        Err(what) => return fail(1, &what),
    };
    let config_dir = env::var_os("CLAUDE_CONFIG_DIR")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".claude")));
    let Some(config_dir) = config_dir else { return fail(UNUSABLE, "fake-claude: HOME is not set") };
    let named = env::var_os("FAKE_CLAUDE_SCRIPT").filter(|name| !name.is_empty()).map(PathBuf::from);
    let beside = Some(config_dir.join("fake-claude.json")).filter(|path| path.is_file());
    let script = match named.or(beside) {
        None => Ok(Script::default()),
        Some(path) => fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|json| Script::parse(&json))
            .map_err(|what| format!("fake-claude: {}: {what}", path.display())),
    };
    let script = match script {
        Ok(script) => script,
        Err(what) => return fail(UNUSABLE, &what),
    };
    if args.version {
        return match writeln!(io::stdout(), "{} (Claude Code)", script.version) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let marks = env::var_os("CLAUDE_CODE_FORCE_SYNC_OUTPUT").is_some_and(|value| value == "1");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNUSABLE, &format!("fake-claude: {error}")),
    };
    let ended = runtime.block_on(life::run(args, script, &config_dir, marks));
    // A thread still reads the terminal, and late hooks may wait; nobody waits for them.
    runtime.shutdown_background();
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(what) => fail(1, &what),
    }
}

fn fail(code: u8, what: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{what}");
    ExitCode::from(code)
}

/// A fresh id.
fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Now, as the live file tells it.
fn now_millis() -> i64 {
    Timestamp::now().millis()
}

/// Now, as the transcript tells it.
fn now_text() -> String {
    Timestamp::now().to_string()
}
