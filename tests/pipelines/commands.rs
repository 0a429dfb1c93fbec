//! Pipelines from the command line.

use super::*;
use crate::support::outside::cli;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_a_pipeline_without_any_server() {
    let rules = json!([{"on": "BREAK", "steps": [{"error": {"kind": "overloaded", "text": "529"}}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let stored =
        cli(&lab, &["pipeline", "create", "-s", "one", "-s", "two {{stages.step-1.output}}", "-n", "p"])
            .await;
    let stored = stored.exits(0);
    assert!(stored.stderr.contains("no server runs"), "{stored:#?}");
    assert!(stored.stdout.contains("pending"), "{stored:#?}");
    let done = cli(&lab, &["pipeline", "show", "p", "--wait"]).await.exits(0);
    assert!(done.stdout.contains("You said: two You said: one"), "{done:#?}");
    assert!(done.stderr.contains("· step-2: starting"), "{done:#?}");

    let file = lab.root.join("pipeline.json");
    std::fs::write(&file, json!({"name": "q", "steps": [{"prompt": "BREAK"}, {"prompt": "x"}]}).to_string())
        .unwrap();
    let file = file.to_str().unwrap();
    let failed = cli(&lab, &["pipeline", "create", file, "--wait", "--json"]).await.exits(5).json();
    assert_eq!((&failed["status"], &failed["stages"][1]["status"]), (&json!("failed"), &json!("skipped")));
    assert_eq!(failed["stages"][0]["error"]["kind"], "turn_failed", "{failed:#}");
    let kept = failed["stages"][0]["sessionId"].as_str().unwrap();
    cli(&lab, &["kill", kept]).await.exits(0);

    let listed = cli(&lab, &["pipeline", "list", "--json", "--limit", "1"]).await.exits(0).json();
    assert_eq!((&listed["pipelines"][0]["name"], listed["nextCursor"].is_string()), (&json!("q"), true));
    let wrong =
        cli(&lab, &["pipeline", "create", "-s", "{{stages.x.output}}", "--json"]).await.exits(1).fault();
    assert_eq!(wrong["code"], "invalid_pipeline");
    let wrong = cli(&lab, &["pipeline", "show", "nothing", "--json"]).await.exits(1).fault();
    assert_eq!(wrong["code"], "no_such_pipeline");
    let waiting = cli(&lab, &["pipeline", "create", "-s", "x", "--json"]).await.exits(0).json();
    let id = waiting["id"].as_str().unwrap();
    let cancelled = cli(&lab, &["pipeline", "cancel", id, "--json"]).await.exits(0).json();
    assert_eq!(cancelled["status"], "cancelled", "{cancelled:#}");
    assert_eq!(lab.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_runs_what_a_command_stores() {
    let lab = Lab::fake(json!({})).build().await;
    let _server = Server::start(&lab).await;
    come("the steward", async || {
        let health = cli(&lab, &["health", "--json"]).await.exits(0).json();
        (health["steward"] == "elsewhere").then_some(())
    })
    .await;
    let stored = cli(&lab, &["pipeline", "create", "-s", "one"]).await.exits(0);
    assert_eq!(stored.stderr, "");
    let done = cli(&lab, &["pipeline", "show", "pipeline", "--wait", "--json"]).await.exits(0).json();
    assert_eq!(done["stages"][0]["output"], "You said: one", "{done:#}");
}
