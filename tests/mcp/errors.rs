//! Errors: their shape, and arguments that are wrong.

use aegis::mcp::ToolSet;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{Client, Era, fault};

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test]
async fn an_operation_that_fails_is_a_tool_error_of_one_json_object(#[case] era: Era) {
    let mut client = Client::open(era, ToolSet::Full).await;
    let result = client.call("get_status", json!({"sessionId": "nobody"})).await;
    fault(&result);
}

#[rstest]
#[case::unknown("list_sessions", json!({"workdir": "/tmp"}), "unknown argument `workdir`; did you mean `workDir`?")]
#[case::unknown_unlike("list_sessions", json!({"colour": 1}), "unknown argument `colour`")]
#[case::unknown_null("list_sessions", json!({"colour": null}), "unknown argument `colour`")]
#[case::unknown_where_none_is_known("server_health", json!({"x": 1}), "unknown argument `x`")]
#[case::missing("get_status", json!({}), "`sessionId` is missing")]
#[case::snake_case("get_status", json!({"session_id": "a"}), "unknown argument `session_id`; did you mean `sessionId`?")]
#[case::required_null("get_status", json!({"sessionId": null}), "`sessionId` must be a string, not null")]
#[case::wrong_type("list_sessions", json!({"limit": "5"}), "`limit` must be an integer, not a string")]
#[case::fraction("list_sessions", json!({"limit": 1.5}), "`limit` must be an integer, not a number")]
#[case::too_large("list_sessions", json!({"limit": 201}), "`limit` must be from 1 to 200")]
#[case::negative("capture_pane", json!({"sessionId": "a", "scrollback": -1}), "`scrollback` must be from 0 to 1000")]
#[case::too_long("wait_for_session", json!({"timeoutMs": 50001}), "`timeoutMs` must be from 0 to 50000")]
#[case::no_items("wait_for_session", json!({"sessionIds": []}), "`sessionIds` must have a length from 1 to 50")]
#[case::item_type("wait_for_session", json!({"sessionIds": ["a", 1]}), "`sessionIds[1]` must be a string, not a number")]
#[case::item_choice("wait_for_session", json!({"until": ["idel"]}), "`until[0]` must be one of")]
#[case::choice("create_session", json!({"workDir": "/", "permissionMode": "yolo"}), "`permissionMode` must be one of default, ")]
#[case::entry("create_session", json!({"workDir": "/", "env": {"A": 1}}), "`env.A` must be a string, not a number")]
#[case::entry_of_variables("create_session", json!({"workDir": "/", "templateVariables": {"a": 1}}), "`templateVariables.a` must be a string, not a number")]
#[case::memory_keys("create_session", json!({"workDir": "/", "memoryKeys": "a/b"}), "`memoryKeys` must be an array, not a string")]
#[case::memory_key("create_session", json!({"workDir": "/", "prompt": "x", "memoryKeys": ["ab"]}), "the key `ab` has no namespace")]
#[case::many_memory_keys("create_session", json!({"workDir": "/", "prompt": "x", "memoryKeys": vec!["a/b"; 21]}), "21 keys are given; at most 20 are taken")]
#[case::set_unknown("state_set", json!({"key": "a/b", "value": "x", "ttl": 1}), "unknown argument `ttl`; did you mean `ttlSeconds`?")]
#[case::set_without_value("state_set", json!({"key": "a/b"}), "`value` is missing")]
#[case::set_no_text("state_set", json!({"key": "a/b", "value": {"x": 1}}), "`value` must be a string, not an object")]
#[case::set_too_long("state_set", json!({"key": "a/b", "value": "ü".repeat(51_201)}), "the value has 102402 bytes; at most 102400 are kept")]
#[case::set_no_life("state_set", json!({"key": "a/b", "value": "x", "ttlSeconds": 0}), "`ttlSeconds` must be from 1 to 2592000")]
#[case::set_long_life("state_set", json!({"key": "a/b", "value": "x", "ttlSeconds": 2_592_001}), "`ttlSeconds` must be from 1 to 2592000")]
#[case::set_no_key("state_set", json!({"key": "ab", "value": "x"}), "the key `ab` has no namespace")]
#[case::get_no_key("state_get", json!({"key": "a/"}), "the key `a/` has a part that is empty")]
#[case::get_unknown("state_get", json!({"key": "a/b", "keys": []}), "unknown argument `keys`; did you mean `key`?")]
#[case::delete_no_key("state_delete", json!({"key": "a/\u{7}"}), "the key holds the invisible character U+0007")]
#[case::delete_missing("state_delete", json!({}), "`key` is missing")]
#[case::batch_none("batch_create_sessions", json!({"sessions": []}), "`sessions` must have a length from 1 to 50")]
#[case::batch_many("batch_create_sessions", json!({"sessions": vec![json!({"workDir": "/"}); 51]}), "`sessions` must have a length from 1 to 50")]
#[case::batch_no_object("batch_create_sessions", json!({"sessions": ["/tmp"]}), "`sessions[0]` must be an object, not a string")]
#[case::batch_unknown("batch_create_sessions", json!({"sessions": [{"workDir": "/"}, {"workdir": "/"}]}), "unknown argument `sessions[1].workdir`; did you mean `workDir`?")]
#[case::batch_missing("batch_create_sessions", json!({"sessions": [{"prompt": "x"}]}), "`sessions[0].workDir` is missing")]
#[case::batch_choice("batch_create_sessions", json!({"sessions": [{"workDir": "/", "permissionMode": "pan"}]}), "`sessions[0].permissionMode` must be one of default, ")]
#[case::batch_entry("batch_create_sessions", json!({"sessions": [{"workDir": "/", "env": {"A": 1}}]}), "`sessions[0].env.A` must be a string, not a number")]
#[case::in_an_item("create_pipeline", json!({"name": "n", "steps": [{"promt": "x"}]}), "unknown argument `steps[0].promt`; did you mean `prompt`?")]
#[case::missing_in_an_item("create_pipeline", json!({"name": "n", "steps": [{"name": "x"}]}), "`steps[0].prompt` is missing")]
#[case::type_in_an_item("create_pipeline", json!({"name": "n", "steps": [{"prompt": "x", "dependsOn": "a"}]}), "`steps[0].dependsOn` must be an array, not a string")]
#[case::word_in_an_item("create_pipeline", json!({"name": "n", "steps": [{"prompt": "x", "permissionMode": "yolo"}]}), "permissionMode must be one of default, ")]
#[case::several("send_message", json!({"sessionId": "a", "answers": {"Q?": 3}}), "`answers.Q?` must be a string or an array")]
#[tokio::test]
async fn an_argument_that_is_wrong_is_named(
    #[case] tool: &str,
    #[case] arguments: Value,
    #[case] message: &str,
) {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    let fault = fault(&client.call(tool, arguments).await);
    assert_eq!(fault["code"], "invalid_argument");
    let said = fault["message"].as_str().unwrap();
    assert!(said.starts_with(message), "{said}");
}

#[tokio::test]
async fn the_hint_lists_what_is_accepted() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    let unknown = fault(&client.call("kill_session", json!({"sessionId": "a", "now": true})).await);
    assert_eq!(unknown["hint"], "kill_session accepts sessionId, force?");
    let none = fault(&client.call("server_health", json!({"now": true})).await);
    assert_eq!(none["hint"], "server_health takes no arguments");
    let item = json!({"sessions": [{"workDir": "/", "colour": 1}]});
    let within = fault(&client.call("batch_create_sessions", item).await);
    assert!(within["hint"].as_str().unwrap().starts_with("sessions[0] accepts workDir, name?, "), "{within}");
    let range = fault(&client.call("list_sessions", json!({"limit": 0})).await);
    assert_eq!(range["hint"], "limit: Default 50.");
}

#[rstest]
#[case::null_is_absent(json!({"limit": null, "status": null}))]
#[case::whole(json!({"limit": 5.0}))]
#[case::no_arguments(json!({}))]
#[tokio::test]
async fn what_means_the_same_is_accepted(#[case] arguments: Value) {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    let result = client.call("list_sessions", arguments).await;
    if result["isError"] == true {
        assert_ne!(fault(&result)["code"], "invalid_argument", "{result}");
    }
}

#[tokio::test]
async fn arguments_may_be_left_out() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    let answer = client.request("tools/call", json!({"name": "server_health"})).await;
    assert!(answer["result"]["structuredContent"].is_object(), "{answer}");
}
