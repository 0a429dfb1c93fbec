//! Which conversation a session is in: `/clear`, resume, fork, and two sessions side by side.

use aegis::domain::StatusWord;
use aegis::engine::AttachInput;
use aegis::ops::CreateSession;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;

use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

fn script() -> Script {
    let on = |script: Script, n: u8| script.on(format!("PROMPT {n}"), [Reply::text(format!("Reply {n}."))]);
    (1..=9).fold(Script::new(), on)
}

async fn say(driver: &Driver, id: &str, n: u8) {
    driver.send(id, &format!("PROMPT {n}")).await.unwrap();
    driver.until(id, StatusWord::Idle).await;
}

async fn texts(driver: &Driver, id: &str) -> Vec<String> {
    let said = |text: &str| text.starts_with("PROMPT") || text.starts_with("Reply");
    let all = driver.messages(id, None).await.into_iter().map(|message| message.text);
    all.filter(|text| said(text)).collect()
}

async fn resume(driver: &Driver, from: &str) -> Result<String, aegis::domain::OpError> {
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        resume_session_id: Some(from.into()),
        ..CreateSession::default()
    };
    Ok(driver.aegis.create_session(&driver.caller, req).await?.session.id.to_string())
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t9_clear_resume_and_fork_keep_the_chain(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    say(&driver, &id, 1).await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    terminal.input.send(AttachInput::Keys(b"/clear".to_vec())).await.unwrap();
    driver.screen(&id, "/clear").await;
    terminal.input.send(AttachInput::Keys(b"\r".to_vec())).await.unwrap();
    drop(terminal);
    come("a second one", async || (driver.show(&id).await.conversations.len() > 1).then_some(())).await;
    say(&driver, &id, 2).await;
    assert_eq!(texts(&driver, &id).await, ["PROMPT 1", "Reply 1.", "PROMPT 2", "Reply 2."]);
    let chain = driver.show(&id).await.conversations;
    assert_eq!(chain.len(), 2);

    // A fork of the live session has its history and goes its own way.
    let fork = resume(&driver, &id).await.unwrap();
    driver.until(&fork, StatusWord::Idle).await;
    say(&driver, &fork, 3).await;
    say(&driver, &id, 4).await;
    assert_eq!(texts(&driver, &fork).await, ["PROMPT 2", "Reply 2.", "PROMPT 3", "Reply 3."]);
    assert_eq!(texts(&driver, &id).await[4..], ["PROMPT 4", "Reply 4."]);
    let forked = driver.show(&fork).await.conversations;
    assert!(!chain.contains(forked.last().unwrap()), "{forked:?} {chain:?}");

    // Resumed after its end it is the same conversation.
    driver.kill(&id).await;
    let again = resume(&driver, &id).await.unwrap();
    driver.until(&again, StatusWord::Idle).await;
    say(&driver, &again, 5).await;
    let seen = texts(&driver, &again).await;
    assert_eq!(seen, ["PROMPT 2", "Reply 2.", "PROMPT 4", "Reply 4.", "PROMPT 5", "Reply 5."]);
    assert_eq!(driver.show(&again).await.conversations.last(), chain.last());
    driver.kill(&again).await;
    driver.kill(&fork).await;
    // The ended one is still readable.
    assert_eq!(texts(&driver, &id).await.len(), 6);

    for unknown in ["nobody", "00000000-0000-4000-8000-000000000000"] {
        let error = resume(&driver, unknown).await.unwrap_err();
        assert_eq!(error.code.as_str(), "no_such_conversation");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t9_two_sessions_in_one_directory_never_swap(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let driver = Driver::new(&lab);
    let (one, two) = tokio::join!(driver.idle(), driver.idle());
    for n in [1, 3, 5] {
        tokio::join!(say(&driver, &one, n), say(&driver, &two, n + 1));
    }
    let odd = ["PROMPT 1", "Reply 1.", "PROMPT 3", "Reply 3.", "PROMPT 5", "Reply 5."];
    let even = ["PROMPT 2", "Reply 2.", "PROMPT 4", "Reply 4.", "PROMPT 6", "Reply 6."];
    assert_eq!(texts(&driver, &one).await, odd);
    assert_eq!(texts(&driver, &two).await, even);
    driver.kill(&one).await;
    driver.kill(&two).await;
}
