//! Hook events that come late, twice, out of order or never: the session says what is true all the same.

use aegis::domain::{How, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use super::{said, settled, taken};
use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

fn all(how: &Value) -> Value {
    let events = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"];
    events.into_iter().map(|event| (event.to_owned(), how.clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Two prompts, one of them with a tool.
fn work() -> Value {
    json!([{"on": "WORK", "steps": [
        {"tool": {"input": {"command": "make"}, "ask": false}},
        {"say": "Worked."}
    ]}])
}

async fn converges(hooks: Value) {
    let lab = Lab::fake(json!({"hooks": hooks, "rules": work()})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for text in ["hello", "WORK", "bye"] {
        taken(&driver, &id, text).await;
    }
    // Late events are all there before the end is looked at.
    let late = hooks.as_object().unwrap().values().filter_map(|how| how["delayMs"].as_u64()).max();
    if let Some(late) = late {
        tokio::time::sleep(std::time::Duration::from_millis(late + 500)).await;
    }
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.show(&id).await.session.open_asks, []);
    let said = said(&driver, &id).await;
    let wanted = [
        "hello",
        "You said: hello",
        "WORK",
        r#"{"command":"make"}"#,
        "done",
        "Worked.",
        "bye",
        "You said: bye",
    ];
    assert_eq!(said, wanted);
    driver.kill(&id).await;
}

#[rstest]
#[case::all_late(all(&json!({"delayMs": 2000})))]
#[case::start_late(json!({"SessionStart": {"delayMs": 3000}}))]
#[case::stop_late(json!({"Stop": {"delayMs": 2000}}))]
#[case::tool_late(json!({"PostToolUse": {"delayMs": 1500}}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_hooks_come_late(#[case] hooks: Value) {
    converges(hooks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_hooks_come_twice() {
    converges(all(&json!({"times": 2}))).await;
}

/// The prompt is told after the end of its turn.
#[tokio::test(flavor = "multi_thread")]
async fn t5_hooks_come_out_of_order() {
    converges(json!({"UserPromptSubmit": {"delayMs": 1200}})).await;
}

#[rstest]
#[case::all(all(&json!({"times": 0})))]
#[case::start(json!({"SessionStart": {"times": 0}}))]
#[case::prompt(json!({"UserPromptSubmit": {"times": 0}}))]
#[case::stop(json!({"Stop": {"times": 0}}))]
#[tokio::test(flavor = "multi_thread")]
async fn t5_hooks_never_come(#[case] hooks: Value) {
    let lab = Lab::fake(json!({"hooks": hooks, "rules": work()})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for text in ["hello", "WORK"] {
        let receipt = driver.send(&id, text).await.unwrap();
        // Without a hook or a transcript nothing proves it; then that is what is said.
        settled(&driver, &id, receipt.id).await;
        driver.until_any(&id, &[StatusWord::Idle, StatusWord::Unknown]).await;
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
#[case::twice(json!({"times": 2}))]
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
