//! Much output, and many sessions.

use aegis::domain::StatusWord;
use aegis::ops::ListSessions;
use futures_util::future::join_all;
use procfs::process::Process;
use serde_json::json;

use super::{said, taken};
use crate::support::Lab;
use crate::support::processes::{come, holders};
use crate::support::server::Server;
use crate::support::tasks::Driver;

/// Resident memory of a process in bytes.
fn resident(pid: i32) -> u64 {
    Process::new(pid).unwrap().stat().unwrap().rss * procfs::page_size()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_changes_nothing() {
    let flood = json!({"on": "FLOOD", "steps": [{"flood": {"bytes": 20_000_000}}, {"say": "Dry again."}]});
    let lab = Lab::fake(json!({"rules": [flood]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let holder = holders(&lab)[0];
    let before = resident(holder);
    taken(&driver, &id, "FLOOD").await;
    assert_eq!(said(&driver, &id).await.last().unwrap(), "Dry again.");
    let grown = resident(holder).saturating_sub(before);
    assert!(grown < 16 << 20, "the holder grew by {grown} bytes");
    taken(&driver, &id, "after").await;
    driver.kill(&id).await;
}

/// Descriptors, threads and resident KiB of a process.
fn held(pid: i32) -> (usize, usize, u64) {
    let count = |what| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    (count("fd"), count("task"), resident(pid) >> 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn t16_fifty_sessions_cost_a_server_nothing_more_with_time() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.extend(join_all((0..5).map(|_| driver.idle())).await);
    }
    let req = ListSessions { status: Some(StatusWord::Idle), ..ListSessions::default() };
    let listed = driver.aegis.list_sessions(&driver.caller, req).await.unwrap();
    assert_eq!(listed.sessions.len(), 50);
    for id in &ids[..5] {
        taken(&driver, id, "hello").await;
    }
    let server = Server::start(&lab).await;
    let work = async |rounds: usize| {
        for _ in 0..rounds {
            server.call("list_sessions", json!({})).await;
            let wait = json!({"until": ["ended"], "timeoutMs": 1});
            assert_eq!(server.call("wait_for_session", wait).await["timedOut"], true);
            server.call("get_transcript", json!({"sessionId": ids[0]})).await;
        }
    };
    work(5).await;
    let before = held(server.pid);
    work(15).await;
    let after = come("the descriptors of the last wait back", async || {
        let after = held(server.pid);
        (after.0 <= before.0).then_some(after)
    })
    .await;
    // Threads for what may block come and go, a few at a time.
    assert!(after.1 <= before.1.max(16) && after.2 < before.2 + 4096, "{before:?} became {after:?}");
    server.kill().await;
    join_all(ids.iter().map(|id| driver.kill(id))).await;
    assert_eq!(lab.processes(), []);
}
