//! A prompt arrives once and alone, whatever stands in its way.

use aegis::domain::{How, ReceiptState, StatusWord};
use rstest::rstest;
use serde_json::{Value, json};

use super::{said, settled, taken};
use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

/// Sends a prompt, and checks that it stands in the conversation once, as it was sent, and was answered.
async fn arrives(driver: &Driver, id: &str, text: &str) {
    taken(driver, id, text).await;
    let said = said(driver, id).await;
    let count = |wanted: &str| said.iter().filter(|text| *text == wanted).count();
    assert_eq!((count(text), count(&format!("You said: {text}"))), (1, 1), "{said:#?}");
}

async fn put_aside(driver: &Driver, id: &str) -> usize {
    let evidence = driver.show(id).await.evidence;
    evidence.iter().filter(|evidence| evidence.what.contains("was put aside")).count()
}

#[rstest]
#[case::once(json!({"count": 1}))]
#[case::twice(json!({"count": 2}))]
#[case::for_twenty_seconds(json!({"forMs": 20_000}))]
#[tokio::test(flavor = "multi_thread")]
async fn t2_enter_swallowed(#[case] swallow: Value) {
    let lab = Lab::fake(json!({"swallowEnter": swallow})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    arrives(&driver, &id, "hello").await;
    arrives(&driver, &id, "again").await;
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_long_paste_shows_as_a_block() {
    let lab = Lab::fake(json!({"swallowEnter": {"count": 1}})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let lines: Vec<String> = (0..12).map(|n| format!("line {n} with ünicode")).collect();
    arrives(&driver, &id, &lines.join("\n")).await;
    arrives(&driver, &id, &"x".repeat(801)).await;
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_suggestion_is_no_draft() {
    let lab = Lab::fake(json!({"suggestion": "run the tests"})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.screen(&id, "run the tests").await;
    arrives(&driver, &id, "hello").await;
    assert_eq!(put_aside(&driver, &id).await, 0);
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_draft_is_put_aside_and_comes_back() {
    let lab = Lab::fake(json!({"draft": "half a thought"})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.screen(&id, "half a thought").await;
    for (count, text) in ["hello", "again"].into_iter().enumerate() {
        arrives(&driver, &id, text).await;
        assert_eq!(put_aside(&driver, &id).await, count + 1);
        driver.screen(&id, "❯\u{a0}half a thought").await;
    }
    driver.kill(&id).await;
}

fn promotion() -> Value {
    json!({"dialog": {"title": "Something entirely new", "body": "Look here", "options": ["Try it", "Not now"]}})
}

/// Nothing is typed over a dialog, and what it asks is answered by who is asked.
#[tokio::test(flavor = "multi_thread")]
async fn t2_a_dialog_is_present() {
    let moment = json!({"at": "ready", "after": {"file": "go"}, "steps": [promotion()]});
    let lab = Lab::fake(json!({"moments": [moment]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    std::fs::write(lab.project.join("go"), "").unwrap();
    let ask = driver.ask(&id).await;
    assert_eq!(
        (ask.title.as_str(), ask.options),
        ("Something entirely new", vec!["Try it".into(), "Not now".into()])
    );
    let error = driver.send(&id, "hello").await.unwrap_err();
    assert_eq!(error.code.as_str(), "session_blocked", "{error}");
    driver.reject(&id, "no").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    arrives(&driver, &id, "hello").await;
    driver.kill(&id).await;
}

/// The dialog opens between the paste and Enter, which would choose its first option.
#[tokio::test(flavor = "multi_thread")]
async fn t2_a_dialog_comes_before_enter() {
    let moment = json!({"at": "typed", "steps": [promotion()]});
    let lab = Lab::fake(json!({"moments": [moment]})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let sender = driver.clone();
    let session = id.clone();
    let sent = tokio::spawn(async move { sender.send(&session, "hello").await });
    let ask = come("the ask", async || driver.show(&id).await.session.open_asks.into_iter().next()).await;
    assert_eq!(ask.title, "Something entirely new");
    driver.reject(&id, "no").await.unwrap();
    let receipt = sent.await.unwrap().unwrap();
    let receipt = settled(&driver, &id, receipt.id).await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded, "{receipt:#?}");
    let how: Vec<_> = lab.resolved_asks().into_iter().map(|ask| ask.resolution.unwrap().how).collect();
    assert_eq!(how, [How::Rejected]);
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}
