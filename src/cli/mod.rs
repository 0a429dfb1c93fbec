//! The command line: one verb a file, each one call into [`crate::ops`] and its rendering.
//!
//! Answers go to stdout, progress and errors to stderr (`out`); what a script needs is in the exit code
//! (`exit`). No verb needs a server. The roles that are no verbs (MCP server, set-up, holder, hook, rehearsal) are
//! named here only for the parser; `main` runs them.

#![allow(clippy::result_large_err, reason = "an error is built once, on the way out of a program that ends")]

mod approve;
mod args;
mod asks;
mod attach;
mod audit;
mod batch;
mod channels;
mod config;
mod create;
mod dialog;
mod doctor;
mod exit;
mod explain;
mod follow;
mod health;
mod init;
mod interrupt;
mod keys;
mod kill;
mod line;
mod list;
mod listen;
mod out;
mod pane;
mod pipeline;
mod read;
mod reject;
mod run;
mod send;
mod show;
mod state;
mod stats;
mod swarm;
mod template;
mod text;
mod wait;

mod answer;
mod escape;
mod report;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::{ErrorCode, OpError};
use crate::ops::{Aegis, Caller};

pub use answer::AnswerArgs;
pub use approve::ApproveArgs;
pub use args::{Format, Target};
pub use attach::AttachArgs;
pub use audit::{AuditCommand, AuditFilter, ExportAuditArgs, ExportKind, ListAuditArgs};
pub use batch::BatchArgs;
pub use channels::{ChannelArgs, ChannelsCommand, RetryArgs};
pub use config::config;
pub use create::CreateArgs;
pub use doctor::{Check, DoctorArgs, Doctoring, Rehearsal};
pub use exit::Exit;
pub use init::{Host, InitArgs, Place, Scope, init};
pub use keys::{CreateKeyArgs, KeyTarget, KeysCommand, RotateKeyArgs};
pub use kill::KillArgs;
pub use line::LineArgs;
pub use list::ListArgs;
pub use listen::Listen;
pub use pane::PaneArgs;
pub use pipeline::PipelineCommand;
pub use read::ReadArgs;
pub use reject::RejectArgs;
pub use run::RunArgs;
pub use send::SendArgs;
pub use state::{KeyArgs, ListStateArgs, SetArgs, StateArgs, StateCommand};
pub use template::{
    CreateTemplateArgs, ListTemplatesArgs, TemplateArgs, TemplateCommand, TemplateSettings, TemplateTarget,
    UpdateTemplateArgs,
};
pub use wait::WaitArgs;

/// Drive Claude Code sessions
///
/// Without a command this is an MCP server on stdin and stdout.
#[derive(Clone, Debug, Parser)]
#[command(name = "aegis", version, after_help = exit::HELP, max_term_width = 110)]
pub struct Cli {
    /// Read this configuration file instead of the one in the state directory
    #[arg(long, value_name = "FILE", global = true, help_heading = "Global")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub mcp: McpArgs,
    /// What to do; nothing means the MCP server
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How the server presents itself.
#[derive(Clone, Debug, Default, Args)]
pub struct McpArgs {
    /// Which tools the MCP server offers
    #[arg(long, value_enum, value_name = "SET")]
    pub tools: Option<ToolSet>,
    /// Put what sessions ask to the MCP host's own user, as forms, where the host has them
    #[arg(long)]
    pub elicit: bool,
    /// Serve HTTP too, on ADDR (`HOST:PORT`, or one of the two) or else where the configuration says
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "", value_parser = listen::read)]
    pub http: Option<Listen>,
    /// Give each session a window with `aegis attach` in this tmux session, `aegis` unless named
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "aegis")]
    pub tmux: Option<String>,
}

impl McpArgs {
    /// Takes from `other` what is not said here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            tools: self.tools.or(other.tools),
            elicit: self.elicit || other.elicit,
            http: self.http.or(other.http),
            tmux: self.tmux.or(other.tmux),
        }
    }
}

/// A set of MCP tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ToolSet {
    /// The eight that a delegation needs
    Core,
    /// All
    #[default]
    Full,
}

/// A verb or a role.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Give Claude a prompt in this directory and print its answer
    Run(Box<RunArgs>),
    /// Start a session, or take an idle one
    Create(Box<CreateArgs>),
    /// Start many sessions at once, from JSON
    Batch(BatchArgs),
    /// List sessions, newest first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show all that is known about a session
    #[command(visible_alias = "status")]
    Show(Target),
    /// Send a prompt
    Send(SendArgs),
    /// Type a slash command, such as /compact
    Command(LineArgs),
    /// Run a shell line in a session's directory, and print what it prints
    Bash(LineArgs),
    /// Wait until a session wants attention
    Wait(WaitArgs),
    /// Read a session's conversation
    Read(ReadArgs),
    /// Allow what a session asks for
    Approve(ApproveArgs),
    /// Refuse what a session asks for
    Reject(RejectArgs),
    /// Answer a session's question
    Answer(AnswerArgs),
    /// Stop the turn
    Interrupt(Target),
    /// Press Escape once
    Escape(Target),
    /// End a session and everything it started
    Kill(KillArgs),
    /// Print a session's screen
    Pane(PaneArgs),
    /// Attach this terminal to a session
    Attach(AttachArgs),
    /// Tell why a session has the status it has
    Explain(Target),
    /// Keep texts under keys, which all sessions share
    State(StateArgs),
    /// Keep prompts with variables and settings, to make sessions from
    Template(Box<TemplateArgs>),
    /// Run prompts that wait for each other and hand their answers on
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    /// Look after the channels that tell people and programs what happens
    #[command(subcommand)]
    Channels(ChannelsCommand),
    /// Sum up what a session did
    Summary(Target),
    /// Count a session's turns, tool calls, approvals, tokens and their cost
    Metrics(Target),
    /// Tell how long prompts, turns and answers take in a session
    Latency(Target),
    /// List every Claude Code process of this user, also those that are not Aegis's
    Swarm(Format),
    /// Make, list and remove the keys that programs call with over HTTP
    #[command(subcommand)]
    Keys(KeysCommand),
    /// See what was done, and by whom
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Print the configuration, and where each value comes from
    Config(Format),
    /// Tell how Aegis and what it stands on are
    Health(Format),
    /// Check everything that a session needs, with a next step for what is wrong
    Doctor(DoctorArgs),
    /// Serve MCP on stdin and stdout; the same as no command
    Mcp(McpArgs),
    /// Show or write the entry that makes a host start Aegis
    Init(InitArgs),
    /// Try Aegis with the installed Claude Code against a scripted API: no account, no network
    Rehearse(RehearseArgs),
    /// Hold one session
    #[command(hide = true)]
    Holder {
        /// The session's directory
        session_dir: PathBuf,
    },
    /// Tell the holder about one hook event
    #[command(hide = true)]
    Hook {
        /// The event's name
        event: String,
    },
}

/// What a rehearsal runs with.
#[derive(Clone, Debug, Default, Args)]
pub struct RehearseArgs {
    /// Install Claude Code from npm into the state directory first
    #[arg(long)]
    pub install: bool,
    /// The version to install
    #[arg(long, value_name = "V", requires = "install")]
    pub claude_version: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Reads the command line; on `--help`, `--version` and wrong usage prints and exits. With `--json` wrong usage is told
/// as every other error is, with the code `invalid_argument`.
#[must_use]
pub fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
            out::Out { json: true }.error(&usage(&error));
            std::process::exit(i32::from(Exit::Usage.code()));
        }
        error.exit()
    })
}

/// Wrong usage as an error of the surface.
fn usage(error: &clap::Error) -> OpError {
    let rendered = error.render().to_string();
    let mut parts = rendered.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let what = parts.next().unwrap_or_default().trim_start_matches("error: ");
    // A tip is the better next step; the way to the whole help stands last.
    let tip = parts.clone().find_map(|part| part.strip_prefix("tip: "));
    let hint = tip.or_else(|| parts.last()).unwrap_or("see --help");
    OpError::new(ErrorCode::InvalidArgument, what).hint(hint)
}

/// Tells an error that comes before there is a verb to run.
pub fn fail(command: Option<&Command>, error: &OpError) -> ExitCode {
    out::Out { json: command.is_some_and(json) }.error(error);
    Exit::Failed.into()
}

/// What a verb works with.
pub(crate) struct Cx {
    /// The operations.
    aegis: Aegis,
    /// Who calls.
    caller: Caller,
    /// Where the words go.
    out: out::Out,
}

/// Runs a verb and tells how it came out.
///
/// The roles (`mcp`, `init`, `holder`, `hook`, `rehearse`) are not verbs; asked for here they give exit code 2.
pub async fn run(command: Command, aegis: Aegis, caller: Caller) -> ExitCode {
    run_with(command, aegis, caller, Doctoring::default()).await
}

/// As [`run`], with what only the composition root can give `doctor`.
pub async fn run_with(command: Command, aegis: Aegis, caller: Caller, doctoring: Doctoring) -> ExitCode {
    let cx = Cx { aegis, caller, out: out::Out { json: json(&command) } };
    match dispatch(&cx, command, doctoring).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            cx.out.error(&error);
            Exit::Failed.into()
        }
    }
}

async fn dispatch(cx: &Cx, command: Command, doctoring: Doctoring) -> Result<Exit, OpError> {
    match command {
        Command::Run(args) => run::run(cx, *args).await,
        Command::Create(args) => create::run(cx, *args).await,
        Command::Batch(args) => batch::run(cx, args).await,
        Command::List(args) => list::run(cx, args).await,
        Command::Show(args) => show::run(cx, args).await,
        Command::Send(args) => send::run(cx, args).await,
        Command::Command(args) => line::command(cx, args).await,
        Command::Bash(args) => line::bash(cx, args).await,
        Command::Wait(args) => wait::run(cx, args).await,
        Command::Read(args) => read::run(cx, args).await,
        Command::Approve(args) => approve::run(cx, args).await,
        Command::Reject(args) => reject::run(cx, args).await,
        Command::Answer(args) => answer::run(cx, args).await,
        Command::Interrupt(args) => interrupt::run(cx, args).await,
        Command::Escape(args) => escape::run(cx, args).await,
        Command::Kill(args) => kill::run(cx, args).await,
        Command::Pane(args) => pane::run(cx, args).await,
        Command::Attach(args) => attach::run(cx, args).await,
        Command::Explain(args) => explain::run(cx, args).await,
        Command::State(args) => state::run(cx, args).await,
        Command::Template(args) => template::run(cx, *args).await,
        Command::Pipeline(command) => pipeline::run(cx, command).await,
        Command::Channels(command) => channels::run(cx, command).await,
        Command::Summary(args) => stats::summary(cx, args).await,
        Command::Metrics(args) => stats::metrics(cx, args).await,
        Command::Latency(args) => stats::latency(cx, args).await,
        Command::Swarm(args) => swarm::run(cx, args).await,
        Command::Health(_) => health::run(cx).await,
        Command::Keys(command) => keys::run(cx, command).await,
        Command::Audit(command) => audit::run(cx, command).await,
        Command::Doctor(args) => doctor::run(cx, args, doctoring).await,
        Command::Mcp(_)
        | Command::Init(_)
        | Command::Config(_)
        | Command::Rehearse(_)
        | Command::Holder { .. }
        | Command::Hook { .. } => Ok(Exit::Usage),
    }
}

/// Whether the command's answer is to be JSON.
fn json(command: &Command) -> bool {
    match command {
        Command::Run(args) => args.format.json,
        Command::Create(args) => args.format.json,
        Command::Batch(args) => args.format.json,
        Command::List(args) => args.format.json,
        Command::Send(args) => args.target.format.json,
        Command::Command(args) | Command::Bash(args) => args.target.format.json,
        Command::Wait(args) => args.format.json,
        Command::Read(args) => args.target.format.json,
        Command::Approve(args) => args.target.format.json,
        Command::Reject(args) => args.target.format.json,
        Command::Answer(args) => args.target.format.json,
        Command::Kill(args) => args.target.format.json,
        Command::Pane(args) => args.target.format.json,
        Command::Attach(args) => args.target.format.json,
        Command::Show(args)
        | Command::Interrupt(args)
        | Command::Escape(args)
        | Command::Explain(args)
        | Command::Summary(args)
        | Command::Metrics(args)
        | Command::Latency(args) => args.format.json,
        Command::Swarm(format) | Command::Health(format) | Command::Config(format) => format.json,
        Command::Keys(command) => command.json(),
        Command::Audit(command) => command.json(),
        Command::State(args) => args.command.json(),
        Command::Template(args) => args.command.json(),
        Command::Pipeline(command) => command.format().json,
        Command::Channels(command) => command.json(),
        Command::Doctor(args) => args.format.json,
        Command::Rehearse(args) => args.format.json,
        Command::Init(args) => args.format.json,
        Command::Mcp(_) | Command::Holder { .. } | Command::Hook { .. } => false,
    }
}
