//! Server and holder are killed at each named point of a prompt's way.

use std::time::{Duration, Instant};

use aegis::domain::{EndCause, EventData, ReceiptState, StatusWord};
use aegis::ops::CreateSession;
use rstest::rstest;
use serde_json::json;

use super::Steward;
use crate::support::Lab;
use crate::support::faults::Faults;
use crate::support::processes::{alive, holders, sigkill};
use crate::support::records::{journaled, prompts, receipts, stored};
use crate::support::server::{NoAnswer, Server};
use crate::support::tasks::Driver;

/// The server is killed while the holder stands at the point. The receipt goes on to its end, the prompt stands in the
/// transcript once, and whoever asks again with the same key is told the same.
#[rstest]
#[case::before_it_is_asked("server.send", "server")]
#[case::before_it_answers("server.sent", "server")]
#[case::queued("holder.queued", "holder")]
#[case::written("holder.written", "holder")]
#[case::entered("holder.entered", "holder")]
#[case::submitted("holder.submitted", "holder")]
#[case::turn_ended("holder.turn_ended", "holder")]
#[tokio::test(flavor = "multi_thread")]
async fn t3_the_server_is_killed(#[case] point: &str, #[case] stands: &str) {
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let id = driver.idle().await;
    let prompt = json!({"sessionId": id, "text": "hello", "idempotencyKey": "once"});
    let server = Server::start(&lab).await;
    if stands == "server" {
        faults.kill_at(point);
        server.begin("send_message", prompt.clone()).await;
        assert_eq!(faults.killed(point).await, server.pid);
        server.gone().await;
    } else {
        faults.pause_at(point);
        server.begin("send_message", prompt.clone()).await;
        faults.paused(point).await;
        server.kill().await;
        faults.go_on(point);
    }
    let next = Server::start(&lab).await;
    let told = next.call("send_message", prompt).await;
    driver.until(&id, StatusWord::Idle).await;
    let receipt = crate::fake::settled(&driver, &id, told["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded, "{receipt:#?}");
    driver.kill(&id).await;
    assert_eq!(prompts(&lab), ["hello"]);
    let events = stored(&lab).await;
    assert_eq!(receipts(&events), [receipt]);
    let mut steps: Vec<_> = events
        .iter()
        .filter_map(
            |event| if let EventData::Receipt(receipt) = &event.data { Some(receipt.state) } else { None },
        )
        .collect();
    let told = steps.len();
    steps.dedup();
    assert_eq!((steps.len(), told), (4, 4), "each step once");
}

/// The holder is killed. That is told within two seconds, with the cause; nothing of the session runs on; what became
/// of the prompt is told as far as anybody can know; and the conversation goes on in another session.
#[rstest]
#[case::queued("holder.queued", &[ReceiptState::Refused])]
#[case::written("holder.written", &[ReceiptState::Uncertain])]
#[case::entered("holder.entered", &[ReceiptState::Uncertain])]
#[case::submitted("holder.submitted", &[ReceiptState::TurnEnded])]
#[case::turn_ended("holder.turn_ended", &[ReceiptState::TurnEnded])]
#[tokio::test(flavor = "multi_thread")]
async fn t3_the_holder_is_killed(#[case] point: &str, #[case] ends_as: &[ReceiptState]) {
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let id = driver.idle().await;
    crate::fake::taken(&driver, &id, "before").await;
    let claude = i32::try_from(driver.show(&id).await.health.pid.unwrap()).unwrap();
    faults.pause_at(point);
    let sent = tokio::spawn({
        let (driver, id) = (driver.clone(), id.clone());
        async move { driver.send(&id, "hello").await }
    });
    let holder = faults.paused(point).await;
    let since = Instant::now();
    sigkill(holder);
    let ended = driver.until(&id, StatusWord::Ended).await;
    assert!(since.elapsed() < Duration::from_secs(2), "told after {:?}", since.elapsed());
    assert_eq!(ended.ending.unwrap().cause, EndCause::HolderLost);
    assert!(!alive(claude));
    assert_eq!(lab.processes(), []);
    let _ = sent.await.unwrap();
    let last = receipts(&journaled(&lab)).pop().unwrap();
    assert!(ends_as.contains(&last.state), "{last:#?}");
    let told = prompts(&lab).iter().filter(|text| *text == "hello").count();
    assert!(told <= 1 && (told == 0 || last.state != ReceiptState::Refused), "{told}: {last:#?}");
    stored(&lab).await;

    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        resume_session_id: Some(id),
        ..CreateSession::default()
    };
    let resumed = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    driver.until(&resumed, StatusWord::Idle).await;
    crate::fake::taken(&driver, &resumed, "after").await;
    assert_eq!(driver.show(&resumed).await.session.conversation_id, ended.conversation_id);
    assert_eq!(crate::fake::said(&driver, &resumed).await.last().unwrap(), "You said: after");
    driver.kill(&resumed).await;
}

/// The server is killed while it starts a session. What it began is there or is not; nothing is half there, and the
/// same key gives one session with the prompt once.
#[rstest]
#[case::before_the_holder("server.create.row")]
#[case::after_the_holder("server.create.holder")]
#[tokio::test(flavor = "multi_thread")]
async fn t3_the_server_is_killed_while_it_creates(#[case] point: &str) {
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let create = json!({"workDir": lab.work_dir(), "prompt": "hello", "idempotencyKey": "once"});
    let server = Server::start(&lab).await;
    faults.kill_at(point);
    assert!(matches!(server.try_call("create_session", create.clone()).await, Err(NoAnswer::Died)));
    assert_eq!(faults.killed(point).await, server.pid);
    let next = Server::start(&lab).await;
    let created = next.call("create_session", create.clone()).await;
    let id = created["id"].as_str().unwrap().to_owned();
    let driver = Driver::new(&lab);
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(next.call("create_session", create).await["id"], id.as_str());
    assert_eq!(holders(&lab).len(), 1);
    let listed = next.call("list_sessions", json!({})).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
    driver.kill(&id).await;
    assert_eq!(prompts(&lab), ["hello"]);
}
