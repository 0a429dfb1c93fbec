//! The calls of the clients that exist for these paths, exactly as those send them: the TypeScript client class, which
//! sends no content type without a body, and the Python client, which says JSON on every call, with a body or without.

use std::collections::BTreeSet;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::{HttpServer, Told};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    TypeScript,
    Python,
}

impl Client {
    async fn call(self, server: &HttpServer, method: &str, path: &str, body: Option<Value>) -> Told {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", server.addr.to_string()).header("authorization", "Bearer hush-hush");
        request = match self {
            Self::TypeScript => request.header("user-agent", "node").header("accept", "*/*"),
            Self::Python => request.header("user-agent", "python-requests/2.32.3").header("accept", "*/*"),
        };
        if body.is_some() || self == Self::Python {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        server.send(request.body(Full::from(Bytes::from(body))).unwrap()).await
    }
}

/// Ends the test unless the answer has all these fields; a name with `?` may be absent, none of the others null unless
/// it ends with `|null`.
#[track_caller]
fn has(answer: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        let (name, nullable) = field.strip_suffix("|null").map_or((field, false), |name| (name, true));
        match answer.get(name) {
            Some(value) => assert!(nullable || !value.is_null(), "{name} is null in {answer:#}"),
            None => panic!("{name} is missing in {answer:#}"),
        }
    }
}

const SESSION: &str = "id windowId windowName workDir byteOffset monitorOffset status createdAt lastActivity \
                       stallThresholdMs permissionMode name";

async fn lab() -> Lab {
    let script = json!({"rules": [
        {"on": "greet", "steps": [{"say": "Hello."}]},
        {"on": "make", "steps": [
            {"tool": {"name": "Write", "input": {"file_path": "a.txt"}, "creates": "a.txt"}}, {"say": "Made."}]},
    ]});
    Lab::fake(script).var("AEGIS_AUTH_TOKEN", "hush-hush").build().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_28_calls_of_the_typescript_class() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let mut called = BTreeSet::new();
    let mut note = |name: &'static str| assert!(called.insert(name), "{name}");
    let ts = Client::TypeScript;
    let get = async |path: &str| ts.call(&server, "GET", path, None).await;
    let post = async |path: &str, body: Option<Value>| ts.call(&server, "POST", path, body).await;

    note("createSession");
    let body =
        json!({"workDir": lab.work_dir(), "name": "one", "prompt": "greet", "maxSessionAgeMs": 3_600_000});
    let created = post("/v1/sessions", Some(body)).await.is(201);
    has(&created, SESSION);
    has(&created, "reused promptDelivery");
    has(&created["promptDelivery"], "delivered attempts");
    assert!(created.get("hookSecret").is_none());
    let id = created["id"].as_str().unwrap().to_owned();
    let at = |verb: &str| format!("/v1/sessions/{id}{verb}");
    server.until(&id, "idle").await;

    note("listSessions");
    let work_dir = lab.work_dir().replace('/', "%2F");
    let listed = get(&format!("/v1/sessions?status=idle&workDir={work_dir}")).await.is(200);
    has(&listed["sessions"][0], SESSION);
    note("getSession");
    has(&get(&at("")).await.is(200), SESSION);
    note("getHealth");
    let health = get(&at("/health")).await.is(200);
    has(
        &health,
        "alive windowExists claudeRunning paneCommand status hasTranscript lastActivity \
                  lastActivityAgo sessionAge details",
    );
    note("getTranscript");
    let read = get(&at("/read")).await.is(200);
    has(&read, "messages status statusText|null interactiveContent|null");
    has(&read["messages"][0], "role contentType text timestamp");
    assert_eq!(read["messages"][1]["text"], "Hello.");
    note("capturePane");
    assert!(get(&at("/pane")).await.is(200)["pane"].is_string());
    note("getSessionMetrics");
    let metrics = get(&at("/metrics")).await.is(200);
    has(&metrics, "durationSec messages toolCalls approvals autoApprovals statusChanges tokenUsage");
    assert!(metrics["statusChanges"].as_array().unwrap().iter().all(Value::is_string), "{metrics:#}");
    note("getSessionSummary");
    let summary = get(&at("/summary")).await.is(200);
    has(&summary, "sessionId windowName status totalMessages messages createdAt lastActivity permissionMode");
    assert!(summary["createdAt"].is_i64());
    note("getSessionLatency");
    let latency = get(&at("/latency")).await.is(200);
    has(&latency, "sessionId realtime|null aggregated");
    has(
        &latency["aggregated"],
        "hook_latency_ms state_change_detection_ms permission_response_ms channel_delivery_ms",
    );

    note("sendMessage");
    let sent = post(&at("/send"), Some(json!({"text": "make it"}))).await.is(200);
    has(&sent, "ok delivered attempts");
    let asking = server.until(&id, "permission_prompt").await;
    has(&asking, "pendingPermission actionHints");
    note("approve");
    assert_eq!(post(&at("/approve"), None).await.is(200)["ok"], true);
    server.until(&id, "idle").await;
    post(&at("/send"), Some(json!({"text": "make it again"}))).await.is(200);
    server.until(&id, "permission_prompt").await;
    note("reject");
    assert_eq!(post(&at("/reject"), None).await.is(200)["ok"], true);
    server.until(&id, "idle").await;
    note("escape");
    assert_eq!(post(&at("/escape"), None).await.is(200), json!({"ok": true}));
    note("interrupt");
    assert_eq!(post(&at("/interrupt"), None).await.is(200), json!({"ok": true}));
    note("getServerHealth");
    has(&get("/v1/health").await.is(200), "status timestamp version platform uptime sessions tmux claude");
    note("getSessionStats");
    has(&get("/v1/sessions/stats").await.is(200), "active byStatus totalCreated totalCompleted totalFailed");
    note("getGlobalMetrics");
    let metrics = get("/v1/metrics").await.is(200);
    has(&metrics, "uptime sessions auto_approvals prompt_delivery latency");
    has(
        &metrics["sessions"],
        "total_created currently_active completed failed avg_duration_sec avg_messages_per_session",
    );
    note("getSwarm");
    has(
        &get("/v1/swarm").await.is(200),
        "swarms totalSockets totalTeammates scannedAt monitors activeWindows",
    );

    note("batchCreateSessions");
    let two = json!({"sessions": [{"workDir": lab.work_dir(), "name": "two"}, {"workDir": "/none/such"}]});
    let batch = post("/v1/sessions/batch", Some(two)).await.is(201);
    assert_eq!((&batch["created"], &batch["failed"]), (&json!(1), &json!(1)), "{batch:#}");
    has(&batch["sessions"][0], "id name");
    assert!(batch["errors"][0].is_string());

    note("createPipeline");
    let pipeline =
        json!({"name": "ship", "workDir": lab.work_dir(), "stages": [{"name": "a", "prompt": "greet"}]});
    let pipeline = post("/v1/pipelines", Some(pipeline)).await.is(201);
    let shape = "id name currentStage status retryCount maxRetries stageHistory stages createdAt";
    has(&pipeline, shape);
    has(&pipeline["stages"][0], "name status dependsOn");
    note("listPipelines");
    let pipelines = get("/v1/pipelines").await.is(200);
    has(&pipelines[0], shape);

    note("setMemory");
    let body = json!({"key": "team/rules", "value": "Tabs.", "ttlSeconds": 60});
    let set = post("/v1/memory", Some(body)).await.is(200);
    has(&set, "ok entry key value createdAt");
    has(&set["entry"], "value namespace key created_at updated_at expires_at");
    note("getMemory");
    let got = get("/v1/memory/team%2Frules").await.is(200);
    assert_eq!((&got["value"], &got["entry"]["value"]), (&json!("Tabs."), &json!("Tabs.")));
    note("deleteMemory");
    let gone = ts.call(&server, "DELETE", "/v1/memory/team%2Frules", None).await.is(200);
    assert_eq!(gone, json!({"ok": true}));
    let none = get("/v1/memory/team%2Frules").await.is(404);
    assert!(none["error"].as_str().unwrap().contains("team/rules"), "{none:#}");

    note("sendCommand");
    has(&post(&at("/command"), Some(json!({"command": "/clear"}))).await.is(200), "ok delivered attempts");
    note("sendBash");
    // The stand-in runs no shell lines; the real one does in `doors::commands`.
    has(&post(&at("/bash"), Some(json!({"command": "echo here"}))).await.is(200), "ok delivered attempts");

    note("killSession");
    assert_eq!(ts.call(&server, "DELETE", &at(""), None).await.is(200), json!({"ok": true}));

    note("getAuditLogs");
    let all = get("/v1/audit").await.is(200);
    has(&all, "count total records filters pagination chain");
    has(&all["pagination"], "limit hasMore nextCursor|null reverse");
    has(&all["records"][0], "ts actor action sessionId|null detail prevHash hash");
    has(&all["chain"], "count firstHash lastHash badgeHash firstTs lastTs");
    let of_session = format!("/v1/audit?page=1&pageSize=2&actor=master&action=send_message&sessionId={id}");
    let newest = get(&of_session).await.is(200);
    assert_eq!((&newest["count"], &newest["total"]), (&json!(2), &json!(2)), "{newest:#}");
    let of = |record: &Value| (record["action"] == "send_message") && record["sessionId"] == json!(id);
    assert!(newest["records"].as_array().unwrap().iter().all(of), "{newest:#}");
    assert_eq!(newest["filters"], json!({"actor": "master", "action": "send_message", "sessionId": id}));
    assert_eq!((&newest["pagination"]["page"], &newest["pagination"]["limit"]), (&json!(1), &json!(2)));
    assert_eq!(get("/v1/audit?page=1&pageSize=20&actor=nobody").await.is(200)["records"], json!([]));
    // Page by page it is the whole log, from the end on.
    let mut pages = Vec::new();
    for page in 1.. {
        let told = get(&format!("/v1/audit?page={page}&pageSize=3")).await.is(200);
        pages.splice(..0, told["records"].as_array().unwrap().clone());
        assert_eq!(told["total"], all["total"]);
        if told["pagination"]["hasMore"] == false {
            break;
        }
    }
    assert_eq!(&pages, all["records"].as_array().unwrap());
    assert_eq!(called.len(), 28, "{called:?}");
    end_all(&server).await;
}

/// Ends what a test left running.
async fn end_all(server: &HttpServer) {
    loop {
        let live = server.get("/v1/sessions?limit=100").await.is(200);
        let ids: Vec<_> =
            live["sessions"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect();
        if ids.is_empty() {
            return;
        }
        server.call("DELETE", "/v1/sessions/batch", Some(json!({"ids": ids}))).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_the_python_client() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let py = Client::Python;
    let get = async |path: &str| py.call(&server, "GET", path, None).await;
    let post = async |path: &str, body: Option<Value>| py.call(&server, "POST", path, body).await;

    has(&get("/v1/health").await.is(200), "status version");
    let body =
        json!({"work_dir": lab.work_dir(), "name": "one", "system_prompt": "Be kind.", "prompt": "greet"});
    let created = post("/v1/sessions", Some(body)).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    let at = |verb: &str| format!("/v1/sessions/{id}{verb}");
    server.until(&id, "idle").await;
    let listed = get("/v1/sessions?page=1&pageSize=5").await.is(200);
    assert_eq!((&listed["total"], &listed["pagination"]["limit"]), (&json!(1), &json!(5)));
    has(&get(&at("")).await.is(200), SESSION);
    for (verb, fields) in [
        ("/health", "alive status"),
        ("/read?limit=10", "messages status"),
        ("/pane", "pane"),
        ("/summary", "messages"),
        ("/metrics", "tokenUsage"),
        ("/latency", "sessionId"),
        ("/children", "children"),
        ("/memories", "sessionId entries"),
        ("/permissions", "permissionPolicy"),
        ("/permission-profile", "permissionProfile|null"),
    ] {
        has(&get(&at(verb)).await.is(200), fields);
    }
    has(&get("/v1/tools").await.is(200), "tools categories totalTools");
    has(&get("/v1/sessions/stats").await.is(200), "active");
    has(&get("/v1/metrics").await.is(200), "sessions");
    has(&get("/v1/swarm").await.is(200), "swarms");
    has(&get("/v1/diagnostics?limit=10").await.is(200), "count events");

    // Without a body, yet JSON by its head: what the older server refused.
    post(&at("/interrupt"), None).await.is(200);
    post(&at("/escape"), None).await.is(200);
    assert_eq!(post(&at("/approve"), None).await.is(409)["reason"], "nothing_to_approve");
    assert_eq!(post(&at("/reject"), None).await.is(409)["reason"], "nothing_to_approve");
    has(&post(&at("/send"), Some(json!({"text": "greet"}))).await.is(200), "ok delivered");
    server.until(&id, "idle").await;

    let profile = json!({"defaultBehavior": "ask", "rules": [{"tool": "Bash", "behavior": "allow", "pattern": "git *"}]});
    let set = py.call(&server, "PUT", &at("/permission-profile"), Some(profile.clone())).await.is(200);
    assert_eq!(set["permissionProfile"], profile);

    let spawned = post(&at("/spawn"), Some(json!({"prompt": "greet"}))).await.is(201);
    assert_eq!((&spawned["name"], &spawned["parentId"]), (&json!("one-child"), &json!(id)), "{spawned:#}");
    let children = get(&at("/children")).await.is(200);
    assert_eq!(children["children"][0]["id"], spawned["id"]);
    has(&children["children"][0], "id windowName status createdAt");
    let forked = post(&at("/fork"), Some(json!({"name": "fork"}))).await.is(201);
    assert_eq!(forked["forkedFrom"], json!(id));

    let set = post("/v1/memories", Some(json!({"key": "user/name", "value": "Ada"}))).await.is(200);
    assert_eq!(set["ok"], true);
    assert_eq!(get("/v1/memories/user/name").await.is(200)["value"], "Ada");
    assert_eq!(get("/v1/memories?scope=user").await.is(200)["entries"].as_array().unwrap().len(), 1);
    py.call(&server, "DELETE", "/v1/memories/user%2Fname", None).await.is(200);

    let template = json!({"name": "review", "prompt": "Review {{file}}.", "workDir": lab.work_dir()});
    let template = post("/v1/templates", Some(template)).await.is(201);
    has(&template, "id name prompt workDir createdAt updatedAt");
    let one = format!("/v1/templates/{}", template["id"].as_str().unwrap());
    assert_eq!(get("/v1/templates").await.is(200)[0]["id"], template["id"]);
    assert_eq!(get(&one).await.is(200)["variables"], json!(["file"]));
    let changed = py.call(&server, "PUT", &one, Some(json!({"description": "Short."}))).await.is(200);
    assert_eq!((&changed["description"], &changed["prompt"]), (&json!("Short."), &template["prompt"]));
    assert_eq!(py.call(&server, "DELETE", &one, None).await.is(200), json!({"ok": true}));
    get(&one).await.is(404);

    assert_eq!(post(&at("/kill"), None).await.is(200), json!({"ok": true}));
    let history = get("/v1/sessions/history?status=killed").await.is(200);
    assert_eq!(history["records"][0]["id"], json!(id));
    has(&history["records"][0], "id createdAt endedAt lastSeenAt finalStatus source");
    end_all(&server).await;
}
