//! The rest of what there is to call: handshake, memory, pipelines, rules, advice, figures, and keys that make a call
//! count once.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::{HttpServer, Told};

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_needs_no_token_and_says_all_when_it_fails() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", "hush-hush").build().await;
    let mut server = HttpServer::start(&lab).await;
    server.token = None;
    let body = json!({"protocolVersion": "1", "clientCapabilities": ["session.create", "teleport"], "clientVersion": "2.0"});
    let agreed = server.post("/v1/handshake", body).await.is(200);
    assert_eq!(agreed["negotiatedCapabilities"], json!(["session.create"]));
    assert_eq!((&agreed["protocolVersion"], &agreed["compatible"]), (&json!("1"), &json!(true)));
    let refused = server.post("/v1/handshake", json!({"protocolVersion": "0"})).await.is(409);
    assert_eq!(
        (&refused["compatible"], &refused["fallbackMode"]),
        (&json!(false), &json!("incompatible-protocol"))
    );
    for field in ["serverCapabilities", "featureGates", "warnings", "error", "code", "requestId"] {
        assert!(!refused[field].is_null(), "{field} is not in {refused:#}");
    }
    server.post("/v1/handshake", json!({"protocolVersion": 1})).await.is(400);
    server.post("/v1/handshake", json!({"protocolVersion": "1", "more": 1})).await.is(400);
    server.get("/v1/tools").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_memory_are_paths_or_percent_encoded() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    for key in ["team/a rule/of 100%", "équipe/größe", "n/a+b"] {
        let set = server.post("/v1/memory", json!({"key": key, "value": "x"})).await.is(200);
        assert_eq!((&set["key"], &set["entry"]["key"]), (&json!(key), &json!(key)));
        let encode = |text: &str, whole: bool| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'/' if !whole => "/".into(),
                    byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                    byte => format!("%{byte:02X}"),
                })
                .collect()
        };
        for path in [encode(key, true), encode(key, false)] {
            assert_eq!(server.get(&format!("/v1/memory/{path}")).await.is(200)["value"], "x", "{path}");
        }
    }
    assert_eq!(server.get("/v1/memory?prefix=team%2F").await.is(200)["entries"].as_array().unwrap().len(), 1);
    server.get("/v1/memory/%FF/x").await.is(400);
    server.get("/v1/memory/plain").await.is(400);
    server.post("/v1/memory", json!({"key": "a/b", "value": "x", "ttlSeconds": 0})).await.is(400);
    let id = "00000000-0000-4000-8000-000000000000";
    let of = format!("/v1/sessions/{id}/memories");
    let set = server.post(&of, json!({"key": "notes/one", "value": "y"})).await.is(200);
    assert_eq!(set["key"], format!("session:{id}/notes/one"));
    assert_eq!(server.get(&of).await.is(200)["entries"][0]["value"], "y");
}

async fn keyed(server: &HttpServer, method: &str, path: &str, key: &str, body: Option<Value>) -> Told {
    let mut request = Request::builder().method(method).uri(path).header("idempotency-key", key);
    request = request.header("host", server.addr.to_string()).header("content-type", "application/json");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    server.send(request.body(Full::from(Bytes::from(body))).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_key_counts_once() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let body = || Some(json!({"name": "review"}));
    let made = keyed(&server, "POST", "/v1/templates", "k1", body()).await.is(201);
    let again = keyed(&server, "POST", "/v1/templates", "k1", body()).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.is(201), made);
    let other = keyed(&server, "POST", "/v1/templates", "k1", Some(json!({"name": "other"}))).await.is(409);
    assert_eq!(other["reason"], "key_reused");
    // What failed may be tried again, and another key is another call.
    assert_eq!(keyed(&server, "POST", "/v1/templates", "k2", body()).await.is(409)["reason"], "name_taken");
    let path = format!("/v1/templates/{}", made["id"].as_str().unwrap());
    keyed(&server, "DELETE", &path, "k3", None).await.is(200);
    keyed(&server, "DELETE", &path, "k3", None).await.is(200);
    keyed(&server, "DELETE", &path, "k4", None).await.is(404);
    keyed(&server, "POST", "/v1/templates", "k2", body()).await.is(201);
    // Creations keep their keys in the store.
    let new = || Some(json!({"workDir": lab.work_dir(), "reuse": false}));
    let first = keyed(&server, "POST", "/v1/sessions", "k1", new()).await.is(201);
    let same = keyed(&server, "POST", "/v1/sessions", "k1", new()).await;
    assert_eq!(same.json()["id"], first["id"], "{same:?}");
    server.call("DELETE", &format!("/v1/sessions/{}", first["id"].as_str().unwrap()), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_in_either_spelling_and_stays_on_record() {
    let rules = json!({"rules": [{"on": "one", "steps": [{"say": "First."}]}]});
    let lab = Lab::fake(rules).build().await;
    let server = HttpServer::start(&lab).await;
    let body = json!({"name": "ship it", "permissionMode": "plan", "stages": [
        {"name": "a", "prompt": "one", "workDir": lab.work_dir()},
        {"name": "b", "prompt": "after {{stages.a.output}}", "workDir": lab.work_dir(), "dependsOn": ["a"]}]});
    let made = server.post("/v1/pipelines", body).await.is(201);
    assert_eq!(made["stages"][1]["permissionMode"], "plan");
    let path = format!("/v1/pipelines/{}", made["id"].as_str().unwrap());
    let done = tokio::time::timeout(crate::support::tasks::PATIENCE, async {
        loop {
            let now = server.get(&path).await.is(200);
            if now["endedAt"].is_i64() {
                return now;
            }
        }
    });
    let done = done.await.unwrap();
    assert_eq!((&done["status"], &done["currentStage"]), (&json!("completed"), &json!("done")), "{done:#}");
    assert_eq!(done["stages"][1]["prompt"], "after {{stages.a.output}}");
    assert_eq!(done["stages"][1]["output"], "You said: after First.");
    let cancelled = server.call("DELETE", &path, None).await.is(200);
    assert_eq!((&cancelled["ok"], &cancelled["pipeline"]["status"]), (&json!(true), &json!("completed")));
    assert_eq!(server.get("/v1/pipelines?status=completed").await.is(200)[0]["id"], made["id"]);
    for bad in [
        json!({"name": "p", "stages": []}),
        json!({"name": "p", "stages": [{"prompt": "x"}]}),
        json!({"name": "p", "workDir": lab.work_dir(), "steps": [{"name": "a", "prompt": "x", "dependsOn": ["q"]}]}),
    ] {
        server.post("/v1/pipelines", bad).await.is(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_a_live_session_are_changed_where_they_can_be_kept() {
    let script = json!({"rules": [{"on": "make", "steps": [
        {"tool": {"name": "Write", "input": {"file_path": "a.txt"}, "creates": "a.txt"}}, {"say": "Made."}]}]});
    let lab = Lab::fake(script).build().await;
    let server = HttpServer::start(&lab).await;
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let id = created["id"].as_str().unwrap();
    let path = format!("/v1/sessions/{id}/permissions");
    server.until(id, "idle").await;
    assert_eq!(server.get(&path).await.is(200)["permissionPolicy"], json!([]));
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "make"})).await.is(200);
    server.until(id, "permission_prompt").await;
    server.call("POST", &format!("/v1/sessions/{id}/reject"), None).await.is(200);
    server.until(id, "idle").await;
    let allow = json!([{"tool": "Write", "decision": "allow"}]);
    assert_eq!(server.call("PUT", &path, Some(allow.clone())).await.is(200)["permissionPolicy"], allow);
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "make"})).await.is(200);
    server.until(id, "idle").await;
    assert!(lab.project.join("a.txt").exists(), "the new rule did not count");
    // Claude Code would not ask about these, and learns only at its start to do so.
    let deny = json!([{"source": "aegisApi", "ruleBehavior": "deny", "toolName": "Read"}]);
    let refused = server.call("PUT", &path, Some(deny)).await.is(409);
    assert_eq!(refused["reason"], "unsupported");
    assert_eq!(server.get(&path).await.is(200)["permissionPolicy"], allow);
    server.call("PUT", &path, Some(json!([{"tool": "", "decision": "allow"}]))).await.is(400);
    // Nobody who asks for a session without rules is given this one.
    let other = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    assert_ne!(other["id"], created["id"]);
    server.call("DELETE", "/v1/sessions/batch", Some(json!({"ids": [id, other["id"]]}))).await.is(200);
    assert_eq!(server.get(&path).await.is(200)["permissionPolicy"], json!([]), "what it was created with");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_advised_on_and_sums_add_up() {
    let rules = json!({"rules": [{"on": "greet", "steps": [{"say": "Hello."}]}]});
    let lab = Lab::fake(rules).build().await;
    let server = HttpServer::start(&lab).await;
    let advice =
        server.post("/v1/dev/route-task", json!({"title": "Fix typo in security docs"})).await.is(200);
    assert_eq!((&advice["tier"], &advice["score"]), (&json!("fast"), &json!(20)), "{advice:#}");
    let other =
        server.post("/v1/dev/route-task", json!({"task": "Add endpoint", "context": "x"})).await.is(200);
    assert_eq!(other["recommendedTier"], "standard");
    assert!(server.get("/v1/dev/model-tiers").await.is(200)["tiers"]["power"].is_string());
    server.post("/v1/dev/route-task", json!({"title": ""})).await.is(400);

    let created =
        server.post("/v1/sessions", json!({"workDir": lab.work_dir(), "prompt": "greet"})).await.is(201);
    let id = created["id"].as_str().unwrap();
    server.until(id, "idle").await;
    let metrics = server.get("/v1/metrics").await.is(200);
    assert_eq!(metrics["sessions"]["currently_active"], 1);
    assert_eq!((&metrics["turns"], &metrics["prompt_delivery"]["delivered"]), (&json!(1), &json!(1)));
    let text = server.get("/metrics").await;
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(text.text.contains("\naegis_sessions_active 1\n"), "{}", text.text);
    assert!(text.text.contains("\naegis_turns_total 1\n"), "{}", text.text);
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    // The end takes nothing away.
    let ended = server.get("/v1/metrics").await.is(200);
    assert_eq!((&ended["sessions"]["completed"], &ended["turns"]), (&json!(1), &json!(1)), "{ended:#}");
    let usage = server.get("/v1/usage").await.is(200);
    assert_eq!(usage["sessions"], 1);
    let none = server.get("/v1/usage?from=2100-01-01T00:00:00Z").await.is(200);
    assert_eq!((&none["sessions"], &none["totalInputTokens"]), (&json!(0), &json!(0)));
    server.get("/v1/usage?from=yesterday").await.is(400);
    assert_eq!(server.get("/v1/analytics/summary").await.is(200)["errorRates"]["totalSessions"], 1);
    for path in ["/v1/analytics/costs", "/v1/analytics/tokens", "/v1/usage/tiers", "/v1/diagnostics"] {
        server.get(path).await.is(200);
    }
    server.get(&format!("/v1/usage/sessions/{id}")).await.is(200);
    let absent = server.call("POST", &format!("/v1/sessions/{id}/discover-commands"), None).await.is(501);
    assert_eq!(absent["reason"], "not_offered");
    for verb in ["verify", "discover-commands"] {
        let nobody = format!("/v1/sessions/00000000-0000-4000-8000-000000000000/{verb}");
        server.call("POST", &nobody, None).await.is(404);
    }
}
