//! The whole surface by other people's clients: every tool at least once, resources, prompts, completion, progress,
//! cancellation.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::process::Command;

use super::clients::{Sdk, client, client_of, inspector};
use crate::support::Lab;
use crate::support::calls::{CALLS, Call, filled, script};
use crate::support::http::HttpServer;
use crate::support::lab::AEGIS;
use crate::support::outside::McpClient;

async fn lab() -> Lab {
    Lab::fake(script()).build().await
}

#[rstest]
#[case(Sdk::TypeScript)]
#[case(Sdk::Python)]
#[case(Sdk::PythonModern)]
#[tokio::test(flavor = "multi_thread")]
async fn every_tool_is_driven(#[case] sdk: Sdk) {
    let lab = lab().await;
    let mut client = client(&lab, sdk, &[]).await;
    drive(&lab, &mut client).await;
    client.peer.end_input();
    assert_eq!(client.peer.ended().await, 0);
    assert_eq!(lab.processes(), [], "processes are left");
}

#[rstest]
#[case(Sdk::TypeScript)]
#[case(Sdk::TypeScript2)]
#[case(Sdk::TypeScript2Modern)]
#[case(Sdk::Python)]
#[case(Sdk::PythonModern)]
#[tokio::test(flavor = "multi_thread")]
async fn every_tool_is_driven_over_http(#[case] sdk: Sdk) {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let mut client = client_of(&lab, sdk, &format!("http://{}/mcp", server.addr), &[]).await;
    drive(&lab, &mut client).await;
    let listed = client.act(json!({"do": "resources"})).await;
    assert_eq!(listed["resources"].as_array().unwrap().len(), 2, "{listed}");
    let read = client.act(json!({"do": "read", "uri": "aegis://health"})).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().contains("store"), "{read}");
    let prompts = client.act(json!({"do": "prompts"})).await;
    assert_eq!(prompts["prompts"].as_array().unwrap().len(), 3, "{prompts}");
    if matches!(sdk, Sdk::TypeScript | Sdk::Python | Sdk::PythonModern) {
        let uri = "aegis://sessions";
        client.act(json!({"do": "subscribe", "uri": uri})).await;
        let id = client.create(&lab, None).await;
        assert_eq!(heard(&mut client, UPDATED).await["params"]["uri"], uri);
        client.ask("kill_session", json!({"sessionId": id})).await;
    }
    client.peer.end_input();
    assert_eq!(client.peer.ended().await, 0);
    assert_eq!(server.end().await, 0);
    assert_eq!(lab.processes(), [], "processes are left");
}

/// Calls every tool.
async fn drive(lab: &Lab, client: &mut McpClient) {
    let table: BTreeSet<_> = CALLS.iter().map(|call| call.tool.to_owned()).collect();
    assert_eq!(table, client.tools, "each tool has a line in the table");
    let mut id = String::new();
    for Call { tool, arguments, before, .. } in CALLS {
        if let Some((prompt, status)) = before {
            client.until(&id, "idle").await;
            client.send(&id, prompt).await;
            client.until(&id, status).await;
        }
        let told = client.ask(tool, filled(arguments, &id, &lab.work_dir())).await;
        assert!(told.is_object(), "{tool}: {told}");
        if *tool == "create_session" {
            id = told["id"].as_str().unwrap().to_owned();
        }
    }
    let fault = client.fault("get_status", json!({"sessionId": "nobody"})).await;
    assert_eq!(fault["code"], "no_such_session");
}

const UPDATED: &str = "notifications/resources/updated";

async fn heard(client: &mut McpClient, method: &str) -> Value {
    client.act(json!({"do": "heard", "method": method})).await
}

#[rstest]
#[case(Sdk::TypeScript)]
#[case(Sdk::Python)]
#[case(Sdk::PythonModern)]
#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_no_tool_is_driven(#[case] sdk: Sdk) {
    let lab = lab().await;
    fs::create_dir(lab.project.join(".git")).unwrap();
    fs::write(
        lab.project.join(".git/config"),
        "[remote \"origin\"]\n\turl = git@github.com:ada/engine.git\n",
    )
    .unwrap();
    let mut client = client(&lab, sdk, &[]).await;
    let id = client.create(&lab, None).await;
    client.until(&id, "idle").await;

    let listed = client.act(json!({"do": "resources"})).await;
    assert_eq!(listed["resources"].as_array().unwrap().len(), 2, "{listed}");
    let listed = client.act(json!({"do": "templates"})).await;
    assert_eq!(listed["resourceTemplates"].as_array().unwrap().len(), 2, "{listed}");
    let read = client.act(json!({"do": "read", "uri": "aegis://sessions"})).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().contains(&id), "{read}");

    let uri = format!("aegis://sessions/{id}/transcript");
    client.act(json!({"do": "subscribe", "uri": uri})).await;
    client.send(&id, "hello").await;
    assert_eq!(heard(&mut client, UPDATED).await["params"]["uri"], uri);
    client.until(&id, "idle").await;
    let read = client.act(json!({"do": "read", "uri": uri})).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().contains("hello"), "{read}");
    client.act(json!({"do": "unsubscribe", "uri": uri})).await;

    let listed = client.act(json!({"do": "prompts"})).await;
    assert_eq!(listed["prompts"].as_array().unwrap().len(), 3, "{listed}");
    let arguments = json!({"issueNumber": "12", "workDir": lab.work_dir()});
    let prompt = client.act(json!({"do": "prompt", "name": "implement_issue", "arguments": arguments})).await;
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.contains("issue 12 of ada/engine"), "{text}");
    let wrong = json!({"do": "prompt", "name": "implement_issue", "arguments": {"issueNumber": "12\n13"}});
    assert!(client.act_in_vain(wrong).await.contains("issueNumber"));

    for of in [
        json!({"type": "ref/resource", "uri": "aegis://sessions/{id}/pane"}),
        json!({"type": "ref/prompt", "name": "debug_session"}),
    ] {
        let name = if of["type"] == "ref/prompt" { "sessionId" } else { "id" };
        let argument = json!({"name": name, "value": &id[..6]});
        let completed = client.act(json!({"do": "complete", "ref": of, "argument": argument})).await;
        assert_eq!(completed["completion"]["values"], json!([id]), "{completed}");
    }

    let wait = json!({"sessionIds": [id], "until": ["ended"], "timeoutMs": 50000});
    let waited = client.act(json!({"do": "begin", "name": "wait_for_session", "arguments": wait})).await;
    let progress = waited["progress"].as_array().unwrap();
    assert_eq!(progress.len(), 2, "{waited}");
    assert!(progress[0]["progress"].as_f64() < progress[1]["progress"].as_f64(), "{waited}");
    assert!(progress[0]["message"].as_str().unwrap().contains("1 idle"), "{waited}");
    assert_ne!(waited["ended"], "answered", "it was taken back");

    if sdk != Sdk::PythonModern {
        client.act(json!({"do": "level", "level": "info"})).await;
        client.ask("kill_session", json!({"sessionId": id})).await;
        let logged = heard(&mut client, "notifications/message").await;
        assert_eq!(logged["params"]["data"]["event"], "session_ended", "{logged}");
        heard(&mut client, "notifications/resources/list_changed").await;
    }
    client.peer.end_input();
    assert_eq!(client.peer.ended().await, 0);
}

#[rstest]
#[case(Sdk::TypeScript)]
#[case(Sdk::Python)]
#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_the_host_answers(#[case] sdk: Sdk) {
    let lab = lab().await;
    let mut client = client(&lab, sdk, &["--elicit"]).await;
    let id = client.create(&lab, None).await;
    client.until(&id, "idle").await;
    let answer = json!({"action": "accept", "content": {"decision": "reject", "reason": "not today"}});
    client.act(json!({"do": "form", "answer": answer})).await;
    client.send(&id, "MAKE").await;
    let form = heard(&mut client, "elicitation/create").await;
    assert!(form["params"]["message"].as_str().unwrap().contains("touch made"), "{form}");
    client.until(&id, "idle").await;
    let resolution = lab.resolved_asks().pop().unwrap().resolution.unwrap();
    assert_eq!((resolution.by.as_str(), resolution.detail.as_deref()), ("elicitation", Some("not today")));
    client.peer.end_input();
    assert_eq!(client.peer.ended().await, 0);
}

/// Runs the inspector against a server and gives what it prints.
async fn inspect(lab: &Lab, args: &[&str]) -> Value {
    let program = tokio::task::spawn_blocking(inspector).await.unwrap();
    let mut node = Command::new("node");
    node.arg(program).arg("--cli").arg(AEGIS).args(args).args(["--format", "json"]);
    node.env_clear().envs(&lab.env).current_dir(&lab.project).kill_on_drop(true);
    let output = node.output().await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{args:?}: {told} {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str::<Value>(&told).unwrap_or_else(|error| panic!("{error}: {told}"))["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_finds_nothing_to_complain_of() {
    let lab = lab().await;
    let count = |list: &Value, key: &str| list[key].as_array().unwrap_or_else(|| panic!("{list}")).len();
    for era in ["legacy", "modern"] {
        let with = |args: &[&'static str]| [&["--protocol-era", era], args].concat();
        // Strict: it fails for a schema that some client cannot read.
        let tools = inspect(&lab, &with(&["--method", "tools/list", "--strict"])).await;
        assert_eq!(count(&tools, "tools"), CALLS.len());
        let resources = inspect(&lab, &with(&["--method", "resources/list"])).await;
        assert_eq!(count(&resources, "resources"), 2);
        let templates = inspect(&lab, &with(&["--method", "resources/templates/list"])).await;
        assert_eq!(count(&templates, "resourceTemplates"), 2);
        let prompts = inspect(&lab, &with(&["--method", "prompts/list"])).await;
        assert_eq!(count(&prompts, "prompts"), 3);
        let read = inspect(&lab, &with(&["--method", "resources/read", "--uri", "aegis://health"])).await;
        assert_eq!(read["contents"][0]["mimeType"], "application/json");
        let dir = format!("workDir={}", lab.work_dir());
        let get = [
            "--protocol-era",
            era,
            "--method",
            "prompts/get",
            "--prompt-name",
            "review_pr",
            "--prompt-args",
            "prNumber=7",
            &dir,
            "repoOwner=ada",
            "repoName=engine",
        ];
        let prompt = inspect(&lab, &get).await;
        let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
        assert!(text.contains("pull request 7 of ada/engine"), "{text}");
        let health = inspect(&lab, &with(&["--method", "tools/call", "--tool-name", "server_health"])).await;
        assert_eq!(health["structuredContent"]["store"]["ok"], true, "{health}");
    }
}
