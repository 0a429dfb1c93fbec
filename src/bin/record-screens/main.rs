//! Records what the real Claude Code draws, as the fixtures that the screen rules are held against.
//!
//! It fetches a version from npm, starts it once a case in a pseudo-terminal, against the scripted API on loopback
//! and in a scratch home with an environment of its own, plays the case's keys, waits until the screen shows what the
//! case is about, and writes `tests/fixtures/screens/<version>/<case>-<cols>x<rows>/`: the screen, and what the rules
//! read on it now. Look at the difference before you commit it.
//!
//! ```sh
//! cargo run --features record-screens --bin record-screens -- 2.1.260               # all cases, both sizes
//! cargo run --features record-screens --bin record-screens -- 2.1.260 --size 80x24 plan trust
//! cargo run --features record-screens --bin record-screens -- 2.1.260 --show plan   # prints what is recorded
//! ```
//!
//! A new case is one entry of a table in `scenarios/`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod fixture;
mod scenario;
mod scenarios;
mod stage;
mod terminal;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use aegis::rehearsal::Claude;
use clap::Parser;

use fixture::Fixture;
use scenario::Scenario;

/// What went wrong, as a sentence.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Records screens of one version of Claude Code.
#[derive(Debug, Parser)]
struct Args {
    /// An exact version, such as 2.1.260.
    version: String,
    /// The cases to record; all that the version can show if none is named.
    cases: Vec<String>,
    /// Columns and rows, such as 80x24; may be given more than once.
    #[arg(long = "size", value_parser = fixture::size, default_values = ["80x24", "120x40"])]
    sizes: Vec<(u16, u16)>,
    /// Leaves alone what is recorded already.
    #[arg(long)]
    missing: bool,
    /// Prints what is recorded already, and records nothing.
    #[arg(long)]
    show: bool,
    /// Where the program is installed; the tests use the same place.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tmp/claude-code"))]
    data: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let done = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(run(&args, &path)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "record-screens: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Records or shows; false if a case did not come out.
async fn run(args: &Args, path: &OsString) -> Result<bool, Fault> {
    if args.show {
        return show(args).map(|()| true);
    }
    let chosen = chosen(args)?;
    let (version, data, path) = (args.version.clone(), args.data.clone(), path.clone());
    let claude = tokio::task::spawn_blocking(move || Claude::install(&version, &data, &path)).await??;
    let mut failed = Vec::new();
    for size in &args.sizes {
        for scenario in &chosen {
            let place = Fixture::new(&claude.version, scenario.case, *size);
            if args.missing && place.exists() {
                continue;
            }
            let recorded = match stage::play(scenario, &claude, *size).await {
                Ok(screen) => place.write(&screen),
                Err(error) => Err(error),
            };
            match recorded {
                Ok(()) => say(&format!("✓ {place}")),
                Err(error) => {
                    say(&format!("✗ {place}: {error}"));
                    failed.push(place.to_string());
                }
            }
        }
    }
    if !failed.is_empty() {
        say(&format!("{} not recorded: {}", failed.len(), failed.join(", ")));
    }
    Ok(failed.is_empty())
}

/// The scenarios that were asked for and that this version can show.
fn chosen(args: &Args) -> Result<Vec<Scenario>, Fault> {
    let all = scenarios::all();
    if let Some(unknown) = args.cases.iter().find(|case| !all.iter().any(|one| one.case == **case)) {
        let names: Vec<&str> = all.iter().map(|one| one.case).collect();
        return Err(format!("no case {unknown}; there are {}", names.join(", ")).into());
    }
    let named = |one: &Scenario| args.cases.iter().any(|case| case == one.case);
    let wanted = |one: &Scenario| named(one) || args.cases.is_empty() && one.known_to(&args.version);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Prints what is recorded, whether or not there is a scenario for it.
fn show(args: &Args) -> Result<(), Fault> {
    for fixture in fixture::recorded(&args.version)? {
        let named = args.cases.is_empty() || args.cases.iter().any(|case| fixture.is_of(case));
        if named && args.sizes.contains(&fixture.size()) {
            say(&format!("=== {fixture}\n{}", fixture.text()?));
        }
    }
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
