//! Slash commands and shell lines.

use aegis::domain::{Decision, Delivery, OpError, Outcome, PolicyRule, Receipt, ReceiptState, StatusWord};
use aegis::ops::{CreateSession, SendLine, SessionRef};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;

use crate::fake::settled;
use crate::support::Lab;
use crate::support::tasks::Driver;

fn line(id: &str, command: &str) -> SendLine {
    SendLine { session_id: id.into(), command: command.into(), idempotency_key: None }
}

async fn command(driver: &Driver, id: &str, text: &str) -> Result<Receipt, OpError> {
    driver.aegis.send_command(&driver.caller, line(id, text)).await
}

async fn bash(driver: &Driver, id: &str, text: &str) -> Result<Receipt, OpError> {
    driver.aegis.send_bash(&driver.caller, line(id, text)).await
}

/// Waits until the command is over, and the session takes the next.
async fn over(driver: &Driver, id: &str, receipt: Receipt) -> Receipt {
    let receipt = settled(driver, id, receipt.id).await;
    driver.until(id, StatusWord::Idle).await;
    assert_eq!(
        (receipt.state, receipt.outcome),
        (ReceiptState::TurnEnded, Some(Outcome::Completed)),
        "{receipt:#?}"
    );
    receipt
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn commands_run_and_are_proved(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new()).await;
    let commands = lab.project.join(".claude/commands");
    std::fs::create_dir_all(&commands).unwrap();
    std::fs::write(commands.join("mycmd.md"), "Do it: $ARGUMENTS\n").unwrap();
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "hello").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;

    // One of the project's own becomes a prompt.
    let receipt = command(&driver, &id, "mycmd with args").await.unwrap();
    assert_eq!(receipt.delivery, Delivery::Command);
    over(&driver, &id, receipt).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text.trim(), "You said: Do it: with args");
    // Claude Code's own.
    let receipt = command(&driver, &id, "/compact").await.unwrap();
    over(&driver, &id, receipt).await;
    // The beginning of a name is not the name that a menu would choose for it.
    let receipt = command(&driver, &id, "/com").await.unwrap();
    let receipt = settled(&driver, &id, receipt.id).await;
    assert_eq!(
        (receipt.state, receipt.outcome),
        (ReceiptState::TurnEnded, Some(Outcome::Failed)),
        "{receipt:#?}"
    );
    driver.until(&id, StatusWord::Idle).await;
    // One that opens a dialog: an ask, closed like every other.
    let receipt = command(&driver, &id, "/cost").await.unwrap();
    let session = driver.until(&id, StatusWord::PermissionPrompt).await;
    assert_eq!(session.open_asks.len(), 1);
    let blocked = command(&driver, &id, "/compact").await.unwrap_err();
    assert_eq!(blocked.code.as_str(), "session_blocked");
    driver.aegis.escape_session(&driver.caller, SessionRef { session_id: id.clone() }).await.unwrap();
    over(&driver, &id, receipt).await;
    // The conversation goes on in another file.
    let receipt = command(&driver, &id, "/clear").await.unwrap();
    over(&driver, &id, receipt).await;
    driver.send(&id, "after").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(driver.messages(&id, None).await.last().unwrap().text, "You said: after");
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn shell_lines_run_and_tell_their_output(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new().on("SLOW", [Reply::text("Slowly.").slowly(1, 300)]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "hello").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;

    let receipt = bash(&driver, &id, "echo out; echo err >&2; echo '<b>&amp;'").await.unwrap();
    assert_eq!((receipt.delivery, receipt.output.as_deref()), (Delivery::Shell, Some("out\nerr\n<b>&amp;")));
    over(&driver, &id, receipt).await;
    let long = format!("echo {}", "x".repeat(3000));
    let receipt = bash(&driver, &id, &long).await.unwrap();
    assert_eq!(receipt.output.as_deref().map(str::len), Some(3000), "{receipt:#?}");
    over(&driver, &id, receipt).await;
    let receipt = bash(&driver, &id, "echo one\necho two").await.unwrap();
    assert_eq!(receipt.output.as_deref(), Some("one\ntwo"), "{receipt:#?}");
    over(&driver, &id, receipt).await;
    // While a turn runs it waits for the turn's end, and text stays text.
    driver.send(&id, "SLOW").await.unwrap();
    let receipt = bash(&driver, &id, "touch made").await.unwrap();
    over(&driver, &id, receipt).await;
    assert!(lab.project.join("made").exists());
    driver.send(&id, "!touch not-made").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert!(!lab.project.join("not-made").exists());
    for (wrong, code) in
        [(" ", "prompt_refused"), ("a \\", "prompt_refused"), ("a\nb\nc\nd\ne", "prompt_refused")]
    {
        assert_eq!(bash(&driver, &id, wrong).await.unwrap_err().code.as_str(), code, "{wrong:?}");
    }
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_asked_about_shell_lines() {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let driver = Driver::new(&lab);
    let rules = vec![
        PolicyRule::read("Bash(rm *)", Decision::Deny),
        PolicyRule::read("Bash(touch asked*)", Decision::Ask),
        PolicyRule::read("Bash(touch *)", Decision::Allow),
    ];
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        permission_policy: Some(rules),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    for refused in ["touch a && rm a", "touch asked"] {
        assert_eq!(bash(&driver, &id, refused).await.unwrap_err().code.as_str(), "policy_refused");
    }
    let receipt = bash(&driver, &id, "touch a").await.unwrap();
    over(&driver, &id, receipt).await;
    assert!(lab.project.join("a").exists());
    let journaled: Vec<_> =
        lab.resolved_asks().into_iter().map(|ask| (ask.title, ask.resolution.unwrap().by)).collect();
    let expected =
        [("Bash: touch a && rm a", "policy"), ("Bash: touch asked", "policy"), ("Bash: touch a", "test")];
    assert_eq!(journaled, expected.map(|(title, by)| (title.to_owned(), by.to_owned())));
    driver.kill(&id).await;
}
