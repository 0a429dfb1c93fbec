//! Disks that are full or cannot be written, files that are damaged or gone, clocks that go back, processes without
//! descriptors: what cannot be done is told with a code, what was before stays, and nothing needs mending by hand.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use aegis::domain::{ReceiptState, StatusWord};
use aegis::ops::WaitForSession;
use rstest::rstest;
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::fake::{said, settled, taken};
use crate::support::Lab;
use crate::support::faults::Faults;
use crate::support::processes::{come, holders, sigkill};
use crate::support::records::{journaled, journals, prompts, receipts};
use crate::support::server::Server;
use crate::support::tasks::Driver;

/// The journal cannot be written: prompts are refused, what goes on goes on, and all of it is written down when there is
/// room again.
#[rstest]
#[case::full(Errno::NOSPC)]
#[case::read_only(Errno::ROFS)]
#[case::broken(Errno::IO)]
#[tokio::test(flavor = "multi_thread")]
async fn t17_a_journal_that_cannot_be_written(#[case] error: Errno) {
    let script = json!({"rules": [{"on": "LONG", "steps": [{"wait": {"file": "go"}}, {"say": "Done."}]}]});
    let (lab, faults) = Faults::in_lab(Lab::fake(script).build().await);
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let running = driver.send(&id, "LONG").await.unwrap();
    let before = journaled(&lab);
    faults.fail("journal.write", error);
    let refused = driver.send(&id, "refused").await.unwrap_err();
    assert_eq!(refused.code.as_str(), "storage_failed");
    assert!(refused.message.contains("journal"), "{}", refused.message);
    // The turn goes on, and its end is told.
    std::fs::write(lab.project.join("go"), "").unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(said(&driver, &id).await.last().unwrap(), "Done.");
    assert_eq!(journaled(&lab), before, "what was written stays as it was");
    faults.mend("journal.write");
    let receipt = come("the end of the turn in the journal", async || {
        let receipts = receipts(&journaled(&lab));
        receipts.into_iter().find(|receipt| receipt.id == running.id && receipt.state.settled())
    })
    .await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded);
    taken(&driver, &id, "after").await;
    driver.kill(&id).await;
    assert_eq!(prompts(&lab), ["LONG", "after"]);
    assert_eq!(journaled(&lab)[..before.len()], before);
}

/// A torn last line, or a line that cannot be read: everything else is told, and the hole is told as one.
#[rstest]
#[case::torn(true)]
#[case::unreadable(false)]
#[tokio::test(flavor = "multi_thread")]
async fn t17_t20_a_damaged_journal(#[case] torn: bool) {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    taken(&driver, &id, "hello").await;
    let whole = journaled(&lab);
    let path = lab.session_dirs()[0].join("journal.jsonl");
    let holder = holders(&lab)[0];
    sigkill(holder);
    if torn {
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(br#"{"epoch":"torn"#).unwrap();
    } else {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines[2] = lines[2].replace(':', "!");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let ended = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(ended.last_message.unwrap().text, "You said: hello");
    let events = aegis::holder::journal::read(&path, None, usize::MAX).unwrap();
    if torn {
        assert_eq!(events[..whole.len()], whole);
    } else {
        assert!(
            matches!(events[2].data, aegis::domain::EventData::Gap { from: 3, to: 3 }),
            "{:#?}",
            events[2]
        );
        assert_eq!(events[3..whole.len()], whole[3..]);
    }
    let resumed = json!({"workDir": lab.work_dir(), "resumeSessionId": id, "prompt": "again"});
    let server = Server::start(&lab).await;
    let resumed = server.call("create_session", resumed).await["id"].as_str().unwrap().to_owned();
    driver.until(&resumed, StatusWord::Idle).await;
    driver.kill(&resumed).await;
}

fn overwrite(path: &Path, how: &str) {
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    match how {
        "header" => file.write_all(&[0x55; 4096]).unwrap(),
        "pages" => {
            let pages = file.metadata().unwrap().len() / 4096;
            for page in 1..pages {
                file.seek(SeekFrom::Start(page * 4096)).unwrap();
                file.write_all(&[0x55; 4096]).unwrap();
            }
        }
        "empty" => file.set_len(0).unwrap(),
        "gone" => std::fs::remove_file(path).unwrap(),
        other => panic!("{other}"),
    }
}

/// The database is damaged under the feet of running servers, or before one starts. It is put aside, and a new one is
/// filled from what the sessions have.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t17_a_damaged_database(
    #[values("header", "pages", "gone", "empty")] how: &str,
    #[values(true, false)] running: bool,
) {
    if running && how == "empty" {
        // SQLite keeps others from it as long as those run who had it open; they go on with what they know.
        return;
    }
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let create =
        json!({"workDir": lab.work_dir(), "prompt": "hello", "idempotencyKey": "once", "name": "one"});
    let first = Server::start(&lab).await;
    let id = first.call("create_session", create.clone()).await["id"].as_str().unwrap().to_owned();
    driver.until(&id, StatusWord::Idle).await;
    let ended = driver.idle().await;
    driver.kill(&ended).await;
    let lost = driver.idle().await;
    let holder = i32::try_from(driver.show(&lost).await.health.holder.pid.unwrap()).unwrap();
    sigkill(holder);
    driver.until(&lost, StatusWord::Ended).await;
    let list = async |server: &Server| {
        let live = server.call("list_sessions", json!({})).await["sessions"].clone();
        let ended = server.call("list_sessions", json!({"status": "ended"})).await["sessions"].clone();
        (live, ended)
    };
    let second = Server::start(&lab).await;
    let before = list(&second).await;
    if !running {
        first.kill().await;
        second.kill().await;
    }
    let database = lab.root.join("state/aegis.db");
    // What only the log beside the file has would hide the damage.
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    overwrite(&database, how);
    let servers =
        if running { [first, second] } else { [Server::start(&lab).await, Server::start(&lab).await] };
    for server in &servers {
        let after = list(server).await;
        assert_eq!(after.0, before.0);
        for (after, before) in after.1.as_array().unwrap().iter().zip(before.1.as_array().unwrap()) {
            assert_eq!(after, before);
        }
    }
    let again = servers[0].call("create_session", create).await;
    assert_eq!(again["id"], id.as_str(), "the key is known");
    let sent = servers[1].call("send_message", json!({"sessionId": "one", "text": "after"})).await;
    driver_after(&lab, &id, &sent).await;
    let kept = std::fs::read_dir(lab.root.join("state"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("aegis.db.damaged-"));
    assert_eq!(kept.count() > 0, matches!(how, "header" | "pages"));
}

async fn driver_after(lab: &Lab, id: &str, sent: &Value) {
    let driver = Driver::new(lab);
    let receipt = settled(&driver, id, sent["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded);
    driver.until(id, StatusWord::Idle).await;
    driver.kill(id).await;
    assert_eq!(prompts(lab), ["hello", "after"]);
}

/// A cleaner of temporary files removes the socket, or its whole directory.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_socket_comes_back(#[values(true, false)] whole_directory: bool) {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let run = lab.root.join("run");
    if whole_directory {
        // The holder may be making it again just then.
        come("the directory's end", async || std::fs::remove_dir_all(&run).ok()).await;
    } else {
        let dir = std::fs::read_dir(&run).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(dir.join(&id)).unwrap();
    }
    // A server that knew it not before.
    come("the session", async || {
        let shown = Driver::new(&lab).show(&id).await;
        assert!(shown.session.status != StatusWord::Ended, "{shown:#?}");
        (shown.session.status == StatusWord::Idle).then_some(())
    })
    .await;
    taken(&Driver::new(&lab), &id, "hello").await;
    driver.kill(&id).await;
}

/// The clock is set back by an hour in the middle of everything.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set(#[values(-3_600_000, 3_600_000)] step: i64) {
    let script = json!({"rules": [{"on": "LONG", "steps": [{"wait": {"file": "go"}}, {"say": "Done."}]}]});
    let (lab, faults) = Faults::in_lab(Lab::fake(script).build().await);
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    taken(&driver, &id, "before").await;
    let wait = WaitForSession { session_ids: Some(vec![id.clone()]), ..WaitForSession::default() };
    let cursor = driver.aegis.wait_for_session(&driver.caller, wait.clone()).await.unwrap().cursor;
    driver.send(&id, "LONG").await.unwrap();
    faults.step_clock(step);
    std::fs::write(lab.project.join("go"), "").unwrap();
    let wait = WaitForSession { cursor: Some(cursor), timeout_ms: Some(40_000), ..wait };
    let woke = driver.aegis.wait_for_session(&driver.caller, wait).await.unwrap();
    assert_eq!(woke.woke[0].session.status, StatusWord::Idle, "{woke:#?}");
    taken(&driver, &id, "after").await;
    let said = said(&driver, &id).await;
    assert_eq!(said, ["before", "You said: before", "LONG", "Done.", "after", "You said: after"]);
    driver.kill(&id).await;
    assert_eq!(journals(&lab).len(), 1);
}

/// A server without descriptors tells so with a code, hangs nowhere, and is well again when it has some.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_out_of_descriptors() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let server = Server::start(&lab).await;
    server.call("list_sessions", json!({})).await;
    let pid = Pid::from_raw(server.pid);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid)).unwrap().count() as u64;
    let limit = |soft| Rlimit { current: Some(soft), maximum: Some(4096) };
    prlimit(pid, Resource::Nofile, limit(open)).unwrap();
    let create = json!({"workDir": lab.work_dir(), "reuse": false});
    let code =
        tokio::time::timeout(Duration::from_secs(5), server.code("create_session", create.clone())).await;
    assert!(["storage_failed", "launch_failed"].contains(&code.unwrap().as_str()));
    let wait = json!({"sessionIds": [id], "timeoutMs": 1000});
    let waited =
        tokio::time::timeout(Duration::from_secs(5), server.try_call("wait_for_session", wait)).await;
    waited.expect("a wait does not hang").ok();
    prlimit(pid, Resource::Nofile, limit(1024)).unwrap();
    let made = server.call("create_session", create).await["id"].as_str().unwrap().to_owned();
    let sent = server.call("send_message", json!({"sessionId": id, "text": "hello"})).await;
    settled(&driver, &id, sent["id"].as_str().unwrap().parse().unwrap()).await;
    for id in [id, made] {
        driver.until(&id, StatusWord::Idle).await;
        driver.kill(&id).await;
    }
}
