//! MCP over HTTP. Other people's clients speak it in `doors`, and its makers' own tests in `conformance`.

use aegis::ops::OPS;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::calls::{CALLS, filled};
use crate::support::http::{HttpServer, Told};

/// Sends one message as a client of the older protocol does.
pub(super) async fn post(
    server: &HttpServer,
    session: Option<&str>,
    more: &[(&str, &str)],
    message: &Value,
) -> Told {
    let mut request = Request::builder().method("POST").uri("/mcp");
    if !more.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", server.addr.to_string());
    }
    request = request.header("accept", "application/json, text/event-stream");
    request = request.header("content-type", "application/json");
    if let Some(token) = &server.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    server.send(request.body(Full::from(Bytes::from(message.to_string()))).unwrap()).await
}

/// The answer among what a stream says.
pub(super) fn answer(told: &Told) -> Value {
    assert_eq!(told.status, 200, "{told:?}");
    let lines = told.text.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut messages = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.find(|message| message.get("id").is_some()).unwrap_or_else(|| panic!("no answer: {told:?}"))
}

pub(super) fn hello() -> Value {
    let about = json!({"name": "test", "version": "0"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

fn modern(method: &str, params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn both_eras_have_the_same_tools() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let opened = post(&server, None, &[], &hello()).await;
    assert_eq!(answer(&opened)["result"]["serverInfo"]["name"], "aegis");
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(&server, Some(&session), &[], &ready).await.status, 202);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}});
    let older = answer(&post(&server, Some(&session), &[], &list).await);
    assert_eq!(older["result"]["tools"].as_array().unwrap().len(), 25);
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    let newer = answer(&post(&server, None, &headers, &modern("tools/list", json!({}))).await);
    assert_eq!(newer["result"]["tools"], older["result"]["tools"]);
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "create_session"),
    ];
    let create = json!({"name": "create_session", "arguments": {"workDir": lab.work_dir()}});
    let created = answer(&post(&server, None, &headers, &modern("tools/call", create)).await);
    let id = created["result"]["structuredContent"]["id"].as_str().unwrap_or_else(|| panic!("{created}"));
    // The same sessions as everywhere.
    server.until(id, "idle").await;
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    let ended = server
        .send(
            Request::builder()
                .method("DELETE")
                .uri("/mcp")
                .header("host", server.addr.to_string())
                .header("mcp-session-id", &session)
                .body(Full::from(Bytes::new()))
                .unwrap(),
        )
        .await;
    assert!([200, 202, 204].contains(&ended.status), "{ended:?}");
    assert_eq!(post(&server, Some(&session), &[], &list).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_behind_the_same_guards() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", "hush-hush").build().await;
    let mut server = HttpServer::start(&lab).await;
    answer(&post(&server, None, &[], &hello()).await);
    for foreign in [("origin", "http://evil.example"), ("origin", "null"), ("host", "evil.example")] {
        assert_eq!(post(&server, None, &[foreign], &hello()).await.status, 403, "{foreign:?}");
    }
    for wrong in [None, Some("hush")] {
        server.token = wrong.map(str::to_owned);
        let refused = post(&server, None, &[], &hello()).await;
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        assert_eq!(refused.is(401)["reason"], "unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_a_key_may_not_call_says_so() {
    let mut lab = Lab::fake(json!({})).build().await;
    lab.env.insert("AEGIS_AUTH_TOKEN".into(), "the token of this test".into());
    let mut server = HttpServer::start(&lab).await;
    let (viewer, _) = server.key("viewer", "viewer", json!({})).await;
    server.with_token(Some(&viewer));
    let mut refused = 0;
    for call in CALLS {
        let op = OPS.iter().find(|op| op.name == call.tool).unwrap();
        let arguments = filled(call.arguments, "nobody", &lab.work_dir());
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", call.tool)];
        let message = modern("tools/call", json!({"name": call.tool, "arguments": arguments}));
        let told = answer(&post(&server, None, &headers, &message).await);
        let result = &told["result"];
        let failed = result["isError"] == true;
        let said =
            failed.then(|| serde_json::from_str::<Value>(result["content"][0]["text"].as_str().unwrap()));
        let forbidden = said.is_some_and(|said| said.unwrap()["code"] == "forbidden");
        assert_eq!(forbidden, !op.read_only, "{}: {told}", call.tool);
        refused += usize::from(!op.read_only);
    }
    assert_eq!(refused, 13);
}
