//! A state directory on a disk of its own, which is full or cannot be written: for real, where the system lets a test
//! mount one.

use std::process::Command;

use aegis::domain::ReceiptState;
use aegis::holder::journal;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::processes::come;
use crate::support::records::{prompts, receipts};
use crate::support::server::{NoAnswer, Server};

/// Enough for a store and a few sessions.
const DISK: &str = "size=4m";

/// A server whose state directory is a small disk that only it and its sessions see. None where the system does not let
/// users mount.
async fn on_a_small_disk(lab: &Lab) -> Option<Server> {
    let allowed = Command::new("unshare").args(["-rm", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: this system does not let users mount");
        return None;
    }
    let state = lab.root.join("state");
    std::fs::create_dir(&state).unwrap();
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {DISK},mode=700 none \"$AEGIS_STATE_DIR\" && exec \"$0\"");
    command.args(["-rm", "sh", "-c", &script, AEGIS]);
    command.env_clear().envs(&lab.env).current_dir(&lab.project);
    Some(Server::run(command).await)
}

/// Runs a shell line where the server sees its disk.
fn inside(lab: &Lab, server: &Server, line: &str) -> bool {
    let mut command = Command::new("nsenter");
    command.args(["-t", &server.pid.to_string(), "-U", "-m", "--preserve-credentials", "sh", "-c", line]);
    command.env("STATE", lab.root.join("state")).env("OUT", lab.root.join("out"));
    command.output().unwrap().status.success()
}

/// Calls until it is told to have failed, and gives the code. What was told to be done is counted.
async fn until_refused(server: &Server, id: &str, sent: &mut Vec<String>) -> String {
    loop {
        let text = format!("prompt {}", sent.len());
        match server.try_call("send_message", json!({"sessionId": id, "text": text})).await {
            Ok(_) => sent.push(text),
            Err(NoAnswer::Failed(error)) => return error["code"].as_str().unwrap().to_owned(),
            Err(NoAnswer::Died) => panic!("the server died"),
        }
        assert!(sent.len() < 50, "the disk is never full");
    }
}

/// Creates a session and waits until it is idle. Gives its id, and what waits for that again.
async fn idle_session(server: &Server, create: &Value) -> (String, Value) {
    let id = server.call("create_session", create.clone()).await["id"].as_str().unwrap().to_owned();
    let idle = json!({"sessionIds": [id], "until": ["idle"]});
    server.call("wait_for_session", idle.clone()).await;
    (id, idle)
}

#[tokio::test(flavor = "multi_thread")]
async fn t17_the_disk_is_full() {
    let lab = Lab::fake(json!({})).build().await;
    let Some(server) = on_a_small_disk(&lab).await else { return };
    let create = json!({"workDir": lab.work_dir(), "reuse": false});
    let (id, idle) = idle_session(&server, &create).await;
    let mut sent = vec!["before".to_owned()];
    server.call("send_message", json!({"sessionId": id, "text": "before"})).await;
    server.call("wait_for_session", idle.clone()).await;

    inside(&lab, &server, "cat /dev/zero > \"$STATE/fill\"");
    assert_eq!(until_refused(&server, &id, &mut sent).await, "storage_failed");
    assert_eq!(server.code("create_session", create.clone()).await, "storage_failed");
    let listed = server.call("list_sessions", json!({})).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed:#}");
    let read = server.call("get_transcript", json!({"sessionId": id})).await;
    assert_eq!(read["messages"][0]["text"], "before");
    server.call("wait_for_session", idle.clone()).await;

    assert!(inside(&lab, &server, "rm \"$STATE/fill\""));
    let after = json!({"sessionId": id, "text": "after"});
    come("room for a prompt", async || server.try_call("send_message", after.clone()).await.ok()).await;
    sent.push("after".into());
    server.call("wait_for_session", idle).await;
    let status = server.call("get_status", json!({"sessionId": id})).await;
    let last = status["receipts"].as_array().unwrap().last().unwrap();
    assert_eq!((&status["status"], &last["state"]), (&json!("idle"), &json!("turn_ended")), "{last:#}");
    let other = server.call("create_session", create).await["id"].as_str().unwrap().to_owned();
    for id in [&id, &other] {
        server.call("kill_session", json!({"sessionId": id})).await;
    }
    assert_eq!(prompts(&lab), sent);
    assert_eq!(told_once(&lab, &server, &id), sent.len());
}

/// The events of the session's journal count from 1 without gaps; gives how many receipts they are about.
fn told_once(lab: &Lab, server: &Server, id: &str) -> usize {
    let state = lab.root.join("state").strip_prefix("/").unwrap().to_owned();
    let seen = std::path::Path::new("/proc").join(server.pid.to_string()).join("root").join(state);
    let events =
        journal::read(&seen.join("sessions").join(id).join("journal.jsonl"), None, usize::MAX).unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    // A refused one has a receipt that says so.
    receipts(&events).iter().filter(|receipt| receipt.state == ReceiptState::TurnEnded).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn t17_the_state_directory_cannot_be_written() {
    let lab = Lab::fake(json!({})).build().await;
    let Some(server) = on_a_small_disk(&lab).await else { return };
    let create = json!({"workDir": lab.work_dir(), "reuse": false});
    let (id, idle) = idle_session(&server, &create).await;
    let locked = "mount --bind \"$STATE\" \"$STATE\" && mount -o remount,ro,bind \"$STATE\"";
    assert!(inside(&lab, &server, locked));
    assert_eq!(server.code("create_session", create.clone()).await, "storage_failed");
    // Files that the session has open can be written on.
    server.call("send_message", json!({"sessionId": id, "text": "hello"})).await;
    server.call("wait_for_session", idle.clone()).await;
    // Whoever comes now is told what is wrong, and what to do.
    let list = format!("env -i AEGIS_STATE_DIR=\"$STATE\" HOME=/nowhere {AEGIS} list --json 2> \"$OUT\"");
    assert!(!inside(&lab, &server, &list));
    let error = std::fs::read_to_string(lab.root.join("out")).unwrap();
    let error: Value = serde_json::from_str(error.trim_end().lines().last().unwrap()).unwrap();
    assert_eq!(error["code"], "storage_failed", "{error}");
    assert_eq!(error["hint"], "check space and permissions of the state directory");

    assert!(inside(&lab, &server, "umount \"$STATE\""));
    let other = server.call("create_session", create).await["id"].as_str().unwrap().to_owned();
    assert!(inside(&lab, &server, &list));
    for id in [id, other] {
        server.call("kill_session", json!({"sessionId": id})).await;
    }
    assert_eq!(prompts(&lab), ["hello"]);
}
