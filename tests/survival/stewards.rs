//! Many servers on one state directory.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aegis::domain::StatusWord;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::processes::{come, holders};
use crate::support::records::{prompts, receipts, stored};
use crate::support::server::Server;
use crate::support::tasks::Driver;

async fn servers(lab: &Lab, count: usize) -> Vec<Server> {
    join_all((0..count).map(|_| Server::start(lab))).await
}

/// Which of them are the steward, by their own word.
async fn stewards(servers: &[Server]) -> Vec<usize> {
    let told = join_all(servers.iter().map(|server| server.call("server_health", json!({})))).await;
    let here = told.iter().enumerate().filter(|(_, health)| health["steward"] == "here");
    here.map(|(at, _)| at).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_eight_servers_have_one_steward_and_then_one_successor() {
    let lab = Lab::fake(json!({})).build().await;
    let mut all = servers(&lab, 8).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    while all.len() > 5 {
        let one = come("a steward", async || stewards(&all).await.first().copied()).await;
        assert_eq!(stewards(&all).await, [one]);
        crate::fake::taken(&driver, &id, &format!("with {}", all.len())).await;
        let steward = all.remove(one);
        steward.kill().await;
        let since = Instant::now();
        come("a successor", async || (stewards(&all).await.len() == 1).then_some(())).await;
        let took = since.elapsed();
        assert!(took < Duration::from_secs(2), "it took {took:?}");
    }
    // No event is missing that came while nobody was the steward.
    driver.kill(&id).await;
    let events = stored(&lab).await;
    assert_eq!(receipts(&events).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_servers_tell_the_same() {
    let lab = Lab::fake(json!({})).build().await;
    let all = servers(&lab, 5).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    crate::fake::taken(&driver, &id, "hello").await;
    for (tool, arguments) in [
        ("list_sessions", json!({})),
        ("get_status", json!({"sessionId": id})),
        ("get_transcript", json!({"sessionId": id})),
        ("capture_pane", json!({"sessionId": id})),
    ] {
        // The transcript's last lines may still be landing between two answers.
        come(tool, async || {
            let calls = all.iter().map(|server| server.call(tool, arguments.clone()));
            let mut answers = join_all(calls).await;
            // Memory is measured at each call.
            for answer in &mut answers {
                if let Some(rss) = answer.pointer_mut("/health/rssBytes") {
                    rss.take();
                }
            }
            answers.iter().all(|answer| *answer == answers[0]).then_some(())
        })
        .await;
    }
    driver.kill(&id).await;
    for server in &all {
        assert_eq!(server.code("send_message", json!({"sessionId": id, "text": "x"})).await, "session_ended");
    }
}

/// Each call that changes something, ten times at once from five servers.
#[tokio::test(flavor = "multi_thread")]
async fn t4_ten_equal_calls_have_one_effect() {
    let tool = json!({"tool": {"input": {"command": "touch made"}, "creates": "made"}});
    let rules = json!([
        {"on": "MAKE", "steps": [tool, {"say": "Made."}]},
        {"on": "LONG", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]}
    ]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let all = servers(&lab, 5).await;
    let driver = Driver::new(&lab);
    let ten = async |tool: &str, arguments: Value| {
        let calls = (0..10).map(|n| all[n % 5].try_call(tool, arguments.clone()));
        join_all(calls).await
    };
    let create = json!({"workDir": lab.work_dir(), "prompt": "hello", "idempotencyKey": "create"});
    let created = ten("create_session", create).await;
    let ids: HashSet<_> = created.iter().map(|told| told.as_ref().unwrap()["id"].to_string()).collect();
    let firsts: HashSet<_> =
        created.iter().map(|told| told.as_ref().unwrap()["receipt"]["id"].to_string()).collect();
    assert_eq!((ids.len(), firsts.len(), holders(&lab).len()), (1, 1, 1));
    let id = created[0].as_ref().unwrap()["id"].as_str().unwrap().to_owned();
    driver.until(&id, StatusWord::Idle).await;

    let send = json!({"sessionId": id, "text": "MAKE", "idempotencyKey": "send"});
    let sent = ten("send_message", send).await;
    let seconds: HashSet<_> = sent.iter().map(|told| told.as_ref().unwrap()["id"].to_string()).collect();
    assert_eq!(seconds.len(), 1);
    let ask = driver.ask(&id).await;
    let approved = ten("approve_permission", json!({"sessionId": id, "askId": ask.id.to_string()})).await;
    assert_eq!(approved.iter().filter(|told| told.is_ok()).count(), 1, "{approved:#?}");
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(lab.resolved_asks().len(), 1);

    driver.send(&id, "LONG").await.unwrap();
    driver.screen(&id, "● Now.").await;
    let stopped = ten("interrupt_session", json!({"sessionId": id})).await;
    assert!(stopped.iter().all(|told| told.as_ref().unwrap()["status"] == "idle"), "{stopped:#?}");
    let ended = ten("kill_session", json!({"sessionId": id})).await;
    assert!(ended.iter().all(|told| told.as_ref().unwrap()["status"] == "ended"), "{ended:#?}");
    let told: HashSet<_> = ended.iter().map(|told| told.as_ref().unwrap().to_string()).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(lab.processes().iter().filter(|(pid, _)| !all.iter().any(|s| s.pid == *pid)).count(), 0);
    let interruptions = prompts(&lab).iter().filter(|text| !text.starts_with('[')).count();
    assert_eq!(interruptions, 3, "{:?}", prompts(&lab));
}
