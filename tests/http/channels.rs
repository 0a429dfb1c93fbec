//! Channels over HTTP: how they do, trying them out, what did not arrive, and who may ask.

use std::process::Stdio;

use aegis::domain::OutboxState;
use aegis::store::{OutboxStore as _, SqliteStore};
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::processes::come;
use crate::support::receiver::{Receiver, Say};
use crate::support::tasks::Driver;

const MASTER: &str = "hush-hush-hush";

fn webhook(receiver: &Receiver) -> Value {
    json!([{
        "url": format!("http://127.0.0.1:{}/hook-canary", receiver.port), "allowLoopback": true,
        "secret": "secret-canary"
    }])
}

/// A server with one webhook and, where given, one receiver of alerts.
async fn serve(hook: &Receiver, alerts: Option<&Receiver>) -> (Lab, HttpServer) {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let lab = lab.with_var("AEGIS_WEBHOOKS", webhook(hook).to_string());
    let lab = match alerts {
        Some(alerts) => lab.with_var("AEGIS_ALERT_WEBHOOKS", webhook(alerts).to_string()),
        None => lab,
    };
    let server = HttpServer::start(&lab).await;
    (lab, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_listed_tried_and_mended() {
    let (hook, alerts) = (Receiver::plain().await, Receiver::plain().await);
    hook.always(Say::status(410));
    let (lab, server) = serve(&hook, Some(&alerts)).await;
    let (admin, _) = server.key("root", "admin", json!({})).await;
    let get = async |path: &str| server.call_as(&admin, "GET", path, None).await.is(200);
    let post = async |path: &str, body: Value| server.call_as(&admin, "POST", path, Some(body)).await;

    let listed = get("/v1/channels").await;
    let name = listed[0]["name"].as_str().unwrap().to_owned();
    let of = |at: usize, key: &str| listed[at][key].clone();
    assert_eq!((of(0, "kind"), of(0, "target")), (json!("webhook"), json!("http://127.0.0.1")));
    assert_eq!(
        (of(1, "kind"), of(1, "name"), listed.as_array().unwrap().len()),
        (json!("alerts"), json!("alerts"), 2)
    );
    assert!(listed[0]["events"].as_array().unwrap().contains(&json!("status.context_warning")), "{listed}");

    let tested = post("/v1/channels/test", json!({"channel": name})).await.is(200);
    assert_eq!(tested[0]["channel"], name.as_str());
    assert_eq!((&tested[0]["sent"], &tested[0]["responseCode"]), (&json!(false), &json!(410)));
    let missing = post("/v1/channels/test", json!({"channel": "webhok"})).await.is(404);
    assert_eq!(missing["reason"], "no_such_channel");

    // A session whose every notice is given up.
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.kill(&id).await;
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    come("dead letters", async || {
        let dead = store.outbox(Some(&name), Some(OutboxState::Dead), 99).unwrap();
        dead.iter().any(|entry| entry.notice.event.as_str() == "session.ended").then_some(())
    })
    .await;
    let letters = get("/v1/webhooks/dead-letter").await;
    let letters = letters.as_array().unwrap();
    let last = letters.last().unwrap();
    assert_eq!((&last["event"], &last["attempts"]), (&json!("session.ended"), &json!(1)));
    assert_eq!((&last["endpoint"], &last["sessionId"]), (&json!("http://127.0.0.1"), &json!(id)));
    assert_eq!(last["error"], "the receiver answered 410");
    let own = get(&format!("/v1/webhooks/dead-letter?channel={name}")).await;
    assert_eq!(own.as_array().unwrap(), letters);
    assert_eq!(get("/v1/webhooks/dead-letter?channel=alerts").await, json!([]));
    let health = get("/v1/channels/health").await;
    assert_eq!((&health[0]["channel"], &health[0]["deadCount"]), (&json!(name), &json!(letters.len())));

    hook.always(Say::status(204));
    let one = post("/v1/channels/retry", json!({"id": last["id"]})).await.is(200);
    assert_eq!(one, json!({"retried": 1}));
    let rest = post("/v1/channels/retry", json!({"channel": name})).await.is(200);
    assert_eq!(rest, json!({"retried": letters.len() - 1}));
    come("health", async || {
        let health = get("/v1/channels/health").await;
        let well = |key: &str, value: Value| health[0][key] == value;
        (well("healthy", json!(true)) && well("deadCount", json!(0)) && well("pendingCount", json!(0)))
            .then_some(())
    })
    .await;
    assert!(get("/v1/channels/health").await[0]["lastSuccess"].is_i64());
    // By its place, as older clients count, and by its name.
    let deliveries = get("/v1/hooks/0/deliveries").await;
    assert_eq!(get(&format!("/v1/hooks/{name}/deliveries")).await, deliveries);
    assert_eq!(deliveries.as_array().unwrap().len(), letters.len());
    let all = deliveries.as_array().unwrap();
    assert!(all.iter().all(|one| one["status"] == "success" && one["responseCode"] == 204), "{all:#?}");
    for missing in ["/v1/hooks/7/deliveries", "/v1/hooks/webhok/deliveries"] {
        let told = server.call_as(&admin, "GET", missing, None).await.is(404);
        assert_eq!(told["reason"], "no_such_channel");
    }

    let before = get("/v1/alerts/stats").await;
    assert_eq!((&before["delivered"], &before["failed"]), (&json!(0), &json!(0)));
    let tested = post("/v1/alerts/test", json!({})).await.is(200);
    assert_eq!(tested, json!({"sent": true, "webhookCount": 1}));
    assert_eq!(alerts.got()[0].json()["event"], "alert");
    assert_eq!(get("/v1/alerts/stats").await["delivered"], 1);
    alerts.always(Say::status(500));
    let tested = post("/v1/alerts/test", json!({})).await.is(200);
    assert_eq!((&tested["sent"], &tested["message"]), (&json!(false), &json!("the receiver answered 500")));
    assert_eq!(get("/v1/alerts/stats").await["failed"], 1);
    assert_eq!(get("/v1/channels/refusals").await, json!([]));
    for path in ["/v1/channels", "/v1/channels/health", "/v1/webhooks/dead-letter", "/v1/hooks/0/deliveries"]
    {
        assert!(!get(path).await.to_string().contains("canary"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_what_it_is_meant_to() {
    let hook = Receiver::plain().await;
    let (lab, server) = serve(&hook, None).await;
    let (operator, _) = server.key("ops", "operator", json!({})).await;
    let (viewer, _) = server.key("looker", "viewer", json!({})).await;
    let all = [
        // What is told without a session's words is for everybody; the rest speaks of everybody's sessions.
        ("GET", "/v1/channels/health", [200, 200]),
        ("GET", "/v1/alerts/stats", [200, 200]),
        ("POST", "/v1/alerts/test", [200, 403]),
        ("GET", "/v1/channels", [403, 403]),
        ("POST", "/v1/channels/test", [403, 403]),
        ("POST", "/v1/channels/retry", [403, 403]),
        ("GET", "/v1/channels/refusals", [403, 403]),
        ("GET", "/v1/webhooks/dead-letter", [403, 403]),
        ("GET", "/v1/hooks/0/deliveries", [403, 403]),
    ];
    for (method, path, expected) in all {
        for (key, status) in [&operator, &viewer].into_iter().zip(expected) {
            let body = (method == "POST").then(|| json!({}));
            let told = server.call_as(key, method, path, body.clone()).await;
            assert_eq!(told.status, status, "{method} {path}: {told:#?}");
            if status == 403 {
                let told = told.json();
                assert_eq!(
                    (&told["reason"], &told["error"]),
                    (&json!("forbidden"), &json!("Forbidden: insufficient role")),
                    "{path}"
                );
            }
            let nobody = server.call_as("aegis_wrong", method, path, body).await.status;
            assert!([401, 429].contains(&nobody), "{method} {path}: {nobody}");
        }
    }
    let nothing = server.call_as(&operator, "POST", "/v1/alerts/test", Some(json!({}))).await.is(200);
    assert_eq!((&nothing["sent"], &nothing["webhookCount"]), (&json!(false), &json!(0)));
    assert!(nothing["message"].as_str().unwrap().contains("AEGIS_ALERT_WEBHOOKS"), "{nothing}");
    assert_eq!(hook.count(), 0, "nobody who may not has sent a test");
    // This machine's user needs no key.
    let mut command = lab.command();
    command.args(["channels", "test", "--json"]).stdin(Stdio::null());
    let tested = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(tested.status.success(), "{tested:?}");
    assert_eq!(hook.count(), 1);
}
