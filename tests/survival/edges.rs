//! Clients that wait with a cursor, drop the call at any moment and come back: each sees every edge once.

use std::collections::BTreeMap;
use std::time::Duration;

use aegis::domain::{Event, EventData, SessionId, StatusWord};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::kills::Random;
use crate::support::records::journals;
use crate::support::server::Server;
use crate::support::tasks::Driver;
use crate::support::{Lab, events};

/// Status changes in all, at least.
const EDGES: usize = 200;

const SESSIONS: usize = 4;

const CLIENTS: u64 = 3;

/// An edge as client and journal tell it: the event's number and the new status.
type Edge = (u64, String);

fn script() -> Value {
    let write =
        |name: &str| json!({"tool": {"name": "Write", "input": {"file_path": name}, "creates": name}});
    let questions = json!([{"question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]}]);
    let choose = json!({"tool": {"name": "AskUserQuestion", "input": {"questions": questions}}});
    json!({"rules": [
        {"on": "WRITE", "steps": [write("one"), {"say": "Half."}, write("two"), {"say": "Whole."}]},
        {"on": "CHOOSE", "steps": [choose, {"say": "Chosen."}]},
        {"on": "FAIL", "steps": [{"error": {"kind": "server_error", "text": "API Error: 500"}}]},
        {"on": "TALK", "steps": (0..1200).map(|n| json!({"say": format!("Word {n}.")})).collect::<Vec<_>>()},
    ]})
}

/// The status changes of a session behind event `after`, as its journal has them.
fn journaled(journals: &[Vec<Event>], id: &str, after: u64) -> Vec<Edge> {
    let id: SessionId = id.parse().unwrap();
    let ours = journals.iter().find(|events| events[0].session_id == id).unwrap();
    let edges = ours.iter().filter_map(|event| match &event.data {
        EventData::Status { report, .. } => Some((event.seq, report.status.word().as_str().to_owned())),
        _ => None,
    });
    edges.filter(|(seq, _)| *seq > after).collect()
}

/// Adds the edges of an answer to those seen, by session and in the order of telling.
fn gather(waited: &Value, seen: &mut BTreeMap<String, Vec<Edge>>) {
    for woke in waited["woke"].as_array().unwrap() {
        let earlier = woke["earlier"].as_array().into_iter().flatten();
        let events = earlier.chain(woke.get("event"));
        assert!(woke.get("event").is_some(), "an edge without its event: {woke:#}");
        for event in events {
            assert_ne!(event["type"], "gap", "{event}");
            if event["type"] == "status" {
                let edge = (event["seq"].as_u64().unwrap(), event["data"]["status"].as_str().unwrap().into());
                seen.entry(event["sessionId"].as_str().unwrap().into()).or_default().push(edge);
            }
        }
    }
}

/// One client: waits, and in four of five waits is gone at a moment at which the answer may be there or not.
async fn watch_all(
    lab: &Lab,
    ids: &[String],
    seed: u64,
    ready: watch::Sender<u64>,
    over: watch::Receiver<bool>,
) -> (BTreeMap<String, Vec<Edge>>, [usize; 3]) {
    let mut dice = Random(seed);
    let mut server = Server::start(lab).await;
    let mut wait = json!({"sessionIds": ids, "until": StatusWord::ALL, "timeoutMs": 50});
    let first = server.call("wait_for_session", wait.clone()).await;
    assert_eq!(first["woke"].as_array().unwrap().len(), ids.len(), "{first:#}");
    wait["cursor"] = first["cursor"].clone();
    ready.send_modify(|ready| *ready += 1);
    let mut seen = BTreeMap::new();
    let mut ways = [0; 3];
    loop {
        let last = *over.borrow();
        wait["timeoutMs"] = json!(if last { 500 } else { 5000 });
        let (call, answer) = server.open("wait_for_session", wait.clone()).await;
        let way = if last { 0 } else { [0, 1, 1, 1, 2][dice.below(5)] };
        let patience = if way == 0 { 60_000 } else { dice.below(40) as u64 };
        let answer = timeout(Duration::from_millis(patience), answer).await;
        if let Ok(answer) = answer {
            let waited = &answer.unwrap()["result"]["structuredContent"];
            ways[0] += 1;
            if waited["timedOut"] == true && last {
                return (seen, ways);
            }
            gather(waited, &mut seen);
            wait["cursor"] = waited["cursor"].clone();
            continue;
        }
        ways[way] += 1;
        match way {
            1 => server.cancel(call).await,
            2 => {
                server.kill().await;
                server = Server::start(lab).await;
            }
            _ => panic!("no answer to {wait}"),
        }
    }
}

/// Keeps one session busy with anything until it has changed its status so often.
async fn drive(driver: &Driver, id: &str, lab: &Lab, seed: u64, edges: usize) {
    let mut dice = Random(seed);
    while journaled(&journals(lab), id, 0).len() < edges {
        match dice.below(4) {
            0 => drop(driver.send(id, "hello").await.unwrap()),
            1 => drop(driver.send(id, "FAIL").await.unwrap()),
            2 => {
                driver.send(id, "CHOOSE").await.unwrap();
                driver.ask(id).await;
                driver.send(id, "Blue").await.unwrap();
            }
            _ => {
                driver.send(id, "WRITE").await.unwrap();
                driver.ask(id).await;
                driver.approve(id, None).await.unwrap();
                driver.ask(id).await;
                if dice.below(2) == 0 {
                    driver.approve(id, None).await.unwrap();
                } else {
                    driver.reject(id, "no").await.unwrap();
                }
            }
        }
        driver.until_any(id, &[StatusWord::Idle, StatusWord::Error]).await;
    }
    // The end is an edge too.
    driver.kill(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edge_is_seen_once_by_each_of_three_clients_that_come_and_go() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let mut ids = Vec::new();
    for _ in 0..SESSIONS {
        ids.push(driver.idle().await);
    }
    let quiet = journals(&lab);
    let last = |id: &str| {
        let ours = quiet.iter().find(|events| events[0].session_id.to_string() == id).unwrap();
        ours.last().unwrap().seq
    };
    let (ready, mut readies) = watch::channel(0);
    let (tell, over) = watch::channel(false);
    let seed = std::env::var("EDGES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let clients = (0..CLIENTS).map(|n| watch_all(&lab, &ids, seed + n, ready.clone(), over.clone()));
    let driving = async {
        readies.wait_for(|ready| *ready == CLIENTS).await.unwrap();
        let each = ids.iter().zip(100..);
        join_all(each.map(|(id, n)| drive(&driver, id, &lab, seed + n, EDGES / SESSIONS + 8))).await;
        tell.send(true).unwrap();
    };
    let (clients, ()) = tokio::join!(join_all(clients), driving);
    events::journaled(&lab);
    let journals = journals(&lab);
    let expected: BTreeMap<_, _> =
        ids.iter().map(|id| (id.clone(), journaled(&journals, id, last(id)))).collect();
    let edges: usize = expected.values().map(Vec::len).sum();
    assert!(edges >= EDGES, "{edges} status changes");
    for (seen, [answered, cancelled, reconnected]) in clients {
        eprintln!("{edges} edges; {answered} answers, {cancelled} cancelled, {reconnected} reconnected");
        assert!(cancelled > 3 && reconnected > 1, "the client stayed");
        assert_eq!(seen, expected, "seed {seed}");
    }
}

/// More happens than a holder keeps in memory or a connection takes at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_away_for_long_misses_nothing() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let server = Server::start(&lab).await;
    let mut wait = json!({"sessionIds": [id], "until": StatusWord::ALL, "timeoutMs": 50});
    wait["cursor"] = server.call("wait_for_session", wait.clone()).await["cursor"].clone();
    let since = journals(&lab)[0].last().unwrap().seq;
    for _ in 0..2 {
        driver.send(&id, "CHOOSE").await.unwrap();
        driver.ask(&id).await;
        driver.send(&id, "Red").await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
    }
    driver.send(&id, "TALK").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    let expected = journaled(&journals(&lab), &id, since);
    assert!(journals(&lab)[0].len() > 1200);
    let mut seen = BTreeMap::new();
    let waited = server.call("wait_for_session", wait.clone()).await;
    gather(&waited, &mut seen);
    assert_eq!(seen.remove(&id).unwrap(), expected, "all of them in one answer");
    let after = json!({"sessionIds": [id], "cursor": waited["cursor"], "timeoutMs": 1});
    assert_eq!(server.call("wait_for_session", after).await["timedOut"], true);

    // One that has ended meanwhile is told to its end, once.
    driver.kill(&id).await;
    let expected = journaled(&journals(&lab), &id, since);
    let waited = server.call("wait_for_session", wait.clone()).await;
    gather(&waited, &mut seen);
    assert_eq!(seen.remove(&id).unwrap(), expected);
    assert_eq!(waited["woke"][0]["session"]["status"], "ended");
    wait["cursor"] = waited["cursor"].clone();
    assert_eq!(server.call("wait_for_session", wait).await["timedOut"], true);
}
