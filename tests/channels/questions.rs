//! Asks with several questions, answered by tapping.

use aegis::domain::StatusWord;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::processes::come;
use crate::support::server::Server;
use crate::support::tasks::Driver;
use crate::support::telegram::{ADA, EVE, Sent, Telegram};

fn script() -> Value {
    let question = |text: &str, labels: &[&str], several: bool| {
        let options: Vec<_> =
            labels.iter().map(|label| json!({"label": label, "description": "so"})).collect();
        json!({"question": text, "header": "Pick", "multiSelect": several, "options": options})
    };
    let questions = [
        question("Which colour?", &["Red", "Blue"], false),
        question("Which size?", &["Small", "Large"], false),
        question("Which parts?", &["Cache", "Log"], true),
    ];
    let choose = json!({"tool": {"name": "AskUserQuestion", "input": {"questions": questions}}});
    json!({"rules": [{"on": "CHOOSE", "steps": [choose, {"say": "Chosen."}]}]})
}

fn labels(sent: &Sent) -> Vec<&str> {
    sent.buttons.iter().map(|(text, _)| text.as_str()).collect()
}

/// Waits until the message of the ask shows this question.
async fn page(telegram: &Telegram, number: usize) -> Sent {
    let part = format!("Question {number} of 3");
    telegram.message_that(&part, |sent| sent.text.contains(&part)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_questions_are_answered_one_after_the_other_and_once() {
    let telegram = Telegram::start().await;
    let lab = telegram.in_lab(Lab::fake(script()).build().await);
    let server = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "CHOOSE").await.unwrap();
    let first = page(&telegram, 1).await;
    assert_eq!(labels(&first), ["Red", "Blue"]);
    assert!(telegram.tap(EVE, &first, "Red").await.contains("not allowed"));
    assert_eq!(telegram.tap(ADA, &first, "Blue").await, "Chosen: Blue. Still 2 questions to answer.");
    let second = page(&telegram, 2).await;
    assert_eq!((second.id, labels(&second)), (first.id, vec!["Small", "Large"]));
    assert!(second.text.contains("Which colour?\n→ Blue"), "{second:?}");
    // A screen that is behind: the choice stands, and the same tap again repeats nothing.
    assert_eq!(telegram.tap(ADA, &first, "Red").await, "Already chosen: Blue.");
    assert_eq!(telegram.tap(ADA, &first, "Blue").await, "Chosen: Blue. Still 2 questions to answer.");
    assert_eq!(driver.show(&id).await.session.open_asks.len(), 1);

    // What was chosen outlives the server.
    server.kill().await;
    let _next = Server::start(&lab).await;
    assert_eq!(telegram.tap(ADA, &second, "Large").await, "Chosen: Large. Still one question to answer.");
    let third = page(&telegram, 3).await;
    assert_eq!(telegram.tap(ADA, &third, "Log").await, "Done: answered by telegram:11.");
    telegram.message("Chosen.").await;
    let settled = telegram
        .message_that("it is settled", |sent| sent.id == first.id && sent.text.contains("answered by"))
        .await;
    assert_eq!(labels(&settled), Vec::<&str>::new());
    for part in ["Which colour?\n→ Blue", "Which size?\n→ Large", "Which parts?\n→ Log"] {
        assert!(settled.text.contains(part), "{part}: {settled:?}");
    }
    for (sent, label) in [(&first, "Red"), (&second, "Small"), (&third, "Log")] {
        assert_eq!(telegram.tap(ADA, sent, label).await, "Already answered by telegram:11.");
    }
    let asks = lab.resolved_asks();
    assert_eq!(asks.len(), 1);
    let resolution = asks[0].resolution.clone().unwrap();
    assert_eq!(resolution.by, "telegram:11");
    let detail = resolution.detail.unwrap();
    assert!(["Blue", "Large", "Log"].iter().all(|label| detail.contains(label)), "{detail}");
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_are_answered_elsewhere_take_no_more_taps() {
    let telegram = Telegram::start().await;
    let lab = telegram.in_lab(Lab::fake(script()).build().await);
    let _server = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "CHOOSE").await.unwrap();
    let first = page(&telegram, 1).await;
    telegram.tap(ADA, &first, "Red").await;
    let second = page(&telegram, 2).await;
    // Words cannot answer several questions, and it is said how they are answered.
    telegram.say(ADA, second.topic, "Red, please");
    telegram.message("answer each by its text").await;
    let answers = ["Which colour?=Blue", "Which size?=Small", "Which parts?=Cache"];
    let mut args = vec!["answer", id.as_str()];
    args.extend(answers.iter().flat_map(|answer| ["--answer", answer]));
    cli(&lab, &args).await.exits(0);
    let settled = telegram
        .message_that("it is settled", |sent| sent.id == first.id && sent.text.contains("answered by cli"))
        .await;
    // What was chosen here was not the answer.
    assert!(settled.buttons.is_empty() && !settled.text.contains("→"), "{settled:?}");
    assert_eq!(telegram.tap(ADA, &second, "Large").await, "Already answered by cli.");
    come("the answer", async || {
        let asks = lab.resolved_asks();
        asks.first()?.resolution.as_ref()?.detail.as_ref()?.contains("Cache").then_some(())
    })
    .await;
    assert_eq!(telegram.sent().iter().filter(|sent| sent.id == first.id).count(), 1);
    driver.kill(&id).await;
}
