//! What becomes of answers that come late, refuse, or are given to plans and to menus.

use aegis::domain::{Ask, AskKind, How, PermissionMode, Role, StatusWord};
use aegis::engine::AttachInput;
use aegis::ops::{CreateSession, SessionRef};
use aegis::rehearsal::api::{Question, ToolCall};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

fn touch(file: &str) -> ToolCall {
    ToolCall::new("Bash", json!({"command": format!("touch {file}"), "description": "Make a file"}))
}

/// How the only ask that was settled was settled, and by whom.
fn settled(ask: &Ask) -> (String, How) {
    let resolution = ask.resolution.as_ref().unwrap();
    (resolution.by.clone(), resolution.how)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_the_interrupt_finds_nothing(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("MAKE", [Reply::tools([touch("made")]), Reply::text("Made.")])
        .on("OK", [Reply::text("Fine.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    let ask = driver.ask(&id).await;
    let req = SessionRef { session_id: id.clone() };
    let session = driver.aegis.interrupt_session(&driver.caller, req).await.unwrap();
    assert_eq!(session.status, StatusWord::Idle);
    let late = driver.approve(&id, Some(ask.id.to_string())).await.unwrap_err();
    assert_eq!(late.code.as_str(), "already_resolved", "{late}");
    let late = driver.approve(&id, None).await.unwrap_err();
    assert_eq!(late.code.as_str(), "nothing_to_approve", "{late}");
    let none = driver.approve(&id, Some("00000000-0000-7000-8000-000000000000".into())).await.unwrap_err();
    assert_eq!(none.code.as_str(), "no_such_ask", "{none}");
    driver.send(&id, "OK").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(!lab.project.join("made").exists());
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Fine.");
    driver.kill(&id).await;
}

#[rstest]
#[case::yes(b"1", How::Approved)]
#[case::escape(b"\x1b", How::Rejected)]
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_answered_in_the_terminal_is_told_so(
    #[values("2.1.197", "2.1.330")] version: &str,
    #[case] key: &[u8],
    #[case] how: How,
) {
    let script = Script::new().on("MAKE", [Reply::tools([touch("made")]), Reply::text("Made.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    let ask = driver.ask(&id).await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    driver.screen(&id, "Do you want to proceed?").await;
    driver.press(&terminal, key, &id, 0).await;
    let session = driver.until(&id, StatusWord::Idle).await;
    assert!(session.open_asks.is_empty(), "{:#?}", session.open_asks);
    let late = driver.approve(&id, Some(ask.id.to_string())).await.unwrap_err();
    assert_eq!(late.code.as_str(), "already_resolved", "{late}");
    let (by, was) = settled(&lab.resolved_asks()[0]);
    assert_eq!(by, "terminal");
    // What was chosen there is not always told before the ask is seen to be gone.
    assert!(was == how || matches!(was, How::Settled | How::Withdrawn), "{was:?}");
    assert_eq!(lab.project.join("made").exists(), how == How::Approved);
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_question_goes_back_to_claude(#[values("2.1.197", "2.1.330")] version: &str) {
    let question = Question::new("Which colour?", "Colour", ["Red", "Blue"]);
    let script = Script::new().on("ASK", [Reply::questions([question]), Reply::text("Then not.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "ASK").await.unwrap();
    let session = driver.until(&id, StatusWord::Asking).await;
    assert_eq!(session.open_asks[0].options, ["Red", "Blue"]);
    let error = driver.approve(&id, None).await.unwrap_err();
    assert_eq!(error.code.as_str(), "invalid_answer", "{error}");
    driver.reject(&id, "none of them").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.api.requests().iter().any(|request| request.mentions("none of them")));
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Then not.");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_plan_keeps_plan_mode(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new().on("PLAN", [Reply::plan("# Plan\n\n1. Do it"), Reply::text("Another one.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let req = CreateSession {
        work_dir: lab.work_dir(),
        permission_mode: Some(PermissionMode::Plan),
        prompt: Some("PLAN".into()),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    assert_eq!(driver.ask(&id).await.kind, AskKind::Plan);
    driver.reject(&id, "too short a plan").await.unwrap();
    let session = driver.until(&id, StatusWord::Idle).await;
    assert!(lab.api.requests().iter().any(|request| request.mentions("too short a plan")));
    assert_eq!(session.permission_mode, PermissionMode::Plan);
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Another one.");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_menu_is_left_by_number_by_refusal_and_by_hand(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new().on("OK", [Reply::text("Fine.")])).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    for (turn, by) in ["number", "refusal", "hand"].into_iter().enumerate() {
        terminal.input.send(AttachInput::Keys(b"/model".to_vec())).await.unwrap();
        driver.screen(&id, "❯\u{a0}/model").await;
        terminal.input.send(AttachInput::Keys(b"\r".to_vec())).await.unwrap();
        let ask = driver.ask(&id).await;
        assert_eq!(ask.kind, AskKind::Dialog, "{ask:#?}");
        match by {
            "number" => drop(driver.send(&id, "1").await.unwrap()),
            "refusal" => drop(driver.reject(&id, "no").await.unwrap()),
            _ => driver.press(&terminal, b"\x1b", &id, 0).await,
        }
        driver.until(&id, StatusWord::Idle).await;
        let resolved = lab.resolved_asks();
        assert_eq!(resolved.len(), turn + 1, "{by}: {resolved:#?}");
        assert_eq!(settled(&resolved[turn]).0, if by == "hand" { "terminal" } else { "test" }, "{by}");
        driver.send(&id, "OK").await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
        // Of Claude's own: the menu's lines are written together with the next prompt's, which may be after its turn was
        // told by hooks (2.1.330), and then stand behind it.
        let said = driver.messages(&id, Some(Role::Assistant)).await;
        assert_eq!(said.last().unwrap().text, "Fine.", "{by}");
    }
    driver.kill(&id).await;
}
