//! Approvals that count for the session: the same call again, and no other.

use std::os::unix::fs::symlink;

use aegis::domain::{Decision, How, PolicyRule, Remember, StatusWord};
use aegis::ops::{ApprovePermission, CreateSession};
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::tasks::Driver;

fn call(on: &str, name: &str, input: Value) -> Value {
    json!({"on": on, "steps": [{"tool": {"name": name, "input": input}}, {"say": "So it is."}]})
}

fn script() -> Value {
    let shell = |command: &str, description: &str| json!({"command": command, "description": description});
    json!({"rules": [
        call("SHELL", "Bash", shell("make all", "Build")),
        call("WORDED ANEW", "Bash", shell("make all", "Build it all")),
        call("LONGER", "Bash", shell("make all install", "Build")),
        call("UNBOXED", "Bash", json!({"command": "make all", "dangerouslyDisableSandbox": true})),
        call("FILE", "Write", json!({"file_path": "link/a", "content": "1"})),
        call("SAME AGAIN", "Write", json!({"file_path": "link/a", "content": "2"})),
        call("BESIDE", "Write", json!({"file_path": "link/b", "content": "1"})),
        call("OTHER TOOL", "Edit", json!({"file_path": "link/a", "old_string": "1"})),
        call("SERVER", "mcp__hub__close", json!({"issue": 1, "description": "x"})),
        call("ANOTHER ISSUE", "mcp__hub__close", json!({"issue": 2, "description": "x"})),
    ]})
}

async fn session(driver: &Driver, rules: Vec<PolicyRule>) -> String {
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        permission_policy: Some(rules),
        reuse: Some(false),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    id
}

/// A prompt whose call is asked about, and approved for the session.
async fn approve_for_the_session(driver: &Driver, id: &str, prompt: &str) {
    driver.send(id, prompt).await.unwrap();
    driver.ask(id).await;
    let req = ApprovePermission {
        session_id: id.into(),
        remember: Some(Remember::Session),
        ..ApprovePermission::default()
    };
    driver.aegis.approve_permission(&driver.caller, req).await.unwrap();
    driver.until(id, StatusWord::Idle).await;
}

/// A prompt whose call nobody is asked about.
async fn goes_through(driver: &Driver, id: &str, prompt: &str) {
    driver.send(id, prompt).await.unwrap();
    let session = driver.until_any(id, &[StatusWord::Idle, StatusWord::PermissionPrompt]).await;
    assert_eq!(session.status, StatusWord::Idle, "{prompt}: {:#?}", session.open_asks);
}

/// A prompt whose call is asked about, and rejected.
async fn is_asked(driver: &Driver, id: &str, prompt: &str) {
    driver.send(id, prompt).await.unwrap();
    driver.ask(id).await;
    driver.reject(id, "no").await.unwrap();
    driver.until(id, StatusWord::Idle).await;
}

/// Who decided each call, how, and by which rule.
fn decisions(lab: &Lab) -> Vec<(String, How, String)> {
    let settled = |ask: aegis::domain::Ask| {
        let resolution = ask.resolution.unwrap();
        (resolution.by, resolution.how, resolution.detail.unwrap_or_default())
    };
    lab.resolved_asks().into_iter().map(settled).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_for_the_session_covers_the_same_call_and_no_other() {
    let lab = Lab::fake(script()).build().await;
    for dir in ["here", "there"] {
        std::fs::create_dir(lab.project.join(dir)).unwrap();
    }
    let link = lab.project.join("link");
    symlink("here", &link).unwrap();
    let driver = Driver::new(&lab);
    let id = session(&driver, vec![]).await;
    approve_for_the_session(&driver, &id, "SHELL").await;
    goes_through(&driver, &id, "SHELL").await;
    goes_through(&driver, &id, "WORDED ANEW").await;
    is_asked(&driver, &id, "LONGER").await;
    is_asked(&driver, &id, "UNBOXED").await;
    let rule = "for the session: allow Bash(make all)".to_owned();
    let expected = [
        ("test".to_owned(), How::Approved, rule.clone()),
        ("policy".to_owned(), How::Approved, rule.clone()),
        ("policy".to_owned(), How::Approved, rule),
        ("test".to_owned(), How::Rejected, "no".to_owned()),
        ("test".to_owned(), How::Rejected, "no".to_owned()),
    ];
    assert_eq!(decisions(&lab), expected);

    approve_for_the_session(&driver, &id, "FILE").await;
    let rule = format!("for the session: allow Write in {}/here/a", lab.project.display());
    assert_eq!(decisions(&lab).pop().unwrap().2, rule);
    goes_through(&driver, &id, "SAME AGAIN").await;
    is_asked(&driver, &id, "BESIDE").await;
    is_asked(&driver, &id, "OTHER TOOL").await;
    // The same path leads to another file now.
    std::fs::remove_file(&link).unwrap();
    symlink("there", &link).unwrap();
    is_asked(&driver, &id, "SAME AGAIN").await;

    approve_for_the_session(&driver, &id, "SERVER").await;
    goes_through(&driver, &id, "SERVER").await;
    is_asked(&driver, &id, "ANOTHER ISSUE").await;

    // Another session knows nothing of it.
    let other = session(&driver, vec![]).await;
    is_asked(&driver, &other, "SHELL").await;
    for id in [id, other] {
        driver.kill(&id).await;
    }
}

/// What was approved counts before a rule that asks, since somebody was asked; never before one that denies.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_for_the_session_answers_rules_that_ask_and_none_that_denies() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    std::fs::create_dir(lab.project.join("link")).unwrap();
    std::fs::create_dir(lab.project.join("secret")).unwrap();
    let within = |path: &str, decision| PolicyRule {
        tool: "Write".into(),
        pattern: None,
        paths: Some(vec![path.into()]),
        read_only: None,
        decision,
    };
    let rules = vec![within("secret", Decision::Deny), PolicyRule::read("Bash(make *)", Decision::Ask)];
    let id = session(&driver, rules).await;
    approve_for_the_session(&driver, &id, "SHELL").await;
    goes_through(&driver, &id, "SHELL").await;
    is_asked(&driver, &id, "LONGER").await;
    // A shell line sent as such passes nobody who could be asked: the approval was for Claude's call.
    let line =
        aegis::ops::SendLine { session_id: id.clone(), command: "make all".into(), idempotency_key: None };
    let refused = driver.aegis.send_bash(&driver.caller, line).await.unwrap_err();
    assert_eq!(refused.code.as_str(), "policy_refused");

    approve_for_the_session(&driver, &id, "FILE").await;
    std::fs::remove_dir(lab.project.join("link")).unwrap();
    symlink("secret", lab.project.join("link")).unwrap();
    goes_through(&driver, &id, "SAME AGAIN").await;
    let (by, how, rule) = decisions(&lab).pop().unwrap();
    assert_eq!((by.as_str(), how, rule.as_str()), ("policy", How::Rejected, "rule 1: deny Write in secret"));
    driver.kill(&id).await;
}
