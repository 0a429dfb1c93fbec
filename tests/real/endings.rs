//! After the end nothing of a session is left, and nothing else was touched.

use std::path::{Path, PathBuf};
use std::process::Command;

use aegis::domain::StatusWord;
use aegis::rehearsal::api::ToolCall;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::tasks::Driver;

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_started_ends_with_it(
    #[values("2.1.197", "2.1.330")] version: &str,
    #[values("kill", "crash")] how: &str,
) {
    let command = "touch begun; nohup sleep 600 >/dev/null 2>&1 & sleep 600";
    let call = ToolCall::new("Bash", json!({"command": command, "description": "Wait"}));
    let lab = Lab::new(version, Script::new().on("WAIT", [Reply::tools([call]), Reply::text("x")])).await;
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "WAIT").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    let sleeping = || lab.processes().iter().filter(|(_, line)| line.trim() == "sleep 600").count();
    while sleeping() < 2 {
        tokio::task::yield_now().await;
    }
    if how == "kill" {
        driver.kill(&id).await;
    } else {
        let pid = driver.show(&id).await.health.pid.unwrap();
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
        driver.until(&id, StatusWord::Ended).await;
    }
    assert_eq!(lab.processes(), []);
    assert!(bystander.try_wait().unwrap().is_none(), "a process of somebody else was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_user_is_written(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new().on("HELLO", [Reply::text("Hello.")])).await;
    let driver = Driver::new(&lab);
    let settings = lab.home.config_dir().join("settings.json");
    let before = std::fs::read(&settings).unwrap();
    let id = driver.create(Some("HELLO")).await.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
    // Below the project nothing, sockets none, the user's settings as they were.
    assert_eq!(files(&lab.project), Vec::<PathBuf>::new());
    assert_eq!(files(&lab.root.join("run")), Vec::<PathBuf>::new());
    assert_eq!(std::fs::read(&settings).unwrap(), before);
    // Claude Code writes this one itself at every start. Nothing of ours is in it: no hook, no path, no server.
    let state = std::fs::read_to_string(lab.home.path().join(".claude.json")).unwrap();
    for ours in [lab.root.join("state").to_str().unwrap(), lab.root.join("run").to_str().unwrap(), AEGIS] {
        assert!(!state.contains(ours), "{ours} in {state}");
    }
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state.get("hooks"), None);
    assert!(state["mcpServers"].as_object().is_none_or(serde_json::Map::is_empty), "{state:#}");
}
