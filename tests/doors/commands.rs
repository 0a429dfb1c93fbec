//! The command line from outside, without any server: as a script runs it, and as a person at a terminal does.

use aegis::rehearsal::api::HoldAt;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::{Value, json};

use super::{script, touch};
use crate::support::Lab;
use crate::support::outside::{Peer, Terminal, cli, texts};
use crate::support::processes::come;

fn id_of(created: &Value) -> String {
    created["id"].as_str().unwrap_or_else(|| panic!("{created:#}")).to_owned()
}

/// What the session is now.
async fn shown(lab: &Lab, id: &str) -> Value {
    cli(lab, &["show", id, "--json"]).await.exits(0).json()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_script_goes_through_a_whole_piece_of_work(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    // Nobody is at stdin: the ask is told, and the exit code says so.
    let run = cli(&lab, &["run", "MAKE one", "--name", "worker", "--json"]).await.exits(3).json();
    assert_eq!(run["outcome"], "needs_answer", "{run:#}");
    assert_eq!(run["asks"][0]["input"]["command"], "touch one");
    let id = id_of(&run["session"]);
    let words = cli(&lab, &["wait", "worker"]).await.exits(3);
    assert!(words.stdout.contains("touch one"), "{words:#?}");
    let words = cli(&lab, &["show", "worker"]).await.exits(0);
    assert!(words.stdout.contains("aegis approve") && words.stdout.contains("aegis reject"), "{words:#?}");
    let hash = run["asks"][0]["inputHash"].as_str().unwrap();
    let approved = cli(&lab, &["approve", "worker", "--input-hash", hash, "--json"]).await.exits(0).json();
    assert_eq!(
        (&approved["resolution"]["by"], &approved["resolution"]["how"]),
        (&json!("cli"), &json!("approved"))
    );
    cli(&lab, &["wait", &id, "--timeout", "30s"]).await.exits(0);
    assert!(lab.project.join("one").exists());

    let mut follower = Peer::aegis(&lab, &["read", &id, "--follow", "--json"]);
    for wanted in ["MAKE one", "touch one", "", "One is made."] {
        let message = follower.value().await;
        assert!(message["text"].as_str().unwrap().contains(wanted), "{wanted}: {message}");
    }
    let sent = cli(&lab, &["send", &id, "MAKE two", "--json"]).await.exits(0).json();
    assert_eq!(sent["state"], "submitted", "{sent:#}");
    assert_eq!(follower.value().await["text"], "MAKE two");
    cli(&lab, &["wait", &id]).await.exits(3);
    cli(&lab, &["reject", &id, "--reason", "two is one too many"]).await.exits(0);
    cli(&lab, &["wait", &id]).await.exits(0);
    cli(&lab, &["send", &id, "CHOOSE first"]).await.exits(0);
    cli(&lab, &["wait", &id]).await.exits(3);
    cli(&lab, &["answer", &id, "2"]).await.exits(0);
    cli(&lab, &["wait", &id]).await.exits(0);
    let told = |words: &str| {
        let results = lab.api.requests().into_iter().flat_map(|request| request.tool_results());
        results.into_iter().any(|(_, result)| result.to_string().contains(words))
    };
    assert!(told("two is one too many") && told("Blue"));
    loop {
        if follower.value().await["text"] == "First chosen." {
            break;
        }
    }

    cli(&lab, &["send", &id, "HOLD"]).await.exits(0);
    assert_eq!(cli(&lab, &["wait", &id, "--timeout", "200ms"]).await.exits(4).stdout, "");
    let stopped = cli(&lab, &["interrupt", &id, "--json"]).await.exits(0).json();
    assert_eq!(stopped["status"], "idle", "{stopped:#}");
    let page = cli(&lab, &["read", &id, "--json", "--limit", "200"]).await.exits(0).json();
    let said: Vec<_> = texts(&page).into_iter().map(|(_, text)| text).collect();
    let expected =
        ["MAKE one", "One is made.", "MAKE two", "Two is not made.", "CHOOSE first", "First chosen.", "HOLD"];
    assert_eq!(said[..7], expected, "{said:#?}");
    let why = cli(&lab, &["explain", &id]).await.exits(0).stdout;
    assert!(why.contains("UserPromptSubmit") && why.contains("PermissionRequest"), "{why}");
    let listed = cli(&lab, &["list"]).await.exits(0).stdout;
    assert!(listed.contains("worker") && listed.contains("idle"), "{listed}");

    let ended = cli(&lab, &["kill", "worker", "--json"]).await.exits(0).json();
    assert_eq!(ended["status"], "ended", "{ended:#}");
    while follower.line().await.is_some() {}
    assert_eq!(follower.ended().await, 0);
    cli(&lab, &["wait", &id]).await.exits(6);
    let page = cli(&lab, &["read", &id, "--json", "--limit", "200"]).await.exits(0).json();
    let after: Vec<_> = texts(&page).into_iter().map(|(_, text)| text).collect();
    assert_eq!(after[..7], expected, "what was said is there after the end too");
    assert_eq!(lab.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_a_run_tells_how_it_went() {
    let held = || Reply::text("Late.").held("late", HoldAt::Start);
    let script = script().on("SLOW", [held()]).on("BROKEN", [Reply::error(500)]);
    let lab = Lab::new("2.1.330", script).await;
    let done = cli(&lab, &["run", "GREET", "--kill"]).await.exits(0);
    assert_eq!(done.stdout, "Good morning.\n", "the answer, and nothing else");
    assert!(done.stderr.contains("session"), "{done:#?}");
    let slow = cli(&lab, &["run", "SLOW", "--timeout", "3s", "--json"]).await.exits(4).json();
    assert_eq!(slow["outcome"], "timed_out", "{slow:#}");
    let id = id_of(&slow["session"]);
    assert_eq!(shown(&lab, &id).await["status"], "working", "the session goes on");
    lab.api.release("late");
    cli(&lab, &["wait", &id]).await.exits(0);
    let read = cli(&lab, &["read", &id, "--role", "assistant"]).await.exits(0);
    assert!(read.stdout.contains("Late."), "{read:#?}");
    let broken = cli(&lab, &["run", "BROKEN", "--reuse", "--json"]).await.exits(5).json();
    assert_eq!((&broken["outcome"], &broken["session"]["id"]), (&json!("turn_failed"), &json!(id)));
    cli(&lab, &["kill", &id]).await.exits(0);
    let taken = cli(&lab, &["list", "--json"]).await.exits(0).json();
    assert_eq!(taken["sessions"], json!([]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_at_the_terminal(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let mut terminal = Terminal::start(&lab, &["run", "MAKE one"]);
    terminal.until("a = approve").await;
    assert!(terminal.screen().contains("touch one"), "{}", terminal.screen());
    // Enter alone approves nothing.
    terminal.keys("\r");
    terminal.keys("a\r");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("One is made."), "{screen}");
    assert!(lab.project.join("one").exists());

    let mut terminal = Terminal::start(&lab, &["run", "--reuse", "MAKE two"]);
    terminal.until("a = approve").await;
    terminal.keys("r not that one\r");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    assert!(!lab.project.join("two").exists());
    assert!(lab.api.requests().iter().any(|request| request.mentions("not that one")));

    let mut terminal = Terminal::start(&lab, &["run", "--reuse", "--kill", "CHOOSE first"]);
    terminal.until("Which colour?").await;
    terminal.until("d = detach").await;
    terminal.keys("2\r");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("First chosen."), "{screen}");
    assert_eq!(lab.processes(), []);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_attached_and_left(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let id = id_of(&cli(&lab, &["create", "--json"]).await.exits(0).json());
    cli(&lab, &["wait", &id]).await.exits(0);
    let size = async || {
        let pane = cli(&lab, &["pane", &id, "--json"]).await.exits(0).json();
        (pane["cols"].as_u64().unwrap(), pane["rows"].as_u64().unwrap())
    };

    let mut watch = Terminal::sized(&lab, &["attach", &id, "--watch"], (120, 40));
    watch.until("Claude Code v").await;
    assert_eq!(size().await, (120, 40));
    let mut terminal = Terminal::sized(&lab, &["attach", &id], (100, 30));
    terminal.until("❯").await;
    come("the window's size", async || (size().await == (100, 30)).then_some(())).await;
    terminal.resize((90, 28));
    come("the window's new size", async || (size().await == (90, 28)).then_some(())).await;
    terminal.keys("GREET");
    terminal.until("GREET").await;
    terminal.keys("\r");
    terminal.until("Good morning.").await;
    cli(&lab, &["wait", &id]).await.exits(0);
    // Keys of one who only watches go nowhere.
    watch.keys("LOOK\r\u{1d}");
    assert_eq!(watch.ended().await.0, 0);
    terminal.keys("\u{1d}");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("detached"), "{screen}");
    come("the session's own size", async || (size().await == (120, 40)).then_some(())).await;
    assert_eq!(shown(&lab, &id).await["status"], "idle", "the session goes on");
    let page = cli(&lab, &["read", &id, "--json"]).await.exits(0).json();
    let said: Vec<_> = texts(&page).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["GREET", "Good morning."]);

    // Whoever is attached learns of the end.
    let mut terminal = Terminal::start(&lab, &["attach", &id]);
    terminal.until("Good morning.").await;
    cli(&lab, &["kill", &id]).await.exits(0);
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 6, "{screen}");
    let pipe = cli(&lab, &["attach", &id, "--json"]).await.exits(1).fault();
    assert_eq!(pipe["code"], "invalid_argument", "{pipe}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong() {
    let lab = Lab::new("2.1.330", Script::new().on("", [Reply::tools([touch("x")])])).await;
    let healthy = cli(&lab, &["doctor", "--json"]).await.exits(0).json();
    assert_eq!(healthy["ok"], true, "{healthy:#}");
    let claude =
        healthy["checks"].as_array().unwrap().iter().find(|check| check["name"] == "claude").unwrap();
    assert!(claude["found"].as_str().unwrap().contains("2.1.330"), "{healthy:#}");
    let missing = lab.root.join("missing");
    let lab = lab.with_var("AEGIS_CLAUDE_PATH", missing);
    let sick = cli(&lab, &["doctor", "--json"]).await.exits(1).json();
    let wrong: Vec<_> =
        sick["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(wrong.len(), 1, "{sick:#}");
    assert!(wrong[0]["next"].as_str().unwrap().contains("npm install"), "{sick:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_rehearses_with_the_program_that_is_there() {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let told = cli(&lab, &["doctor", "--rehearse", "--json"]).await.exits(0).json();
    let checks = told["checks"].as_array().unwrap();
    assert!(checks.len() > 12 && checks.iter().all(|check| check["ok"] == true), "{told:#}");
    assert_eq!(lab.session_dirs().len(), 0, "nothing of it is in the user's own state");
    assert_eq!(lab.processes(), []);
}
