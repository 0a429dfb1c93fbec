//! Telegram, both ways.

use aegis::domain::{AskKind, ContentType, EventData, How, Role, StatusWord};
use aegis::rehearsal::api::ToolCall;
use aegis::rehearsal::{Reply, Script};
use aegis::store::{ChatStore as _, OutboxStore as _, SqliteStore};
use rstest::rstest;
use serde_json::{Value, json};

use super::events::{ask, every_topic, message, resolved};
use crate::support::Lab;
use crate::support::faults::Faults;
use crate::support::outside::cli;
use crate::support::processes::come;
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::tasks::Driver;
use crate::support::telegram::{ADA, EVE, GROUP, Sent, TOKEN, Telegram};

fn config(telegram: &Telegram, allowed: &[i64]) -> Value {
    json!({
        "tgToken": TOKEN, "tgGroup": GROUP, "tgAllowedUsers": allowed,
        "tgApiUrl": format!("http://127.0.0.1:{}", telegram.port)
    })
}

fn script() -> Script {
    let touch = |file: &str| {
        ToolCall::new("Bash", json!({"command": format!("touch {file}"), "description": "Make a file"}))
    };
    let make = |file: &str, said: &str| [Reply::tools([touch(file)]), Reply::text(said)];
    Script::new()
        .on("MAKE one", make("one", "One is made."))
        .on("MAKE two", make("two", "Two is made."))
        .on("MAKE three", make("three", "Three is made."))
}

/// The story of a person away from the keyboard, with the real Claude Code.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_driven_from_its_topic(#[values("2.1.197", "2.1.330")] version: &str) {
    let telegram = Telegram::start().await;
    let lab = telegram.in_lab(Lab::new(version, script()).await);
    let server = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    // Started from the group itself.
    telegram.say(ADA, None, &format!("/new {}", lab.work_dir()));
    let head = telegram.message(&lab.work_dir()).await;
    let topic = head.topic.expect("a session has its topic");
    let sessions = server.call("list_sessions", json!({})).await;
    let id = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
    driver.until(&id, StatusWord::Idle).await;

    telegram.say(ADA, Some(topic), "MAKE one");
    let asked = telegram.message_that("an ask", |sent| !sent.buttons.is_empty()).await;
    assert_eq!(asked.topic, Some(topic));
    assert!(asked.text.contains("touch one"), "{asked:?}");
    // A stranger's tap does nothing.
    let told = telegram.tap(EVE, &asked, "Approve").await;
    assert!(told.contains("not allowed"), "{told}");
    let elsewhere = telegram.tap_data(-5, ADA, &asked, &asked.buttons[0].1).await;
    assert!(elsewhere.contains("not the right group"), "{elsewhere}");
    assert_eq!(driver.show(&id).await.session.open_asks.len(), 1);
    let told = telegram.tap(ADA, &asked, "Approve").await;
    assert_eq!(told, "Done: approved by telegram:11.");
    telegram.message("One is made.").await;
    assert!(lab.project.join("one").exists());
    let edited = telegram.message_that("an edit", |sent| sent.id == asked.id && sent.edits > 0).await;
    assert!(edited.text.contains("approved by telegram:11") && edited.buttons.is_empty(), "{edited:?}");
    // A second tap says who settled it, and so does the other button.
    assert_eq!(telegram.tap(ADA, &asked, "Approve").await, "Already approved by telegram:11.");
    assert_eq!(telegram.tap(ADA, &asked, "Reject").await, "Already approved by telegram:11.");

    // What is settled in the terminal is told the same way.
    driver.until(&id, StatusWord::Idle).await;
    telegram.say(ADA, Some(topic), "MAKE two");
    let asked = telegram.message_that("an ask", |sent| sent.buttons.len() == 2).await;
    let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
    driver.screen(&id, "Do you want to proceed?").await;
    driver.press(&terminal, b"1", &id, 0).await;
    drop(terminal);
    let told = telegram.tap(ADA, &asked, "Approve").await;
    assert!(told.starts_with("Already ") && told.contains("terminal"), "{told}");
    telegram.message("Two is made.").await;
    telegram.message_that("an edit", |sent| sent.id == asked.id && sent.text.contains("terminal")).await;

    driver.until(&id, StatusWord::Idle).await;
    telegram.say(ADA, Some(topic), "MAKE three");
    telegram.message_that("an ask", |sent| sent.buttons.len() == 2).await;
    telegram.say(ADA, Some(topic), "/reject@aegis_bot not three");
    telegram.message("rejected.").await;
    assert!(!lab.project.join("three").exists());
    driver.until(&id, StatusWord::Idle).await;
    telegram.say(ADA, Some(topic), "/status");
    telegram.message("is idle since").await;
    telegram.say(ADA, None, "/list");
    telegram.message("— idle").await;
    telegram.say(ADA, Some(topic), "/kill");
    telegram.message("Session ended: killed by telegram:11").await;
    come("a closed topic", async || (!telegram.topics()[&topic].1).then_some(())).await;
    telegram.say(ADA, Some(topic), "anybody there?");
    telegram.message("resumeSessionId").await;

    let refused = cli(&lab, &["channels", "refusals", "--json"]).await.exits(0).json();
    let refused: Vec<_> = refused.as_array().unwrap().iter().map(|one| one["who"].clone()).collect();
    assert_eq!(refused, ["telegram:11", "telegram:66"]);
    let by: Vec<_> = lab.resolved_asks().into_iter().map(|ask| ask.resolution.unwrap().by).collect();
    assert_eq!(by, ["telegram:11", "terminal", "telegram:11"]);
    assert_eq!(telegram.topics().len(), 1);
    // Nobody sees the token: not the journal, not what people are told.
    let said = format!("{:?}{:?}", lab.events(), telegram.sent());
    assert!(!said.contains("canary"));
}

/// The stand-in makes a file when it is told `MAKE`, and asks before.
fn makes() -> Value {
    json!({"rules": [{"on": "MAKE", "steps": [
        {"tool": {"input": {"command": "touch made"}, "creates": "made"}}, {"say": "Made."}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_and_buttons_outlive_the_server() {
    let telegram = Telegram::start().await;
    let lab = telegram.in_lab(Lab::fake(makes()).build().await);
    let server = Server::start(&lab).await;
    let created = server.call("create_session", json!({"workDir": lab.work_dir(), "prompt": "MAKE"})).await;
    let id = created["id"].as_str().unwrap().to_owned();
    let asked = telegram.message_that("an ask", |sent| !sent.buttons.is_empty()).await;
    server.kill().await;
    let _next = Server::start(&lab).await;
    assert_eq!(telegram.tap(ADA, &asked, "Approve").await, "Done: approved by telegram:11.");
    let answer = telegram.message("Made.").await;
    assert_eq!(answer.topic, asked.topic);
    Driver::new(&lab).kill(&id).await;
    telegram.message("Session ended").await;
    assert_eq!(telegram.topics().len(), 1);
}

/// Telegram has the message, and nobody remembers that: it is sent again, and both can be tapped.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_cut_short_has_buttons_that_do_something() {
    let telegram = Telegram::start().await;
    let (lab, faults) = Faults::in_lab(Lab::fake(makes()).build().await);
    let lab = telegram.in_lab(lab);
    let first = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    faults.kill_at("telegram.shown");
    driver.send(&id, "MAKE").await.unwrap();
    assert_eq!(faults.killed("telegram.shown").await, first.pid);
    let _second = Server::start(&lab).await;
    let asked = telegram.message_that("an ask", |sent| !sent.buttons.is_empty()).await;
    let again = |sent: &Sent| sent.id != asked.id && !sent.buttons.is_empty();
    let again = telegram.message_that("the ask again", again).await;
    assert_eq!(again.buttons, asked.buttons);
    assert_eq!(telegram.tap(ADA, &asked, "Approve").await, "Done: approved by telegram:11.");
    telegram.message("Made.").await;
    assert_eq!(telegram.tap(ADA, &again, "Reject").await, "Already approved by telegram:11.");
    assert_eq!(lab.resolved_asks().len(), 1);
    driver.kill(&id).await;
}

/// The tap is not confirmed to Telegram, so that it comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_over_a_tap_leaves_no_button_that_does_nothing() {
    let telegram = Telegram::start().await;
    let (lab, faults) = Faults::in_lab(Lab::fake(makes()).build().await);
    let lab = telegram.in_lab(lab);
    let first = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "MAKE").await.unwrap();
    let asked = telegram.message_that("an ask", |sent| !sent.buttons.is_empty()).await;
    faults.kill_at("telegram.tapped");
    let again = async {
        assert_eq!(faults.killed("telegram.tapped").await, first.pid);
        assert_eq!(driver.show(&id).await.session.open_asks.len(), 1);
        Server::start(&lab).await
    };
    let (told, _second) = tokio::join!(telegram.tap(ADA, &asked, "Approve"), again);
    assert_eq!(told, "Done: approved by telegram:11.");
    telegram.message("Made.").await;
    assert_eq!(telegram.tap(ADA, &asked, "Approve").await, "Already approved by telegram:11.");
    assert_eq!(lab.resolved_asks().len(), 1);
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_must_know_is_told_and_long_texts_are_split() {
    let telegram = Telegram::start().await;
    let mut running = Running::start(config(&telegram, &[ADA])).await;
    let session = running.session("s1");
    running.happens(&session, every_topic().0);
    running.quiet().await;
    let all: String = telegram.sent().iter().map(|sent| format!("{}\n", sent.text)).collect();
    for part in [
        "was started",
        "It is done.",
        "Overloaded",
        "resets at 3pm",
        "no sign of life",
        "shows life again",
        "91% of the context window",
        "was stopped by cli",
        "Nobody answered in time",
        "process is gone",
        "Session ended",
    ] {
        assert!(all.contains(part), "{part} is missing: {all}");
    }
    for part in ["hm", "A turn is running", "do it"] {
        assert!(!all.lines().any(|line| line.contains(part)), "{part}: {all}");
    }
    let second = running.session("s2");
    let long = "word ".repeat(399) + "end";
    let messages: Vec<_> = (0..5).map(|_| message(Role::Assistant, ContentType::Text, &long)).collect();
    running.happens(&second, messages);
    running.quiet().await;
    let pieces: Vec<_> = telegram.sent().into_iter().filter(|sent| sent.text.contains("word")).collect();
    assert!(pieces.len() >= 3, "{}", pieces.len());
    let words: usize = pieces.iter().map(|piece| piece.text.matches("word").count()).sum();
    assert_eq!(words, 5 * 399);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_refuses_everybody_and_says_how_to_be_on_it() {
    let telegram = Telegram::start().await;
    let mut running = Running::start(config(&telegram, &[])).await;
    let session = running.session("s1");
    running.happens(&session, vec![EventData::AskOpened(ask(AskKind::Permission))]);
    let asked = telegram.message_that("an ask", |sent| !sent.buttons.is_empty()).await;
    let told = telegram.tap(ADA, &asked, "Approve").await;
    assert!(told.contains("Your number is 11") && told.contains("AEGIS_TG_ALLOWED_USERS"), "{told}");
    telegram.say(ADA, asked.topic, "hello");
    let said = telegram.message("Your number is 11").await;
    assert_eq!(said.topic, asked.topic);
    // In another group nobody is even answered.
    telegram.say_in(-5, ADA, None, "/list");
    telegram.say(ADA, None, "/list");
    telegram.message_that("a second refusal", |sent| sent.topic.is_none()).await;
    let refusals = running.store.refusals(9).unwrap();
    assert_eq!(refusals.len(), 4, "{refusals:#?}");
    assert!(telegram.sent().iter().all(|sent| sent.chat == GROUP));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_service_lose_and_repeat_nothing() {
    let telegram = Telegram::start().await;
    telegram.fails("getUpdates", 502, "<html><body>Bad Gateway</body></html>");
    telegram.fails("createForumTopic", 502, "<html><body>Bad Gateway</body></html>");
    let slow = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1}
    });
    telegram.fails("sendMessage", 429, slow.to_string());
    let mut running = Running::start(config(&telegram, &[ADA])).await;
    let session = running.session("s1");
    let permission = ask(AskKind::Permission);
    let said = |text: &str| message(Role::Assistant, ContentType::Text, text);
    running.happens(&session, vec![said("first"), EventData::AskOpened(permission.clone()), said("last")]);
    running.quiet().await;
    let count = |part: &str| telegram.sent().iter().filter(|sent| sent.text.contains(part)).count();
    assert_eq!([count("first"), count("touch made"), count("last")], [1, 1, 1]);
    let row = running.until(|row| row.note.as_deref() == Some("listens")).await;
    assert!(row.heard_at.is_some());
    let order: Vec<_> = telegram.sent().into_iter().map(|sent| sent.text).collect();
    let at = |part: &str| order.iter().position(|text| text.contains(part)).unwrap();
    assert!(at("first") < at("touch made") && at("touch made") < at("last"), "{order:#?}");

    // Somebody deletes the topic: another one is opened.
    let topic = telegram.sent()[0].topic.unwrap();
    telegram.delete_topic(topic);
    running
        .happens(&session, vec![resolved(&permission, "cli", How::Approved, None), said("in a new topic")]);
    let sent = telegram.message("in a new topic").await;
    assert_ne!(sent.topic, Some(topic));
    telegram.message("approved by cli").await;
    running.quiet().await;
    assert_eq!(running.store.outbox(None, Some(aegis::domain::OutboxState::Dead), 9).unwrap(), []);

    // Somebody else polls: this one goes on sending, and says so.
    telegram.poll_elsewhere();
    let row =
        running.until(|row| row.note.as_deref().is_some_and(|note| note.starts_with("only sends"))).await;
    assert_eq!(row.note.unwrap(), "only sends: another program listens with this token");
    running.happens(&session, vec![said("still here")]);
    telegram.message("still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_listens_for_a_token() {
    let telegram = Telegram::start().await;
    let lab = telegram.in_lab(Lab::fake(json!({})).build().await);
    let first = Server::start(&lab).await;
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    let note = async |wanted: &str| {
        come(wanted, async || {
            store.channel("telegram").unwrap().filter(|row| row.note.as_deref() == Some(wanted))
        })
        .await
    };
    note("listens").await;
    // The same user's other state directory, with the same runtime directory: the lock is the token's.
    let other = lab.root.join("other-state");
    let mut command = lab.command();
    command.env("AEGIS_STATE_DIR", &other);
    let second = Server::run(command).await;
    let elsewhere = SqliteStore::open(&other.join("aegis.db")).unwrap();
    come("it says so", async || {
        let row = elsewhere.channel("telegram").unwrap()?;
        (row.note.as_deref() == Some("only sends: another process of yours listens with this token"))
            .then_some(())
    })
    .await;
    first.kill().await;
    come("it takes over", async || {
        let row = elsewhere.channel("telegram").unwrap()?;
        (row.note.as_deref() == Some("listens")).then_some(())
    })
    .await;
    drop(second);
}
