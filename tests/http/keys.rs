//! Keys: made, told once, used, changed, removed; and how often they may call.

use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::outside::cli;

const MASTER: &str = "hush-hush-hush";

async fn lab() -> Lab {
    Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", MASTER).build().await
}

/// Every file below the directory that has the text in it.
fn files_with(text: &str, dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_with(text, &entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_of_the_command_line_closes_a_running_server() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    server.get("/v1/sessions").await.is(200);
    let refused = server.post("/v1/auth/keys", json!({"name": "x"})).await.is(403);
    assert_eq!(refused["reason"], "auth_disabled");
    let verified = server.post("/v1/auth/verify", json!({"token": "anything"})).await.is(200);
    assert_eq!((&verified["valid"], &verified["role"]), (&json!(true), &json!("admin")));

    let made = cli(&lab, &["keys", "create", "ci", "--role", "operator", "--json"]).await.exits(0).json();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("aegis_") && key.len() == 70, "{key}");
    assert_eq!(made["id"].as_str().unwrap().len(), 16);
    assert_eq!(files_with(key, &lab.root), Vec::<std::path::PathBuf>::new());
    server.get("/v1/sessions").await.is(401);
    server.call_as(key, "GET", "/v1/sessions", None).await.is(200);
    let verified = server.post("/v1/auth/verify", json!({"token": key})).await.is(200);
    assert_eq!((&verified["role"], &verified["name"]), (&json!("operator"), &json!("ci")));
    let wrong = server.post("/v1/auth/verify", json!({"token": "aegis_wrong"})).await.is(401);
    assert_eq!(wrong["code"], "UNAUTHORIZED");

    let listed = cli(&lab, &["keys", "list"]).await.exits(0).stdout;
    assert!(listed.contains("ci") && listed.contains("used"), "{listed}");
    assert!(!listed.contains(key), "{listed}");
    cli(&lab, &["keys", "revoke", "ci"]).await.exits(0);
    let gone = cli(&lab, &["keys", "revoke", "ci", "--json"]).await.exits(1).fault();
    assert_eq!(gone["code"], "no_such_key");
    // Nobody is told apart any more.
    server.get("/v1/sessions").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_rotated_and_removed_over_http() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let elsewhere = HttpServer::start(&lab).await;
    let made = server.post("/v1/auth/keys", json!({"name": "one", "ttlDays": 1})).await.is(201);
    assert_eq!((&made["role"], &made["permissions"]), (&json!("viewer"), &json!(["audit"])));
    assert!(made["expiresAt"].as_i64().unwrap() > made["createdAt"].as_i64().unwrap());
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    elsewhere.call_as(key, "GET", "/v1/sessions", None).await.is(200);
    let list = server.get("/v1/auth/keys").await.is(200);
    assert_eq!((list[0]["id"].as_str(), list[0].get("key")), (Some(id), None), "{list}");

    let rotated = server.post("/v1/auth/keys/rotate", json!({"keyId": id})).await.is(200);
    let new = rotated["key"].as_str().unwrap();
    assert!(rotated["graceExpiresAt"].is_i64(), "{rotated}");
    for key in [key, new] {
        elsewhere.call_as(key, "GET", "/v1/sessions", None).await.is(200);
    }
    let newest = server.post(&format!("/v1/auth/keys/{id}/rotate"), json!({})).await.is(200);
    let ended = elsewhere.call_as(new, "GET", "/v1/sessions", None).await.is(401);
    assert_eq!((&ended["code"], &ended["reason"]), (&json!("KEY_EXPIRED"), &json!("key_expired")));
    let newest = newest["key"].as_str().unwrap();
    elsewhere.call_as(newest, "GET", "/v1/sessions", None).await.is(200);
    server.call("DELETE", &format!("/v1/auth/keys/{id}"), None).await.is(200);
    elsewhere.call_as(newest, "GET", "/v1/sessions", None).await.is(401);
    assert_eq!(
        server.call("DELETE", &format!("/v1/auth/keys/{id}"), None).await.is(404)["reason"],
        "no_such_key"
    );
    for bad in [
        json!({}),
        json!({"name": " "}),
        json!({"name": "x", "role": "king"}),
        json!({"name": "x", "ttlDays": 0}),
        json!({"name": "x", "role": "viewer", "permissions": ["send"]}),
    ] {
        server.post("/v1/auth/keys", bad).await.is(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_changes_nothing_whatever_the_route() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let (viewer, _) = server.key("looker", "viewer", json!({"rateLimit": 10_000})).await;
    let spec = server.get("/v1/openapi.json").await.is(200);
    // What changes nothing, or has its own way of telling who calls.
    let allowed = ["/v1/auth/verify", "/v1/auth/sse-token", "/v1/hooks/{event}", "/v1/handshake", "/mcp"];
    let mut tried = 0;
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let reads = operation["x-reads"] == true || path.contains("/dev/");
            if method == "get" || method == "parameters" || reads || allowed.contains(&path.as_str()) {
                continue;
            }
            let filled =
                path.replace("{id}", "00000000-0000-4000-8000-000000000000").replace(['{', '}', '*'], "");
            let told = server.call_as(&viewer, &method.to_uppercase(), &filled, Some(json!({}))).await;
            assert_eq!(
                (told.status, told.json()["reason"].as_str()),
                (403, Some("forbidden")),
                "{method} {path}"
            );
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
    for path in ["/v1/auth/keys", "/v1/audit"] {
        server.call_as(&viewer, "GET", path, None).await.is(403);
    }
    server.call_as(&viewer, "GET", "/v1/sessions", None).await.is(200);
    assert!(lab.session_dirs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_it_was_allowed_and_no_more() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let (key, _) = server.key("starter", "operator", json!({"permissions": ["create"]})).await;
    let body = json!({"workDir": lab.work_dir()});
    let created = server.call_as(&key, "POST", "/v1/sessions", Some(body)).await.is(201);
    let id = created["id"].as_str().unwrap();
    let refused = server.call_as(&key, "DELETE", &format!("/v1/sessions/{id}"), None).await.is(403);
    assert_eq!(refused["error"], "Forbidden: missing kill permission");
    let text = Some(json!({"text": "x"}));
    server.call_as(&key, "POST", &format!("/v1/sessions/{id}/send"), text).await.is(403);
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_few_and_only_for_those_who_are_known() {
    let lab = lab().await;
    let mut server = HttpServer::start(&lab).await;
    for _ in 0..5 {
        let ticket = server.call("POST", "/v1/auth/sse-token", None).await.is(201);
        let token = ticket["token"].as_str().unwrap();
        assert!(token.starts_with("sse_") && token.len() == 68, "{token}");
        assert!(ticket["expiresAt"].is_i64());
    }
    server.call("POST", "/v1/auth/sse-token", None).await.is(429);
    // A ticket is no token.
    server.with_token(None).call("POST", "/v1/auth/sse-token", None).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_and_kept() {
    let lab = Lab::fake(json!({}))
        .var("AEGIS_AUTH_TOKEN", MASTER)
        .var("AEGIS_RATE_LIMIT_SESSIONS_MAX", "4")
        .var("AEGIS_RATE_LIMIT_GENERAL_MAX", "3")
        .build()
        .await;
    let mut server = HttpServer::start(&lab).await;
    let (own, _) = server.key("own", "viewer", json!({"rateLimit": 2})).await;
    let (common, _) = server.key("common", "viewer", Value::Null).await;
    for (key, limit) in [(&own, 2), (&common, 4)] {
        for left in (0..limit).rev() {
            let told = server.call_as(key, "GET", "/v1/sessions", None).await;
            assert_eq!(told.header("x-ratelimit-limit"), Some(limit.to_string().as_str()));
            assert_eq!(told.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
            assert!(told.header("x-ratelimit-reset").unwrap().parse::<u64>().unwrap() <= 60);
            told.is(200);
        }
        let over = server.call_as(key, "GET", "/v1/sessions", None).await;
        let wait: u64 = over.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(over.is(429)["error"], format!("Rate limit exceeded — {limit} req/min per key"));
    }
    // The configured token is not limited, nor by what others at its address did.
    for _ in 0..200 {
        let told = server.get("/v1/sessions").await;
        assert_eq!(told.header("x-ratelimit-limit"), None);
        told.is(200);
    }
    server.with_token(None);
    for _ in 0..3 {
        server.get("/v1/sessions").await.is(401);
    }
    server.get("/v1/sessions").await.is(429);
    // What anybody may is told to everybody.
    server.get("/v1/health").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nobody_is_limited() {
    let lab = Lab::fake(json!({})).var("AEGIS_RATE_LIMIT_GENERAL_MAX", "1").build().await;
    let server = HttpServer::start(&lab).await;
    for _ in 0..500 {
        server.get("/v1/sessions").await.is(200);
    }
}
