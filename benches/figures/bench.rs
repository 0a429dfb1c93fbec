//! What several topics do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::Lab;
use super::support::lab::LabBuilder;
use super::support::outside::McpClient;

/// The version of Claude Code that is measured.
pub const VERSION: &str = "2.1.197";

/// A laboratory that logs what users log.
pub async fn lab(builder: LabBuilder) -> Lab {
    let mut lab = builder.build().await;
    lab.env.remove("AEGIS_LOG");
    lab
}

/// Starts a wait for any of these statuses, without waiting for its answer. `settle` gives the server time to
/// subscribe, so that what is measured begins while somebody waits.
pub async fn begin_wait(client: &mut McpClient, id: &str, until: &[&str]) {
    let arguments = json!({"sessionIds": [id], "until": until, "timeoutMs": 45000});
    client.begin("tools/call", json!({"name": "wait_for_session", "arguments": arguments})).await;
    tokio::time::sleep(Duration::from_millis(25)).await;
}

/// The answer to what was begun last; the line is read before it is parsed. What the server says unasked, as that
/// there is a session more, is passed over.
pub async fn answer(client: &mut McpClient) -> (Value, Instant) {
    let (answer, at) = loop {
        let line = client.peer.line().await.expect("the server answers");
        let at = Instant::now();
        let message: Value = serde_json::from_str(&line).unwrap();
        if message.get("id").is_some() {
            break (message, at);
        }
    };
    assert!(answer.get("error").is_none() && answer["result"]["isError"] != true, "{answer}");
    (answer["result"]["structuredContent"].clone(), at)
}

/// Calls a tool and tells how long it took until its whole answer had come.
pub async fn call(client: &mut McpClient, tool: &str, arguments: Value) -> (Value, Duration) {
    let start = Instant::now();
    client.begin("tools/call", json!({"name": tool, "arguments": arguments})).await;
    let (told, at) = answer(client).await;
    (told, at - start)
}
