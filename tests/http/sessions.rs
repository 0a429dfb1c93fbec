//! Sessions and what is done to them.

use serde_json::json;

use crate::support::Lab;
use crate::support::http::HttpServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_by_curl() {
    let rules = json!({"rules": [{"on": "greet", "steps": [{"say": "Hello."}]}]});
    let lab = Lab::fake(rules).build().await;
    let server = HttpServer::start(&lab).await;
    let body = json!({"workDir": lab.work_dir(), "name": "one", "prompt": "greet them"});
    let created = server.post("/v1/sessions", body.clone()).await.is(201);
    assert_eq!(created["reused"], false);
    assert_eq!(created["name"], "one");
    assert!(created["promptDelivery"]["delivered"].is_boolean(), "{created}");
    let id = created["id"].as_str().unwrap();
    server.until(id, "idle").await;
    let again = json!({"workDir": lab.work_dir(), "prompt": "greet me"});
    let taken = server.post("/v1/sessions", again).await.is(200);
    assert_eq!((taken["id"].as_str(), taken["reused"].as_bool()), (Some(id), Some(true)));
    server.until(id, "idle").await;
    let sent = server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "greet all"})).await.is(200);
    assert_eq!(sent["ok"], true);
    let list = server.get("/v1/sessions").await.is(200);
    assert_eq!(list["pagination"], json!({"page": 1, "limit": 20, "total": 1, "totalPages": 1}));
    assert_eq!(list["sessions"][0]["id"], id);
    assert_eq!(server.get("/sessions").await.is(200)[0]["id"], id);
    server.until(id, "idle").await;
    let nothing = server.call("POST", &format!("/v1/sessions/{id}/approve"), None).await.is(409);
    assert_eq!(nothing["reason"], "nothing_to_approve");
    assert_eq!(server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200), json!({"ok": true}));
    assert_eq!(server.get("/v1/sessions").await.is(200)["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_body_is_told() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let unknown = server.post("/v1/sessions", json!({"workDir": lab.work_dir(), "promt": "x"})).await.is(400);
    assert_eq!(unknown["details"][0]["code"], "unrecognized_keys");
    assert!(unknown["error"].as_str().unwrap().contains("`promt`"), "{unknown}");
    let kind = server.post("/v1/sessions", json!({"workDir": 5})).await.is(400);
    assert_eq!(kind["details"][0]["path"], json!(["workDir"]));
    // No program can be given these; Claude Code is not tried.
    for (field, value) in [("model", json!("a\u{0}b")), ("env", json!({"NAME": "x".repeat(1 << 17)}))] {
        let body = json!({"workDir": lab.work_dir(), "reuse": false, field: value});
        let refused = server.post("/v1/sessions", body).await.is(400);
        assert_eq!(refused["reason"], "invalid_argument", "{refused}");
    }
    let refused = server.post("/v1/sessions", json!({"workDir": "/none/such"})).await.is(400);
    assert_eq!(
        (refused["code"].as_str(), refused["reason"].as_str()),
        (Some("INVALID_WORKDIR"), Some("work_dir_refused"))
    );
    let id = server.get("/v1/sessions/one").await.is(400);
    assert_eq!(id["error"], "Invalid session ID — must be a UUID");
}
