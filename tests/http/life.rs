//! Start and end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::outside::{McpClient, cli};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_when_told_to_and_its_sessions_live_on() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    let start = Instant::now();
    assert_eq!(server.end().await, 0);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let again = HttpServer::start(&lab).await;
    assert_eq!(again.get(&format!("/v1/sessions/{id}")).await.is(200)["status"], "idle");
    again.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_port_keeps_it() {
    let lab = Lab::fake(json!({})).build().await;
    let first = HttpServer::start(&lab).await;
    let taken = first.addr.to_string();
    // Nobody at its stdin: there is nothing left for it to do, and it says why.
    let second = cli(&lab, &["--http", &taken]).await.exits(1);
    assert!(second.stderr.contains("another Aegis serves HTTP"), "{second:?}");
    // With a client it goes on as an MCP server.
    let mut client = McpClient::with(&lab, &["--http", &taken]).await;
    assert_eq!(client.ask("list_sessions", json!({})).await["sessions"], json!([]));
    first.get("/v1/health").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_listen_beyond_loopback_without_a_token() {
    let lab = Lab::fake(json!({})).build().await;
    let refused = cli(&lab, &["--http", "0.0.0.0:0"]).await.exits(1);
    assert!(refused.stderr.contains("AEGIS_AUTH_TOKEN"), "{refused:?}");
}
