//! The program dies at every point of its life: the end is told with its cause, and no receipt stays open.

use aegis::domain::{EndCause, EventData, ReceiptState, StatusWord};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

#[rstest]
#[case::start("start")]
#[case::ready("ready")]
#[case::typed("typed")]
#[case::entered("entered")]
#[case::asked("asked")]
#[case::stopping("stopping")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_told_and_leaves_nothing_open(#[case] at: &str) {
    let tool = json!({"tool": {"input": {"command": "touch made"}, "creates": "made"}});
    let rule = json!({"on": "MAKE", "steps": [tool, {"say": "Made."}]});
    let moment = json!({"at": at, "steps": [{"crash": {"signal": 9}}]});
    let lab = Lab::fake(json!({"rules": [rule], "moments": [moment]})).build().await;
    let driver = Driver::new(&lab);
    let created = driver.create(None).await;
    let id = created.session.id.to_string();
    if !matches!(at, "start" | "ready") {
        driver.until(&id, StatusWord::Idle).await;
        let _ = driver.send(&id, if at == "asked" { "MAKE" } else { "hello" }).await;
    }
    let ended = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(ended.ending.unwrap().cause, EndCause::Signaled);
    assert!(ended.open_asks.is_empty());
    let mut receipts = lab.events().into_iter().filter_map(|event| match event.data {
        EventData::Receipt(receipt) => Some(receipt),
        _ => None,
    });
    if let Some(last) = receipts.next_back() {
        assert!(last.state.settled(), "{last:#?}");
        let typed_only = at == "typed" && last.state != ReceiptState::Uncertain;
        assert!(!typed_only, "typed and not entered, so nobody knows: {last:#?}");
    }
    assert_eq!(lab.processes(), []);
}
