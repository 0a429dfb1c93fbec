//! Hook events that come over the network.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::{HttpServer, Told};
use crate::support::outside::cli;

/// A session and its secret, which only its program has.
async fn session(lab: &Lab, server: &HttpServer) -> (String, String) {
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    let shown = cli(lab, &["show", &id, "--json"]).await.exits(0).json();
    let pid = i32::try_from(shown["health"]["pid"].as_i64().unwrap()).unwrap();
    let environ = procfs::process::Process::new(pid).unwrap().environ().unwrap();
    let secret = environ[std::ffi::OsStr::new("AEGIS_HOOK_SECRET")].to_str().unwrap().to_owned();
    (id, secret)
}

async fn hook(server: &HttpServer, path: &str, headers: &[(&str, &str)], payload: Value) -> Told {
    let mut request = Request::builder()
        .method("POST")
        .uri(format!("/v1/hooks/{path}"))
        .header("host", server.addr.to_string())
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Full::from(Bytes::from(payload.to_string()))).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_sessions_secret_is_let_in_and_never_limited() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", "hush-hush-hush").build().await;
    let server = HttpServer::start(&lab).await;
    let (id, secret) = session(&lab, &server).await;
    let own = [("x-session-id", id.as_str()), ("x-hook-secret", secret.as_str())];
    let notice = || json!({"message": "hello", "notification_type": "idle_prompt"});
    for _ in 0..100 {
        assert_eq!(hook(&server, "Notification", &own, notice()).await.is(200), json!({"ok": true}));
    }
    assert_eq!(
        hook(&server, "Nonsense", &own, notice()).await.is(400)["error"],
        "Unknown hook event: Nonsense"
    );
    hook(&server, "Notification", &[], notice()).await.is(401);
    hook(&server, "Notification", &[("x-session-id", "one"), own[1]], notice()).await.is(400);
    hook(&server, "Notification", &own[..1], notice()).await.is(401);
    hook(&server, "Notification", &own, json!(["no", "object"])).await.is(400);
    let none = ("x-session-id", "00000000-0000-4000-8000-000000000000");
    hook(&server, "Notification", &[none, own[1]], notice()).await.is(401);
    for _ in 0..20 {
        let wrong = hook(&server, "Notification", &[own[0], ("x-hook-secret", "wrong")], notice()).await;
        assert!(matches!(wrong.status, 401 | 429), "{wrong:?}");
    }
    let often = hook(&server, "Notification", &[own[0], ("x-hook-secret", "wrong")], notice()).await;
    assert!(often.header("retry-after").is_some());
    often.is(429);
    hook(&server, "Notification", &own, notice()).await.is(200);
    // The query still counts, with a word of warning.
    let asked = hook(&server, &format!("Notification?sessionId={id}&secret={secret}"), &[], notice()).await;
    assert_eq!(asked.header("deprecation"), Some("true"));
    asked.is(200);
    assert!(!server.get(&format!("/v1/sessions/{id}")).await.text.contains(&secret));
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    hook(&server, "Notification", &own, notice()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_query_may_be_ruled_out() {
    let lab = Lab::fake(json!({})).var("AEGIS_HOOK_SECRET_HEADER_ONLY", "1").build().await;
    let server = HttpServer::start(&lab).await;
    let (id, secret) = session(&lab, &server).await;
    let query = format!("Notification?sessionId={id}&secret={secret}");
    hook(&server, &query, &[], json!({})).await.is(401);
    hook(&server, &query, &[("x-hook-secret", &secret)], json!({})).await.is(401);
    let own = [("x-hook-secret", secret.as_str())];
    hook(&server, &format!("Notification?sessionId={id}"), &own, json!({})).await.is(200);
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_waits_for_whoever_answers() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let (id, secret) = session(&lab, &server).await;
    let own = [("x-session-id", id.as_str()), ("x-hook-secret", secret.as_str())];
    let payload = json!({
        "session_id": "x", "hook_event_name": "PermissionRequest",
        "tool_name": "Bash", "tool_input": {"command": "make all"},
    });
    for (verb, behavior) in [("approve", "allow"), ("reject", "deny")] {
        let asked = hook(&server, "PermissionRequest", &own, payload.clone());
        let answered = async {
            let waiting = server.until(&id, "permission_prompt").await;
            assert_eq!(waiting["openAsks"][0]["input"]["command"], "make all");
            server.call("POST", &format!("/v1/sessions/{id}/{verb}"), None).await.is(200);
        };
        let (told, ()) = tokio::join!(asked, answered);
        let decision = &told.is(200)["hookSpecificOutput"];
        assert_eq!(decision["hookEventName"], "PermissionRequest");
        assert_eq!(decision["decision"]["behavior"], behavior, "{decision}");
    }
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_nobody_answers_in_time_stays_with_the_terminal() {
    let lab = Lab::fake(json!({})).var("AEGIS_HOOK_ASK_TIMEOUT_MS", "5000").build().await;
    let server = HttpServer::start(&lab).await;
    let (id, secret) = session(&lab, &server).await;
    let own = [("x-session-id", id.as_str()), ("x-hook-secret", secret.as_str())];
    let payload = json!({"tool_name": "Bash", "tool_input": {"command": "make all"}});
    let told = hook(&server, "PermissionRequest", &own, payload).await.is(200);
    // Neither an allow nor a deny.
    assert_eq!(told, json!({"ok": true}));
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}
