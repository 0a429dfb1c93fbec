use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::lab;
use super::process::{Used, mb};
use super::support::Lab;
use super::table::{Samples, Table, Target, Unit, one};
use super::tmux::Tmux;

/// How often the server is started.
const STARTS: usize = 40;
/// How long an idle server is watched.
const WATCHED: Duration = Duration::from_secs(30);

/// Starts the server and waits until it answers `initialize`.
fn start(mut command: Command) -> (Child, Duration) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let about = json!({"name": "bench", "version": "0"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{hello}").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let taken = start.elapsed();
    assert!(line.contains("\"protocolVersion\""), "{line}");
    (child, taken)
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

pub async fn measure(table: &mut Table) {
    let lab = lab(Lab::fake(json!({}))).await;
    let (first, taken) = start(lab.command());
    end(first);
    table.add(
        "server: first start ever, until `initialize` is answered",
        Unit::Ms,
        Target::None,
        one(taken.as_secs_f64() * 1000.0),
    );
    let tmux = Tmux::new(&lab);
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for _ in 0..STARTS {
        let (child, taken) = start(lab.command());
        ours.add(taken);
        end(child);
        if let Some(tmux) = Tmux::new(&lab) {
            let start = Instant::now();
            tmux.start("one", &[]).await;
            tmux.capture("one").await;
            theirs.add(start.elapsed());
            tmux.end().await;
        }
    }
    table.compare(
        "server: spawned, until `initialize` is answered (tmux: server, session, first capture)",
        Unit::Ms,
        Target::Under(10.0),
        ours,
        None,
        tmux.is_some().then_some(theirs),
    );

    let (child, _) = start(lab.command());
    let pid = i32::try_from(child.id()).unwrap();
    let server = match &tmux {
        Some(tmux) => {
            tmux.start("one", &[]).await;
            Some(tmux.server().await)
        }
        None => None,
    };
    // Threads of the start end after ten seconds without work.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (before, theirs) = (Used::of(pid), server.map(Used::of));
    tokio::time::sleep(WATCHED).await;
    let (after, later) = (Used::of(pid), server.map(Used::of));
    let tmux_mb = later.map(|used| one(mb(used.resident)).into());
    table.compare(
        "server: idle, resident",
        Unit::Mb,
        Target::Under(12.0),
        one(mb(after.resident)),
        None,
        tmux_mb,
    );
    let tmux_mb = later.map(|used| one(mb(used.own)).into());
    let own = one(mb(after.own));
    table.compare("server: idle, memory of its own", Unit::Mb, Target::Under(12.0), own, None, tmux_mb);
    let ticks = |from: Used, to: Used| one((to.ticks - from.ticks) as f64);
    table.compare(
        "server: idle for 30 s, processor time",
        Unit::Ticks,
        Target::AtMost(0.0),
        ticks(before, after),
        None,
        theirs.zip(later).map(|(from, to)| ticks(from, to).into()),
    );
    table.add(
        "server: idle for 30 s, wake-ups",
        Unit::Count,
        Target::None,
        one(after.wakes.saturating_sub(before.wakes) as f64),
    );
    end(child);
    if let Some(tmux) = tmux {
        tmux.end().await;
    }
}
