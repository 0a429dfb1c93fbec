//! Dialogs that no hook tells: trust, promotions, and what nobody foresaw.

use aegis::domain::{AskKind, EndCause, StatusWord};
use aegis::engine::AttachInput;
use aegis::rehearsal::api::ToolCall;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

fn hello() -> Script {
    Script::new().on("HELLO", [Reply::text("Hello.")])
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_directory_is_asked_about_and_the_prompt_kept(
    #[values("2.1.197", "2.1.330")] version: &str,
) {
    let lab = Lab::builder(version, hello()).untrusted().build().await;
    let driver = Driver::new(&lab);
    let id = driver.create(Some("HELLO")).await.session.id.to_string();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.kind, AskKind::Trust, "{ask:#?}");
    let error = driver.send(&id, "too early").await.unwrap_err();
    assert_eq!(error.code.as_str(), "session_blocked");
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Hello.");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_trust_ends_the_session(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::builder(version, hello()).untrusted().build().await;
    let driver = Driver::new(&lab);
    let id = driver.create(None).await.session.id.to_string();
    driver.ask(&id).await;
    driver.reject(&id, "no").await.unwrap();
    let session = driver.until(&id, StatusWord::Ended).await;
    assert_eq!(session.ending.unwrap().cause, EndCause::Exited);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_root_is_not_asked_about(#[values("2.1.197", "2.1.330")] version: &str) {
    let plain = Lab::builder(version, hello()).untrusted();
    let lab = plain.build().await;
    let mut lab = lab;
    lab.env.insert("AEGIS_TRUSTED_ROOTS".into(), lab.root.clone().into());
    let driver = Driver::new(&lab);
    let id = driver.create(Some("HELLO")).await.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Hello.");
    let resolved = lab.resolved_asks();
    assert_eq!(resolved[0].resolution.as_ref().unwrap().by, "config");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_that_nobody_foresaw_is_asked_and_answered(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, hello()).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "HELLO").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    // A menu of Claude Code's own, opened by somebody at the terminal.
    terminal.input.send(AttachInput::Keys(b"/model".to_vec())).await.unwrap();
    driver.screen(&id, "/model").await;
    terminal.input.send(AttachInput::Keys(b"\r".to_vec())).await.unwrap();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.kind, AskKind::Dialog, "{ask:#?}");
    assert!(ask.options.len() > 1, "{ask:#?}");
    let choice = ask.options.first().unwrap().clone();
    driver.send(&id, &choice).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.send(&id, "HELLO").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_dismissed_and_the_permission_still_asked() {
    let call = ToolCall::new("Bash", json!({"command": "touch made", "description": "Make a file"}));
    let script = Script::new().on("MAKE", [Reply::tools([call]), Reply::text("Made.")]);
    let lab = Lab::builder("2.1.330", script).with_promotions().build().await;
    let driver = Driver::new(&lab);
    let id = driver.create(Some("MAKE")).await.session.id.to_string();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join("made").exists());
    driver.send(&id, "MAKE").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}
