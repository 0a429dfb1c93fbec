//! Permissions, questions and plans.

use std::collections::BTreeMap;

use aegis::domain::{Ask, AskKind, How, OpError, PermissionMode, Remember, StatusWord};
use aegis::ops::{AnswerValue, ApprovePermission, CreateSession, SendMessage};
use aegis::rehearsal::api::{Question, ToolCall};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

fn touch(file: &str) -> ToolCall {
    ToolCall::new("Bash", json!({"command": format!("touch {file}"), "description": "Make a file"}))
}

/// A turn in which three subagents each ask for one file.
fn three_agents() -> Script {
    let work = |n: u8| (format!("Worker {n}"), format!("SUBTASK {n}"));
    let mut script =
        Script::new().on("DELEGATE", [Reply::agents([work(1), work(2), work(3)]), Reply::text("All done.")]);
    for n in 1..=3 {
        let replies = [Reply::tools([touch(&format!("by-{n}"))]), Reply::text(format!("Made {n}."))];
        script = script.on(format!("SUBTASK {n}"), replies);
    }
    script
}

/// Waits until so many asks are open.
async fn open_asks(driver: &Driver, id: &str, count: usize) -> Vec<Ask> {
    let deadline = std::time::Instant::now() + crate::support::tasks::PATIENCE;
    loop {
        let asks = driver.show(id).await.session.open_asks;
        if asks.len() == count {
            return asks;
        }
        assert!(std::time::Instant::now() < deadline, "{} asks are open: {asks:#?}", asks.len());
        tokio::task::yield_now().await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t7_three_subagents_are_answered_by_two_clients_each_once(
    #[values("2.1.197", "2.1.330")] version: &str,
) {
    let lab = Lab::new(version, three_agents()).await;
    let (one, two) = (Driver::new(&lab), Driver::new(&lab));
    let id = one.idle().await;
    one.send(&id, "DELEGATE").await.unwrap();
    let asks = open_asks(&one, &id, 3).await;
    assert!(asks.iter().all(|ask| ask.agent.is_some()), "{asks:#?}");
    for ask in asks.iter().rev() {
        let ask = Some(ask.id.to_string());
        let (first, second) = tokio::join!(one.approve(&id, ask.clone()), two.approve(&id, ask));
        let (won, lost): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1));
        let error: &OpError = lost[0].as_ref().unwrap_err();
        assert_eq!(error.code.as_str(), "already_resolved", "{error}");
        assert!(error.details.as_ref().unwrap().to_string().contains("\"by\":\"test\""), "{error:?}");
    }
    one.until(&id, StatusWord::Idle).await;
    let made = || (1..=3).all(|n| lab.project.join(format!("by-{n}")).exists());
    assert!(made());
    one.kill(&id).await;
}

/// In 2.1.330 subagents run in the background and show no dialog while a hook waits.
#[tokio::test(flavor = "multi_thread")]
async fn t7_one_of_several_answered_in_the_terminal_closes_as_such() {
    let lab = Lab::new("2.1.197", three_agents()).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "DELEGATE").await.unwrap();
    open_asks(&driver, &id, 3).await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    driver.screen(&id, "Do you want to proceed?").await;
    driver.press(&terminal, b"1", &id, 2).await;
    let left = open_asks(&driver, &id, 2).await;
    for ask in left {
        driver.approve(&id, Some(ask.id.to_string())).await.unwrap();
    }
    driver.until(&id, StatusWord::Idle).await;
    let resolved = lab.resolved_asks();
    assert_eq!(resolved.len(), 3, "{resolved:#?}");
    let by: Vec<_> = resolved.iter().map(|ask| ask.resolution.as_ref().unwrap().by.as_str()).collect();
    assert_eq!(by.iter().filter(|by| **by == "terminal").count(), 1, "{by:?}");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_exactly_what_was_shown(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("MAKE", [Reply::tools([touch("made")]), Reply::text("Made.")])
        .on("REFUSE", [Reply::tools([touch("refused")]), Reply::text("Left.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let approve = |hash: Option<String>, remember| ApprovePermission {
        session_id: id.clone(),
        ask_id: None,
        input_hash: hash,
        remember,
    };
    driver.send(&id, "MAKE").await.unwrap();
    let ask = driver.ask(&id).await;
    let wrong = approve(Some("0".repeat(64)), None);
    let error = driver.aegis.approve_permission(&driver.caller, wrong).await.unwrap_err();
    assert_eq!(error.code.as_str(), "input_changed");
    let error = driver.send(&id, "meanwhile").await.unwrap_err();
    assert_eq!(error.code.as_str(), "session_blocked");
    let right = approve(Some(ask.input_hash), Some(Remember::Session));
    let resolved = driver.aegis.approve_permission(&driver.caller, right).await.unwrap();
    assert_eq!(resolved.resolution.unwrap().how, How::Approved);
    driver.until(&id, StatusWord::Idle).await;
    // Remembered: the same call does not ask again.
    driver.send(&id, "MAKE").await.unwrap();
    let session = driver.until_any(&id, &[StatusWord::Idle, StatusWord::PermissionPrompt]).await;
    assert_eq!(session.status, StatusWord::Idle);
    let again = lab.resolved_asks().pop().unwrap().resolution.unwrap();
    let rule = "for the session: allow Bash(touch made)";
    assert_eq!((again.by.as_str(), again.detail.as_deref()), ("policy", Some(rule)));
    let error = driver.approve(&id, None).await.unwrap_err();
    assert_eq!(error.code.as_str(), "nothing_to_approve");
    driver.send(&id, "REFUSE").await.unwrap();
    driver.ask(&id).await;
    driver.reject(&id, "because I say so").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(!lab.project.join("refused").exists());
    assert!(lab.api.requests().iter().any(|request| request.mentions("because I say so")));
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t8_questions_are_answered_by_choice_and_by_text(#[values("2.1.197", "2.1.330")] version: &str) {
    let one = || Question::new("Which colour?", "Colour", ["Red", "Blue"]);
    let two = || Question::new("Which parts?", "Parts", ["Cache", "Log", "Retry"]).multi();
    let script = Script::new()
        .on("ONE", [Reply::questions([one()]), Reply::text("Thanks.")])
        .on("TWO", [Reply::questions([one(), two()]), Reply::text("Thanks.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let told = |words: &[&str]| {
        let requests = lab.api.requests();
        let results = requests.last().unwrap().tool_results();
        let last = results.last().map(|(_, result)| result.to_string()).unwrap_or_default();
        assert!(words.iter().all(|word| last.contains(word)), "{words:?} not in {last}");
    };
    for (text, expected) in [("Blue", "Blue"), ("1", "Red"), ("rather green", "rather green")] {
        driver.send(&id, "ONE").await.unwrap();
        assert_eq!(driver.ask(&id).await.kind, AskKind::Question);
        driver.send(&id, text).await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
        told(&[expected]);
    }
    driver.send(&id, "TWO").await.unwrap();
    driver.ask(&id).await;
    let answer = |answers: BTreeMap<String, AnswerValue>| SendMessage {
        session_id: id.clone(),
        answers: Some(answers),
        ..SendMessage::default()
    };
    let half = BTreeMap::from([("Which colour?".to_owned(), AnswerValue::One("Red".into()))]);
    let error = driver.aegis.send_message(&driver.caller, answer(half.clone())).await.unwrap_err();
    assert_eq!(error.code.as_str(), "invalid_answer");
    let mut whole = half;
    whole.insert("Which parts?".into(), AnswerValue::Several(vec!["Cache".into(), "Retry".into()]));
    let keyed = |key: &str, req| SendMessage { idempotency_key: Some(key.into()), ..req };
    let send = |req| driver.aegis.send_message(&driver.caller, req);
    let first = send(keyed("parts", answer(whole.clone()))).await.unwrap();
    // Repeated while the turn runs and after it, the same key gives the same receipt and answers nothing else.
    assert_eq!(send(keyed("parts", answer(whole.clone()))).await.unwrap().id, first.id);
    driver.until(&id, StatusWord::Idle).await;
    told(&["Red", "Cache, Retry"]);
    assert_eq!(send(keyed("parts", answer(whole))).await.unwrap().id, first.id);
    driver.send(&id, "ONE").await.unwrap();
    driver.ask(&id).await;
    let text =
        |text: &str| SendMessage { session_id: id.clone(), text: Some(text.into()), ..Default::default() };
    let first = send(keyed("colour", text("Blue"))).await.unwrap();
    assert_eq!(send(keyed("colour", text("Blue"))).await.unwrap().id, first.id);
    let other = send(keyed("colour", text("Red"))).await.unwrap_err();
    assert_eq!(other.code.as_str(), "key_reused");
    driver.until(&id, StatusWord::Idle).await;
    told(&["Blue"]);
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_approved(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new().on("PLAN", [Reply::plan("# Plan\n\n1. Do it"), Reply::text("Going on.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let req = CreateSession {
        work_dir: lab.work_dir(),
        permission_mode: Some(PermissionMode::Plan),
        prompt: Some("PLAN".into()),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.kind, AskKind::Plan, "{ask:#?}");
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Going on.");
    driver.kill(&id).await;
}
