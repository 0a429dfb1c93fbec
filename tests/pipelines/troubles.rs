//! What pipelines do when a stage fails, takes too long or is lost, and when somebody cancels them.

use aegis::ops::Caller;
use rstest::rstest;

use super::*;
use crate::support::processes::{alive, holders, sigkill};
use crate::survival::Steward;

/// A turn that goes on until it is stopped.
fn endless() -> Value {
    json!({"on": "ENDLESS", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]})
}

async fn cancel(driver: &Driver, caller: &Caller, id: &str) -> Result<Pipeline, OpError> {
    driver.aegis.cancel_pipeline(caller, PipelineRef { pipeline_id: id.into() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_stage_skips_what_depends_on_it_only() {
    let rules = json!([{"on": "BREAK", "steps": [{"error": {"kind": "overloaded", "text": "529"}}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([
        {"name": "a", "prompt": "a", "dependsOn": []},
        {"name": "b", "prompt": "BREAK", "dependsOn": ["a"]},
        {"name": "c", "prompt": "c", "dependsOn": ["b"]},
        {"name": "d", "prompt": "d", "dependsOn": ["c"]},
        {"name": "side", "prompt": "side", "dependsOn": ["a"]},
        {"name": "end", "prompt": "end", "dependsOn": ["side"]}
    ]);
    let done = ran(&lab, &driver, steps).await;
    assert_eq!(words(&done), ["completed", "failed", "skipped", "skipped", "completed", "completed"]);
    assert_eq!((done.status, failure(&done, "b")), (PipelineStatus::Failed, FailureKind::TurnFailed));
    assert_eq!(taken(&lab), once(["a", "BREAK", "side", "end"]));
    // Only the one that failed is kept for a look.
    let kept = session(&done, "b");
    assert_eq!(live(&driver).await, [kept.parse().unwrap()]);
    driver.kill(&kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_takes_too_long_is_stopped_and_kept() {
    let lab = Lab::fake(json!({"rules": [endless()]})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let done = ran(&lab, &driver, json!([{"prompt": "ENDLESS", "timeoutMs": 1500}, {"prompt": "x"}])).await;
    assert_eq!((words(&done), failure(&done, "step-1")), (vec!["failed", "skipped"], FailureKind::TimedOut));
    let state = &stage(&done, "step-1").state;
    let took = state.ended_at().unwrap().millis_since(state.started_at().unwrap());
    assert!((1500..10_000).contains(&took), "{took} ms");
    let id = session(&done, "step-1");
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_fails_its_stage() {
    let lab = Lab::fake(json!({"rules": [endless()]})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let created =
        create(&driver, asked(&lab, json!([{"prompt": "ENDLESS"}, {"prompt": "x"}]))).await.unwrap();
    let id = created.id.to_string();
    let running = until(&driver, &id, "the turn", |pipeline| {
        stage(pipeline, "step-1").session_status == Some(StatusWord::Working)
    })
    .await;
    driver.screen(&session(&running, "step-1"), "● Now.").await;
    sigkill(holders(&lab)[0]);
    let done = over(&driver, &id).await;
    assert_eq!(
        (words(&done), failure(&done, "step-1")),
        (vec!["failed", "skipped"], FailureKind::SessionEnded)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_turn_fails_its_stage() {
    let lab = Lab::fake(json!({"rules": [endless()]})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let created = create(&driver, asked(&lab, json!([{"prompt": "ENDLESS"}]))).await.unwrap();
    let id = created.id.to_string();
    let running = until(&driver, &id, "the turn", |pipeline| {
        stage(pipeline, "step-1").session_status == Some(StatusWord::Working)
    })
    .await;
    let session = session(&running, "step-1");
    driver.screen(&session, "● Now.").await;
    let req = aegis::ops::SessionRef { session_id: session.clone() };
    driver.aegis.interrupt_session(&driver.caller, req).await.unwrap();
    assert_eq!(failure(&over(&driver, &id).await, "step-1"), FailureKind::Interrupted);
    driver.kill(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_cannot_start_fails_alone() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let gone = lab.root.join("gone");
    std::fs::create_dir(&gone).unwrap();
    let steps = json!([{"prompt": "x", "workDir": gone, "dependsOn": []}, {"prompt": "y", "dependsOn": []}]);
    let created = create(&driver, asked(&lab, steps)).await.unwrap();
    let other = create(&driver, asked(&lab, json!([{"prompt": "z"}]))).await.unwrap();
    std::fs::remove_dir(&gone).unwrap();
    let app = lab.app();
    let _steward = Steward::of(&app);
    let done = over(&driver, &created.id.to_string()).await;
    assert_eq!(
        (words(&done), failure(&done, "step-1")),
        (vec!["failed", "completed"], FailureKind::NotStarted)
    );
    assert_eq!(over(&driver, &other.id.to_string()).await.status, PipelineStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_nobody_runs_yet_is_cancelled_at_once() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let created = create(&driver, asked(&lab, json!([{"prompt": "x"}, {"prompt": "y"}]))).await.unwrap();
    let id = created.id.to_string();
    let cancelled = cancel(&driver, &driver.caller, &id).await.unwrap();
    assert_eq!((cancelled.status, words(&cancelled)), (PipelineStatus::Cancelled, vec!["cancelled"; 2]));
    let again = cancel(&driver, &driver.caller, &id).await.unwrap();
    assert_eq!(again, cancelled);
    let app = lab.app();
    let _steward = Steward::of(&app);
    // One that comes later is run, so the first was passed over.
    ran(&lab, &driver, json!([{"prompt": "z"}])).await;
    assert_eq!(taken(&lab), once(["z"]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_running_pipeline_is_stopped_by_whoever_cancels_it(#[values(false, true)] another_server: bool) {
    let lab = Lab::fake(json!({"rules": [endless()]})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([{"prompt": "one"}, {"prompt": "ENDLESS"}, {"prompt": "three"}]);
    let created = create(&driver, asked(&lab, steps)).await.unwrap();
    let id = created.id.to_string();
    let running = until(&driver, &id, "the turn", |pipeline| {
        stage(pipeline, "step-2").session_status == Some(StatusWord::Working)
    })
    .await;
    let other = Driver::new(&lab);
    let canceller = if another_server { &other } else { &driver };
    let inside = running.stages[1].state.session_id();
    let own = Caller { inside, ..Caller::local("mcp") };
    assert_eq!(cancel(canceller, &own, &id).await.unwrap_err().code.as_str(), "own_session");
    let cancelling = cancel(canceller, &driver.caller, &id).await.unwrap();
    assert!(matches!(cancelling.status, PipelineStatus::Cancelling | PipelineStatus::Cancelled));
    let done = over(&driver, &id).await;
    assert_eq!(
        (words(&done), done.status),
        (vec!["completed", "cancelled", "cancelled"], PipelineStatus::Cancelled)
    );
    assert_eq!(done.cancelled_by.as_deref(), Some("test"));
    assert_eq!((taken(&lab).contains_key("three"), lab.processes()), (false, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_holder_is_waited_for() {
    let rules = json!([{"on": "WAIT", "steps": [{"wait": {"file": "go"}}, {"say": "Went."}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let mut request = asked(&lab, json!([{"prompt": "WAIT"}, {"prompt": "next"}]));
    request["reuse"] = true.into();
    let id = create(&driver, request).await.unwrap().id.to_string();
    until(&driver, &id, "the turn", |pipeline| {
        stage(pipeline, "step-1").session_status == Some(StatusWord::Working)
    })
    .await;
    let holder = holders(&lab)[0];
    crate::support::processes::signal(holder, rustix::process::Signal::STOP);
    std::fs::write(lab.project.join("go"), "").unwrap();
    // Other pipelines are not held up by it.
    assert_eq!(ran(&lab, &driver, json!([{"prompt": "other"}])).await.status, PipelineStatus::Completed);
    assert!(alive(holder));
    crate::support::processes::signal(holder, rustix::process::Signal::CONT);
    assert_eq!(over(&driver, &id).await.status, PipelineStatus::Completed);
    assert_eq!(taken(&lab), once(["WAIT", "next", "other"]));
}
