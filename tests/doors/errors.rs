//! What goes wrong is told with the same code, message and next step through both doors.

use std::os::unix::fs::PermissionsExt;

use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::{Value, json};

use super::touch;
use crate::support::Lab;
use crate::support::outside::{McpClient, cli};

/// Makes the same mistake through both doors and gives the error.
async fn fault(lab: &Lab, client: &mut McpClient, tool: &str, arguments: Value, line: &[&str]) -> Value {
    let by_mcp = client.fault(tool, arguments).await;
    let by_cli = cli(lab, &[line, &["--json"]].concat()).await.exits(1).fault();
    assert_eq!(by_mcp, by_cli, "{tool}");
    assert!(by_mcp["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{by_mcp}");
    // A person is told the same, in words.
    let words = cli(lab, line).await.exits(1);
    assert!(words.stderr.contains(&format!("[{}]\nhint: ", by_mcp["code"].as_str().unwrap())), "{words:#?}");
    assert_eq!(words.stdout, "");
    by_mcp
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session() {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let mut client = McpClient::start(&lab).await;
    let unknown = json!({"sessionId": "nobody"});
    let error = fault(&lab, &mut client, "get_status", unknown, &["show", "nobody"]).await;
    assert_eq!(error["code"], "no_such_session");
    let missing = lab.root.join("missing");
    let missing = missing.to_str().unwrap();
    for dir in [missing, lab.env["AEGIS_CLAUDE_PATH"].to_str().unwrap()] {
        let new = json!({"workDir": dir});
        let error = fault(&lab, &mut client, "create_session", new, &["create", dir]).await;
        assert_eq!(error["code"], "work_dir_refused");
        assert!(error["message"].as_str().unwrap().contains(dir), "{error}");
    }
    let conversation = json!({"workDir": lab.work_dir(), "resumeSessionId": "nothing"});
    let line = ["create", &lab.work_dir(), "--resume", "nothing"];
    let error = fault(&lab, &mut client, "create_session", conversation, &line).await;
    assert_eq!(error["code"], "no_such_conversation");
    let blank = json!({"workDir": lab.work_dir(), "prompt": " \n"});
    let line = ["create", &lab.work_dir(), "--prompt", " \n"];
    let error = fault(&lab, &mut client, "create_session", blank, &line).await;
    assert_eq!(error["code"], "prompt_refused");
    assert_eq!(lab.session_dirs().len(), 0, "nothing was started");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_allowed() {
    let lab = Lab::builder("2.1.330", Script::new()).var("AEGIS_ALLOWED_ROOTS", "/srv/none").build().await;
    let mut client = McpClient::start(&lab).await;
    let new = json!({"workDir": lab.work_dir()});
    let error = fault(&lab, &mut client, "create_session", new, &["create", &lab.work_dir()]).await;
    assert_eq!(error["code"], "work_dir_refused");
    assert!(error.to_string().contains("/srv/none"), "{error}");
}

#[rstest]
#[case::missing(None, "claude_not_found")]
#[case::too_old(Some("2.1.100"), "claude_unsupported")]
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_will_not_do(#[case] version: Option<&str>, #[case] code: &str) {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let program = lab.root.join("claude");
    if let Some(version) = version {
        std::fs::write(&program, format!("#!/bin/sh\necho '{version} (Claude Code)'\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let lab = lab.with_var("AEGIS_CLAUDE_PATH", &program);
    let mut client = McpClient::start(&lab).await;
    let new = json!({"workDir": lab.work_dir()});
    let error = fault(&lab, &mut client, "create_session", new, &["create", &lab.work_dir()]).await;
    assert_eq!(error["code"], code);
    assert!(error["hint"].as_str().unwrap().contains("npm install -g @anthropic-ai/claude-code"), "{error}");
    assert_eq!(lab.session_dirs().len(), 0, "nothing was started");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_session() {
    let work = |n: u8| (format!("Worker {n}"), format!("SUBTASK {n}"));
    let script = Script::new()
        .on("TWO", [Reply::agents([work(1), work(2)]), Reply::text("Both done.")])
        .on("SUBTASK 1", [Reply::tools([touch("by-1")]), Reply::text("Made.")])
        .on("SUBTASK 2", [Reply::tools([touch("by-2")]), Reply::text("Made.")]);
    let lab = Lab::new("2.1.330", script).await;
    let mut client = McpClient::start(&lab).await;
    let id = client.create(&lab, None).await;
    client.until(&id, "idle").await;
    let this = || json!({"sessionId": id});
    let error = fault(&lab, &mut client, "approve_permission", this(), &["approve", &id]).await;
    assert_eq!(error["code"], "nothing_to_approve");
    let error = fault(&lab, &mut client, "reject_permission", this(), &["reject", &id]).await;
    assert_eq!(error["code"], "nothing_to_approve");
    let control = json!({"sessionId": id, "text": "\u{1b}c"});
    let error = fault(&lab, &mut client, "send_message", control, &["send", &id, "\u{1b}c"]).await;
    assert_eq!(error["code"], "prompt_refused");

    client.send(&id, "TWO").await;
    let mut cursor = Value::Null;
    let asks = loop {
        let wait = json!({"sessionIds": [id], "until": ["permission_prompt"], "cursor": cursor});
        let waited = client.ask("wait_for_session", wait).await;
        let asks = client.ask("get_status", this()).await["openAsks"].clone();
        if asks.as_array().is_some_and(|asks| asks.len() == 2) {
            break asks;
        }
        cursor = waited["cursor"].clone();
    };
    let error = fault(&lab, &mut client, "approve_permission", this(), &["approve", &id]).await;
    assert_eq!(error["code"], "ambiguous_ask");
    let listed: Vec<_> = error["details"].as_array().unwrap().iter().map(|ask| &ask["id"]).collect();
    assert_eq!(listed, [&asks[0]["id"], &asks[1]["id"]]);
    let text = json!({"sessionId": id, "text": "go on"});
    let error = fault(&lab, &mut client, "send_message", text, &["send", &id, "go on"]).await;
    assert_eq!(error["code"], "session_blocked");
    for ask in [&asks[0], &asks[1]] {
        let line = ["approve", &id, "--ask", &ask["id"].as_str().unwrap()[..8]];
        cli(&lab, &line).await.exits(0);
        let again = json!({"sessionId": id, "askId": ask["id"]});
        let line = ["approve", &id, "--ask", ask["id"].as_str().unwrap()];
        let error = fault(&lab, &mut client, "approve_permission", again, &line).await;
        assert_eq!(error["code"], "already_resolved");
        assert_eq!(error["details"]["resolution"]["by"], "cli");
    }
    client.until(&id, "idle").await;
    client.ask("kill_session", this()).await;
    let text = json!({"sessionId": id, "text": "again"});
    let error = fault(&lab, &mut client, "send_message", text, &["send", &id, "again"]).await;
    assert_eq!(error["code"], "session_ended");
}

/// The names differ between the doors, so the messages do; code and shape are the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_argument_names_the_nearest() {
    let lab = Lab::new("2.1.330", Script::new()).await;
    let mut client = McpClient::start(&lab).await;
    let by_mcp = client.fault("create_session", json!({"workdir": "/"})).await;
    let by_cli = cli(&lab, &["create", "/", "--modle", "x", "--json"]).await.exits(2).fault();
    for (error, nearest) in [(&by_mcp, "workDir"), (&by_cli, "--model")] {
        assert_eq!(error["code"], "invalid_argument", "{error}");
        assert!(error.to_string().contains(nearest), "{error}");
    }
    let missing = cli(&lab, &["show", "--json"]).await.exits(2).fault();
    assert_eq!(missing["code"], "invalid_argument", "{missing}");
    assert!(missing["message"].as_str().unwrap().contains("<SESSION>"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_read() {
    let lab = Lab::new("2.1.330", Script::new()).await;
    std::fs::write(lab.project.join("aegis.config.json"), r#"{"claudePath": "./claude"}"#).unwrap();
    let error = cli(&lab, &["list", "--json"]).await.exits(1).fault();
    assert!(error["message"].as_str().unwrap().contains("cannot be set by a project"), "{error}");
    let words = cli(&lab, &["list"]).await.exits(1);
    assert!(words.stderr.contains("cannot be set by a project"), "{words:#?}");
}
