//! The conversation, read in three ways.

use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;

fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_takes_nothing_from_anybody_and_ids_never_shift() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let created =
        server.post("/v1/sessions", json!({"workDir": lab.work_dir(), "prompt": "p1"})).await.is(201);
    let id = created["id"].as_str().unwrap();
    let at = |rest: &str| format!("/v1/sessions/{id}{rest}");
    server.until(id, "idle").await;
    let first = server.get(&at("/read")).await.is(200);
    assert_eq!(texts(&first), ["p1", "You said: p1"]);
    assert_eq!(server.get(&at("/read")).await.is(200), first);
    server.post(&at("/send"), json!({"text": "p2"})).await.is(200);
    server.until(id, "idle").await;
    let after = server.get(&at(&format!("/read?since={}", first["cursor"]))).await.is(200);
    assert_eq!(texts(&after), ["p2", "You said: p2"]);
    let nothing = server.get(&at(&format!("/read?since={}", after["cursor"]))).await.is(200);
    assert_eq!((texts(&nothing), &nothing["cursor"]), (vec![], &after["cursor"]));

    let newest = server.get(&at("/transcript/cursor?limit=1")).await.is(200);
    assert_eq!((texts(&newest), &newest["has_more"]), (vec!["You said: p2"], &json!(true)));
    let before = newest["oldest_id"].as_u64().unwrap();
    let older = server.get(&at(&format!("/transcript/cursor?before_id={before}&limit=2"))).await.is(200);
    assert_eq!(texts(&older), ["You said: p1", "p2"]);
    let said = server.get(&at("/transcript/cursor?role=assistant")).await.is(200);
    assert_eq!(texts(&said), ["You said: p1", "You said: p2"]);
    // The same message has the same id, whatever is filtered.
    assert_eq!(said["messages"][0]["_cursor_id"], older["messages"][0]["_cursor_id"]);
    assert_eq!(said["newest_id"], newest["newest_id"]);
    for bad in ["before_id=0", "before_id=-1", "before_id=x", "role=nobody"] {
        server.get(&at(&format!("/transcript/cursor?{bad}"))).await.is(400);
    }

    let page = server.get(&at("/transcript?page=2&limit=3")).await.is(200);
    assert_eq!(
        (texts(&page), &page["total"], &page["hasMore"]),
        (vec!["You said: p2"], &json!(4), &json!(false))
    );
    let page = server.get(&at("/transcript?limit=1&role=user")).await.is(200);
    assert_eq!((texts(&page), &page["total"], &page["hasMore"]), (vec!["p1"], &json!(2), &json!(true)));
    let page = server.get(&at("/transcript?limit=1&role=user&page=2")).await.is(200);
    assert_eq!(texts(&page), ["p2"]);
    assert_eq!(texts(&server.get(&at("/transcript?page=9")).await.is(200)), Vec::<&str>::new());
    server.call("DELETE", &at(""), None).await.is(200);
    // It can be read after its end.
    assert_eq!(texts(&server.get(&at("/transcript?page=1")).await.is(200)).len(), 4);
    server.get(&at("/pane")).await.is(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_the_conversation_and_goes_its_own_way() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let new = json!({"workDir": lab.work_dir(), "stallThresholdMs": 60_000});
    let created = server.post("/v1/sessions", new).await.is(201);
    assert_eq!(created["stallThresholdMs"], 60_000);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    // Nothing was said yet: the copy of nothing is nothing.
    let empty = server.call("POST", &format!("/v1/sessions/{id}/fork"), None).await.is(201);
    assert_eq!(empty["forkedFrom"], json!(id));
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "p1"})).await.is(200);
    server.until(&id, "idle").await;
    let forked = server
        .post(&format!("/v1/sessions/{id}/fork"), json!({"name": "copy", "prompt": "p2"}))
        .await
        .is(201);
    let copy = forked["id"].as_str().unwrap().to_owned();
    assert_eq!((&forked["name"], &forked["stallThresholdMs"]), (&json!("copy"), &json!(60_000)));
    server.until(&copy, "idle").await;
    let read = |id: &str| server.get(format!("/v1/sessions/{id}/read").leak());
    assert_eq!(texts(&read(&id).await.is(200)), ["p1", "You said: p1"]);
    let read = read(&copy).await.is(200);
    assert_eq!(texts(&read), ["p1", "You said: p1", "p2", "You said: p2"]);
    let ids = json!({"ids": [id, copy, empty["id"], "00000000-0000-4000-8000-000000000000"]});
    let ended = server.call("DELETE", "/v1/sessions/batch", Some(ids)).await.is(200);
    assert_eq!(
        ended,
        json!({"deleted": 3, "notFound": ["00000000-0000-4000-8000-000000000000"], "errors": []})
    );
}
