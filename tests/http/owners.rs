//! Whose session it is.

use std::sync::Arc;

use aegis::access::{Identity, Permission, Role};
use aegis::domain::ErrorCode;
use aegis::ops::{
    Caller, CreatePipeline, CreateSession, GetSwarm, KillSession, ListPipelines, ListSessions, PipelineRef,
    PipelineStep, SetState, StateRef, WaitForSession,
};
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::records::deeds;

const MASTER: &str = "hush-hush-hush";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_neither_sees_nor_touches_what_another_started() {
    let rules = json!({"rules": [{"on": "greet", "steps": [{"say": "Hello."}]}]});
    let lab = Lab::fake(rules).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let server = HttpServer::start(&lab).await;
    let more = json!({"rateLimit": 10_000});
    let (ada, ada_id) = server.key("ada", "operator", more.clone()).await;
    let (bob, _) = server.key("bob", "operator", more.clone()).await;
    let (admin, _) = server.key("root", "admin", more).await;
    let new = |name: &str| {
        Some(json!({"workDir": lab.work_dir(), "name": name, "prompt": "greet", "idempotencyKey": "same"}))
    };

    let created = server.call_as(&ada, "POST", "/v1/sessions", new("adas")).await.is(201);
    assert_eq!(created["ownerKeyId"], ada_id);
    let id = created["id"].as_str().unwrap();
    server.until(id, "idle").await;
    // The same key of creation in other hands is another.
    let bobs = server.call_as(&bob, "POST", "/v1/sessions", new("bobs")).await.is(201);
    assert_ne!(bobs["id"], id);
    assert_eq!(server.call_as(&ada, "POST", "/v1/sessions", new("adas")).await.is(201)["id"], id);

    for (method, path, body) in [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/kill", None),
        ("POST", "/send", Some(json!({"text": "greet"}))),
        ("POST", "/command", Some(json!({"command": "/compact"}))),
        ("POST", "/bash", Some(json!({"command": "true"}))),
        ("POST", "/approve", None),
        ("POST", "/reject", None),
        ("POST", "/interrupt", None),
        ("POST", "/escape", None),
        ("POST", "/answer", Some(json!({"questionId": "x", "answer": "y"}))),
        ("POST", "/spawn", None),
        ("POST", "/fork", None),
        ("PUT", "/permissions", Some(json!([]))),
        ("POST", "/screenshot", Some(json!({"url": "http://127.0.0.1:1/"}))),
        ("POST", "/verify", None),
        ("GET", "/read", None),
        ("GET", "/transcript", None),
        ("GET", "/transcript/cursor", None),
        ("GET", "/pane", None),
        ("GET", "/health", None),
        ("GET", "/summary", None),
        ("GET", "/metrics", None),
        ("GET", "/latency", None),
        ("GET", "/tools", None),
        ("GET", "/children", None),
        ("GET", "/permissions", None),
        ("GET", "/permission-profile", None),
        ("GET", "/events", None),
        ("GET", "/stream", None),
    ] {
        let told = server.call_as(&bob, method, &format!("/v1/sessions/{id}{path}"), body).await;
        let refused = told.is(403);
        assert_eq!(
            (&refused["reason"], &refused["error"]),
            (&json!("forbidden"), &json!("You do not own this session")),
            "{path}"
        );
    }
    let none = "/v1/sessions/00000000-0000-4000-8000-000000000000";
    server.call_as(&bob, "GET", none, None).await.is(404);

    // An idle one is taken by its own key alone.
    server.until(bobs["id"].as_str().unwrap(), "idle").await;
    let again = json!({"workDir": lab.work_dir(), "prompt": "greet"});
    let taken = server.call_as(&bob, "POST", "/v1/sessions", Some(again.clone())).await.is(200);
    assert_eq!((&taken["id"], &taken["reused"]), (&bobs["id"], &json!(true)));
    let masters = server.post("/v1/sessions", again).await.is(201);

    let seen = async |token: &str, path: &str| {
        let list = server.call_as(token, "GET", path, None).await.is(200);
        let list = list.get("sessions").cloned().unwrap_or(list);
        let mut ids: Vec<_> = list.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    let mut all = vec![json!(id), bobs["id"].clone(), masters["id"].clone()];
    all.sort_by_key(Value::to_string);
    for path in ["/v1/sessions", "/sessions"] {
        assert_eq!(seen(&ada, path).await, [json!(id)]);
        assert_eq!(seen(&bob, path).await, [bobs["id"].clone()]);
        assert_eq!(seen(&admin, path).await, all);
        assert_eq!(seen(MASTER, path).await, all);
    }

    // Nor is it gone on with, or made a parent.
    for (field, wanted) in [("resumeSessionId", 403), ("parentId", 403)] {
        let body = json!({"workDir": lab.work_dir(), field: id});
        server.call_as(&bob, "POST", "/v1/sessions", Some(body)).await.is(wanted);
    }
    let conversation = server.get(&format!("/v1/sessions/{id}")).await.is(200)["claudeSessionId"].clone();
    let body = json!({"workDir": lab.work_dir(), "resumeSessionId": conversation});
    server.call_as(&bob, "POST", "/v1/sessions", Some(body)).await.is(404);

    // What is created from inside of a key's session is the key's.
    let body = json!({"workDir": lab.work_dir(), "parentId": id, "reuse": false});
    let child = server.post("/v1/sessions", body).await.is(201);
    assert_eq!(child["ownerKeyId"], ada_id);
    let child = child["id"].as_str().unwrap();
    server.call_as(&ada, "GET", &format!("/v1/sessions/{child}"), None).await.is(200);
    server.call_as(&bob, "GET", &format!("/v1/sessions/{child}"), None).await.is(403);

    // Ended ones are still whose they were.
    server.call_as(&ada, "DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    assert_eq!(seen(&ada, "/v1/sessions?status=ended").await, [json!(id)]);
    assert_eq!(seen(&bob, "/v1/sessions?status=ended").await, Vec::<Value>::new());
    for session in [bobs["id"].as_str().unwrap(), masters["id"].as_str().unwrap(), child] {
        server.call("DELETE", &format!("/v1/sessions/{session}"), None).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answered_is_told_by_the_keys_name() {
    let rules = json!({"rules": [{"on": "make", "steps": [
        {"tool": {"name": "Bash", "input": {"command": "touch made"}}}, {"say": "Made."}
    ]}]});
    let lab = Lab::fake(rules).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let server = HttpServer::start(&lab).await;
    let (ada, _) = server.key("ada", "operator", json!({"rateLimit": 10_000})).await;
    let body = json!({"workDir": lab.work_dir(), "prompt": "make it"});
    let created = server.call_as(&ada, "POST", "/v1/sessions", Some(body)).await.is(201);
    let id = created["id"].as_str().unwrap();
    server.until(id, "permission_prompt").await;
    server.call_as(&ada, "POST", &format!("/v1/sessions/{id}/approve"), None).await.is(200);
    server.until(id, "idle").await;
    let asks = lab.resolved_asks();
    assert_eq!(asks[0].resolution.as_ref().unwrap().by, "http:ada");
    let audit = server.get("/v1/audit?action=approve_permission").await.is(200);
    let record = &audit["records"][0];
    assert_eq!(
        (&record["actor"], &record["surface"], &record["sessionId"], &record["outcome"]),
        (&json!("key:ada"), &json!("http:ada"), &json!(id), &json!("done"))
    );
    server.call_as(&ada, "DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

/// Whoever holds a key, through a door that knows nothing of permissions.
fn holder(name: &str, role: Role) -> Caller {
    let identity = Identity {
        key: Some(format!("id-of-{name}")),
        name: Some(name.into()),
        role,
        permissions: role.permissions(),
        rate_limit: None,
        text_hash: None,
    };
    Caller::keyed("mcp", Arc::new(identity))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_themselves_ask_who_calls() {
    let lab = Lab::fake(json!({})).build().await;
    let (aegis, local) = lab.aegis();
    let (ada, bob) = (holder("ada", Role::Operator), holder("bob", Role::Operator));
    let viewer = holder("viewer", Role::Viewer);
    let new = || CreateSession { work_dir: lab.work_dir(), ..CreateSession::default() };
    let refused = aegis.create_session(&viewer, new()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);
    let set = SetState { key: "team/rules".into(), value: "x".into(), ttl_seconds: None };
    assert_eq!(aegis.state_set(&viewer, set).await.unwrap_err().code, ErrorCode::Forbidden);
    let key = StateRef { key: "team/rules".into() };
    assert_eq!(aegis.state_delete(&viewer, key).await.unwrap_err().code, ErrorCode::Forbidden);
    assert!(lab.session_dirs().is_empty());

    let mut adas_news = aegis.news(&ada).await.unwrap();
    let created = aegis.create_session(&ada, new()).await.unwrap().session;
    let id = created.id.to_string();
    assert_eq!(created.owner_key.as_deref(), Some("id-of-ada"));
    adas_news.next().await;
    for (caller, sees) in [(&ada, true), (&bob, false), (&viewer, false), (&local, true)] {
        let list = aegis.list_sessions(caller, ListSessions::default()).await.unwrap();
        assert_eq!(list.sessions.len(), usize::from(sees), "{}", caller.surface);
        assert_eq!(aegis.roster(caller).await.unwrap().ids().contains(&created.id), sees);
        let swarm = aegis.get_swarm(caller, GetSwarm {}).await.unwrap();
        assert_eq!(swarm.processes.iter().any(|one| one.session_id == Some(created.id)), sees);
        // By its name and a prefix too.
        for reference in [created.name.as_str(), &id[..8]] {
            let found = aegis.find(caller, reference).await;
            assert_eq!(
                found.as_ref().err().map(|error| error.code),
                (!sees).then_some(ErrorCode::NoSuchSession)
            );
        }
    }
    let wait = WaitForSession { timeout_ms: Some(0), ..WaitForSession::default() };
    assert_eq!(aegis.wait_for_session(&bob, wait).await.unwrap_err().code, ErrorCode::NoSuchSession);

    let step = PipelineStep { prompt: "one".into(), ..PipelineStep::default() };
    let new = CreatePipeline {
        name: "adas".into(),
        steps: vec![step],
        work_dir: Some(lab.work_dir()),
        ..CreatePipeline::default()
    };
    let pipeline = aegis.create_pipeline(&ada, new).await.unwrap();
    for (caller, sees) in [(&ada, true), (&bob, false), (&local, true)] {
        let list = aegis.list_pipelines(caller, ListPipelines::default()).await.unwrap();
        assert_eq!(list.pipelines.len(), usize::from(sees));
        let named = PipelineRef { pipeline_id: pipeline.id.to_string() };
        assert_eq!(aegis.get_pipeline(caller, named).await.is_ok(), sees);
    }
    let named = PipelineRef { pipeline_id: pipeline.id.to_string() };
    assert_eq!(aegis.cancel_pipeline(&bob, named.clone()).await.unwrap_err().code, ErrorCode::NoSuchPipeline);
    aegis.cancel_pipeline(&ada, named).await.unwrap();
    let kill = KillSession { session_id: id, force: None };
    assert_eq!(aegis.kill_session(&bob, kill.clone()).await.unwrap_err().code, ErrorCode::Forbidden);
    aegis.kill_session(&ada, kill).await.unwrap();
    assert!(Role::Operator.permissions().contains(&Permission::Kill));

    let log = crate::support::outside::cli(&lab, &["audit", "list", "--json"]).await.exits(0).json();
    assert_eq!(
        deeds(&log),
        [
            ("key:viewer", "create_session", "forbidden"),
            ("key:viewer", "state_set", "forbidden"),
            ("key:viewer", "state_delete", "forbidden"),
            ("key:ada", "create_session", "done"),
            ("key:ada", "create_pipeline", "done"),
            ("key:bob", "cancel_pipeline", "no_such_pipeline"),
            ("key:ada", "cancel_pipeline", "done"),
            ("key:bob", "kill_session", "forbidden"),
            ("key:ada", "kill_session", "done"),
        ]
    );
}
