//! Every text reaches the model as it was sent, exactly once, or is refused before a byte is written.

use aegis::claude::prompt::same;
use aegis::domain::{ReceiptState, StatusWord};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::processes::come;
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
    lab.api
        .requests()
        .iter()
        .filter(|request| request.is_main() && request.prompt().is_some_and(|p| seen(&p)))
        .count()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn t1_a_prompt_reaches_the_model_as_it_was_sent(#[values("2.1.197", "2.1.330")] version: &str) {
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
            let last = lab.api.requests().iter().rfind(|r| r.is_main()).and_then(|r| r.prompt());
            wrong.push(format!("{short:?}: received {times} times; last {last:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!lab.project.join("shell-was-run").exists());
    driver.kill(&id).await;
}

#[rstest]
#[case::page(4096)]
#[case::large(64 << 10)]
#[case::huge(1 << 20)]
#[tokio::test(flavor = "multi_thread")]
async fn t1_a_long_prompt_arrives_whole(#[values("2.1.197", "2.1.330")] version: &str, #[case] bytes: usize) {
    let script = Script::new()
        .on("", [Reply::text("Heard.")])
        .on("HOLD", [Reply::text("Held.").held("go", aegis::rehearsal::api::HoldAt::End)]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let line = "0123456789 äöü — the quick brown fox jumps over the lazy dog\n";
    let mut text = line.repeat(bytes / line.len());
    text.push_str(&"#".repeat(bytes - text.len()));
    assert_eq!(text.len(), bytes);
    // As the first prompt of a session, and into one that is idle.
    let first = driver.create(Some(&text)).await;
    let id = first.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(received(&lab, &text), 1, "as the first prompt");
    let receipt = driver.send(&id, &text).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(received(&lab, &text), 2, "into an idle session: {receipt:#?}");
    // And while a turn runs.
    driver.send(&id, "HOLD").await.unwrap();
    lab.api.wait_for("the held turn", |r| r.is_main() && r.mentions("HOLD")).await.unwrap();
    driver.send(&id, &text).await.unwrap();
    lab.api.release("go");
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(received(&lab, &text), 3, "while a turn runs");
    driver.kill(&id).await;
}

/// Claude Code tells of such a prompt in its transcript only: it joins the running turn at the tool's end.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn prompts_sent_while_a_tool_runs_arrive_once(#[values("2.1.197", "2.1.330")] version: &str) {
    let wait = "touch running-$N; until [ -e go-$N ]; do sleep 0.05; done";
    let texts = ["plain words", "two\nlines", "/cost", "!touch shell-was-run", "exit", "ends with\\"];
    let mut script = Script::new().on("", [Reply::text("Heard.")]);
    for n in 0..texts.len() {
        let command = wait.replace("$N", &n.to_string());
        let call = Reply::tool("Bash", json!({"command": command, "description": "Wait"}));
        script = script.on(format!("WAIT {n}"), [call, Reply::text("Waited.")]);
    }
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for (n, text) in texts.into_iter().enumerate() {
        driver.send(&id, &format!("WAIT {n}")).await.unwrap();
        driver.ask(&id).await;
        driver.approve(&id, None).await.unwrap();
        let running = lab.project.join(format!("running-{n}"));
        come("the tool", async || running.exists().then_some(())).await;
        let before = lab.api.requests().len();
        let receipt = driver.send(&id, text).await.unwrap();
        assert!(!matches!(receipt.state, ReceiptState::Refused | ReceiptState::Uncertain), "{receipt:#?}");
        std::fs::write(lab.project.join(format!("go-{n}")), "").unwrap();
        driver.until(&id, StatusWord::Idle).await;
        // Said once, whether to the running turn or in one of its own; later requests repeat it as history.
        let last = lab.api.requests().into_iter().rfind(|request| request.is_main()).unwrap();
        assert!(last.number >= before, "{text:?}");
        let seen = |got: &String| same(text, got) || same(&format!("{text}."), got);
        let said = last.said().into_iter().filter(seen).count();
        assert_eq!(said, 1, "{text:?}: {:#?}", last.said());
        let receipts = driver.show(&id).await.receipts;
        let proved = receipts.into_iter().find(|of| of.id == receipt.id).unwrap();
        assert_eq!(proved.state, ReceiptState::TurnEnded, "{proved:#?}");
    }
    assert!(!lab.project.join("shell-was-run").exists());
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn prompts_sent_while_a_turn_runs_arrive_once(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("", [Reply::text("Heard.")])
        .on("HOLD", [Reply::text("Held.").held("go", aegis::rehearsal::api::HoldAt::End)]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let mut wrong = Vec::new();
    for text in tricky() {
        let number = lab.api.requests().len();
        driver.send(&id, &format!("HOLD {number}")).await.unwrap();
        let held = format!("HOLD {number}");
        lab.api
            .wait_for("the held turn", |request| {
                request.is_main() && request.prompt().is_some_and(|p| p == held)
            })
            .await
            .unwrap();
        let before = mentions(&lab, &text);
        driver.send(&id, &text).await.unwrap();
        lab.api.release("go");
        driver.until(&id, StatusWord::Idle).await;
        let short: String = text.chars().take(30).collect();
        if mentions(&lab, &text) != before + 1 {
            let last = lab.api.requests().iter().rfind(|r| r.is_main()).map(|r| r.user_texts());
            wrong.push(format!("{short:?}: {} times; last {last:?}", mentions(&lab, &text) - before));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!lab.project.join("shell-was-run").exists());
    driver.kill(&id).await;
}

/// How many requests carry this text as the newest thing said.
fn mentions(lab: &Lab, text: &str) -> usize {
    let seen = |got: &String| same(text, got) || same(&format!("{text}."), got);
    lab.api
        .requests()
        .iter()
        .filter(|r| r.is_main() && (r.prompt().iter().any(seen) || r.user_texts().iter().any(seen)))
        .count()
}

#[rstest]
#[case::end_of_paste("a\u{1b}[201~b")]
#[case::nul("a\0b")]
#[case::escape("\u{1b}c")]
#[case::blank(" \n\t ")]
#[tokio::test(flavor = "multi_thread")]
async fn t1_what_a_terminal_would_act_on_is_refused(#[case] text: &str) {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let error = driver.send(&id, text).await.unwrap_err();
    assert_eq!(error.code.as_str(), "prompt_refused", "{error}");
    assert!(driver.show(&id).await.receipts.is_empty());
    driver.kill(&id).await;
}
