//! The memory through its tools.

use aegis::mcp::ToolSet;
use rstest::rstest;
use serde_json::json;

use super::client::{Client, Era, fault};

#[rstest]
#[case(Era::Legacy)]
#[case(Era::Modern)]
#[tokio::test]
async fn a_text_is_kept_given_and_forgotten(#[case] era: Era) {
    let mut client = Client::open(era, ToolSet::Full).await;
    let longest = "x".repeat(102_400);
    for (value, life) in [("first", json!(2_592_000)), (longest.as_str(), json!(null))] {
        let set =
            client.call("state_set", json!({"key": "team/rules", "value": value, "ttlSeconds": life})).await;
        let entry = &set["structuredContent"];
        assert_eq!(
            (&entry["key"], &entry["value"], &entry["owner"]),
            (&json!("team/rules"), &json!(value), &json!("mcp"))
        );
        assert_eq!(entry.get("expiresAt").is_some(), life.is_number(), "{}", entry["expiresAt"]);
        let got = client.call("state_get", json!({"key": "team/rules"})).await;
        assert_eq!(got["structuredContent"], *entry);
        assert!(got["content"][0]["text"].as_str().unwrap().ends_with(value));
    }
    let near = fault(&client.call("state_get", json!({"key": "team/ruels"})).await);
    assert_eq!((&near["code"], &near["hint"]), (&json!("no_such_key"), &json!("did you mean `team/rules`?")));
    for deleted in [true, false] {
        let gone = client.call("state_delete", json!({"key": "team/rules"})).await;
        assert_eq!(gone["structuredContent"], json!({"key": "team/rules", "deleted": deleted}));
    }
    let none = fault(&client.call("state_get", json!({"key": "team/rules"})).await);
    assert_eq!(none["code"], "no_such_key");
}

#[tokio::test]
async fn a_session_that_cannot_be_made_says_which_key_or_variable_it_wants() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    client.call("state_set", json!({"key": "team/rules", "value": "Tabs."})).await;
    for (arguments, code, said) in [
        (json!({"memoryKeys": ["team/rules"]}), "invalid_argument", "without a prompt"),
        (json!({"prompt": "x", "memoryKeys": ["team/rules", "team/ruls"]}), "no_such_key", "team/ruls"),
        (json!({"prompt": "x", "templateVariables": {"a": "b"}}), "invalid_argument", "templateVariables"),
        (json!({"templateId": "none"}), "no_such_template", "none"),
    ] {
        let mut arguments = arguments;
        arguments["workDir"] = json!("/tmp");
        let error = fault(&client.call("create_session", arguments.clone()).await);
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
        // The same as one of several.
        let batch = client.call("batch_create_sessions", json!({"sessions": [arguments]})).await;
        assert_eq!(batch["structuredContent"]["results"], json!([{"error": error}]), "{batch}");
        assert_eq!(batch["structuredContent"]["failed"], 1);
    }
}
