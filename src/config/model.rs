//! What can be set. The doc comments are the descriptions in `schemas/config.json`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{PermissionMode, Policy, Secret, USUAL_STALL_MS};

/// The configuration of Aegis: `--config FILE`, else `aegis.config.json` in the working directory over
/// `~/.aegis/config.json`; variables `AEGIS_…` override it. Relative paths count from the file's directory, `~/`
/// is the home directory. A file in the working directory may come with a project, so it cannot set `stateDir`,
/// `runtimeDir`, `claudePath`, `trustedRoots`, `allowedRoots`, `passEnv`, `permissionMode`, `permissionPolicy`, `host`,
/// `port`, `authToken` and `allowedHosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The directory with the database and the sessions' records; `~/.aegis` unless set. Only its owner can enter
    /// it. `AEGIS_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// The directory for sockets; `$XDG_RUNTIME_DIR/aegis`, else a private one under the system's temporary
    /// directory, unless set. Its path must be short: a socket's whole path takes at most 100 bytes.
    /// `AEGIS_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The `claude` program: a path, or a name that is looked up in `PATH`; `claude` unless set.
    /// `AEGIS_CLAUDE_PATH`.
    pub claude_path: Option<PathBuf>,
    /// Directories for which, and below which, Claude Code's trust dialog is answered with yes. None unless set.
    /// `AEGIS_TRUSTED_ROOTS`, separated by colons.
    pub trusted_roots: Vec<PathBuf>,
    /// Directories in which, and below which, sessions may work; empty means any. `AEGIS_ALLOWED_ROOTS`, separated
    /// by colons.
    pub allowed_roots: Vec<PathBuf>,
    /// Names of further environment variables that sessions inherit. `AEGIS_PASS_ENV`, separated by commas.
    pub pass_env: Vec<String>,
    /// Silence after which a running turn counts as stalled, in milliseconds. `AEGIS_STALL_THRESHOLD_MS`.
    #[schemars(range(min = 1000, max = 86_400_000))]
    pub stall_threshold_ms: u64,
    /// The size of a session's terminal while nobody is attached to it.
    pub terminal: Terminal,
    /// The permission mode of sessions that name none. `AEGIS_PERMISSION_MODE`.
    pub permission_mode: PermissionMode,
    /// The model of sessions that name none; Claude Code's own default unless set. `AEGIS_MODEL`.
    pub model: Option<String>,
    /// How long a session may take until it is ready for a prompt, in milliseconds. `AEGIS_STARTUP_TIMEOUT_MS`.
    #[schemars(range(min = 1000, max = 600_000))]
    pub startup_timeout_ms: u64,
    /// The longest prompt that is accepted, in bytes. `AEGIS_MAX_PROMPT_BYTES`.
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub max_prompt_bytes: u64,
    /// How long an open permission waits for an answer from outside the terminal, in milliseconds.
    /// `AEGIS_HOOK_ASK_TIMEOUT_MS`.
    #[schemars(range(min = 1000, max = 86_400_000))]
    pub hook_ask_timeout_ms: u64,
    /// What becomes of a permission when that time is over. `AEGIS_ON_TIMEOUT`.
    pub on_timeout: OnTimeout,
    /// Rules that decide on the tool calls of every session, after its own; the first that matches counts, and where
    /// none does somebody is asked. `AEGIS_PERMISSION_POLICY`, as JSON.
    pub permission_policy: Policy,
    /// The address that `--http` listens on where none is given. Beyond loopback it needs `authToken`. `AEGIS_HOST`.
    pub host: String,
    /// The port that `--http` listens on where none is given; 0 lets the system choose. `AEGIS_PORT`.
    #[schemars(range(min = 0, max = 65535))]
    pub port: u16,
    /// The token that HTTP calls must bring; none are needed on loopback unless it is set. `AEGIS_AUTH_TOKEN`.
    pub auth_token: Option<Secret>,
    /// Further host names under which HTTP calls may come, beside `localhost` and the address that is listened on.
    /// `AEGIS_ALLOWED_HOSTS`, separated by commas.
    pub allowed_hosts: Vec<String>,
    /// How much is logged, on standard error. `AEGIS_LOG`.
    pub log_level: LogLevel,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Terminal {
    /// Its width, in columns. `AEGIS_TERMINAL_COLS`.
    #[schemars(range(min = 40, max = 500))]
    pub cols: u16,
    /// Its height, in rows. `AEGIS_TERMINAL_ROWS`.
    #[schemars(range(min = 10, max = 200))]
    pub rows: u16,
}

/// What becomes of a permission that nobody answered in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnTimeout {
    /// The dialog stays open in the terminal.
    #[default]
    Keep,
    /// The call is refused.
    Deny,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What is odd, too.
    Warn,
    /// What happened, too.
    #[default]
    Info,
    /// What was done for it, too.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Gives the level as the configuration spells it, which is also how log filters do.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        // Wide enough that Claude Code breaks few lines, tall enough for its longest dialogs.
        Self { cols: 120, rows: 40 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: None,
            runtime_dir: None,
            claude_path: None,
            trusted_roots: Vec::new(),
            allowed_roots: Vec::new(),
            pass_env: Vec::new(),
            stall_threshold_ms: USUAL_STALL_MS,
            terminal: Terminal::default(),
            permission_mode: PermissionMode::default(),
            model: None,
            // A cold start on a slow disk takes some ten seconds; more is a failure.
            startup_timeout_ms: 60 * 1000,
            // Two MiB: above what any model's context takes.
            max_prompt_bytes: 2 * 1024 * 1024,
            // Six hours: a person who is away for half a day finds the question still open.
            hook_ask_timeout_ms: 6 * 60 * 60 * 1000,
            on_timeout: OnTimeout::default(),
            permission_policy: Policy::default(),
            host: "127.0.0.1".into(),
            port: 9100,
            auth_token: None,
            allowed_hosts: Vec::new(),
            log_level: LogLevel::default(),
        }
    }
}
