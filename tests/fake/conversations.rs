//! Conversations stay apart, and follow one another.

use aegis::domain::{Outcome, ReceiptState, StatusWord};
use aegis::engine::AttachInput;
use futures_util::future::join_all;
use serde_json::json;

use super::{said, settled, taken};
use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

#[tokio::test(flavor = "multi_thread")]
async fn t9_sessions_in_one_directory_never_swap() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let ids = join_all((0..4).map(|_| driver.idle())).await;
    let prompts: Vec<String> = (0..ids.len()).map(|n| format!("I am number {n}")).collect();
    join_all(ids.iter().zip(&prompts).map(|(id, prompt)| taken(&driver, id, prompt))).await;
    for (id, prompt) in ids.iter().zip(&prompts) {
        assert_eq!(said(&driver, id).await, [prompt.clone(), format!("You said: {prompt}")]);
    }
    join_all(ids.iter().map(|id| driver.kill(id))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t9_clear_begins_another_conversation() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    taken(&driver, &id, "before").await;
    let old = driver.show(&id).await.session.conversation_id;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    for keys in [&b"/clear"[..], b"\r"] {
        terminal.input.send(AttachInput::Keys(keys.to_vec())).await.unwrap();
    }
    come("the other conversation", async || {
        (driver.show(&id).await.session.conversation_id != old).then_some(())
    })
    .await;
    taken(&driver, &id, "after").await;
    assert_eq!(said(&driver, &id).await, ["before", "You said: before", "after", "You said: after"]);
    driver.kill(&id).await;
}

/// What is sent while a tool runs joins its turn; while text streams it gets the next one.
#[tokio::test(flavor = "multi_thread")]
async fn prompts_sent_during_a_turn_arrive_once() {
    let script = json!({"rules": [
        {"on": "TOOL", "steps": [
            {"tool": {"input": {"command": "make"}, "ask": false, "takes": {"file": "go"}}}, {"say": "Made."}]},
        {"on": "TALK", "steps": [{"say": "Now."}, {"wait": {"file": "on"}}, {"say": "Done."}]}
    ]});
    let lab = Lab::fake(script).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for (first, shows, then, file) in
        [("TOOL", "Running…", "joined", "go"), ("TALK", "● Now.", "queued", "on")]
    {
        driver.send(&id, first).await.unwrap();
        driver.screen(&id, shows).await;
        let receipt = driver.send(&id, then).await.unwrap();
        std::fs::write(lab.project.join(file), "").unwrap();
        let receipt = settled(&driver, &id, receipt.id).await;
        assert_eq!(
            (receipt.state, receipt.outcome),
            (ReceiptState::TurnEnded, Some(Outcome::Completed)),
            "{receipt:#?}"
        );
        driver.until(&id, StatusWord::Idle).await;
    }
    let said = said(&driver, &id).await;
    for text in ["TOOL", "joined", "You said: joined", "TALK", "queued", "You said: queued"] {
        assert_eq!(said.iter().filter(|other| *other == text).count(), 1, "{text}: {said:#?}");
    }
    driver.kill(&id).await;
}
