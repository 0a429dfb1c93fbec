//! The real Claude Code as the host: it starts `aegis` by its project's `.mcp.json`, its model delegates to a second
//! real Claude Code, and a person in front of it uses prompts and resources.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis::rehearsal::api::Recorded;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::{Value, json};

use super::touch;
use crate::support::Lab;
use crate::support::events::journaled;
use crate::support::lab::AEGIS;
use crate::support::outside::{Terminal, terminal_command};
use crate::support::processes::{alive, come, holders, running, sigkill};
use crate::support::server::Server;

/// A host's window: wide enough that no line that is looked for is broken.
const SIZE: (u16, u16) = (140, 50);

/// What a delegation calls, in this order; the wait comes twice.
const TOOLS: [&str; 4] = ["create_session", "wait_for_session", "approve_permission", "get_transcript"];

/// The name under which the host's model knows a tool.
fn named(tool: &str) -> String {
    format!("mcp__aegis__{tool}")
}

/// What the host's model and the worker's model do. The host's names a session by its name, as it would. Where it is not
/// told the tools whole (2.1.330) it looks them up first.
fn script(lab: &Lab, looks_up: bool) -> Script {
    let aegis = |tool: &str, arguments: Value| Reply::tool(named(tool), arguments);
    let worker = json!({"sessionId": "worker"});
    let wait = |until: &str| json!({"sessionIds": ["worker"], "until": [until]});
    let wanted = format!("select:{}", TOOLS.map(named).join(","));
    let looks_up = looks_up.then(|| Reply::tool("ToolSearch", json!({"query": wanted, "max_results": 10})));
    let delegates = [
        aegis("create_session", json!({"workDir": lab.work_dir(), "name": "worker", "prompt": "MAKE it"})),
        aegis("wait_for_session", wait("permission_prompt")),
        aegis("approve_permission", worker.clone()),
        aegis("wait_for_session", wait("idle")),
        aegis("get_transcript", worker),
        Reply::text("All is delegated."),
    ];
    Script::new()
        .on("DELEGATE", looks_up.into_iter().chain(delegates))
        .on("MAKE it", [Reply::tools([touch("made")]), Reply::text("The worker made it.")])
        .on("READ", [Reply::text("Read.")])
        .on("Find out what is wrong", [Reply::text("Looked into.")])
}

/// Claude Code as the host, in a project of its own below the worker's.
struct Host {
    terminal: Terminal,
}

impl Host {
    /// Starts it, and lets it start the project's servers, as a person does.
    async fn start(lab: &Lab) -> Self {
        let dir = lab.project.join("host");
        std::fs::create_dir(&dir).unwrap();
        let servers = json!({"mcpServers": {"aegis": {"command": AEGIS, "args": ["mcp"]}}});
        std::fs::write(dir.join(".mcp.json"), servers.to_string()).unwrap();
        let program = Path::new(&lab.env["AEGIS_CLAUDE_PATH"]);
        let args = ["--permission-mode", "default", "--allowedTools", "mcp__aegis"];
        let mut command = terminal_command(program.to_str().unwrap(), &args, &dir);
        for (name, value) in &lab.env {
            command.env(name, value);
        }
        let mut terminal = Terminal::running(command, SIZE);
        terminal.until("MCP server").await;
        terminal.choose("Use this MCP server").await;
        terminal.until("❯\u{a0}").await;
        // When it has connected, the server's prompts are commands, whose menu opens as the name is typed.
        terminal.keys("/mcp__aegis__");
        for prompt in ["implement_issue", "review_pr", "debug_session"] {
            terminal.until(prompt).await;
        }
        terminal.keys("\x15");
        terminal.until_shows("an empty box", |screen| !screen.contains("mcp__aegis__")).await;
        Self { terminal }
    }

    /// Types a line and enters it.
    async fn enter(&mut self, line: &str) {
        self.terminal.keys(line);
        self.terminal.until(line).await;
        self.terminal.keys("\r");
    }
}

/// The model's requests that this prompt of a person led to.
fn requests(lab: &Lab, prompt: &str) -> Vec<Arc<Recorded>> {
    let of = |request: &Recorded| request.is_main() && request.prompt().is_some_and(|it| it.contains(prompt));
    lab.api.requests().into_iter().filter(|request| of(request)).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_model_delegates_to_another_claude_code(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new()).await;
    let looks_up = version == "2.1.330";
    for rule in script(&lab, looks_up).rules {
        lab.api.add(rule);
    }
    let mut host = Host::start(&lab).await;
    host.enter("DELEGATE the work").await;
    host.terminal.until("All is delegated.").await;
    let asked = requests(&lab, "DELEGATE");
    let (first, rest) = asked.split_first().unwrap();
    assert!(first.body.to_string().contains("Aegis runs Claude Code sessions for you."), "the instructions");
    assert_eq!(
        first.tools().iter().filter(|tool| tool.starts_with("mcp__aegis__")).count(),
        if looks_up { 0 } else { 25 }
    );
    let calls = &rest[usize::from(looks_up)..];
    let known = calls[0].tools();
    assert!(TOOLS.map(named).iter().all(|tool| known.contains(tool)), "{known:?}");
    let told: Vec<_> =
        calls.iter().flat_map(|call| call.tool_results()).map(|(_, told)| told.to_string()).collect();
    let expected = [
        ["worker", "starting"],
        ["permission_prompt", "touch made"],
        ["approved", "touch made"],
        ["worker", "idle"],
        ["MAKE it", "The worker made it."],
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (result, words) in told.iter().zip(expected) {
        assert!(words.iter().all(|word| result.contains(word)), "{words:?} in {result}");
    }
    assert!(lab.project.join("made").exists(), "the worker's tool ran");
    let answers = lab.resolved_asks();
    let by = &answers[0].resolution.as_ref().unwrap().by;
    assert_eq!((answers.len(), by.as_str()), (1, "mcp"));

    host.enter("/mcp__aegis__debug_session worker").await;
    host.terminal.until("Looked into.").await;
    let asked = requests(&lab, "Find out what is wrong").remove(0).prompt().unwrap();
    let worker_id = lab.events()[0].session_id.to_string();
    assert!(asked.contains(&format!("the Claude Code session {worker_id}")), "{asked}");
    // A resource that is mentioned comes along with the prompt.
    host.enter("READ @aegis:aegis://sessions and tell").await;
    host.terminal.until("Read.").await;
    let asked = requests(&lab, "READ").remove(0);
    let said = asked.body["messages"].to_string();
    let (_, resource) = said.rsplit_once("Full contents of resource:").unwrap_or_else(|| panic!("{said}"));
    assert!(resource.contains(&worker_id), "{resource}");

    the_host_is_killed_and_the_worker_lives(&lab, &host).await;
}

async fn the_host_is_killed_and_the_worker_lives(lab: &Lab, host: &Host) {
    let server = running(lab, &format!("{AEGIS} mcp"));
    let worker = holders(lab);
    assert_eq!((server.len(), worker.len()), (1, 1));
    sigkill(host.terminal.pid());
    let killed = Instant::now();
    come("the server's end", async || (!alive(server[0])).then_some(())).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    assert_eq!(holders(lab), worker);
    let other = Server::start(lab).await;
    let listed = other.call("list_sessions", json!({})).await["sessions"][0].clone();
    assert_eq!((&listed["name"], &listed["status"]), (&json!("worker"), &json!("idle")));
    let read = other.call("get_transcript", json!({"sessionId": "worker"})).await;
    assert!(read.to_string().contains("The worker made it."), "{read}");
    let ended = other.call("kill_session", json!({"sessionId": "worker"})).await;
    assert_eq!(ended["status"], "ended");
    assert!(journaled(lab).contains("ask_resolved"), "and all of it fits the events' schema");
    other.kill().await;
    come("the end of all of them", async || lab.processes().is_empty().then_some(())).await;
}
