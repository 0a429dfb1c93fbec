//! Taking an idle session instead of starting one.

use std::collections::HashSet;

use aegis::domain::StatusWord;
use aegis::ops::{CreateSession, SessionCreated};
use aegis::rehearsal::{Reply, Script};
use futures_util::future::join_all;

use crate::support::Lab;
use crate::support::tasks::Driver;

async fn create(driver: &Driver, prompt: Option<&str>, model: Option<&str>) -> SessionCreated {
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        prompt: prompt.map(str::to_owned),
        model: model.map(str::to_owned),
        ..CreateSession::default()
    };
    driver.aegis.create_session(&driver.caller, req).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_taken_by_one_creator_only() {
    let lab = Lab::new("2.1.330", Script::new().on("", [Reply::text("Heard.")])).await;
    let drivers: Vec<_> = (0..6).map(|_| Driver::new(&lab)).collect();
    let driver = &drivers[0];
    let first = driver.idle().await;
    let second = driver.idle().await;
    let mut other = driver.clone();
    let link = lab.root.join("link");
    std::os::unix::fs::symlink(&lab.project, &link).unwrap();
    other.work_dir = link.to_str().unwrap().into();
    // Other settings are another session.
    assert!(!create(driver, None, Some("claude-other")).await.reused);

    let created = join_all(drivers.iter().map(|driver| create(driver, Some("WORK"), None))).await;
    let ids: HashSet<_> = created.iter().map(|created| created.session.id).collect();
    assert_eq!(ids.len(), created.len(), "two creators got the same session");
    let reused: HashSet<_> = created
        .iter()
        .filter(|created| created.reused)
        .map(|created| created.session.id.to_string())
        .collect();
    assert_eq!(reused, HashSet::from([first.clone(), second]));
    for created in &created {
        driver.until(&created.session.id.to_string(), StatusWord::Idle).await;
    }
    let got =
        lab.api.requests().iter().filter(|r| r.is_main() && r.prompt().as_deref() == Some("WORK")).count();
    assert_eq!(got, created.len());
    // Through another path to the same directory.
    assert!(create(&other, Some("AGAIN"), None).await.reused);
    let live = driver.aegis.list_sessions(&driver.caller, Default::default()).await.unwrap().sessions;
    for session in live {
        driver.kill(&session.id.to_string()).await;
    }
}
