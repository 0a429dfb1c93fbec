//! Opening, listing, calling, closing, in both eras.

use aegis::mcp::ToolSet;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{Client, Era};

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn initialize_says_who_the_server_is() {
    let mut client = Client::silent(Era::Legacy, ToolSet::Full);
    let hello = client.hello();
    let answer = client.request("initialize", hello).await;
    let result = &answer["result"];
    assert_eq!(result["serverInfo"]["name"], "aegis");
    assert_eq!(result["serverInfo"]["title"], "Aegis");
    assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(result["capabilities"]["tools"].is_object(), "{result}");
    let instructions = result["instructions"].as_str().unwrap();
    assert!(instructions.contains("wait_for_session"));
    // Claude Code cuts there.
    assert!(instructions.len() <= 2048, "{}", instructions.len());
    client.close().await.unwrap();
}

#[tokio::test]
async fn an_older_client_is_answered_in_its_own_version() {
    let mut client = Client::silent(Era::Legacy, ToolSet::Full);
    let mut hello = client.hello();
    hello["protocolVersion"] = json!("2024-11-05");
    let answer = client.request("initialize", hello).await;
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
}

#[tokio::test]
async fn a_modern_client_may_ask_first_who_is_there() {
    let mut client = Client::silent(Era::Modern, ToolSet::Full);
    let answer = client.request("server/discover", json!({})).await;
    let result = &answer["result"];
    assert!(result["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{answer}");
    assert!(result["instructions"].as_str().unwrap().contains("wait_for_session"));
    client.close().await.unwrap();
}

#[rstest]
#[case::legacy_full(Era::Legacy, ToolSet::Full, 25)]
#[case::legacy_core(Era::Legacy, ToolSet::Core, 8)]
#[case::modern_full(Era::Modern, ToolSet::Full, 25)]
#[case::modern_core(Era::Modern, ToolSet::Core, 8)]
#[tokio::test]
async fn the_list_has_the_tools_of_the_set(#[case] era: Era, #[case] set: ToolSet, #[case] count: usize) {
    let mut client = Client::open(era, set).await;
    let answer = client.request("tools/list", json!({})).await;
    assert_eq!(names(&answer).len(), count);
    assert!(names(&answer).is_sorted());
    for tool in answer["result"]["tools"].as_array().unwrap() {
        assert!(tool["annotations"]["title"].is_string() && tool["outputSchema"].is_object(), "{tool}");
    }
}

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test]
async fn a_success_is_structured_fits_its_schema_and_has_a_text_twin(#[case] era: Era) {
    let mut client = Client::open(era, ToolSet::Full).await;
    let listed = client.request("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let schema = &tools.iter().find(|tool| tool["name"] == "server_health").unwrap()["outputSchema"];
    let result = client.call("server_health", json!({})).await;
    jsonschema::validate(schema, &result["structuredContent"]).unwrap();
    assert!(!result["content"][0]["text"].as_str().unwrap().is_empty());
    assert_ne!(result["isError"], true);
}

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error(#[case] era: Era) {
    let mut client = Client::open(era, ToolSet::Core).await;
    // In the full set only: here it does not exist.
    for (tool, near) in [("kill_sesion", Some("kill_session")), ("capture_pane", None)] {
        let answer = client.request("tools/call", json!({"name": tool, "arguments": {}})).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(tool), "{message}");
        assert!(near.is_none_or(|near| message.contains(near)), "{message}");
    }
}

#[tokio::test]
async fn calls_may_come_all_at_once() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    for id in 1000..1200 {
        let params = json!({"name": "server_health", "arguments": {}});
        client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < 200 {
        let answer = client.line().await.expect("the server goes on");
        assert!(answer["result"]["structuredContent"].is_object(), "{answer}");
        answered.insert(answer["id"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn what_is_not_json_is_survived() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    client.send_line("this is no JSON").await;
    assert!(client.call("server_health", json!({})).await["structuredContent"].is_object());
}

#[rstest]
#[case::before_a_word(false)]
#[case::after_the_handshake(true)]
#[tokio::test]
async fn a_client_that_leaves_ends_the_server(#[case] opened: bool) {
    let client = if opened {
        Client::open(Era::Legacy, ToolSet::Full).await
    } else {
        Client::silent(Era::Legacy, ToolSet::Full)
    };
    client.close().await.unwrap();
}

#[tokio::test]
async fn what_was_asked_before_the_input_ended_is_answered() {
    let mut client = Client::silent(Era::Legacy, ToolSet::Full);
    let hello = client.hello();
    let call = json!({"name": "server_health", "arguments": {}});
    client.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})).await;
    client.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})).await;
    client.end_input().await;
    assert_eq!(client.line().await.unwrap()["id"], 1);
    assert_eq!(client.line().await.unwrap()["id"], 2);
    assert!(client.line().await.is_none());
}
