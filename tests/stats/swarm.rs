//! Every Claude Code process is told, ours and others', and nothing that is not there.

use std::fs;
use std::process::{Child, Command};

use aegis::domain::StatusWord;
use aegis::ops::{GetSwarm, Swarm, SwarmProcess};
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::lab::FAKE_CLAUDE;
use crate::support::outside::cli;
use crate::support::processes::alive;
use crate::support::tasks::Driver;

const CONVERSATION: &str = "0b6f4a86-9a3e-4e39-8d3e-3a1a4d2f5c12";

/// A process that is none of ours and that its test ends.
struct Foreign(Child);

impl Foreign {
    /// A program called `claude`, which does nothing, with arguments that nobody else should read.
    fn start(lab: &Lab, args: &[&str]) -> Self {
        let program = lab.root.join("claude");
        if !program.exists() {
            fs::copy("/bin/sleep", &program).unwrap();
        }
        let mut command = Command::new(program);
        command.args(["300"]).args(args).env_clear().env("SECRET", "in-the-environment");
        Self(command.current_dir(&lab.root).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_time(pid: u32) -> u64 {
    procfs::process::Process::new(i32::try_from(pid).unwrap()).unwrap().stat().unwrap().starttime
}

/// Writes a live file as Claude Code does.
fn register(lab: &Lab, pid: u32, start: u64, status: &str) {
    let dir = lab.home.config_dir().join("sessions");
    fs::create_dir_all(&dir).unwrap();
    let told = json!({
        "pid": pid, "procStart": start.to_string(), "sessionId": CONVERSATION, "cwd": "/foreign/dir",
        "startedAt": 1_795_337_042_671_i64, "version": "2.1.197", "kind": "interactive", "name": "my prompt",
        "status": status, "updatedAt": 1_795_337_048_950_i64,
    });
    fs::write(dir.join(format!("{pid}.json")), told.to_string()).unwrap();
}

/// Writes a file below Claude Code's directory.
fn write(lab: &Lab, path: &str, content: &Value) {
    let path = lab.home.config_dir().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content.to_string()).unwrap();
}

async fn swarm(driver: &Driver) -> Swarm {
    driver.aegis.get_swarm(&driver.caller, GetSwarm {}).await.unwrap()
}

fn find(swarm: &Swarm, pid: u32) -> Option<&SwarmProcess> {
    swarm.processes.iter().find(|process| process.pid == pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_and_others_are_told_apart() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let ours = driver.show(&id).await;
    let pid = ours.health.pid.unwrap();
    let foreign = Foreign::start(&lab, &[]);
    register(&lab, foreign.pid(), start_time(foreign.pid()), "busy");
    write(&lab, &format!("projects/-x/{CONVERSATION}/subagents/agent-a1.jsonl"), &json!({}));
    write(
        &lab,
        &format!("projects/-x/{CONVERSATION}/subagents/agent-a1.meta.json"),
        &json!({"agentType": "Explore", "description": "a secret task"}),
    );
    let member =
        json!({"agentId": "b@t", "name": "bob", "agentType": "general-purpose", "prompt": "a secret task"});
    let lead = json!({"agentId": "lead@t", "name": "team-lead"});
    write(
        &lab,
        "teams/t/config.json",
        &json!({"leadAgentId": "lead@t", "leadSessionId": CONVERSATION, "members": [lead, member]}),
    );
    write(
        &lab,
        "jobs/0b6f4a86/state.json",
        &json!({"state": "working", "sessionId": CONVERSATION, "intent": "x"}),
    );

    let found = swarm(&driver).await;
    let own = find(&found, pid).unwrap();
    assert_eq!(
        (own.session_id, own.session_name.as_ref()),
        (Some(ours.session.id), Some(&ours.session.name))
    );
    assert_eq!((own.status, own.conversation_id.is_some()), (Some(StatusWord::Idle), true));
    assert_eq!(own.work_dir, Some(lab.work_dir()));
    let other = find(&found, foreign.pid()).unwrap();
    assert_eq!((other.session_id, other.status), (None, Some(StatusWord::Working)));
    assert_eq!(
        (other.work_dir.as_deref(), other.kind.as_deref()),
        (Some("/foreign/dir"), Some("interactive"))
    );
    assert_eq!(other.conversation_id.unwrap().to_string(), CONVERSATION);
    assert_eq!(other.started_at.unwrap().millis(), 1_795_337_042_671);
    let agents: Vec<_> = other.subagents.iter().map(|a| (a.id.as_str(), a.agent_type.as_deref())).collect();
    assert_eq!(agents, [("a1", Some("Explore"))]);
    let mates: Vec<_> = other.teammates.iter().map(|mate| mate.name.as_str()).collect();
    assert_eq!((mates, other.job_state.as_deref()), (vec!["bob"], Some("working")));

    let told = cli(&lab, &["swarm", "--json"]).await.exits(0).stdout;
    for secret in ["secret", "my prompt", "in-the-environment"] {
        assert!(!told.contains(secret), "{told}");
    }
    let shown = cli(&lab, &["swarm"]).await.exits(0).stdout;
    assert!(shown.contains("/foreign/dir") && shown.contains(&ours.session.name), "{shown}");
    assert!(alive(i32::try_from(foreign.pid()).unwrap()), "nothing is signalled");
    driver.kill(&id).await;
}

/// A process that is written down nowhere is known by its name, and of its arguments only the conversation is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_not_written_down_is_told() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let foreign = Foreign::start(&lab, &["0", "0"]);
    let found = swarm(&driver).await;
    let other = find(&found, foreign.pid()).unwrap();
    assert_eq!((other.session_id, other.status, other.conversation_id), (None, None, None));
    assert_eq!(other.work_dir.as_deref(), lab.root.to_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_down_of_another_process_is_left_out() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let me = std::process::id();
    // The pid was used again, by a process that is no Claude Code; and one that is gone.
    register(&lab, me, start_time(me) + 1, "idle");
    let mut gone = Command::new("true").spawn().unwrap();
    let pid = gone.id();
    register(&lab, pid, start_time(pid), "idle");
    gone.wait().unwrap();
    fs::write(lab.home.config_dir().join("sessions/7.json"), "{\"pid\":").unwrap();
    let found = swarm(&driver).await;
    assert!(find(&found, me).is_none() && find(&found, pid).is_none());
}

/// A stand-in that somebody else runs is no session of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_else_runs_is_not_ours() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let pty = portable_pty::native_pty_system();
    let pair = pty.openpty(portable_pty::PtySize { rows: 24, cols: 80, ..Default::default() }).unwrap();
    let mut command = portable_pty::CommandBuilder::new(FAKE_CLAUDE);
    command.env_clear();
    for (name, value) in lab.session_env() {
        command.env(name, value);
    }
    command.cwd(&lab.project);
    let mut child = pair.slave.spawn_command(command).unwrap();
    let pid = child.process_id().unwrap();
    let found = crate::support::processes::come("its live file", async || {
        let found = swarm(&driver).await;
        find(&found, pid).is_some().then_some(found)
    })
    .await;
    let other = find(&found, pid).unwrap();
    assert_eq!((other.session_id, other.work_dir.as_ref()), (None, Some(&lab.work_dir())));
    assert_eq!(found.processes.iter().filter(|process| process.session_id.is_some()).count(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    driver.kill(&id).await;
}
