//! Rules that decide before anybody is asked.

use aegis::domain::{Decision, How, PermissionMode, PolicyRule, Remember, StatusWord};
use aegis::ops::{ApprovePermission, CreateSession};
use aegis::rehearsal::api::ToolCall;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::lab::LabBuilder;
use crate::support::tasks::Driver;

fn bash(command: &str) -> [Reply; 2] {
    let call = ToolCall::new("Bash", json!({"command": command, "description": "Work"}));
    [Reply::tools([call]), Reply::text("So it is.")]
}

fn script() -> Script {
    Script::new()
        .on("MAKE", bash("touch made"))
        .on("BOTH", bash("touch made-too && rm -f made"))
        .on("REMOVE", bash("rm -f made"))
        .on("OTHER", bash("mkdir other"))
}

fn rule(text: &str, decision: Decision) -> PolicyRule {
    PolicyRule::read(text, decision)
}

async fn session(driver: &Driver, mode: Option<PermissionMode>, rules: Vec<PolicyRule>) -> String {
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        permission_mode: mode,
        permission_policy: Some(rules),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    id
}

/// Each decision as the journal has it: what, by whom, how, and by which rule.
fn decisions(lab: &Lab) -> Vec<(String, String, How, String)> {
    let settled = |ask: aegis::domain::Ask| {
        let resolution = ask.resolution.unwrap();
        (ask.title, resolution.by, resolution.how, resolution.detail.unwrap_or_default())
    };
    lab.resolved_asks().into_iter().map(settled).collect()
}

async fn turn(driver: &Driver, id: &str, prompt: &str) {
    driver.send(id, prompt).await.unwrap();
    driver.until(id, StatusWord::Idle).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rules_decide_and_somebody_is_asked_only_where_none_does(
    #[values("2.1.197", "2.1.330")] version: &str,
) {
    let lab = Lab::new(version, script()).await;
    let driver = Driver::new(&lab);
    let rules = vec![rule("Bash(rm *)", Decision::Deny), rule("Bash(touch *)", Decision::Allow)];
    let id = session(&driver, None, rules).await;
    turn(&driver, &id, "MAKE").await;
    assert!(lab.project.join("made").exists());
    turn(&driver, &id, "REMOVE").await;
    turn(&driver, &id, "BOTH").await;
    assert!(lab.project.join("made").exists() && !lab.project.join("made-too").exists());
    driver.send(&id, "OTHER").await.unwrap();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.title, "Bash: mkdir other");
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    let told = decisions(&lab);
    let expected = [
        ("Bash: touch made", "policy", How::Approved, "rule 2: allow Bash(touch *)"),
        ("Bash: rm -f made", "policy", How::Rejected, "rule 1: deny Bash(rm *)"),
        ("Bash: touch made-too && rm -f made", "policy", How::Rejected, "rule 1: deny Bash(rm *)"),
        ("Bash: mkdir other", "test", How::Approved, ""),
    ]
    .map(|(title, by, how, rule)| (title.to_owned(), by.to_owned(), how, rule.to_owned()));
    assert_eq!(told, expected);
    let messages = driver.messages(&id, None).await;
    assert!(
        messages.iter().any(|message| message.text.contains("deny Bash(rm *)")),
        "Claude is told the rule"
    );
    driver.kill(&id).await;
}

/// A mode that asks for nothing does not ask about what a rule refuses, or wants asked.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rules_bind_every_mode(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let driver = Driver::new(&lab);
    let rules = vec![rule("Bash(rm *)", Decision::Deny), rule("Bash(mkdir *)", Decision::Ask)];
    let id = session(&driver, Some(PermissionMode::AcceptEdits), rules).await;
    turn(&driver, &id, "MAKE").await;
    turn(&driver, &id, "REMOVE").await;
    assert!(lab.project.join("made").exists());
    driver.send(&id, "OTHER").await.unwrap();
    let ask = driver.ask(&id).await;
    assert_eq!(ask.title, "Bash: mkdir other");
    driver.reject(&id, "no").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(!lab.project.join("other").exists());
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_has_rules_for_every_session() {
    let rules = json!([{"tool": "Bash", "pattern": "touch *", "decision": "allow"}]);
    let lab =
        LabBuilder::var(Lab::builder("2.1.330", script()), "AEGIS_PERMISSION_POLICY", rules.to_string());
    let lab = lab.build().await;
    let driver = Driver::new(&lab);
    // The session's own come first.
    let id = session(&driver, None, vec![rule("Bash(touch made)", Decision::Ask)]).await;
    driver.send(&id, "MAKE").await.unwrap();
    driver.ask(&id).await;
    let req = ApprovePermission {
        session_id: id.clone(),
        remember: Some(Remember::Session),
        ..ApprovePermission::default()
    };
    driver.aegis.approve_permission(&driver.caller, req).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(decisions(&lab)[0].3.starts_with("for the session: "), "{:?}", decisions(&lab));
    let other = session(&driver, None, vec![]).await;
    assert_ne!(other, id, "sessions with other rules are not taken for each other");
    turn(&driver, &other, "MAKE").await;
    assert!(
        decisions(&lab).iter().any(|told| told.3 == "rule 1: allow Bash(touch *)"),
        "{:?}",
        decisions(&lab)
    );
    driver.kill(&id).await;
    driver.kill(&other).await;
}
