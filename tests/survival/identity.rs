//! Who a process is. A number alone says nothing: the system gives it to another process later.

use std::process::{Child, Command};

use aegis::domain::{EndCause, StatusWord};
use aegis::holder::process::ProcessId;
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::processes::{alive, come, holders, sigkill};
use crate::support::tasks::Driver;

/// Somebody else's process, which has got a number that one of ours had.
struct Bystander(Child);

impl Bystander {
    fn start() -> Self {
        Self(Command::new("sleep").arg("3600").spawn().unwrap())
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn set(lab: &Lab, what: &str) {
    let database = rusqlite::Connection::open(lab.root.join("state/aegis.db")).unwrap();
    assert_eq!(database.execute(&format!("UPDATE sessions SET {what}"), []).unwrap(), 1);
}

/// The holder was killed, and its number, or that of something the session started, belongs to somebody else now.
#[rstest]
#[case::of_the_holder(true)]
#[case::of_what_it_started(false)]
#[tokio::test(flavor = "multi_thread")]
async fn t10_a_number_that_is_used_again(#[case] holders_own: bool) {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let claude = i32::try_from(driver.show(&id).await.health.pid.unwrap()).unwrap();
    let mut bystander = Bystander::start();
    let other = ProcessId::of(bystander.0.id()).unwrap();
    sigkill(holders(&lab)[0]);
    if holders_own {
        set(&lab, &format!("holder_pid = {}, holder_start = {}", other.pid, other.start - 1));
    } else {
        let path = lab.session_dirs()[0].join("tree.json");
        let mut tree: Vec<ProcessId> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        tree.push(ProcessId { start: other.start - 1, ..other });
        std::fs::write(&path, serde_json::to_vec(&tree).unwrap()).unwrap();
    }
    let ended = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(ended.ending.unwrap().cause, EndCause::HolderLost);
    assert!(!alive(claude));
    assert!(bystander.lives());
}

/// Records of an earlier boot name no process of this one, however well the numbers fit.
#[tokio::test(flavor = "multi_thread")]
async fn t10_another_boot() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let mut bystander = Bystander::start();
    sigkill(holders(&lab)[0]);
    come("the end of all that the session had", async || lab.processes().is_empty().then_some(())).await;
    set(&lab, "boot_id = 'another'");
    let fits = ProcessId::of(bystander.0.id()).unwrap();
    std::fs::write(lab.session_dirs()[0].join("tree.json"), serde_json::to_vec(&[fits]).unwrap()).unwrap();
    driver.until(&id, StatusWord::Ended).await;
    assert!(bystander.lives());
}
