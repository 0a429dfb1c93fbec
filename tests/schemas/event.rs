//! The events' schema: the one vocabulary of journals, streams and channels.

use aegis::domain::StatusWord;
use aegis::ops::SessionRef;
use rstest::rstest;
use serde_json::{Value, json};

use super::config::compare;
use crate::support::Lab;
use crate::support::events::{VALIDATOR, fits, journaled, schema};
use crate::support::tasks::Driver;

#[test]
fn events_have_their_schema() {
    compare("event.json", &schema());
    jsonschema::meta::validate(&schema()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_session_journals_fits() {
    let write = json!({"tool": {"name": "Write", "input": {"file_path": "made"}, "creates": "made"}});
    let questions = json!([{"question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{"label": "Red", "description": "warm"}]}]);
    let choose = json!({"tool": {"name": "AskUserQuestion", "input": {"questions": questions}}});
    let dialog = json!({"dialog": {"title": "Something new", "options": ["Try it", "Not now"]}});
    let fail =
        |kind: &str| json!({"error": {"kind": kind, "text": "You've hit your limit · resets 3am (UTC)"}});
    // A context window that is nearly full from the first answer on.
    let usage = json!({"input_tokens": 180_000, "output_tokens": 10});
    let script = json!({"apiModel": "claude-opus-4-6", "usage": usage, "rules": [
        {"on": "WRITE", "steps": [write, {"say": "Made."}]},
        {"on": "CHOOSE", "steps": [choose, {"say": "Chosen."}]},
        {"on": "DIALOG", "steps": [dialog, {"say": "Well."}]},
        {"on": "FAIL", "steps": [fail("server_error")]},
        {"on": "LIMIT", "steps": [fail("rate_limit")]},
        {"on": "HOLD", "steps": [{"wait": {"file": "never"}}]},
    ]});
    let lab = Lab::fake(script).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let over = [StatusWord::Idle, StatusWord::Error, StatusWord::RateLimited];
    for (prompt, answer) in [("WRITE", ""), ("WRITE", "no"), ("CHOOSE", "Red"), ("DIALOG", "Not now")] {
        driver.send(&id, prompt).await.unwrap();
        driver.ask(&id).await;
        match answer {
            "" => drop(driver.approve(&id, None).await.unwrap()),
            "no" => drop(driver.reject(&id, "no").await.unwrap()),
            text => drop(driver.send(&id, text).await.unwrap()),
        }
        driver.until_any(&id, &over).await;
    }
    driver.send(&id, "FAIL").await.unwrap();
    driver.until(&id, StatusWord::Error).await;
    driver.send(&id, "HOLD").await.unwrap();
    let reference = || SessionRef { session_id: id.clone() };
    driver.aegis.interrupt_session(&driver.caller, reference()).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.send(&id, "LIMIT").await.unwrap();
    driver.until(&id, StatusWord::RateLimited).await;
    driver.kill(&id).await;
    let types = journaled(&lab);
    let all = [
        "action",
        "ask_opened",
        "ask_resolved",
        "context_filled",
        "conversation",
        "launched",
        "message",
        "receipt",
        "status",
    ];
    assert_eq!(types, all.map(str::to_owned).into());
}

#[rstest]
#[case::another_type(json!({"type": "party"}))]
#[case::no_data(json!({"data": null}))]
#[case::another_status(json!({"data": {"status": "happy"}}))]
#[case::no_number(json!({"seq": "1"}))]
fn what_is_no_event_does_not_fit(#[case] wrong: Value) {
    let good = json!({"epoch": "0f0e0d0c-0b0a-4908-8706-050403020100", "seq": 7,
        "sessionId": "1f0e0d0c-0b0a-4908-8706-050403020100", "at": "2026-11-25T18:05:04.611Z", "type": "status",
        "data": {"status": "idle", "since": "2026-11-25T18:05:04.611Z", "source": "hook", "confidence": "high",
            "from": "working", "what": "hook Stop"}});
    assert_eq!(fits(&good), "status");
    let mut event = good;
    event.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
    assert!(!VALIDATOR.is_valid(&event), "{event:#}");
}
