//! A holder that is stopped, as by a debugger or a frozen machine: nobody waits for it long, and nobody declares it
//! dead.

use std::time::{Duration, Instant};

use aegis::domain::StatusWord;
use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Steward;
use crate::support::Lab;
use crate::support::processes::{holders, signal};
use crate::support::records::{journals, prompts};
use crate::support::server::{NoAnswer, Server};
use crate::support::tasks::Driver;

/// Within which every tool answers.
const SOON: Duration = Duration::from_secs(5);

async fn timed(server: &Server, tool: &str, arguments: Value) -> (Result<Value, String>, Duration) {
    let since = Instant::now();
    let answer = server.try_call(tool, arguments).await.map_err(|error| match error {
        NoAnswer::Failed(error) => error["code"].as_str().unwrap().to_owned(),
        NoAnswer::Died => panic!("the server died"),
    });
    (answer, since.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_every_tool_answers_soon_and_nobody_is_declared_dead() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let id = driver.idle().await;
    let holder = holders(&lab)[0];
    // One server knows the holder from before, the other one meets it as it stands still.
    let known = Server::start(&lab).await;
    known.call("get_status", json!({"sessionId": id})).await;
    let cursor = known.call("wait_for_session", json!({"sessionIds": [id]})).await["cursor"].clone();
    let fresh = Server::start(&lab).await;
    signal(holder, Signal::STOP);
    let session = json!({"sessionId": id});
    let unreachable = [
        ("wait_for_session", json!({"sessionIds": [id], "cursor": cursor})),
        ("wait_for_session", json!({"sessionIds": [id]})),
        ("send_message", json!({"sessionId": id, "text": "hello"})),
        ("approve_permission", session.clone()),
        ("reject_permission", session.clone()),
        ("interrupt_session", session.clone()),
        ("escape_session", session.clone()),
        ("kill_session", session.clone()),
        ("kill_session", json!({"sessionId": id, "force": true})),
        ("get_transcript", session.clone()),
        ("capture_pane", session.clone()),
        ("create_session", json!({"workDir": lab.work_dir(), "resumeSessionId": id})),
    ];
    for server in [&known, &fresh] {
        let calls = unreachable.iter().map(|(tool, arguments)| timed(server, tool, arguments.clone()));
        for ((tool, _), (answer, took)) in unreachable.iter().zip(join_all(calls).await) {
            assert_eq!(answer.unwrap_err(), "holder_unreachable", "{tool}");
            assert!(took < SOON, "{tool} took {took:?}");
        }
        for (tool, arguments, at) in
            [("get_status", session.clone(), "/status"), ("list_sessions", json!({}), "/sessions/0/status")]
        {
            let (answer, took) = timed(server, tool, arguments).await;
            assert_eq!(answer.unwrap().pointer(at).unwrap(), "unknown", "{tool}");
            assert!(took < SOON, "{tool} took {took:?}");
        }
        let (answer, took) = timed(server, "server_health", json!({})).await;
        assert_eq!(answer.unwrap()["sessions"]["unknown"], 1);
        assert!(took < SOON, "server_health took {took:?}");
    }
    let (answer, took) = timed(&fresh, "create_session", json!({"workDir": lab.work_dir()})).await;
    assert!(took < SOON, "create_session took {took:?}");
    let other = answer.unwrap()["id"].as_str().unwrap().to_owned();
    assert_ne!(other, id, "one that does not answer is not taken");
    driver.until(&other, StatusWord::Idle).await;

    signal(holder, Signal::CONT);
    // What was asked meanwhile, and told to have failed, does not happen afterwards.
    driver.until(&id, StatusWord::Idle).await;
    crate::fake::taken(&driver, &id, "after").await;
    for id in [id, other] {
        driver.kill(&id).await;
    }
    assert_eq!(prompts(&lab), ["after"]);
    assert_eq!(journals(&lab).len(), 2);
}

/// A wait for several sessions goes on with those that answer, and hears the stopped one when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_several_outlasts_a_stopped_one() {
    let lab =
        Lab::fake(json!({"rules": [{"on": "LONG", "steps": [{"wait": {"file": "go"}}]}]})).build().await;
    let driver = Driver::new(&lab);
    let stopped = driver.idle().await;
    let holder = holders(&lab)[0];
    let working = driver.idle().await;
    for id in [&stopped, &working] {
        driver.send(id, "LONG").await.unwrap();
    }
    let server = Server::start(&lab).await;
    signal(holder, Signal::STOP);
    let both = json!({"sessionIds": [stopped, working], "until": ["idle"], "timeoutMs": 40_000});
    let waiting = async {
        let first = server.call("wait_for_session", both.clone()).await;
        assert_eq!(first["woke"][0]["session"]["id"], working.as_str());
        let mut rest = both.clone();
        rest["sessionIds"] = json!([stopped]);
        rest["cursor"] = first["cursor"].clone();
        signal(holder, Signal::CONT);
        server.call("wait_for_session", rest).await
    };
    std::fs::write(lab.project.join("go"), "").unwrap();
    let second = waiting.await;
    assert_eq!(second["woke"][0]["session"]["id"], stopped.as_str());
    for id in [stopped, working] {
        driver.kill(&id).await;
    }
}
