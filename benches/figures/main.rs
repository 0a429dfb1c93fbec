//! The figures of the README, measured: how fast Aegis is, how large, and what the same work costs in tmux and with
//! the bare program in a terminal.
//!
//! ```sh
//! cargo bench --bench figures                       # all topics but the last two, some ten minutes
//! cargo bench --bench figures -- start prompts      # these topics only
//! cargo bench --bench figures -- soak --sessions 200 --minutes 10
//! cargo bench --bench figures -- channels           # a minute of many events, or --minutes; prints its own lines
//! ```
//!
//! Run by hand, never as a test: what it tells depends on the machine and on what else runs there, so whatever is
//! compared is measured in one run, in turns. Everything is hermetic as in the tests: the home, state and sockets
//! stand in a temporary directory, the environment is cleared, the API is a scripted one on loopback, every process
//! is ended by its id. The program measured is the release build with the tests' fault points in it; one that is not
//! armed costs an atomic load. Without tmux its columns stay empty,
//! and without wrk HTTP is not put under load.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]
#![allow(clippy::print_stdout, clippy::print_stderr, dead_code)]

mod bench;
/// Many events into channels, one of them dead.
mod channels;
/// 100 MB of output at full speed.
mod flood;
/// From a hook to whoever waits, and from an answer to the hook.
mod hooks;
/// The HTTP door under load.
mod http;
/// What idle sessions cost.
mod idle;
/// From a call until the model receives the prompt, with the real Claude Code.
mod launch;
mod process;
/// Prompts, turn ends and interrupts in a running session, with the real Claude Code.
mod prompts;
/// Many sessions for minutes.
mod soak;
/// The server's start, and an idle server.
mod start;
/// Streams of events over HTTP.
mod streams;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod terminal;
mod tmux;
/// A long transcript, and lists.
mod transcript;

use table::Table;

/// All topics that run without being named, in order.
const TOPICS: &[&str] =
    &["start", "idle", "hooks", "launch", "prompts", "transcript", "flood", "streams", "http"];

#[tokio::main]
async fn main() {
    let mut topics = Vec::new();
    let mut soak = soak::Size::default();
    let mut minutes = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number");
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--sessions" => soak.sessions = number(),
            "--minutes" => minutes = Some(number() as u64),
            name if ["soak", "channels"].contains(&name) || TOPICS.contains(&name) => topics.push(argument),
            other => panic!("`{other}` is none of soak, channels, {}", TOPICS.join(", ")),
        }
    }
    soak.minutes = minutes.unwrap_or(soak.minutes);
    if topics.is_empty() {
        topics = TOPICS.iter().map(|&name| name.to_owned()).collect();
    }
    let mut table = Table::default();
    println!("{}", process::machine());
    if !tmux::installed() {
        println!("tmux is not installed: its column stays empty");
    }
    for topic in topics {
        eprintln!("measuring {topic} …");
        match topic.as_str() {
            "start" => start::measure(&mut table).await,
            "idle" => idle::measure(&mut table).await,
            "hooks" => hooks::measure(&mut table).await,
            "launch" => launch::measure(&mut table).await,
            "prompts" => prompts::measure(&mut table).await,
            "transcript" => transcript::measure(&mut table).await,
            "streams" => streams::measure(&mut table).await,
            "http" => http::measure(&mut table).await,
            "flood" => flood::measure(&mut table).await,
            "channels" => channels::measure(minutes.unwrap_or(1)).await,
            _ => soak::measure(&mut table, soak).await,
        }
    }
    println!("\n{table}");
}
