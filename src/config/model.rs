//! What can be set. The doc comments are the descriptions in `schemas/config.json`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Alerting, Email, Webhook};
use crate::domain::{PermissionMode, Policy, Secret, Topic, USUAL_STALL_MS};

/// The configuration of Aegis: `--config FILE`, else `aegis.config.json` in the working directory over
/// `~/.aegis/config.json`; variables `AEGIS_…` override it. Relative paths count from the file's directory, `~/`
/// is the home directory. A file in the working directory may come with a project, so it cannot set `stateDir`,
/// `runtimeDir`, `claudePath`, `trustedRoots`, `allowedRoots`, `passEnv`, `permissionMode`, `permissionPolicy`, `host`,
/// `port`, `authToken`, `allowedHosts`, `tmuxSession`, `browserPath`, `browserReach`, `rateLimit`,
/// `hookSecretHeaderOnly` and nothing about channels.
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
    /// The tmux session in which a server gives each session a window with `aegis attach`; none are opened unless it
    /// is set. `AEGIS_TMUX_SESSION`.
    pub tmux_session: Option<String>,
    /// The Chromium that takes screenshots; one is looked for in `PATH` unless set. `AEGIS_BROWSER_PATH`.
    pub browser_path: Option<PathBuf>,
    /// Which pages screenshots may be taken of. `AEGIS_BROWSER_REACH`.
    pub browser_reach: BrowserReach,
    /// Whether the MCP server also puts what sessions ask to the person in front of its host, as forms, where the host
    /// has them; the same as `--elicit`. `AEGIS_ELICIT`, `true` or `false`.
    pub elicit: bool,
    /// Who is told what happens. `AEGIS_WEBHOOKS`, addresses separated by commas, or all of it as a JSON array.
    pub webhooks: Vec<Webhook>,
    /// The Telegram bot's token. `AEGIS_TG_TOKEN`.
    pub tg_token: Option<Secret>,
    /// The Telegram group, a forum in which the bot is an administrator. `AEGIS_TG_GROUP`.
    pub tg_group: Option<i64>,
    /// Whose words and taps count there, by their numbers; nobody's unless set. `AEGIS_TG_ALLOWED_USERS`, separated by
    /// commas.
    pub tg_allowed_users: Vec<i64>,
    /// Which events are told there; all that concern a person unless set. `AEGIS_TG_EVENTS`, as a JSON array or separated
    /// by commas.
    pub tg_events: Vec<Topic>,
    /// The Bot API's address, for servers of one's own; Telegram's unless set. `AEGIS_TG_API_URL`.
    pub tg_api_url: Option<String>,
    /// Slack's incoming webhook. `AEGIS_SLACK_WEBHOOK_URL`.
    pub slack_webhook_url: Option<Secret>,
    /// Which events are told there; all that concern a person unless set. `AEGIS_SLACK_EVENTS`, as a JSON array or
    /// separated by commas.
    pub slack_events: Vec<Topic>,
    /// Mail.
    pub email: Email,
    /// Alerts.
    pub alerting: Alerting,
    /// Certificate authorities beside those that browsers trust, as PEM, for what is sent to channels.
    /// `AEGIS_CA_FILE`.
    pub ca_file: Option<PathBuf>,
    /// How often a stream of events without news shows that it lives, in milliseconds. `AEGIS_STREAM_HEARTBEAT_MS`.
    #[schemars(range(min = 100, max = 600_000))]
    pub stream_heartbeat_ms: u64,
    /// How often HTTP callers may call.
    pub rate_limit: RateLimit,
    /// Whether the secret of a hook counts in a header only, not in the query. `AEGIS_HOOK_SECRET_HEADER_ONLY`.
    pub hook_secret_header_only: bool,
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

/// How often HTTP callers may call. The configured token, and everybody where no token is needed, are not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct RateLimit {
    /// Whether anybody is limited. `AEGIS_RATE_LIMIT_ENABLED`.
    pub enabled: bool,
    /// How many calls a key without a limit of its own may make in a window. `AEGIS_RATE_LIMIT_SESSIONS_MAX`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions_max: u32,
    /// How many calls without a token, where one is needed, are answered in a window, by address; more are told to
    /// wait. `AEGIS_RATE_LIMIT_GENERAL_MAX`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub general_max: u32,
    /// The window, in seconds. `AEGIS_RATE_LIMIT_TIME_WINDOW_SEC`.
    #[schemars(range(min = 1, max = 86_400))]
    pub time_window_sec: u64,
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

/// Where pages may be that screenshots are taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BrowserReach {
    /// On the internet.
    #[default]
    Public,
    /// On this machine, too.
    Loopback,
    /// On this machine and in its networks, too.
    Private,
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

impl Default for RateLimit {
    fn default() -> Self {
        Self { enabled: true, sessions_max: 100, general_max: 30, time_window_sec: 60 }
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
            tmux_session: None,
            browser_path: None,
            browser_reach: BrowserReach::default(),
            elicit: false,
            webhooks: Vec::new(),
            tg_token: None,
            tg_group: None,
            tg_allowed_users: Vec::new(),
            tg_events: Vec::new(),
            tg_api_url: None,
            slack_webhook_url: None,
            slack_events: Vec::new(),
            email: Email::default(),
            alerting: Alerting::default(),
            ca_file: None,
            // Proxies that close what is silent do so after a minute.
            stream_heartbeat_ms: 30 * 1000,
            rate_limit: RateLimit::default(),
            hook_secret_header_only: false,
            log_level: LogLevel::default(),
        }
    }
}
