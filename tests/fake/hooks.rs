//! Hooks that come late, twice, in the wrong order or never: the state converges, and nothing is told twice.

use aegis::domain::{AskVia, ReceiptState, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use super::{said, settled, taken};
use crate::support::Lab;
use crate::support::tasks::Driver;

/// All that was said, without the tools' calls and results.
const SPOKEN: [&str; 4] = ["one", "You said: one", "two", "You said: two"];

#[rstest]
#[case::all_twice(json!({"UserPromptSubmit": {"times": 2}, "Stop": {"times": 2}, "SessionStart": {"times": 2}}))]
#[case::start_never(json!({"SessionStart": {"times": 0}}))]
#[case::start_late(json!({"SessionStart": {"delayMs": 2000}}))]
#[case::prompt_never(json!({"UserPromptSubmit": {"times": 0}}))]
#[case::stop_never(json!({"Stop": {"times": 0}}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_prompts(#[case] hooks: Value) {
    let lab = Lab::fake(json!({"hooks": hooks})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for text in ["one", "two"] {
        let receipt = driver.send(&id, text).await.unwrap();
        let receipt = settled(&driver, &id, receipt.id).await;
        assert_eq!(receipt.state, ReceiptState::TurnEnded, "{receipt:#?}");
        driver.until(&id, StatusWord::Idle).await;
    }
    assert_eq!(said(&driver, &id).await, SPOKEN);
    driver.kill(&id).await;
}

fn touch() -> Value {
    json!({"tool": {"input": {"command": "touch made", "description": "Make a file"}, "creates": "made"}})
}

#[rstest]
#[case::end_twice(json!({"PostToolUse": {"times": 2}}))]
#[case::end_never(json!({"PostToolUse": {"times": 0}}))]
#[case::end_late(json!({"PostToolUse": {"delayMs": 1500}}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_permissions(#[case] hooks: Value) {
    let rule = json!({"on": "MAKE", "steps": [touch(), {"say": "Made."}]});
    let lab = Lab::fake(json!({"hooks": hooks, "rules": [rule]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    driver.until(&id, StatusWord::PermissionPrompt).await;
    for ask in driver.show(&id).await.session.open_asks {
        driver.approve(&id, Some(ask.id.to_string())).await.unwrap();
    }
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    assert!(driver.show(&id).await.session.open_asks.is_empty());
    taken(&driver, &id, "after").await;
    driver.kill(&id).await;
}

/// Without its hook the dialog is all there is, and it is answered by keys.
#[tokio::test(flavor = "multi_thread")]
async fn t5_a_permission_whose_hook_never_comes() {
    let rule = json!({"on": "MAKE", "steps": [touch(), {"say": "Made."}]});
    let lab = Lab::fake(json!({"hooks": {"PermissionRequest": {"times": 0}}, "rules": [rule]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.via, AskVia::Screen, "{ask:#?}");
    driver.approve(&id, Some(ask.id.to_string())).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    driver.kill(&id).await;
}
