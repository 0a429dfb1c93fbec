//! Many sessions in one call.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aegis::domain::StatusWord;
use aegis::ops::{BatchCreateSessions, BatchItem, CreateSession};
use futures_util::future::join_all;
use serde_json::json;

use super::said;
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::server::Server;
use crate::support::tasks::Driver;

/// Fifty at once, every tenth of them wrong; each of the others is a session of its own and gets its own prompt.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_sessions_come_up_in_order_and_what_is_wrong_is_told() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let one = |n: usize| {
        let mut one = CreateSession { work_dir: driver.work_dir.clone(), ..CreateSession::default() };
        one.prompt = Some(format!("work {n}"));
        match n % 50 {
            9 => one.work_dir = "/none/such".into(),
            19 => one.prompt = Some(" ".into()),
            29 => one.memory_keys = Some(vec!["no/key".into()]),
            39 => one.template_id = Some("none".into()),
            49 => one.name = Some("\u{7}".into()),
            _ => one.name = Some(format!("worker-{n}")),
        }
        BatchItem(one)
    };
    let began = Instant::now();
    let req = BatchCreateSessions { sessions: (0..50).map(one).collect() };
    let told = driver.aegis.batch_create_sessions(&driver.caller, req).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(50), "answered after {:?}", began.elapsed());
    assert_eq!((told.created, told.failed, told.results.len()), (45, 5, 50));
    let codes: Vec<_> = told
        .results
        .iter()
        .enumerate()
        .filter_map(|(n, result)| Some((n, result.error.as_ref()?.code.as_str())))
        .collect();
    let expected = [
        (9, "work_dir_refused"),
        (19, "prompt_refused"),
        (29, "no_such_key"),
        (39, "no_such_template"),
        (49, "invalid_argument"),
    ];
    assert_eq!(codes, expected);
    let sessions: Vec<_> = told
        .results
        .iter()
        .enumerate()
        .filter_map(|(n, result)| Some((n, result.session.as_ref()?)))
        .collect();
    let ids: BTreeSet<_> = sessions.iter().map(|(_, created)| created.session.id).collect();
    assert_eq!(ids.len(), 45, "two of them are one session");
    let check = async |n: usize, created: &aegis::ops::SessionCreated| {
        assert_eq!(created.session.name, format!("worker-{n}"));
        let id = created.session.id.to_string();
        driver.until(&id, StatusWord::Idle).await;
        assert_eq!(said(&driver, &id).await, [format!("work {n}"), format!("You said: work {n}")]);
        driver.kill(&id).await;
    };
    join_all(sessions.iter().map(|(n, created)| check(*n, created))).await;
    assert_eq!(lab.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_keeps_its_key_and_only_takes_an_idle_session_if_it_says_so() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let idle = driver.idle().await;
    let server = Server::start(&lab).await;
    let dir = lab.work_dir();
    let sessions = json!({"sessions": [
        {"workDir": dir, "idempotencyKey": "one"},
        {"workDir": dir},
        {"workDir": dir, "reuse": true, "prompt": "taken"},
    ]});
    let told = server.call("batch_create_sessions", sessions.clone()).await;
    let session = |n: usize| told["results"][n]["session"].clone();
    let reused: Vec<_> = (0..3).map(|n| session(n)["reused"].as_bool().unwrap()).collect();
    assert_eq!(reused, [false, false, true], "{told:#}");
    assert_eq!(session(2)["id"], json!(idle));
    let again = server.call("batch_create_sessions", json!({"sessions": [sessions["sessions"][0]]})).await;
    assert_eq!(again["results"][0]["session"]["id"], session(0)["id"]);
    for n in 0..3 {
        server.call("kill_session", json!({"sessionId": session(n)["id"]})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_read_from_a_file() {
    let lab = Lab::fake(json!({})).build().await;
    let file = lab.project.join("batch.json");
    let sessions =
        json!({"sessions": [{"workDir": lab.work_dir(), "name": "one"}, {"workDir": "/none/such"}]});
    std::fs::write(&file, sessions.to_string()).unwrap();
    let told = cli(&lab, &["batch", file.to_str().unwrap()]).await.exits(1).stdout;
    assert!(told.contains("one") && told.contains("work_dir_refused") && told.lines().count() == 2, "{told}");
    cli(&lab, &["kill", "one"]).await.exits(0);
    std::fs::write(&file, r#"{"sessions": [{"workdir": "/"}]}"#).unwrap();
    let wrong = cli(&lab, &["batch", file.to_str().unwrap(), "--json"]).await.exits(1).fault();
    assert_eq!(wrong["code"], "invalid_argument", "{wrong}");
    assert_eq!(lab.processes(), []);
}
