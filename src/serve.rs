//! The server: MCP on stdin and stdout, HTTP beside it where asked for, and the steward.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::reload::Reload;
use aegis::access::{Access, Rules};
use aegis::app::App;
use aegis::cli::{self, Listen, McpArgs};
use aegis::config::Config;
use aegis::domain::{ErrorCode, OpError};
use aegis::engine::steward;
use aegis::http::{BindError, Diagnostics, Hosts, HttpDoor, Settings, bind};
use aegis::mcp::{self, McpDoor, Met, Streamable};
use aegis::ops::Caller;
use aegis::viewers::Windows;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long terminals may take to read that the server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves until the MCP client leaves; without one, where HTTP is served, until the process is told to end.
pub(crate) async fn serve(
    app: App,
    args: McpArgs,
    warnings: mcp::Warnings,
    diagnostics: Diagnostics,
) -> ExitCode {
    let set = match args.tools.unwrap_or_default() {
        cli::ToolSet::Core => mcp::ToolSet::Core,
        cli::ToolSet::Full => mcp::ToolSet::Full,
    };
    let closing = CancellationToken::new();
    let door = |caller: Caller| {
        let door = McpDoor::new(app.aegis(), caller, set).with_warnings(warnings.clone());
        door.eliciting(args.elicit || app.config.elicit)
    };
    let http = match args.http {
        // Whoever comes over the network runs inside no session, as far as can be told.
        Some(listen) => {
            match open_http(&app, listen, door(Caller::local("mcp")), diagnostics, &closing).await {
                Ok(http) => Http::Open(http),
                Err(error) => Http::Refused(error),
            }
        }
        None => Http::Unasked,
    };
    if let Http::Refused(error) = &http {
        tracing::error!("HTTP is not served: {}. {}", error.message, error.hint);
    }
    let steward = tokio::spawn(steward::serve(app.engine.clone()));
    let telling = tokio::spawn(app.tell());
    let small = app.engine.clone();
    let small = tokio::spawn(async move { small.keep_small().await });
    let windows = match windows(&app, args.tmux) {
        Ok(windows) => windows.map(|windows| tokio::spawn(windows.follow(app.aegis(), app.caller("tmux")))),
        Err(error) => {
            tracing::error!("no windows are opened in tmux: {}. {}", error.message, error.hint);
            None
        }
    };
    let door = door(app.caller("mcp"));
    let code = match http {
        Http::Unasked => ended(mcp::serve_stdio(door).await).0,
        Http::Refused(_) => match ended(mcp::serve_stdio(door).await) {
            // Nobody speaks MCP, and HTTP was what was wanted.
            (ExitCode::SUCCESS, Met::Nobody) => ExitCode::FAILURE,
            (code, _) => code,
        },
        Http::Open(http) => {
            let code = both(door).await;
            closing.cancel();
            if let Err(error) = http.await {
                tracing::error!(%error, "the HTTP door failed");
            }
            code
        }
    };
    steward.abort();
    telling.abort();
    small.abort();
    if let Some(windows) = windows {
        windows.abort();
    }
    code
}

/// The windows in tmux, where they are wanted.
fn windows(app: &App, asked: Option<String>) -> Result<Option<Windows>, OpError> {
    let Some(name) = asked.or_else(|| app.config.tmux_session.clone()) else { return Ok(None) };
    let path = |path: &std::path::Path| path.display().to_string();
    let mut environment = vec![("AEGIS_STATE_DIR".to_owned(), path(&app.paths.state_dir))];
    // Only where it is not found by itself: the viewer may have another runtime directory of the system's.
    if let Some(dir) = app.paths.socket_dir.parent() {
        environment.push(("AEGIS_RUNTIME_DIR".to_owned(), path(dir)));
    }
    let size = (app.config.terminal.cols, app.config.terminal.rows);
    Windows::new(name, app.program.clone(), environment, size).map(Some)
}

enum Http {
    Unasked,
    Open(JoinHandle<()>),
    Refused(OpError),
}

/// Until the client leaves, or without one until a signal.
async fn both(door: McpDoor) -> ExitCode {
    let stdio = async {
        match ended(mcp::serve_stdio(door).await) {
            (code, Met::Client) => code,
            (_, Met::Nobody) => std::future::pending().await,
        }
    };
    tokio::select! {
        code = stdio => code,
        () = told_to_end() => ExitCode::SUCCESS,
    }
}

/// Resolves when the process is sent SIGTERM or SIGINT.
async fn told_to_end() {
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be handled: the process ends at once when it is sent one");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn ended(served: Result<Met, mcp::ServeError>) -> (ExitCode, Met) {
    match served {
        Ok(met) => (ExitCode::SUCCESS, met),
        Err(error) => {
            tracing::error!(%error, "the MCP connection failed");
            (ExitCode::FAILURE, Met::Client)
        }
    }
}

/// Opens the HTTP door, or says why it stays shut.
async fn open_http(
    app: &App,
    listen: Listen,
    mcp: McpDoor,
    diagnostics: Diagnostics,
    closing: &CancellationToken,
) -> Result<JoinHandle<()>, OpError> {
    let config = &app.config;
    let invalid = |what: String| OpError::new(ErrorCode::InvalidArgument, what);
    let host = listen.host.unwrap_or_else(|| config.host.clone());
    let port = listen.port.unwrap_or(config.port);
    let addr = resolve(&host, port).await?;
    if !addr.ip().is_loopback() && config.auth_token.is_none() {
        return Err(invalid(format!("{addr} can be reached from other machines, and no token is set"))
            .hint("set AEGIS_AUTH_TOKEN, or listen on 127.0.0.1"));
    }
    let listening = bind(addr).await.map_err(|error| {
        let hint = match &error {
            BindError::OtherAegis { .. } => {
                "its sessions are the same ones; use that, or choose another port"
            }
            _ => "choose another port: --http PORT",
        };
        invalid(error.to_string()).hint(hint)
    })?;
    let hosts = Hosts::new(listening.addr, config.allowed_hosts.iter().cloned());
    let settings = Settings {
        hosts: hosts.clone(),
        // A prompt of the longest kind, each byte of it escaped as JSON may, and what stands around it.
        max_body_bytes: usize::try_from(config.max_prompt_bytes).unwrap_or(usize::MAX / 4) * 2 + 64 * 1024,
        heartbeat: Duration::from_millis(config.stream_heartbeat_ms),
        diagnostics,
    };
    let mcp = Streamable::new(mcp, settings.max_body_bytes, closing.clone());
    let access = Arc::new(Access::new(rules(config), app.keys()?, app.keys()?));
    let door = HttpDoor::new(app.aegis(), access.clone(), settings, closing.clone()).mount("/mcp", mcp);
    let reload = Reload {
        sources: app.sources.clone(),
        now: config.clone(),
        loopback: addr.ip().is_loopback(),
        engine: app.engine.clone(),
        access,
        hosts,
    };
    tokio::spawn(reload.run(closing.clone()));
    more_descriptors();
    // Whatever is logged: with port 0 nothing else tells it.
    let _ = writeln!(std::io::stderr(), "aegis: HTTP on http://{}", listening.addr);
    let closing = closing.clone();
    Ok(tokio::spawn(async move {
        let terminals = async {
            closing.cancelled().await;
            let _ = tokio::time::timeout(LAST_WORDS, door.drained()).await;
        };
        tokio::join!(listening.serve(door.router(), closing.clone()), terminals);
    }))
}

/// Connections take descriptors; the limit that programs start with is often lower than what they may have.
fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of descriptors stays low");
    }
}

/// What the configuration says about callers.
pub(crate) fn rules(config: &Config) -> Rules {
    let limit = &config.rate_limit;
    Rules {
        master: config.auth_token.clone(),
        limited: limit.enabled,
        key_calls: limit.sessions_max,
        unknown_calls: limit.general_max,
        window: Duration::from_secs(limit.time_window_sec),
        hook_secret_header_only: config.hook_secret_header_only,
    }
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, OpError> {
    let unknown = |why: String| {
        OpError::new(ErrorCode::InvalidArgument, format!("cannot listen on `{host}`: {why}"))
            .hint("give the address of one of this machine's interfaces")
    };
    let mut found =
        tokio::net::lookup_host((host, port)).await.map_err(|error| unknown(error.to_string()))?;
    found.next().ok_or_else(|| unknown("it has no address".into()))
}
