//! Resources, their subscriptions and completion, by the real program.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::client::Era;
use super::host::{Host, each};
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::processes::come;

const UPDATED: &str = "notifications/resources/updated";
const LISTED: &str = "notifications/resources/list_changed";

/// Far longer than a change takes to be told.
const QUIET: Duration = Duration::from_millis(1500);

async fn lab() -> Lab {
    let many = json!({"say": "word ".repeat(40)});
    let flood = vec![many; 40];
    Lab::fake(json!({"rules": [{"on": "FLOOD", "steps": flood}]})).build().await
}

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_and_read(#[case] era: Era) {
    let lab = lab().await;
    let mut host = Host::start(&lab, era).await;
    let can = &host.server["capabilities"];
    assert_eq!(can["resources"], json!({"subscribe": true, "listChanged": true}), "{can}");
    let listed = host.ask("resources/list", json!({})).await;
    assert_eq!(
        each(&listed["resources"], "uri"),
        ["aegis://health", "aegis://sessions"].map(String::from).into()
    );
    let listed = host.ask("resources/templates/list", json!({})).await;
    let templates = ["aegis://sessions/{id}/pane", "aegis://sessions/{id}/transcript"];
    assert_eq!(each(&listed["resourceTemplates"], "uriTemplate"), templates.map(String::from).into());

    let id = host.session(&lab, "my wörker").await;
    host.tool("send_message", json!({"sessionId": id, "text": "hello"})).await;
    host.until(&id, "idle").await;
    let sessions = host.read("aegis://sessions").await;
    assert_eq!((&sessions["sessions"][0]["id"], sessions.get("cut")), (&json!(id), None), "{sessions:#}");
    assert_eq!(host.read("aegis://health").await["sessions"], json!({"idle": 1}));
    for name in [id.as_str(), &id[..8], "my%20w%C3%B6rker"] {
        let transcript = host.read(&format!("aegis://sessions/{name}/transcript")).await;
        assert_eq!(transcript["sessionId"], id);
        assert_eq!(transcript["messages"][0]["text"], "hello", "{transcript:#}");
        let uri = format!("aegis://sessions/{name}/pane");
        let pane = host.ask("resources/read", json!({"uri": uri})).await;
        assert_eq!(pane["contents"][0]["mimeType"], "text/plain");
        assert!(pane["contents"][0]["text"].as_str().unwrap().contains("hello"), "{pane:#}");
        // Who may keep it is told to those who know the words.
        assert_eq!(pane.get("cacheScope"), (era == Era::Modern).then_some(&json!("private")));
    }

    cli(&lab, &["kill", &id]).await.exits(0);
    let after = host.read(&format!("aegis://sessions/{id}/transcript")).await;
    assert_eq!(after["messages"][0]["text"], "hello", "it can be read after the end");
    let ended = host.fault("resources/read", json!({"uri": format!("aegis://sessions/{id}/pane")})).await;
    assert_eq!(ended["data"]["code"], "session_ended", "{ended}");
    host.close().await;
}

#[rstest]
#[case(Era::Legacy, -32002)]
#[case(Era::Modern, -32602)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found(#[case] era: Era, #[case] code: i64) {
    let lab = lab().await;
    let mut host = Host::start(&lab, era).await;
    for (uri, named) in [
        ("aegis://sessions/nobody/transcript", "no_such_session"),
        ("aegis://sessions/nobody/pane", "no_such_session"),
        ("aegis://sessions/%zz/pane", "invalid_argument"),
        ("aegis://nothing", "invalid_argument"),
        ("file:///etc/passwd", "invalid_argument"),
    ] {
        let error = host.fault("resources/read", json!({"uri": uri})).await;
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(code), &json!(named)), "{error}");
        assert!(!error["data"]["hint"].as_str().unwrap().is_empty());
        if era == Era::Legacy {
            let error = host.fault("resources/subscribe", json!({"uri": uri})).await;
            assert_eq!((&error["code"], &error["data"]["code"]), (&json!(code), &json!(named)), "{error}");
        }
    }
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transcript_is_cut_and_says_so() {
    let lab = lab().await;
    let mut host = Host::start(&lab, Era::Legacy).await;
    let id = host.session(&lab, "talker").await;
    for turn in 0..4 {
        let text = format!("{turn} {}", "long ".repeat(5000));
        host.tool("send_message", json!({"sessionId": id, "text": text})).await;
        host.until(&id, "idle").await;
    }
    let uri = format!("aegis://sessions/{id}/transcript");
    let result = host.ask("resources/read", json!({"uri": uri})).await;
    let text = result["contents"][0]["text"].as_str().unwrap();
    assert!(text.len() < 100_000, "{}", text.len());
    let transcript: Value = serde_json::from_str(text).unwrap();
    assert!(transcript["cut"].as_str().unwrap().contains("get_transcript"), "the end says that it is one");
    let last = transcript["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["role"], "assistant", "the newest is there");
    host.close().await;
}

/// The notices of each resource, subscribed and let go in the way of each era.
#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_to_who_subscribed(#[case] era: Era) {
    let lab = lab().await;
    let mut host = Host::start(&lab, era).await;
    let id = host.session(&lab, "talker").await;
    let transcript = "aegis://sessions/talker/transcript";
    let pane = format!("aegis://sessions/{id}/pane");
    let uris = [transcript, &pane, "aegis://sessions", "aegis://health"];
    let mut listening = 0;
    if era == Era::Legacy {
        for uri in uris {
            host.ask("resources/subscribe", json!({"uri": uri})).await;
        }
    } else {
        let wanted = json!({"resourceSubscriptions": uris, "resourcesListChanged": true});
        listening = host.begin("subscriptions/listen", json!({"notifications": wanted})).await;
        host.hears("notifications/subscriptions/acknowledged").await;
    }
    while host.heard_within(UPDATED, QUIET).await.is_some() {}
    assert!(host.heard_within(UPDATED, QUIET).await.is_none(), "nothing changed, nothing is told");

    host.tool("send_message", json!({"sessionId": id, "text": "hello"})).await;
    host.until(&id, "idle").await;
    let mut told = std::collections::BTreeSet::new();
    while told.len() < uris.len() {
        let note = host.heard_within(UPDATED, Duration::from_secs(20)).await;
        let note = note.unwrap_or_else(|| panic!("only {told:?} are told"));
        assert_eq!(
            note["params"]["_meta"].get("io.modelcontextprotocol/subscriptionId"),
            (era == Era::Modern).then_some(&json!(listening)),
            "{note}"
        );
        told.insert(note["params"]["uri"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, uris.map(String::from).into());

    // Another process does it, and this host is told.
    host.forget(LISTED);
    cli(&lab, &["create", &lab.work_dir(), "--name", "other"]).await.exits(0);
    host.hears(LISTED).await;
    cli(&lab, &["kill", "other"]).await.exits(0);
    host.hears(LISTED).await;

    if era == Era::Legacy {
        for uri in uris {
            host.ask("resources/unsubscribe", json!({"uri": uri})).await;
        }
    } else {
        host.say(json!({"method": "notifications/cancelled", "params": {"requestId": listening}})).await;
        host.tool("server_health", json!({})).await;
    }
    while host.heard_within(UPDATED, QUIET).await.is_some() {}
    host.tool("send_message", json!({"sessionId": id, "text": "unheard"})).await;
    host.until(&id, "idle").await;
    assert!(host.heard_within(UPDATED, QUIET).await.is_none(), "nobody listens any more");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_are_told_twice_a_second_and_the_last_one_always() {
    let lab = lab().await;
    let mut host = Host::start(&lab, Era::Legacy).await;
    let id = host.session(&lab, "talker").await;
    let uri = format!("aegis://sessions/{id}/transcript");
    host.ask("resources/subscribe", json!({"uri": uri})).await;
    let begun = std::time::Instant::now();
    for n in 0..3 {
        host.tool("send_message", json!({"sessionId": id, "text": format!("FLOOD {n}")})).await;
        host.until(&id, "idle").await;
    }
    let mut told = host.forget(UPDATED);
    while host.heard_within(UPDATED, QUIET).await.is_some() {
        told += 1;
    }
    let most = usize::try_from(begun.elapsed().as_millis()).unwrap() / 500 + 1;
    assert!((1..=most).contains(&told), "{told} words in {:?}", begun.elapsed());
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_subscription_holds_goes_with_it() {
    let lab = lab().await;
    let mut host = Host::start(&lab, Era::Legacy).await;
    let id = host.session(&lab, "talker").await;
    let uris = ["transcript", "pane"].map(|place| format!("aegis://sessions/{id}/{place}"));
    let mut before = None;
    for _ in 0..20 {
        for method in ["resources/subscribe", "resources/unsubscribe"] {
            for uri in &uris {
                host.ask(method, json!({"uri": uri})).await;
            }
        }
        // What it all needs once is there after the first round.
        before = before.or(Some(host.files()));
    }
    let before = before.unwrap();
    come("the files to be closed", async || (host.files() <= before).then_some(())).await;
    for uri in &uris {
        host.ask("resources/subscribe", json!({"uri": uri})).await;
    }
    let left = std::time::Instant::now();
    host.close().await;
    assert!(
        left.elapsed() < Duration::from_secs(1),
        "subscriptions do not delay the end: {:?}",
        left.elapsed()
    );
}

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_completed_by_name_and_id(#[case] era: Era) {
    let lab = lab().await;
    let mut host = Host::start(&lab, era).await;
    let id = host.session(&lab, "talker").await;
    let template = json!({"type": "ref/resource", "uri": "aegis://sessions/{id}/pane"});
    for (begun, expected) in
        [("", json!(["talker", id])), ("ta", json!(["talker"])), (&id[..4], json!([id])), ("x", json!([]))]
    {
        let argument = json!({"name": "id", "value": begun});
        let result = host.ask("completion/complete", json!({"ref": template, "argument": argument})).await;
        assert_eq!(result["completion"]["values"], expected, "{begun}: {result}");
        assert_eq!(result["completion"]["hasMore"], false, "{result}");
    }
    for (of, name) in [
        (template, "colour"),
        (json!({"type": "ref/resource", "uri": "aegis://nothing/{id}"}), "id"),
        (json!({"type": "ref/prompt", "name": "nothing"}), "sessionId"),
    ] {
        let argument = json!({"name": name, "value": ""});
        let error = host.fault("completion/complete", json!({"ref": of, "argument": argument})).await;
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32602), &json!("invalid_argument")));
    }
    host.close().await;
}

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_was_not_given_is_refused(
    #[case] era: Era,
    #[values("tools/list", "resources/list", "resources/templates/list")] list: &str,
) {
    let lab = lab().await;
    let mut host = Host::start(&lab, era).await;
    assert!(host.ask(list, json!({})).await.get("nextCursor").is_none());
    let error = host.fault(list, json!({"cursor": "made up"})).await;
    assert_eq!(
        (&error["code"], &error["data"]["code"]),
        (&json!(-32602), &json!("invalid_argument")),
        "{error}"
    );
    host.close().await;
}
