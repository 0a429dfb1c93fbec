//! Starting: slowly, and with questions.

use aegis::domain::{AskKind, EndCause, ReceiptState, StatusWord};
use rstest::rstest;
use serde_json::json;

use super::{said, settled};
use crate::support::Lab;
use crate::support::tasks::Driver;

/// A prompt that is sent before Claude Code takes any waits, and arrives once.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t2_a_slow_start_keeps_the_prompt(#[values(true, false)] as_argument: bool) {
    let lab = Lab::fake(json!({"startDelayMs": 4000, "swallowEnter": {"count": 1}})).build().await;
    let driver = Driver::new(&lab);
    let created = driver.create(as_argument.then_some("hello")).await;
    let id = created.session.id.to_string();
    assert_eq!(driver.show(&id).await.session.status, StatusWord::Starting);
    let receipt = match created.receipt {
        Some(receipt) => receipt,
        None => driver.send(&id, "hello").await.unwrap(),
    };
    let receipt = settled(&driver, &id, receipt.id).await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded, "{receipt:#?}");
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(said(&driver, &id).await, ["hello", "You said: hello"]);
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn trust_is_asked_for(#[values(true, false)] given: bool) {
    let lab = Lab::fake(json!({"trustDialog": true})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.create(Some("hello")).await.session.id.to_string();
    assert_eq!(driver.ask(&id).await.kind, AskKind::Trust);
    if given {
        driver.approve(&id, None).await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
        assert_eq!(said(&driver, &id).await, ["hello", "You said: hello"]);
        driver.kill(&id).await;
    } else {
        driver.reject(&id, "no").await.unwrap();
        let ending = driver.until(&id, StatusWord::Ended).await.ending.unwrap();
        assert_eq!((ending.cause, ending.exit_code), (EndCause::Exited, Some(1)));
    }
}

/// Without its live file the screen has to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_live_file_works() {
    let lab = Lab::fake(json!({"liveFile": false})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    super::taken(&driver, &id, "hello").await;
    driver.kill(&id).await;
}
