//! Picks the role that the process plays; the only place where it ends.

mod rehearse;
mod reload;
mod serve;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use aegis::app::{App, Surroundings};
use aegis::claude::launch::{SECRET_VARIABLE, SOCKET_VARIABLE};
use aegis::cli::{self, Cli, Command, Doctoring, InitArgs, McpArgs, Place};
use aegis::{fault, holder, http, mcp};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

fn main() -> ExitCode {
    let Cli { config, mcp, command } = cli::parse();
    let surroundings = match Surroundings::read(config) {
        Ok(surroundings) => surroundings,
        Err(error) => return cli::fail(command.as_ref(), &error),
    };
    let warnings = mcp::Warnings::default();
    let diagnostics = http::Diagnostics::default();
    log_to_stderr(&surroundings, warnings.clone(), diagnostics.clone());
    fault::arm(surroundings.variable(fault::VARIABLE).as_deref());
    match command {
        // These two start without a runtime: one must detach first, the other must be quick.
        Some(Command::Holder { session_dir: _ }) => hold(),
        Some(Command::Hook { event }) => hook(&surroundings, &event),
        Some(Command::Rehearse(args)) => run(rehearse::run(args, surroundings)),
        Some(Command::Init(args)) => init(surroundings, args),
        // Needs nothing that a configuration could spoil.
        Some(Command::Config(format)) => cli::config(format, &surroundings.sources),
        None => serve_doors(surroundings, mcp, warnings, diagnostics),
        Some(Command::Mcp(args)) => serve_doors(surroundings, args.or(mcp), warnings, diagnostics),
        Some(verb) => match surroundings.clone().build() {
            Ok(app) => run(run_verb(verb, app, surroundings)),
            Err(error) => cli::fail(Some(&verb), &error),
        },
    }
}

/// Stdout belongs to answers; everything else is told on stderr, and warnings to MCP clients and in
/// the HTTP door's diagnostics.
fn log_to_stderr(surroundings: &Surroundings, warnings: mcp::Warnings, diagnostics: http::Diagnostics) {
    let wanted = surroundings.variable("AEGIS_LOG").filter(|level| !level.is_empty());
    // rmcp tells whole requests, prompts among them; the HTTP libraries addresses, which hold tokens.
    const QUIET: &str = "rmcp=error,reqwest=error,hyper=error,hyper_util=error,rustls=error,lettre=error";
    let filter = format!("{},{QUIET}", wanted.as_deref().unwrap_or("warn"));
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(format!("warn,{QUIET}")));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter);
    let grave = LevelFilter::WARN;
    tracing_subscriber::registry()
        .with(lines)
        .with(warnings.with_filter(grave))
        .with(diagnostics.with_filter(grave))
        .init();
}

fn hold() -> ExitCode {
    match holder::run::run(io::stdin().lock(), io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the holder ends");
            ExitCode::FAILURE
        }
    }
}

/// Always succeeds: Claude Code goes on without us if anything is wrong.
fn hook(surroundings: &Surroundings, event: &str) -> ExitCode {
    let (Some(socket), Some(secret)) =
        (surroundings.variable(SOCKET_VARIABLE), surroundings.variable(SECRET_VARIABLE))
    else {
        return ExitCode::SUCCESS;
    };
    match holder::hook::run(event, Path::new(&socket), secret, io::stdin().lock()) {
        Ok(answer) => drop(io::stdout().write_all(answer.as_bytes())),
        Err(error) => tracing::debug!(%error, "the event did not reach the holder"),
    }
    ExitCode::SUCCESS
}

/// Needs neither configuration nor store.
fn init(surroundings: Surroundings, args: InitArgs) -> ExitCode {
    let Surroundings { sources, program } = surroundings;
    let search_path = sources.env.get("PATH").cloned();
    cli::init(args, &Place { cwd: sources.cwd, home: sources.home, program, search_path })
}

fn serve_doors(
    surroundings: Surroundings,
    args: McpArgs,
    warnings: mcp::Warnings,
    diagnostics: http::Diagnostics,
) -> ExitCode {
    let app = match surroundings.build() {
        Ok(app) => app,
        Err(error) => return cli::fail(None, &error),
    };
    run(serve::serve(app, args, warnings, diagnostics))
}

async fn run_verb(verb: Command, app: App, surroundings: Surroundings) -> ExitCode {
    let rehearse: Option<cli::Rehearsal> = Some(Box::new(move || Box::pin(rehearse::checks(surroundings))));
    let doctoring = Doctoring { socket_dir: Some(app.paths.socket_dir.clone()), rehearse };
    cli::run_with(verb, app.aegis(), app.caller("cli"), doctoring).await
}

/// How many threads may be in the store or in files at once. Each has a stack and memory of its own, and what they do is
/// short and none of it waits for another; more of them would only wait for the same disk.
const BLOCKING: usize = 16;

/// Runs to the end, and leaves without waiting for threads that only read or wait.
fn run(role: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).max_blocking_threads(BLOCKING).enable_all();
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(role);
    runtime.shutdown_background();
    code
}
