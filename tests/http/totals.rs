//! Sums by key and by time, of sessions that live and of those that ended.

use aegis::domain::Timestamp;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::processes::come;

const MASTER: &str = "hush-hush-hush";

/// What each answer of the stand-in costs by list price: a million tokens written by a model of 25 dollars.
const COST: f64 = 25.0;

async fn lab() -> Lab {
    let rules = json!({
        "apiModel": "claude-opus-4-8",
        "usage": {"input_tokens": 0, "output_tokens": 1_000_000},
        "rules": [{"on": "greet", "steps": [{"say": "Hello."}]}],
    });
    Lab::fake(rules).var("AEGIS_AUTH_TOKEN", MASTER).build().await
}

/// Makes a session of this token that has answered once.
async fn session(lab: &Lab, server: &HttpServer, token: &str) -> String {
    let body = json!({"workDir": lab.work_dir(), "prompt": "greet", "reuse": false});
    let created = server.call_as(token, "POST", "/v1/sessions", Some(body)).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    // The answer's own line comes a little after its turn.
    come("the answer is counted", async || {
        let told = server.get(&format!("/v1/sessions/{id}/metrics")).await.is(200);
        (told["tokenUsage"]["outputTokens"] == 1_000_000).then_some(())
    })
    .await;
    id
}

/// What an answer's list tells of each key: its name, and one number.
fn by_name(list: &Value, number: &str) -> Vec<(String, f64)> {
    let told = |one: &Value| (one["keyName"].as_str().unwrap().to_owned(), one[number].as_f64().unwrap());
    list.as_array().unwrap().iter().map(told).collect()
}

fn named(told: &[(&str, f64)]) -> Vec<(String, f64)> {
    told.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_by_key_have_what_ended_and_what_a_removed_key_left() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let more = json!({"rateLimit": 10_000});
    let (ada, ada_id) = server.key("ada", "operator", more.clone()).await;
    let (bob, bob_id) = server.key("bob", "operator", more).await;
    let (viewer, _) = server.key("looker", "viewer", json!({"rateLimit": 10_000})).await;
    let adas = session(&lab, &server, &ada).await;
    let ended = session(&lab, &server, &ada).await;
    let bobs = session(&lab, &server, &bob).await;
    let masters = session(&lab, &server, MASTER).await;
    server.call_as(&ada, "DELETE", &format!("/v1/sessions/{ended}"), None).await.is(200);
    let get = async |token: &str, path: &str| server.call_as(token, "GET", path, None).await.is(200);

    let summary = get(MASTER, "/v1/analytics/summary").await;
    assert_eq!(by_name(&summary["topApiKeys"], "sessions"), named(&[("ada", 2.0), ("bob", 1.0)]));
    assert_eq!(
        summary["topApiKeys"][0]["estimatedCostUsd"].as_f64(),
        Some(2.0 * COST),
        "also of the one that ended: {summary:#}"
    );
    assert_eq!(summary["topApiKeys"][0]["messages"], 4);
    let costs = get(MASTER, "/v1/analytics/costs").await;
    let all = named(&[("ada", 2.0 * COST), ("bob", COST), ("no-key", COST)]);
    let sorted = |list: &Value, number| {
        let mut told = by_name(list, number);
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    assert_eq!(sorted(&costs["byKey"], "estimatedCostUsd"), all);
    let total: f64 = all.iter().map(|(_, cost)| cost).sum();
    assert_eq!(costs["totalCostUsd"].as_f64(), Some(total));

    let usage = get(MASTER, "/v1/usage/by-key").await;
    assert_eq!((&usage["schema_version"], &usage["total_keys"]), (&json!(1), &json!(3)));
    let of = |id: &str| {
        let keys = usage["keys"].as_array().unwrap();
        keys.iter().find(|key| key["keyId"] == id).unwrap_or_else(|| panic!("{id} in {usage:#}"))["usage"]
            .clone()
    };
    assert_eq!((&of(&ada_id)["sessions"], &of(&ada_id)["totalOutputTokens"]), (&json!(2), &json!(2_000_000)));
    assert_eq!(of(&bob_id)["recordCount"], 1);
    assert_eq!(of("__none__")["totalCostUsd"].as_f64(), Some(COST));
    let none = get(MASTER, "/v1/usage/by-key?from=2100-01-01T00:00:00Z").await;
    assert_eq!((&none["keys"], &none["total_keys"]), (&json!([]), &json!(0)));

    // Whoever sees only its own sessions sums up only those.
    let own = get(&ada, "/v1/analytics/summary").await;
    assert_eq!(by_name(&own["topApiKeys"], "sessions"), named(&[("ada", 2.0)]));
    assert_eq!(by_name(&get(&bob, "/v1/analytics/costs").await["byKey"], "sessions"), named(&[("bob", 1.0)]));
    assert_eq!(get(&viewer, "/v1/analytics/costs").await["byKey"], json!([]));
    for token in [&ada, &viewer] {
        server.call_as(token, "GET", "/v1/usage/by-key", None).await.is(403);
    }

    // A key that is gone has still cost what it did.
    server.call("DELETE", &format!("/v1/auth/keys/{bob_id}"), None).await.is(200);
    let left = get(MASTER, "/v1/analytics/summary").await;
    assert_eq!(by_name(&left["topApiKeys"], "sessions"), named(&[("ada", 2.0), (&bob_id, 1.0)]));
    let ids = json!({"ids": [adas, bobs, masters]});
    server.call("DELETE", "/v1/sessions/batch", Some(ids)).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_time_is_summed_up_in_steps() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let more = json!({"rateLimit": 10_000});
    let (ada, _) = server.key("ada", "operator", more.clone()).await;
    let (viewer, _) = server.key("looker", "viewer", more).await;
    let path = "/v1/metrics/aggregate";
    let empty = server.get(path).await.is(200);
    assert_eq!((&empty["summary"]["totalSessions"], &empty["timeSeries"]), (&json!(0), &json!([])));
    assert_eq!(empty["summary"]["permissionApprovalRate"], Value::Null);

    let before = Timestamp::now();
    let adas = session(&lab, &server, &ada).await;
    let masters = session(&lab, &server, MASTER).await;
    server.call("DELETE", &format!("/v1/sessions/{masters}"), None).await.is(200);
    let told = server.get(path).await.is(200);
    let summary = &told["summary"];
    assert_eq!(
        (&summary["totalSessions"], &summary["totalMessages"], summary["totalTokenCostUsd"].as_f64()),
        (&json!(2), &json!(4), Some(2.0 * COST)),
        "{told:#}"
    );
    assert_eq!((&summary["stalls"], &summary["totalToolCalls"]), (&json!(0), &json!(0)));
    let mut keys = by_name(&told["byKey"], "tokenCostUsd");
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(keys, named(&[("ada", COST), ("no-key", COST)]));
    assert_eq!(told["anomalies"], json!([]));
    for (group, begins) in
        [("", "T00:00:00.000Z"), ("?groupBy=day", "T00:00:00.000Z"), ("?groupBy=hour", ":00:00.000Z")]
    {
        let told = server.get(&format!("{path}{group}")).await.is(200);
        let steps = told["timeSeries"].as_array().unwrap();
        // Midnight, or the hour, may strike in between.
        assert!((1..=2).contains(&steps.len()), "{told:#}");
        assert!(steps.iter().all(|step| step["timestamp"].as_str().unwrap().ends_with(begins)), "{told:#}");
        let sum = |field: &str| steps.iter().map(|step| step[field].as_f64().unwrap()).sum::<f64>();
        assert_eq!((sum("sessions"), sum("tokenCostUsd")), (2.0, 2.0 * COST));
    }
    let keys = server.get(&format!("{path}?groupBy=key")).await.is(200);
    assert_eq!((&keys["timeSeries"], keys["byKey"].as_array().unwrap().len()), (&json!([]), 2));
    let earlier = server.get(&format!("{path}?to={before}")).await.is(200);
    assert_eq!(earlier["summary"]["totalSessions"], 0);
    let since = server.get(&format!("{path}?from={before}")).await.is(200);
    assert_eq!(since["summary"]["totalSessions"], 2);
    for bad in [
        "from=yesterday",
        "to=2026-13-01T00:00:00Z",
        "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "groupBy=week",
    ] {
        server.get(&format!("{path}?{bad}")).await.is(400);
    }
    let own = server.call_as(&ada, "GET", path, None).await.is(200);
    assert_eq!(by_name(&own["byKey"], "sessions"), named(&[("ada", 1.0)]));
    assert_eq!(own["summary"]["totalSessions"], 1);
    server.call_as(&viewer, "GET", path, None).await.is(403);
    server.call("DELETE", &format!("/v1/sessions/{adas}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_as_they_are_kept() {
    let lab = lab().await;
    let lab =
        lab.with_var("AEGIS_RATE_LIMIT_SESSIONS_MAX", "77").with_var("AEGIS_RATE_LIMIT_GENERAL_MAX", "7");
    let server = HttpServer::start(&lab).await;
    let (ada, _) = server.key("ada", "operator", json!({"rateLimit": 50})).await;
    let (viewer, viewer_id) = server.key("looker", "viewer", json!({})).await;
    let adas = session(&lab, &server, &ada).await;
    let ended = session(&lab, &server, &ada).await;
    server.call("DELETE", &format!("/v1/sessions/{ended}"), None).await.is(200);

    let told = server.get("/v1/analytics/rate-limits").await.is(200);
    assert_eq!(told["global"], json!({"max": 77, "timeWindowMs": 60_000, "maxWithoutToken": 7}));
    assert_eq!(by_name(&told["perKey"], "maxCalls"), named(&[("ada", 50.0), ("looker", 77.0)]));
    assert_eq!(by_name(&told["perKey"], "activeSessions"), named(&[("ada", 1.0), ("looker", 0.0)]));
    for field in ["maxSessions", "tokensInWindow", "maxTokens", "spendInWindowUsd", "maxSpendUsd", "windowMs"]
    {
        assert_eq!(told["perKey"][0].get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(told["forecast"], json!({"estimatedSessionsRemaining": null, "bottleneck": null}));
    // They are those that answers tell.
    let answer = server.call_as(&viewer, "GET", "/v1/analytics/rate-limits", None).await;
    assert_eq!(answer.header("x-ratelimit-limit"), Some("77"));
    let own = answer.is(200);
    assert_eq!((own["perKey"].as_array().unwrap().len(), &own["perKey"][0]["keyId"]), (1, &json!(viewer_id)));
    server.call("DELETE", &format!("/v1/sessions/{adas}"), None).await.is(200);
}
