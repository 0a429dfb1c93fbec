//! Dialogs before the first prompt, and the words on the way through a turn.

use std::collections::BTreeMap;

use aegis::domain::{AskKind, EndCause, PermissionMode, StatusWord};
use aegis::ops::CreateSession;
use aegis::rehearsal::api::{HoldAt, ToolCall};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

fn touch() -> ToolCall {
    ToolCall::new("Bash", json!({"command": "touch made", "description": "Make a file"}))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_goes_through_its_words(#[values("2.1.197", "2.1.330")] version: &str) {
    let held = Reply::tools([touch()]).saying("I will.").held("go", HoldAt::Start);
    let lab = Lab::new(version, Script::new().on("MAKE", [held, Reply::text("Made.")])).await;
    let driver = Driver::new(&lab);
    let created = driver.create(None).await;
    assert_eq!(created.session.status, StatusWord::Starting);
    let id = created.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    driver.send(&id, "MAKE").await.unwrap();
    driver.until(&id, StatusWord::Working).await;
    lab.api.release("go");
    driver.until(&id, StatusWord::PermissionPrompt).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Made.");
    driver.kill(&id).await;
}

async fn bypassing(driver: &Driver) -> String {
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        permission_mode: Some(PermissionMode::BypassPermissions),
        prompt: Some("MAKE".into()),
        // Claude Code lets root into this mode only where it believes itself contained.
        env: Some(BTreeMap::from([("IS_SANDBOX".into(), "1".into())])),
        ..CreateSession::default()
    };
    driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string()
}

#[rstest]
#[case::approved(None)]
#[case::by_text(Some("Yes, I accept"))]
#[case::by_number(Some("2"))]
#[tokio::test(flavor = "multi_thread")]
async fn the_bypass_warning_is_asked_and_accepted(
    #[values("2.1.197", "2.1.330")] version: &str,
    #[case] text: Option<&str>,
) {
    let script = Script::new().on("MAKE", [Reply::tools([touch()]), Reply::text("Made.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = bypassing(&driver).await;
    let ask = driver.ask(&id).await;
    assert_eq!(ask.kind, AskKind::Dialog, "{ask:#?}");
    assert_eq!(ask.options, ["No, exit", "Yes, I accept"]);
    match text {
        Some(text) => drop(driver.send(&id, text).await.unwrap()),
        None => drop(driver.approve(&id, None).await.unwrap()),
    }
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Made.");
    assert_eq!(lab.resolved_asks().len(), 1);
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_bypass_warning_refused_ends_the_session(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new()).await;
    let driver = Driver::new(&lab);
    let id = bypassing(&driver).await;
    driver.ask(&id).await;
    driver.reject(&id, "no").await.unwrap();
    let session = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(session.ending.unwrap().cause, EndCause::Exited);
    assert!(session.open_asks.is_empty());
}

/// A key that nobody has approved.
const OTHER_KEY: &str = "sk-ant-rehearsal-11111111111111111111-another-key";

#[rstest]
#[case::approved("approve", StatusWord::Idle)]
#[case::by_text("Yes", StatusWord::Idle)]
#[case::refused("reject", StatusWord::Error)]
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_api_key_is_asked_about(
    #[values("2.1.197", "2.1.330")] version: &str,
    #[case] answer: &str,
    #[case] wanted: StatusWord,
) {
    let script = Script::new().on("HELLO", [Reply::text("Hello.")]);
    let lab = Lab::builder(version, script).home_var("ANTHROPIC_API_KEY", OTHER_KEY).build().await;
    let driver = Driver::new(&lab);
    let id = driver.create(Some("HELLO")).await.session.id.to_string();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.kind, AskKind::Dialog, "{ask:#?}");
    match answer {
        "approve" => drop(driver.approve(&id, None).await.unwrap()),
        "reject" => drop(driver.reject(&id, "no").await.unwrap()),
        text => drop(driver.send(&id, text).await.unwrap()),
    }
    let session = driver.until_any(&id, &[StatusWord::Idle, StatusWord::Error]).await;
    assert_eq!(session.status, wanted, "{:#?}", driver.messages(&id, None).await);
    if wanted == StatusWord::Idle {
        assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Hello.");
    }
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_a_subscription_limit_tells_when_it_lifts_and_its_menu_goes() {
    let reset = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 7200;
    let limit = Reply::error(429)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header("anthropic-ratelimit-unified-representative-claim", "five_hour")
        .header("anthropic-ratelimit-unified-reset", reset.to_string())
        .header("anthropic-ratelimit-unified-overage-status", "rejected")
        .header("retry-after", "7200");
    let script = Script::new().on("LIMIT", [limit]).on("OK", [Reply::text("Fine.")]);
    let lab = Lab::builder("2.1.197", script)
        .without("ANTHROPIC_API_KEY")
        .home_var("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-rehearsal-opens-nothing")
        .build()
        .await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "LIMIT").await.unwrap();
    let session = driver.until(&id, StatusWord::RateLimited).await;
    let limit = session.limit.unwrap();
    assert!(limit.resets_at.is_some(), "{limit:#?}");
    // The menu that comes by itself is dismissed, so that the next prompt gets through.
    driver.send(&id, "OK").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Fine.");
    driver.kill(&id).await;
}
