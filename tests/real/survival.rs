//! Servers and holders are killed; nothing that happened is lost, and nothing happens twice.

use std::collections::HashSet;

use aegis::domain::{EndCause, Event, EventData, ReceiptState, Role, StatusWord};
use aegis::engine::steward;
use aegis::holder::SessionDir;
use aegis::ops::{CreateSession, ListSessions, SendMessage};
use aegis::rehearsal::api::HoldAt;
use aegis::rehearsal::{Reply, Script};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::processes::{alive, come, running, sigkill};
use crate::support::records::{journaled, stored};
use crate::support::server::Server;
use crate::support::tasks::Driver;

fn bash(command: &str) -> Reply {
    Reply::tool("Bash", json!({"command": command, "description": "Work"}))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t11_sessions_outlive_servers(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("WORK", [Reply::text("Worked.").held("go", HoldAt::Start)])
        .on("TOUCH", [bash("touch touched"), Reply::text("Touched.")]);
    let lab = Lab::new(version, script).await;

    // Killed in the middle of a turn.
    let first = Server::start(&lab).await;
    let created = first
        .call("create_session", json!({"workDir": lab.work_dir(), "prompt": "WORK", "reuse": false}))
        .await;
    let id = created["id"].as_str().unwrap().to_owned();
    lab.api.wait_for("the first turn", |r| r.is_main() && r.mentions("WORK")).await.unwrap();
    first.begin("wait_for_session", json!({"sessionIds": [id], "until": ["idle"]})).await;
    first.kill().await;
    let driver = Driver::new(&lab);
    assert_eq!(driver.until(&id, StatusWord::Working).await.status, StatusWord::Working);
    lab.api.release("go");
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, Some(Role::Assistant)).await.last().unwrap().text, "Worked.");

    // Killed while a permission is open.
    let second = Server::start(&lab).await;
    second.call("send_message", json!({"sessionId": id, "text": "TOUCH"})).await;
    driver.until(&id, StatusWord::PermissionPrompt).await;
    second.kill().await;
    let third = Server::start(&lab).await;
    let listed = third.call("list_sessions", json!({})).await;
    assert_eq!(listed["sessions"][0]["id"], id.as_str());
    assert_eq!(listed["sessions"][0]["status"], "permission_prompt");
    let ask = listed["sessions"][0]["openAsks"][0]["id"].as_str().unwrap().to_owned();
    third.call("approve_permission", json!({"sessionId": id, "askId": ask})).await;
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("touched").exists());

    // The steward of the third server copies all of it, what came before it too.
    stored(&lab).await;
    driver.kill(&id).await;
    let events = stored(&lab).await;
    let asks = |events: &[Event]| {
        let opened = events.iter().filter(|e| matches!(e.data, EventData::AskOpened(_))).count();
        (opened, events.iter().filter(|e| matches!(e.data, EventData::AskResolved(_))).count())
    };
    assert_eq!(asks(&events), (1, 1));
    let told: Vec<_> = events
        .iter()
        .filter_map(|e| if let EventData::Message { id, .. } = e.data { Some(id) } else { None })
        .collect();
    assert_eq!(told, (1..=told.len() as u64).collect::<Vec<_>>(), "each message once");
    assert!(
        matches!(&events.last().unwrap().data, EventData::Status { report, .. } if report.status.word() == StatusWord::Ended)
    );
    third.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_two_servers_agree_and_the_second_takes_over() {
    let lab = Lab::new("2.1.330", Script::new().on("", [Reply::text("Heard.")])).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let first = Server::start(&lab).await;
    come("the first steward", async || {
        (first.call("server_health", json!({})).await["steward"] == "here").then_some(())
    })
    .await;
    let second = Server::start(&lab).await;
    assert_eq!(second.call("server_health", json!({})).await["steward"], "elsewhere");
    for (tool, arguments) in [
        ("list_sessions", json!({})),
        ("get_status", json!({"sessionId": id})),
        ("get_transcript", json!({"sessionId": id})),
    ] {
        let mut answers = [first.call(tool, arguments.clone()).await, second.call(tool, arguments).await];
        // Memory is measured at each call.
        for answer in &mut answers {
            answer["health"]["rssBytes"].take();
        }
        assert_eq!(answers[0], answers[1], "{tool}");
    }
    first.kill().await;
    let since = std::time::Instant::now();
    come("the second steward", async || {
        (second.call("server_health", json!({})).await["steward"] == "here").then_some(())
    })
    .await;
    eprintln!("the second server took over within {:?}", since.elapsed());
    second.call("send_message", json!({"sessionId": id, "text": "Hello"})).await;
    driver.until(&id, StatusWord::Idle).await;
    stored(&lab).await;
    driver.kill(&id).await;
    stored(&lab).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t4_the_same_key_has_one_effect(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new().on("", [Reply::text("Heard.")])).await;
    let drivers: Vec<_> = (0..10).map(|_| Driver::new(&lab)).collect();
    let create = |driver: &Driver| {
        let driver = driver.clone();
        async move {
            let req = CreateSession {
                work_dir: driver.work_dir.clone(),
                prompt: Some("FIRST".into()),
                idempotency_key: Some("create once".into()),
                ..CreateSession::default()
            };
            driver.aegis.create_session(&driver.caller, req).await.unwrap()
        }
    };
    let created = join_all(drivers.iter().map(create)).await;
    let ids: HashSet<_> = created.iter().map(|created| created.session.id.to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let receipts: HashSet<_> = created.iter().map(|created| created.receipt.as_ref().unwrap().id).collect();
    assert_eq!(receipts.len(), 1);
    assert_eq!(lab.session_dirs().len(), 1);
    let id = ids.into_iter().next().unwrap();
    drivers[0].until(&id, StatusWord::Idle).await;
    let send = |driver: &Driver| {
        let (driver, id) = (driver.clone(), id.clone());
        async move {
            let req = SendMessage {
                session_id: id,
                text: Some("SECOND".into()),
                idempotency_key: Some("send once".into()),
                ..SendMessage::default()
            };
            driver.aegis.send_message(&driver.caller, req).await.unwrap()
        }
    };
    let receipts: HashSet<_> =
        join_all(drivers.iter().map(send)).await.into_iter().map(|receipt| receipt.id).collect();
    assert_eq!(receipts.len(), 1);
    drivers[0].until(&id, StatusWord::Idle).await;
    // Also long after.
    assert!(receipts.contains(&send(&drivers[3]).await.id));
    assert_eq!(create(&drivers[4]).await.session.id.to_string(), id);
    let got: Vec<_> = lab.api.requests().iter().filter(|r| r.is_main()).filter_map(|r| r.prompt()).collect();
    assert_eq!(got, ["FIRST", "SECOND"]);
    drivers[0].kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_holder_is_told_and_its_conversation_goes_on(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("", [Reply::text("Heard.")])
        .on("SLEEP", [bash("touch slept && sleep 61001"), Reply::text("Slept.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let steward = tokio::spawn(steward::serve(app.engine.clone()));
    let id = driver.idle().await;
    driver.send(&id, "REMEMBER the word heron").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.send(&id, "SLEEP").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    let sleep = come("the tool's process", async || running(&lab, "sleep 61001").first().copied()).await;
    let pending = driver.send(&id, "WAIT for the tool").await.unwrap();
    assert!(!pending.state.settled(), "{pending:#?}");
    // The session's processes are recorded every other second while a turn runs.
    let tree = SessionDir::new(&lab.session_dirs()[0]).tree();
    come("the tool in the record", async || {
        std::fs::read_to_string(&tree).unwrap().contains(&format!("{{\"pid\":{sleep},")).then_some(())
    })
    .await;
    let before = driver.show(&id).await;
    let claude = i32::try_from(before.health.pid.unwrap()).unwrap();
    sigkill(i32::try_from(before.health.holder.pid.unwrap()).unwrap());
    let since = std::time::Instant::now();
    let ended = driver.until(&id, StatusWord::Ended).await;
    eprintln!("{version}: told after {:.1?}", since.elapsed());
    assert_eq!(ended.ending.as_ref().unwrap().cause, EndCause::HolderLost, "{ended:#?}");
    assert!(!alive(claude) && !alive(sleep), "claude {} sleep {}", alive(claude), alive(sleep));
    let events = journaled(&lab);
    let receipts: Vec<_> = events
        .iter()
        .filter_map(|e| if let EventData::Receipt(receipt) = &e.data { Some(receipt.clone()) } else { None })
        .collect();
    for receipt in &receipts {
        let last = receipts.iter().rfind(|of| of.id == receipt.id).unwrap();
        assert!(last.state.settled(), "{last:#?}");
    }
    let last = receipts.iter().rfind(|of| of.id == pending.id).unwrap();
    assert!(matches!(last.state, ReceiptState::Uncertain | ReceiptState::TurnEnded), "{last:#?}");
    stored(&lab).await;
    let live = driver.aegis.list_sessions(&driver.caller, ListSessions::default()).await.unwrap();
    assert!(live.sessions.is_empty());

    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        resume_session_id: Some(id.clone()),
        prompt: Some("AGAIN".into()),
        ..CreateSession::default()
    };
    let resumed = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    let session = driver.until(&resumed, StatusWord::Idle).await;
    assert_eq!(session.conversation_id, ended.conversation_id);
    let request = lab
        .api
        .wait_for("the resumed turn", |r| r.is_main() && r.prompt().is_some_and(|p| p == "AGAIN"))
        .await
        .unwrap();
    assert!(request.body.to_string().contains("the word heron"), "the model is told what was said before");
    driver.kill(&resumed).await;
    steward.abort();
}
