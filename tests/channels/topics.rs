//! Topics whose opening is cut short: Telegram has them, and nobody knows.

use aegis::domain::{ContentType, Role};
use aegis::store::{ChatStore as _, SqliteStore};
use serde_json::{Value, json};

use super::events::message;
use crate::support::Lab;
use crate::support::faults::Faults;
use crate::support::processes::come;
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::tasks::Driver;
use crate::support::telegram::{ADA, GROUP, Sent, TOKEN, Telegram};

/// What was said outside all topics about a topic that nobody uses.
fn of_orphans(telegram: &Telegram) -> Vec<Sent> {
    telegram.sent().into_iter().filter(|sent| sent.text.contains("cut short")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_a_topic_opens_tells_of_it_and_uses_one() {
    let telegram = Telegram::start().await;
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let lab = telegram.in_lab(lab);
    faults.kill_at("telegram.opened");
    let first = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let killed = faults.killed("telegram.opened").await;
    assert_eq!(killed, first.pid);
    assert_eq!(telegram.topics().len(), 1);
    let second = Server::start(&lab).await;
    let told = telegram.message("cut short").await;
    assert_eq!(told.topic, None);
    driver.send(&id, "hello").await.unwrap();
    let said = telegram.message_that("an answer", |sent| sent.text.contains("hello")).await;
    let topic = said.topic.unwrap();
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    let session = id.parse().unwrap();
    assert_eq!(store.chat_topic("telegram", session).unwrap(), Some((topic, false)));
    // A server that starts again has nothing more to say about it.
    second.kill().await;
    let _third = Server::start(&lab).await;
    driver.kill(&id).await;
    telegram.message("Session ended").await;
    come("a closed topic", async || (!telegram.topics()[&topic].1).then_some(())).await;
    assert_eq!((telegram.topics().len(), of_orphans(&telegram).len()), (2, 1));
    let used: Vec<_> = telegram.sent().into_iter().filter_map(|sent| sent.topic).collect();
    assert!(used.len() > 1 && used.iter().all(|used| *used == topic), "{used:?}");
    // The other one is nobody's.
    let orphan = telegram.topics().into_keys().find(|other| *other != topic).unwrap();
    assert_eq!(store.chat_session("telegram", orphan).unwrap(), None);
}

fn config(telegram: &Telegram) -> Value {
    json!({
        "tgToken": TOKEN, "tgGroup": GROUP, "tgAllowedUsers": [ADA],
        "tgApiUrl": format!("http://127.0.0.1:{}", telegram.port)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_telegram_refused_is_no_orphan_and_one_that_a_gateway_lost_may_be() {
    let telegram = Telegram::start().await;
    let slow = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1}
    });
    telegram.fails("createForumTopic", 429, slow.to_string());
    let mut running = Running::start(config(&telegram)).await;
    let said = |text: &str| vec![message(Role::Assistant, ContentType::Text, text)];
    let first = running.session("s1");
    running.happens(&first, said("one"));
    running.quiet().await;
    assert_eq!((telegram.topics().len(), of_orphans(&telegram).len()), (1, 0));
    telegram.fails("createForumTopic", 502, "<html><body>Bad Gateway</body></html>");
    let second = running.session("s2");
    running.happens(&second, said("two"));
    running.quiet().await;
    assert_eq!(telegram.topics().len(), 2);
    let told = of_orphans(&telegram);
    assert!(told.len() == 1 && told[0].text.contains("s2") && told[0].topic.is_none(), "{told:?}");
}
