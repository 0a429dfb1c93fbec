//! Hooks that come late, twice, in the wrong order or never: the state converges, and nothing is told twice.

use aegis::domain::{How, Outcome, ReceiptState, Role, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use super::{said, settled, taken};
use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

/// All that was said, without the tools' calls and results.
const SPOKEN: [&str; 4] = ["one", "You said: one", "two", "You said: two"];

#[rstest]
#[case::all_twice(json!({"UserPromptSubmit": {"times": 2}, "Stop": {"times": 2}, "SessionStart": {"times": 2}}))]
#[case::start_never(json!({"SessionStart": {"times": 0}}))]
#[case::start_late(json!({"SessionStart": {"delayMs": 2000}}))]
#[case::prompt_never(json!({"UserPromptSubmit": {"times": 0}}))]
#[case::stop_never(json!({"Stop": {"times": 0}}))]
#[case::stop_late(json!({"Stop": {"delayMs": 1500}}))]
#[case::prompt_late(json!({"UserPromptSubmit": {"delayMs": 1000}}))]
#[case::prompt_after_stop(json!({"UserPromptSubmit": {"delayMs": 500}, "Stop": {"delayMs": 100}}))]
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
#[case::request_twice(json!({"PermissionRequest": {"times": 2}}))]
#[case::request_twice_end_never(json!({"PermissionRequest": {"times": 2}, "PostToolUse": {"times": 0}}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_permissions(#[case] hooks: Value) {
    let rule = json!({"on": "MAKE", "steps": [touch(), {"say": "Made."}]});
    let lab = Lab::fake(json!({"hooks": hooks, "rules": [rule]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    driver.until(&id, StatusWord::PermissionPrompt).await;
    let ask = driver.show(&id).await.session.open_asks[0].id;
    driver.approve(&id, Some(ask.to_string())).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    assert!(driver.show(&id).await.session.open_asks.is_empty());
    taken(&driver, &id, "after").await;
    driver.kill(&id).await;
}

/// A turn that ended by itself is completed, also where its Stop hook is long on its way, as on a busy machine, or never
/// comes: the transcript tells.
#[rstest]
#[case::late(json!({"delayMs": 3000}))]
#[case::never(json!({"times": 0}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_without_its_stop_is_not_taken_for_interrupted(#[case] stop: Value) {
    let lab = Lab::fake(json!({"hooks": {"Stop": stop}, "transcriptDelayMs": 1200})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for prompt in ["hello", "again"] {
        let receipt = driver.send(&id, prompt).await.unwrap();
        let receipt = settled(&driver, &id, receipt.id).await;
        assert_eq!(receipt.outcome, Some(Outcome::Completed), "{receipt:#?}");
        driver.until(&id, StatusWord::Idle).await;
        let answers = driver.messages(&id, Some(Role::Assistant)).await;
        assert_eq!(answers.last().unwrap().text, format!("You said: {prompt}"));
    }
    driver.kill(&id).await;
}

fn asks(hook: Value) -> Value {
    json!({"hooks": {"PermissionRequest": hook}, "rules": [{"on": "ASK", "steps": [
        {"tool": {"name": "Write", "input": {"file_path": "made.txt"}, "creates": "made.txt", "result": "ok"}},
        {"say": "Made."}
    ]}]})
}

/// However the request reaches us it is answered once, and the tool runs only then.
#[rstest]
#[case::in_time(json!({}))]
#[case::late(json!({"delayMs": 4000}))]
#[case::never(json!({"times": 0}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_a_permission_request_comes(#[case] hook: Value, #[values(true, false)] allowed: bool) {
    let lab = Lab::fake(asks(hook)).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let receipt = driver.send(&id, "ASK").await.unwrap();
    let ask = driver.ask(&id).await;
    assert!(!lab.project.join("made.txt").exists());
    let answered = if allowed { driver.approve(&id, None).await } else { driver.reject(&id, "no").await };
    answered.unwrap();
    settled(&driver, &id, receipt.id).await;
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(lab.project.join("made.txt").exists(), allowed);
    let resolved = lab.resolved_asks();
    let ours = resolved.iter().find(|other| other.id == ask.id).unwrap().resolution.clone().unwrap();
    assert_eq!((ours.by.as_str(), ours.how), ("test", if allowed { How::Approved } else { How::Rejected }));
    taken(&driver, &id, "hello").await;
    driver.kill(&id).await;
}

/// Answered at the keyboard, while the hook still waits.
#[tokio::test(flavor = "multi_thread")]
async fn t5_the_keyboard_is_first() {
    let lab = Lab::fake(asks(json!({}))).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "ASK").await.unwrap();
    driver.ask(&id).await;
    driver.screen(&id, "Do you want to create made.txt?").await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    driver.press(&terminal, b"1", &id, 0).await;
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made.txt").exists());
    let by: Vec<_> = lab.resolved_asks().into_iter().map(|ask| ask.resolution.unwrap().by).collect();
    assert_eq!(by, ["terminal"]);
    driver.kill(&id).await;
}

/// A turn that is stopped from outside tells no hook.
#[tokio::test(flavor = "multi_thread")]
async fn t5_an_interrupt_is_told_by_files_only() {
    let script = json!({"rules": [{"on": "LONG", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]}]});
    let lab = Lab::fake(script).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "LONG").await.unwrap();
    driver.screen(&id, "● Now.").await;
    let req = aegis::ops::SessionRef { session_id: id.clone() };
    let stopped = driver.aegis.interrupt_session(&driver.caller, req).await.unwrap();
    assert_eq!(stopped.status, StatusWord::Idle);
    come("the words for it", async || {
        let said = said(&driver, &id).await;
        said.iter().any(|text| text.starts_with("[Request interrupted")).then_some(())
    })
    .await;
    taken(&driver, &id, "hello").await;
    driver.kill(&id).await;
}
