//! A session in a git worktree of its own.

use std::process::Command;

use aegis::domain::StatusWord;
use aegis::ops::CreateSession;
use aegis::rehearsal::api::ToolCall;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t18_a_worktree_is_made_worked_in_and_left(#[values("2.1.197", "2.1.330")] version: &str) {
    let call = ToolCall::new("Bash", json!({"command": "touch made-here", "description": "Make a file"}));
    let lab = Lab::new(version, Script::new().on("MAKE", [Reply::tools([call]), Reply::text("Made.")])).await;
    for args in [&["init", "-q"][..], &["commit", "-q", "--allow-empty", "-m", "first"]] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(&lab.project);
        assert!(git.status().unwrap().success());
    }
    let driver = Driver::new(&lab);
    let req = CreateSession {
        work_dir: lab.work_dir(),
        worktree: Some("side".into()),
        prompt: Some("MAKE".into()),
        ..CreateSession::default()
    };
    let created = driver.aegis.create_session(&driver.caller, req).await.unwrap();
    assert_eq!(created.session.worktree.as_deref(), Some("side"));
    let id = created.session.id.to_string();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(lab.project.join(".claude/worktrees/side/made-here").exists());
    assert!(!lab.project.join("made-here").exists());
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "Made.");
    // Work that was neither committed nor pushed, and a link to the outside.
    let side = lab.project.join(".claude/worktrees/side");
    std::fs::write(side.join("dirty"), "not committed").unwrap();
    std::os::unix::fs::symlink(&lab.project, side.join("outside")).unwrap();
    let listed = || {
        let mut git = Command::new("git");
        git.args(["worktree", "list", "--porcelain"]).current_dir(&lab.project);
        git.output().unwrap().stdout
    };
    let before = listed();
    driver.kill(&id).await;
    assert_eq!(listed(), before, "whoever made it decides when it goes");
    assert_eq!(std::fs::read_to_string(side.join("dirty")).unwrap(), "not committed");
    assert!(side.join("made-here").exists() && side.join("outside").is_symlink());
    assert!(lab.project.join(".git").exists());
}
