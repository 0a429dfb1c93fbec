//! A user whose watches are used up: 128 programs that watch files are common as a limit, and two hundred sessions are
//! more than that. The limit is set for real, where the system gives a test users of its own.

use std::process::Command;

use aegis::rehearsal::Script;
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::processes::come;
use crate::support::server::Server;

/// A server that can watch nothing, nor can what it starts. None where the system does not let users be made.
async fn without_watches(lab: &Lab) -> Option<Server> {
    let script = "echo 0 > /proc/sys/user/max_inotify_instances";
    let allowed = Command::new("unshare").args(["-r", "sh", "-c", script]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: this system gives a test no users of its own");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-r", "sh", "-c", &format!("{script} && exec \"$0\""), AEGIS]);
    command.env_clear().envs(&lab.env).current_dir(&lab.project);
    Some(Server::run(command).await)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t16_sessions_work_where_nothing_can_be_watched(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new()).await;
    let Some(server) = without_watches(&lab).await else { return };
    let created = server.call("create_session", json!({"workDir": lab.work_dir()})).await;
    let id = &created["id"];
    let idle = json!({"sessionIds": [id], "until": ["idle"]});
    let woke = server.call("wait_for_session", idle.clone()).await;
    assert_eq!(woke["woke"][0]["session"]["status"], "idle", "{woke:#}");
    for text in ["first", "second"] {
        server.call("send_message", json!({"sessionId": id, "text": text})).await;
        server.call("wait_for_session", idle.clone()).await;
        let read = server.call("get_transcript", json!({"sessionId": id})).await;
        let last = read["messages"].as_array().and_then(|messages| messages.last()).cloned();
        assert_eq!(last.unwrap()["text"], format!("You said: {text}"), "{read:#}");
    }
    server.call("kill_session", json!({"sessionId": id})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t16_pipelines_run_where_nothing_can_be_watched() {
    let lab = Lab::fake(json!({})).build().await;
    let Some(server) = without_watches(&lab).await else { return };
    let steps = json!([{"name": "a", "prompt": "one"}, {"name": "b", "prompt": "two", "dependsOn": ["a"]}]);
    let create = json!({"name": "p", "workDir": lab.work_dir(), "steps": steps});
    server.call("create_pipeline", create).await;
    come("the pipeline's end", async || {
        let listed = server.call("list_pipelines", json!({})).await;
        (listed["pipelines"][0]["status"] == "completed").then_some(())
    })
    .await;
}
