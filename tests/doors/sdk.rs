//! The official TypeScript SDK as the client of a real delegation. It holds every answer against the tool's output schema by itself.

use rstest::rstest;
use serde_json::json;

use super::clients::{Sdk, client};
use super::script;
use crate::support::Lab;
use crate::support::outside::McpClient;

fn pair(role: &str, text: &str) -> (String, String) {
    (role.into(), text.into())
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_through_every_tool(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, script()).await;
    let mut client = client(&lab, Sdk::TypeScript, &[]).await;
    let health = client.ask("server_health", json!({})).await;
    assert_eq!(health["claude"]["version"], version, "{health:#}");

    let id = client.create(&lab, Some("MAKE one")).await;
    approved(&mut client, &lab, &id).await;
    rejected(&mut client, &lab, &id).await;
    chosen(&mut client, &lab, &id).await;
    looked_at(&mut client, &lab, &id).await;
    stopped(&mut client, &lab, &id).await;

    let ended = client.ask("kill_session", json!({"sessionId": id})).await;
    assert_eq!(ended["status"], "ended", "{ended:#}");
    let listed = client.ask("list_sessions", json!({})).await;
    assert_eq!(listed["sessions"], json!([]), "{listed:#}");
    assert_eq!(client.tools.len(), 13);
    assert_eq!(client.called, client.tools);
    client.peer.end_input();
    assert_eq!(client.peer.ended().await, 0);
    assert_eq!(lab.processes(), [], "processes are left");
}

async fn approved(client: &mut McpClient, lab: &Lab, id: &str) {
    let asking = client.until(id, "permission_prompt").await;
    let ask = &asking["openAsks"][0];
    assert_eq!((&ask["tool"], &ask["input"]["command"]), (&json!("Bash"), &json!("touch one")), "{asking:#}");
    let arguments = json!({"sessionId": id, "askId": ask["id"], "inputHash": ask["inputHash"]});
    let settled = client.ask("approve_permission", arguments).await;
    assert_eq!(
        (&settled["resolution"]["by"], &settled["resolution"]["how"]),
        (&json!("mcp"), &json!("approved"))
    );
    client.until(id, "idle").await;
    assert!(lab.project.join("one").exists());
    assert_eq!(client.said(id).await, [pair("user", "MAKE one"), pair("assistant", "One is made.")]);
}

async fn rejected(client: &mut McpClient, lab: &Lab, id: &str) {
    client.send(id, "MAKE two").await;
    client.until(id, "permission_prompt").await;
    let reason = "two is one too many";
    let settled = client.ask("reject_permission", json!({"sessionId": id, "reason": reason})).await;
    assert_eq!(settled["resolution"]["how"], "rejected");
    client.until(id, "idle").await;
    assert!(!lab.project.join("two").exists());
    let told =
        lab.api.requests().iter().any(|request| {
            request.tool_results().iter().any(|(_, result)| result.to_string().contains(reason))
        });
    assert!(told, "Claude was not told the reason");
    let said = client.said(id).await;
    assert_eq!(said[2..], [pair("user", "MAKE two"), pair("assistant", "Two is not made.")]);
}

async fn chosen(client: &mut McpClient, lab: &Lab, id: &str) {
    let by_name = json!({"sessionId": id, "answers": {"Which colour?": "Red"}});
    let in_words = json!({"sessionId": id, "text": "a pale Blue"});
    for (prompt, answer, heard) in
        [("CHOOSE first", by_name, "Red"), ("CHOOSE second", in_words, "a pale Blue")]
    {
        client.send(id, prompt).await;
        let asking = client.until(id, "asking").await;
        assert_eq!(asking["openAsks"][0]["options"], json!(["Red", "Blue"]), "{asking:#}");
        client.ask("send_message", answer).await;
        client.until(id, "idle").await;
        let told = lab.api.requests().iter().any(|request| {
            let results = request.tool_results();
            request.prompt().is_some_and(|asked| asked == prompt)
                && results.iter().any(|(_, result)| result.to_string().contains(heard))
        });
        assert!(told, "Claude did not get the answer {heard}");
    }
    let said = client.said(id).await;
    assert_eq!(said.last(), Some(&pair("assistant", "Second chosen.")), "{said:#?}");
}

async fn looked_at(client: &mut McpClient, lab: &Lab, id: &str) {
    let listed = client.ask("list_sessions", json!({"workDir": lab.work_dir()})).await;
    assert_eq!(
        (&listed["sessions"][0]["id"], &listed["sessions"][0]["status"]),
        (&json!(id), &json!("idle"))
    );
    let status = client.ask("get_status", json!({"sessionId": &id[..8]})).await;
    assert_eq!((&status["id"], &status["health"]["alive"]), (&json!(id), &json!(true)), "{status:#}");
    let pane = client.ask("capture_pane", json!({"sessionId": id})).await;
    // The last answer may still be on its way to the screen; what was before it is there.
    assert!(pane["pane"].as_str().unwrap().contains("First chosen."), "{pane:#}");
    let page = client.ask("get_transcript", json!({"sessionId": id, "role": "assistant", "limit": 1})).await;
    assert_eq!((page["messages"][0]["role"].as_str(), &page["hasMore"]), (Some("assistant"), &json!(true)));
}

async fn stopped(client: &mut McpClient, lab: &Lab, id: &str) {
    client.send(id, "HOLD").await;
    lab.api.wait_for("the held turn", |request| request.is_main() && request.mentions("HOLD")).await.unwrap();
    let stopped = client.ask("interrupt_session", json!({"sessionId": id})).await;
    assert_eq!(stopped["status"], "idle", "{stopped:#}");
    let escaped = client.ask("escape_session", json!({"sessionId": id})).await;
    assert_eq!(escaped["status"], "idle", "{escaped:#}");
}
