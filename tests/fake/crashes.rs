//! Claude Code ends at any point: the session says so, how, and what became of the prompt.

use aegis::domain::{EndCause, ReceiptState, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use super::settled;
use crate::support::Lab;
use crate::support::tasks::Driver;

fn kill() -> Value {
    json!({"crash": {"signal": 9}})
}

fn at(point: &str) -> Value {
    json!({"moments": [{"at": point, "steps": [kill()]}], "rules": [
        {"on": "ASK", "steps": [{"tool": {"input": {"command": "make"}}}, {"say": "Made."}]}
    ]})
}

#[rstest]
#[case::code(json!({"code": 3}), EndCause::Exited, Some(3))]
#[case::signal(json!({"signal": 11}), EndCause::Signaled, None)]
#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_drawn(#[case] crash: Value, #[case] cause: EndCause, #[case] code: Option<i32>) {
    let script = json!({"startDelayMs": 200, "moments": [{"at": "start", "steps": [{"crash": crash}]}]});
    let lab = Lab::fake(script).build().await;
    let driver = Driver::new(&lab);
    let created = driver.create(Some("hello")).await;
    let id = created.session.id.to_string();
    let ending = driver.until(&id, StatusWord::Ended).await.ending.unwrap();
    assert_eq!((ending.cause, ending.exit_code), (cause, code));
    let receipt = settled(&driver, &id, created.receipt.unwrap().id).await;
    assert_eq!(receipt.state, ReceiptState::Uncertain, "{receipt:#?}");
    assert_eq!(lab.processes(), []);
}

#[rstest]
#[case::with_the_text_in_the_box("typed", "hello", ReceiptState::Uncertain)]
#[case::after_enter("entered", "hello", ReceiptState::Uncertain)]
#[case::under_a_permission("asked", "ASK", ReceiptState::TurnEnded)]
#[case::before_stop("stopping", "hello", ReceiptState::TurnEnded)]
#[tokio::test(flavor = "multi_thread")]
async fn on_the_way_of_a_prompt(#[case] point: &str, #[case] prompt: &str, #[case] state: ReceiptState) {
    let lab = Lab::fake(at(point)).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    // The session may be gone before the call is answered.
    let sent = driver.send(&id, prompt).await;
    let session = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(session.ending.unwrap().cause, EndCause::Signaled);
    assert_eq!(session.open_asks, []);
    let receipts = driver.show(&id).await.receipts;
    assert_eq!(receipts.len(), 1, "{sent:?}");
    assert_eq!(receipts[0].state, state, "{receipts:#?}");
    assert_eq!(lab.processes(), []);
}

/// In the middle of a turn, long output behind it.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_much_output() {
    let steps = json!([{"say": "Look:"}, {"flood": {"bytes": 3_000_000}}, kill()]);
    let lab = Lab::fake(json!({"rules": [{"on": "", "steps": steps}]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "hello").await.unwrap();
    let session = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(session.ending.unwrap().cause, EndCause::Signaled);
    assert_eq!(lab.processes(), []);
}

/// The live file of a crashed session stays; a session that resumes its conversation is not taken in by it.
#[tokio::test(flavor = "multi_thread")]
async fn t10_a_live_file_left_behind_is_nobodys() {
    let lab = Lab::fake(json!({"rules": [{"on": "CRASH", "steps": [kill()]}]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    super::taken(&driver, &id, "hello").await;
    driver.send(&id, "CRASH").await.unwrap();
    driver.until(&id, StatusWord::Ended).await;
    let left = std::fs::read_dir(lab.home.config_dir().join("sessions")).unwrap().count();
    assert_eq!(left, 1);
    let req = aegis::ops::CreateSession {
        work_dir: lab.work_dir(),
        resume: Some(id.clone()),
        reuse: Some(false),
        ..aegis::ops::CreateSession::default()
    };
    let again = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    driver.until(&again, StatusWord::Idle).await;
    super::taken(&driver, &again, "hello again").await;
    driver.kill(&again).await;
}
