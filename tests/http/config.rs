//! The configuration: shown, and taken anew while a server runs.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::json;

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::outside::cli;
use crate::support::processes::{come, signal};

#[tokio::test(flavor = "multi_thread")]
async fn each_value_is_shown_with_where_it_comes_from() {
    let lab = Lab::fake(json!({}))
        .var("AEGIS_PORT", "9199")
        .var("AEGIS_AUTH_TOKEN", "hush-hush-hush")
        .build()
        .await;
    let dir = lab.home.path().join(".aegis");
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("config.json");
    std::fs::write(&file, json!({"rateLimit": {"generalMax": 7}, "terminal": {"cols": 100}}).to_string())
        .unwrap();
    let shown = cli(&lab, &["config", "--json"]).await.exits(0).json();
    assert_eq!(shown["port"], json!({"value": 9199, "from": "environment", "place": "AEGIS_PORT"}));
    assert_eq!(shown["rateLimit.generalMax"], json!({"value": 7, "from": "file", "place": file}));
    // What stands beside it in its group stays.
    assert_eq!(shown["rateLimit.sessionsMax"], json!({"value": 100, "from": "default"}));
    assert_eq!(shown["terminal.rows"]["value"], 40);
    assert_eq!(shown["authToken"]["value"], "[REDACTED]");
    let words = cli(&lab, &["config"]).await.exits(0).stdout;
    assert!(words.contains("AEGIS_PORT") && !words.contains("hush"), "{words}");
    std::fs::write(&file, json!({"rateLimit": {"generlMax": 7}}).to_string()).unwrap();
    let wrong = cli(&lab, &["config"]).await.exits(1).stderr;
    assert!(wrong.contains("did you mean \"generalMax\"?"), "{wrong}");
    std::fs::write(&file, json!({"authToken": 123_456_789}).to_string()).unwrap();
    let lab = lab.with_var("AEGIS_AUTH_TOKEN", "");
    let wrong = cli(&lab, &["config"]).await.exits(1).stderr;
    assert!(!wrong.contains("123456789"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_takes_a_changed_file() {
    let lab = Lab::fake(json!({})).build().await;
    let dir = lab.home.path().join(".aegis");
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("config.json");
    let server = HttpServer::start(&lab).await;
    let named = async |host: &str| {
        let request = Request::builder().uri("/v1/health").header("host", host);
        server.send(request.body(Full::from(Bytes::new())).unwrap()).await.status
    };
    assert_eq!(named("box.example").await, 403);
    // As editors do: a new file in the old one's place.
    let put = |config: serde_json::Value| {
        let beside = dir.join("config.json.new");
        std::fs::write(&beside, config.to_string()).unwrap();
        std::fs::rename(&beside, &file).unwrap();
    };
    put(json!({"allowedHosts": ["box.example"]}));
    come("the new host", async || (named("box.example").await == 200).then_some(())).await;
    put(json!({"authToken": "hush-hush-hush", "allowedRoots": ["/none"]}));
    come("the token", async || (server.get("/v1/sessions").await.status == 401).then_some(())).await;
    assert_eq!(named("box.example").await, 403);
    let refused = server
        .call_as("hush-hush-hush", "POST", "/v1/sessions", Some(json!({"workDir": lab.work_dir()})))
        .await
        .is(400);
    assert_eq!(refused["reason"], "work_dir_refused");
    // A mistake changes nothing.
    std::fs::write(&file, "{ \"authToken\": ").unwrap();
    signal(i32::try_from(server.child.id().unwrap()).unwrap(), rustix::process::Signal::HUP);
    server.get("/v1/sessions").await.is(401);
    std::fs::remove_file(&file).unwrap();
    come("the defaults", async || (server.get("/v1/sessions").await.status == 200).then_some(())).await;
}
