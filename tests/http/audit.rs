//! What was done is written down, whoever did it and through whichever door.

use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::outside::{McpClient, cli};
use crate::support::records::deeds;

const MASTER: &str = "hush-hush-hush";

#[tokio::test(flavor = "multi_thread")]
async fn every_door_writes_into_one_log() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let server = HttpServer::start(&lab).await;
    let (ada, ada_id) = server.key("ada", "operator", json!({})).await;
    let (viewer, _) = server.key("=looker", "viewer", json!({})).await;
    let body = json!({"workDir": lab.work_dir(), "name": "one"});
    let created = server.call_as(&ada, "POST", "/v1/sessions", Some(body.clone())).await.is(201);
    let id = created["id"].as_str().unwrap();
    server.call_as(&viewer, "POST", "/v1/sessions", Some(body)).await.is(403);
    server.until(id, "idle").await;
    cli(&lab, &["send", id, "hello"]).await.exits(0);
    let mut host = McpClient::start(&lab).await;
    host.ask("state_set", json!({"key": "team/rules", "value": "a secret rule"})).await;
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);

    let log = server.get("/v1/audit?verify=true").await.is(200);
    assert_eq!(log["integrity"], json!({"valid": true}), "{log}");
    assert_eq!(
        deeds(&log),
        [
            ("master", "create_key", "done"),
            ("master", "create_key", "done"),
            ("key:ada", "create_session", "done"),
            ("local", "send_message", "done"),
            ("local", "state_set", "done"),
            ("master", "kill_session", "done"),
        ],
        "a refusal of the door's own guard is no deed"
    );
    assert_eq!(log["total"], 6);
    let text = log.to_string();
    assert!(!text.contains("a secret rule") && !text.contains("hello"), "{text}");
    assert_eq!(log["records"][2]["actorKeyId"], ada_id);
    assert_eq!(log["records"][4]["surface"], "mcp");

    let own = server.get(&format!("/v1/audit?actorKeyId={ada_id}")).await.is(200);
    assert_eq!((own["total"].as_u64(), &own["filters"]), (Some(1), &json!({"actorKeyId": ada_id})));
    let about = server.get(&format!("/v1/audit?sessionId={id}&reverse=true&limit=2")).await.is(200);
    assert_eq!(about["records"][0]["action"], "kill_session");
    assert_eq!((about["count"].as_u64(), &about["pagination"]["hasMore"]), (Some(2), &json!(true)));
    let cursor = about["pagination"]["nextCursor"].as_str().unwrap();
    let before = server.get(&format!("/v1/audit?sessionId={id}&limit=2&cursor={cursor}")).await.is(200);
    assert_eq!(
        (before["records"][0]["action"].as_str(), before["count"].as_u64()),
        (Some("create_session"), Some(1))
    );

    for bad in [
        "verify=maybe",
        "reverse=",
        "limit=0",
        "pageSize=1001",
        "page=0",
        "page=first",
        "page=1&cursor=00",
        "format=xml",
        "from=yesterday",
        "cursor=00",
        "sessionId=one",
    ] {
        server.get(&format!("/v1/audit?{bad}")).await.is(400);
    }
    assert_eq!(server.get("/v1/audit?reverse=false&verify=false").await.is(200).get("integrity"), None);
    server.call_as(&viewer, "GET", "/v1/audit", None).await.is(403);
    server.call_as(&ada, "GET", "/v1/audit", None).await.is(403);

    let csv = server.get("/v1/audit?format=csv&verify=true").await;
    assert_eq!(csv.header("x-aegis-audit-record-count"), Some("6"));
    assert_eq!(csv.header("x-aegis-audit-integrity-valid"), Some("true"));
    assert!(csv.header("content-disposition").unwrap().starts_with("attachment; filename=\"audit-export-"));
    assert_eq!(csv.text.lines().count(), 7, "{}", csv.text);
    assert_eq!(csv.header("x-aegis-audit-last-hash"), log["chain"]["lastHash"].as_str());
    let lines = server.get("/v1/audit?format=ndjson&action=create_key").await;
    let lines: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_log_shows_on_the_command_line() {
    let lab = Lab::fake(json!({})).build().await;
    for at in 0..5 {
        cli(&lab, &["state", "set", &format!("team/{at}"), "x"]).await.exits(0);
    }
    let whole = cli(&lab, &["audit", "verify", "--json"]).await.exits(0).json();
    assert_eq!((&whole["valid"], &whole["records"]), (&json!(true), &json!(5)));
    let listed = cli(&lab, &["audit", "list", "--action", "state_set", "--limit", "2"]).await.exits(0).stdout;
    assert!(listed.contains("team/4") && !listed.contains("team/2"), "{listed}");
    let file = std::fs::read_dir(lab.root.join("state/audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    // The last line away.
    let cut = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    std::fs::write(&file, cut).unwrap();
    let broken = cli(&lab, &["audit", "verify"]).await.exits(1).stdout;
    assert!(broken.contains("the head knows of 5"), "{broken}");
    std::fs::write(&file, text.replacen("team/1", "team/9", 1)).unwrap();
    let broken = cli(&lab, &["audit", "verify", "--json"]).await.exits(1).json();
    assert_eq!(broken["broken"]["line"], 2, "{broken}");
}
