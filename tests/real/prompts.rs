//! Every text reaches the model as it was sent, exactly once, or is refused before a byte is written.

use aegis::claude::prompt::same;
use aegis::domain::{ReceiptState, StatusWord};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;

use crate::support::Lab;
use crate::support::tasks::Driver;

/// Texts that a terminal program could take for something else.
fn tricky() -> Vec<String> {
    let mut texts: Vec<String> = [
        "x",
        "two\nlines",
        "six\nlines\nof\ntext\nin\nall",
        "a\ttab",
        "emoji 👩‍💻 and e\u{301} and 漢字 wide",
        "/cost",
        "/cost now please",
        "/etc/hosts is a path",
        "/nosuchcommand at all",
        "!touch shell-was-run",
        "! touch shell-was-run",
        "#remember this",
        "@nothing",
        "look at @nothing",
        "ends with a backslash\\",
        "exit",
        "quit",
        ":q",
        "/exit",
        "/",
        "!",
        "?",
        "y",
        "1",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("b".repeat(4096));
    texts.push((0..900).map(|n| format!("line {n}\n")).collect());
    texts
}

/// Whether the model received this text (with at most what keeps it from being a command) just once.
fn received(lab: &Lab, text: &str) -> usize {
    let seen = |got: &String| same(text, got) || same(&format!("{text}."), got);
    lab.api.requests().iter().filter(|request| request.is_main() && request.prompt().is_some_and(|p| seen(&p))).count()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_reaches_the_model_as_it_was_sent(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new().on("", [Reply::text("Heard.")])).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let mut wrong = Vec::new();
    for text in tricky() {
        let receipt = driver.send(&id, &text).await.unwrap();
        let short: String = text.chars().take(30).collect();
        if !matches!(receipt.state, ReceiptState::Submitted | ReceiptState::TurnEnded) {
            wrong.push(format!("{short:?}: {:?} {:?}", receipt.state, receipt.steps.last()));
        }
        driver.until(&id, StatusWord::Idle).await;
        let times = received(&lab, &text);
        if times != 1 {
            let last = lab.api.requests().iter().filter(|r| r.is_main()).last().and_then(|r| r.prompt());
            wrong.push(format!("{short:?}: received {times} times; last {last:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!lab.project.join("shell-was-run").exists());
    driver.kill(&id).await;
}
