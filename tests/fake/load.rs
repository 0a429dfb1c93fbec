//! Much output, and many sessions.

use aegis::domain::{ErrorKind, StatusWord};
use futures_util::future::join_all;
use serde_json::json;

use super::{said, taken};
use crate::support::Lab;
use crate::support::processes::holders;
use crate::support::tasks::Driver;

/// What a holder may take while its child prints megabytes; at rest it is a fifth of that.
const HOLDER_MOST: u64 = 40 << 20;

/// Resident memory of a process, in bytes.
fn rss(pid: i32) -> u64 {
    let stat = procfs::process::Process::new(pid).and_then(|process| process.stat()).unwrap();
    stat.rss * procfs::page_size()
}

/// Twenty megabytes go by, and what comes after them is seen at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_hides_nothing() {
    let flood = json!({"flood": {"bytes": 20_000_000}});
    let lab = Lab::fake(json!({"rules": [
        {"on": "FLOOD", "steps": [flood, {"say": "Over."}]},
        {"on": "ASK", "steps": [flood, {"tool": {"input": {"command": "make"}}}, {"say": "Made."}]},
        {"on": "FAIL", "steps": [flood, {"error": {"kind": "server_error", "text": "API Error: 500"}}]}
    ]}))
    .build()
    .await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    taken(&driver, &id, "FLOOD").await;
    assert_eq!(said(&driver, &id).await, ["FLOOD", "Over."]);
    driver.send(&id, "ASK").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.send(&id, "FAIL").await.unwrap();
    let session = driver.until_any(&id, &[StatusWord::Error, StatusWord::Idle]).await;
    assert_eq!(session.error.unwrap().kind, ErrorKind::ServerError);
    let holder = holders(&lab)[0];
    assert!(rss(holder) < HOLDER_MOST, "the holder takes {} bytes", rss(holder));
    driver.kill(&id).await;
}

/// Fifty sessions at once: each idle, each answers, none takes much.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_sessions_at_once() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let ids = join_all((0..50).map(|_| driver.idle())).await;
    join_all(ids.iter().map(|id| taken(&driver, id, "hello"))).await;
    for id in &ids {
        assert_eq!(said(&driver, id).await, ["hello", "You said: hello"]);
    }
    let holding = holders(&lab);
    assert_eq!(holding.len(), ids.len());
    let fakes: Vec<i32> =
        lab.processes().into_iter().map(|(pid, _)| pid).filter(|pid| !holding.contains(pid)).collect();
    assert_eq!(fakes.len(), ids.len());
    let average = |pids: &[i32]| pids.iter().map(|pid| rss(*pid)).sum::<u64>() / pids.len() as u64;
    let (of_holders, of_fakes) = (average(&holding), average(&fakes));
    eprintln!("50 sessions: {} KiB a holder, {} KiB a stand-in", of_holders >> 10, of_fakes >> 10);
    assert!(of_holders < HOLDER_MOST && of_fakes < HOLDER_MOST);
    join_all(ids.iter().map(|id| driver.kill(id))).await;
    assert_eq!(lab.processes(), []);
}
