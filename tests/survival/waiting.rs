//! Clients that go away while they wait, and servers that go away while somebody is asked.

use std::process::{Command, Stdio};

use aegis::domain::{How, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::server::Server;
use crate::support::tasks::Driver;

fn asks(tool: Value) -> Value {
    json!({"rules": [{"on": "ASK", "steps": [{"tool": tool}, {"say": "Made."}]}]})
}

fn write() -> Value {
    json!({"name": "Write", "input": {"file_path": "made"}, "creates": "made", "result": "ok"})
}

/// The client's own limit cuts the wait, or the whole connection. What happens meanwhile is told to the next wait with
/// the cursor, once.
#[rstest]
#[case::the_call_is_cancelled(false)]
#[case::the_server_dies(true)]
#[tokio::test(flavor = "multi_thread")]
async fn t22_an_edge_between_two_waits(#[case] dies: bool) {
    let lab = Lab::fake(asks(write())).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let server = Server::start(&lab).await;
    let waited = server.call("wait_for_session", json!({"sessionIds": [id]})).await;
    let wait = json!({"sessionIds": [id], "cursor": waited["cursor"]});
    let call = server.begin("wait_for_session", wait.clone()).await;
    let server = if dies {
        server.kill().await;
        Server::start(&lab).await
    } else {
        server.cancel(call).await;
        server
    };
    // An ask comes and goes, and the turn ends, while nobody waits.
    driver.send(&id, "ASK").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    let woke = server.call("wait_for_session", wait).await;
    assert_eq!(woke["timedOut"], false);
    assert_eq!(woke["woke"][0]["session"]["status"], "idle", "as it is now");
    let again = json!({"sessionIds": [id], "cursor": woke["cursor"], "timeoutMs": 1});
    let again = server.call("wait_for_session", again).await;
    assert_eq!((&again["woke"], &again["timedOut"]), (&json!([]), &json!(true)));
    driver.kill(&id).await;
}

/// No server is there when Claude asks: nothing is allowed and nothing denied, the dialog stands in the terminal, and
/// whoever comes later answers it.
#[tokio::test(flavor = "multi_thread")]
async fn t6_nobody_is_there_to_be_asked() {
    let lab = Lab::fake(asks(write())).build().await;
    let server = Server::start(&lab).await;
    let created = json!({"workDir": lab.work_dir(), "prompt": "ASK"});
    let id = server.call("create_session", created).await["id"].as_str().unwrap().to_owned();
    server.kill().await;
    let driver = Driver::new(&lab);
    driver.screen(&id, "Do you want to create made?").await;
    assert!(!lab.project.join("made").exists());
    assert_eq!(lab.resolved_asks().len(), 0);
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    driver.kill(&id).await;
}

/// The hook of a session whose holder is gone says nothing, and so lets Claude Code ask by itself.
#[rstest]
#[case::no_socket(false)]
#[case::nobody_listens(true)]
#[tokio::test(flavor = "multi_thread")]
async fn t6_a_hook_without_a_holder_has_no_opinion(#[case] listens_no_more: bool) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    if listens_no_more {
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(socket.exists());
    }
    let mut hook = Command::new(AEGIS);
    hook.args(["hook", "PermissionRequest"]).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    hook.env(aegis::claude::launch::SOCKET_VARIABLE, &socket);
    hook.env(aegis::claude::launch::SECRET_VARIABLE, "secret");
    let mut child = hook.stderr(Stdio::null()).spawn().unwrap();
    let payload = json!({"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {}});
    serde_json::to_writer(child.stdin.take().unwrap(), &payload).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
}

/// An ask that nobody answers in time: by the policy it is denied, or stays.
#[rstest]
#[case::denied("deny")]
#[case::kept("keep")]
#[tokio::test(flavor = "multi_thread")]
async fn t8_nobody_answers_in_time(
    #[case] policy: &str,
    #[values(write(), json!({"name": "AskUserQuestion", "input": {"questions": [
        {"question": "Which colour?", "header": "Colour", "options": [{"label": "Red"}, {"label": "Blue"}]}
    ]}}))]
    tool: Value,
) {
    let lab = Lab::fake(asks(tool)).var("AEGIS_ON_TIMEOUT", policy).var("AEGIS_HOOK_ASK_TIMEOUT_MS", "1000");
    let lab = lab.build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "ASK").await.unwrap();
    let ask = driver.ask(&id).await;
    if policy == "deny" {
        driver.until(&id, StatusWord::Idle).await;
        let resolved = lab.resolved_asks();
        assert_eq!(resolved.len(), 1);
        let resolution = resolved[0].resolution.clone().unwrap();
        assert_eq!((resolution.by.as_str(), resolution.how), ("config", How::Rejected));
    } else {
        // Longer than the limit, by the events of a wait that ends by itself.
        let wait = json!({"sessionIds": [id], "until": ["idle"], "timeoutMs": 1500});
        let server = Server::start(&lab).await;
        assert_eq!(server.call("wait_for_session", wait).await["timedOut"], true);
        let open = driver.show(&id).await.session.open_asks;
        assert_eq!(open.iter().map(|open| open.id).collect::<Vec<_>>(), [ask.id]);
        driver.reject(&id, "no").await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
    }
    assert!(!lab.project.join("made").exists());
    driver.kill(&id).await;
}
