//! `aegis rehearse`: the real Claude Code against a scripted API, in a scratch home.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use aegis::app::Surroundings;
use aegis::cli::{self, Check, Command, Format, RehearseArgs};
use aegis::config::{Config, Paths, Sources};
use aegis::domain::{ErrorCode, OpError};
use aegis::rehearsal::story::{self, Stage, Step};
use aegis::rehearsal::{Claude, ScratchHome, ScriptedApi};

/// Runs the rehearsal and prints each step as it happens, then a table.
pub(crate) async fn run(args: RehearseArgs, surroundings: Surroundings) -> ExitCode {
    let json = args.format.json;
    let found = match find(&args, &surroundings).await {
        Ok(found) => found,
        Err(error) => return fail(json, &error),
    };
    if !json {
        say(&format!("Claude Code {} at {}", found.version, found.executable.display()));
    }
    let version = found.version.clone();
    let played = play(found, surroundings, |step| {
        if !json {
            let mark = if step.ok { "✓" } else { "✗" };
            say(&format!("{mark} {:<26} {:>6.2} s  {}", step.name, seconds(step), step.seen));
        }
    });
    match played.await {
        Ok(steps) => {
            let ok = steps.iter().all(|step| step.ok);
            if json {
                say(&serde_json::json!({ "claudeVersion": version, "ok": ok, "steps": steps }).to_string());
            } else {
                say(&table(&version, &steps));
            }
            if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(json, &error),
    }
}

fn fail(json: bool, error: &OpError) -> ExitCode {
    let args = RehearseArgs { format: Format { json }, ..RehearseArgs::default() };
    cli::fail(Some(&Command::Rehearse(args)), error)
}

/// The rehearsal as checks of `aegis doctor`.
pub(crate) async fn checks(surroundings: Surroundings) -> Result<Vec<Check>, OpError> {
    let found = find(&RehearseArgs::default(), &surroundings).await?;
    let version = found.version.clone();
    let steps = play(found, surroundings, |_| {}).await?;
    let check = |step: Step| {
        let name = format!("rehearsal: {}", step.name);
        if step.ok {
            Check::good(&name, step.seen)
        } else {
            Check::bad(
                &name,
                step.seen,
                format!("Claude Code {version} may be too new; look for a newer Aegis"),
            )
        }
    };
    Ok(steps.into_iter().map(check).collect())
}

async fn find(args: &RehearseArgs, surroundings: &Surroundings) -> Result<Claude, OpError> {
    let config = Config::load(&surroundings.sources).map_err(|error| invalid(error.to_string()))?.config;
    let paths = Paths::resolve(&config, &surroundings.sources).map_err(|error| invalid(error.to_string()))?;
    let path = surroundings.sources.env.get("PATH").cloned().unwrap_or_default();
    let (install, wanted) = (args.install, args.claude_version.clone());
    let program = config.claude_path.unwrap_or_else(|| "claude".into());
    let searched = tokio::task::spawn_blocking(move || match (install, wanted) {
        (true, Some(version)) => Claude::install(&version, &paths.data_dir, &path),
        (true, None) => {
            Claude::find(&program, &path).or_else(|_| Claude::install("latest", &paths.data_dir, &path))
        }
        (false, _) => Claude::find(&program, &path),
    });
    let found = searched.await.map_err(|error| invalid(error.to_string()))?;
    found.map_err(|fault| {
        OpError::new(ErrorCode::ClaudeNotFound, fault.to_string())
            .hint("`aegis rehearse --install` fetches Claude Code from npm into Aegis's own directory")
    })
}

async fn play(
    claude: Claude,
    surroundings: Surroundings,
    tell: impl FnMut(&Step),
) -> Result<Vec<Step>, OpError> {
    let failed = |what: String| OpError::new(ErrorCode::Internal, what);
    let api = ScriptedApi::start(story::script()).await.map_err(|fault| failed(fault.to_string()))?;
    let scratch = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let root = std::fs::canonicalize(scratch.path()).map_err(|error| failed(error.to_string()))?;
    let work_dir = root.join("project");
    std::fs::create_dir(&work_dir).map_err(|error| failed(error.to_string()))?;
    let home = ScratchHome::builder(api.url())
        .trust(&work_dir)
        .at(root.join("home"))
        .map_err(|fault| failed(fault.to_string()))?;
    let mut sources = sources(&home, &root, &claude.executable);
    sources
        .env
        .extend(surroundings.sources.env.get("AEGIS_LOG").map(|level| ("AEGIS_LOG".into(), level.clone())));
    let app = Surroundings { sources, program: surroundings.program }.build()?;
    let (aegis, caller) = (app.aegis(), app.caller("rehearsal"));
    let stage = Stage { aegis: &aegis, caller: &caller, api: &api, work_dir: &work_dir };
    Ok(story::play(&stage, tell).await)
}

/// Surroundings that hold nothing of the user's but the search path.
fn sources(home: &ScratchHome, root: &Path, claude: &Path) -> Sources {
    let mut env: BTreeMap<_, _> = home
        .env()
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.clone())))
        .collect();
    env.insert("AEGIS_STATE_DIR".into(), root.join("state").into());
    env.insert("AEGIS_CLAUDE_PATH".into(), claude.into());
    Sources { file: None, cwd: root.to_owned(), home: Some(home.path().to_owned()), env }
}

fn table(version: &str, steps: &[Step]) -> String {
    let mut lines = vec![String::new(), format!("What works with Claude Code {version}:")];
    for step in steps {
        lines.push(format!("  {:<26} {}", step.name, if step.ok { "works" } else { "FAILS" }));
    }
    let passed = steps.iter().filter(|step| step.ok).count();
    lines.push(format!("{passed} of {} steps passed", steps.len()));
    lines.join("\n")
}

fn seconds(step: &Step) -> f64 {
    std::time::Duration::from_millis(step.millis).as_secs_f64()
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn invalid(what: String) -> OpError {
    OpError::new(ErrorCode::InvalidArgument, what)
}
