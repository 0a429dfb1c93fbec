//! Waiting as a host sees it: progress, cancellation, log messages, by the real program.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Era;
use super::host::Host;
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::processes::{come, holders, sigkill};

const PROGRESS: &str = "notifications/progress";
const LOGGED: &str = "notifications/message";

/// Longer than two reports of a wait are apart.
const QUIET: Duration = Duration::from_secs(6);

fn script() -> Value {
    let ask =
        json!({"tool": {"name": "Bash", "input": {"command": "touch made # a-secret"}, "creates": "made"}});
    json!({"rules": [{"on": "MAKE", "steps": [ask, {"say": "Made."}]}]})
}

fn wait(id: &str, token: Option<&str>) -> Value {
    let arguments = json!({"sessionIds": [id], "until": ["ended"], "timeoutMs": 50000});
    let mut call = json!({"name": "wait_for_session", "arguments": arguments});
    if let Some(token) = token {
        call["_meta"] = json!({"progressToken": token});
    }
    call
}

#[rstest::rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_tells_how_the_sessions_stand(#[case] era: Era) {
    let lab = Lab::fake(script()).build().await;
    let mut host = Host::start(&lab, era).await;
    let id = host.session(&lab, "worker").await;
    let other = host.session(&lab, "other").await;
    let quiet = host.begin("tools/call", wait(&other, None)).await;
    let call = host.begin("tools/call", wait(&id, Some("t1"))).await;
    let first = host.hears(PROGRESS).await["params"].clone();
    let second = host.hears(PROGRESS).await["params"].clone();
    for note in [&first, &second] {
        assert_eq!(note["progressToken"], "t1", "only who asked is told: {note}");
        assert!(note["message"].as_str().unwrap().starts_with("1 idle;"), "{note}");
    }
    assert!(second["progress"].as_f64() > first["progress"].as_f64(), "{first} {second}");
    cli(&lab, &["kill", "worker"]).await.exits(0);
    let answer = host.answer(call).await;
    assert_eq!(answer["result"]["structuredContent"]["timedOut"], false, "{answer}");
    host.forget(PROGRESS);
    assert!(host.heard_within(PROGRESS, QUIET).await.is_none(), "an answered call has no progress");
    cli(&lab, &["kill", "other"]).await.exits(0);
    host.answer(quiet).await;
    host.close().await;
}

#[rstest::rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_taken_back_ends_at_once_and_holds_nothing(#[case] era: Era) {
    let lab = Lab::fake(script()).build().await;
    let mut host = Host::start(&lab, era).await;
    let id = host.session(&lab, "worker").await;
    host.tool("get_status", json!({"sessionId": id})).await;
    let before = host.files();
    let mut calls = Vec::new();
    for n in 0..40 {
        calls.push(host.begin("tools/call", wait(&id, Some(&format!("t{n}")))).await);
    }
    come("the waits", async || (host.files() >= before + 40).then_some(())).await;
    for call in &calls {
        let params = json!({"requestId": call, "reason": "AbortError: user-cancel"});
        host.say(json!({"method": "notifications/cancelled", "params": params})).await;
    }
    let taken_back = Instant::now();
    // Each wait holds a connection; the steward may have opened one of its own meanwhile.
    come("what the waits held", async || (host.files() <= before + 3).then_some(())).await;
    assert!(taken_back.elapsed() < Duration::from_secs(2), "{:?}", taken_back.elapsed());
    host.forget(PROGRESS);
    assert!(host.heard_within(PROGRESS, QUIET).await.is_none());
    assert!(!host.has_answer(&calls), "a call that was taken back has no answer");
    assert_eq!(host.tool("get_status", json!({"sessionId": id})).await["status"], "idle");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_messages_come_when_asked_for_and_hold_no_secrets() {
    let lab = Lab::fake(script()).build().await;
    let mut host = Host::start(&lab, Era::Legacy).await;
    assert!(host.server["capabilities"]["logging"].is_object());
    let id = host.session(&lab, "worker").await;
    let ask = async |host: &mut Host| {
        host.tool("send_message", json!({"sessionId": id, "text": "MAKE"})).await;
        host.until(&id, "permission_prompt").await;
        host.tool("reject_permission", json!({"sessionId": id})).await;
        host.until(&id, "idle").await;
    };
    ask(&mut host).await;
    assert_eq!(host.forget(LOGGED), 0, "nothing before a level is set");
    let wrong = host.fault("logging/setLevel", json!({"level": "loud"})).await;
    assert!(wrong["code"].as_i64().is_some(), "{wrong}");

    host.ask("logging/setLevel", json!({"level": "info"})).await;
    ask(&mut host).await;
    let opened = host.hears(LOGGED).await["params"].clone();
    assert_eq!((&opened["level"], &opened["logger"]), (&json!("notice"), &json!("aegis")), "{opened}");
    assert_eq!((&opened["data"]["event"], &opened["data"]["sessionId"]), (&json!("ask_opened"), &json!(id)));
    assert_eq!((&opened["data"]["kind"], &opened["data"]["tool"]), (&json!("permission"), &json!("Bash")));
    assert!(!opened.to_string().contains("a-secret"), "{opened}");

    host.ask("logging/setLevel", json!({"level": "warning"})).await;
    ask(&mut host).await;
    assert!(host.heard_within(LOGGED, Duration::from_secs(1)).await.is_none(), "an ask is no warning");
    for holder in holders(&lab) {
        sigkill(holder);
    }
    let ended = host.hears(LOGGED).await["params"].clone();
    assert_eq!(
        (&ended["level"], &ended["data"]["cause"]),
        (&json!("warning"), &json!("holder_lost")),
        "{ended}"
    );
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_protocol_sets_no_level() {
    let lab = Lab::fake(script()).build().await;
    let mut host = Host::start(&lab, Era::Modern).await;
    let error = host.fault("logging/setLevel", json!({"level": "info"})).await;
    assert_eq!(error["code"], -32601, "{error}");
    host.close().await;
}
