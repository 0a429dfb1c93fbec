//! The client leaves.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::script;
use crate::support::Lab;
use crate::support::outside::{McpClient, cli, timed};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_server_goes_at_once_and_the_session_lives_on(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let mut client = McpClient::start(&lab).await;
    let id = client.create(&lab, None).await;
    client.until(&id, "idle").await;
    let wait = json!({"sessionIds": [id], "until": ["ended"], "timeoutMs": 50000});
    client.begin("tools/call", json!({"name": "wait_for_session", "arguments": wait})).await;
    // Answered after the wait was taken up.
    client.ask("get_status", json!({"sessionId": id})).await;
    client.peer.end_input();
    let (code, took) = timed(client.peer.ended()).await;
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
    let shown = cli(&lab, &["show", &id, "--json"]).await.exits(0).json();
    assert_eq!((&shown["status"], &shown["health"]["alive"]), (&json!("idle"), &json!(true)), "{shown:#}");
    let said = cli(&lab, &["send", &id, "GREET", "--json"]).await.exits(0).json();
    assert_eq!(said["sessionId"], id, "{said:#}");
    cli(&lab, &["wait", &id, "--until", "idle"]).await.exits(0);
    cli(&lab, &["kill", &id]).await.exits(0);
    assert_eq!(lab.processes(), [], "processes are left");
}
