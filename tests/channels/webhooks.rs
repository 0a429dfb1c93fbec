//! Webhooks, received with TLS and verified by somebody else's code.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use aegis::domain::{OutboxState, StatusWord, Timestamp};
use aegis::store::{OutboxStore as _, SqliteStore};
use rstest::rstest;
use serde_json::{Value, json};

use super::events::every_topic;
use crate::support::Lab;
use crate::support::faults::Faults;
use crate::support::fetched::venv;
use crate::support::outside::cli;
use crate::support::processes::come;
use crate::support::receiver::{Authority, Got, Receiver, Say};
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::tasks::Driver;

/// Base64 of 24 bytes, as Standard Webhooks have secrets.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn verify(got: &[Got], secret: &str) {
    let python = venv("standardwebhooks", &["standardwebhooks==1.1.0"]);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/verify.py");
    let mut child = Command::new(python)
        .arg("-B")
        .arg(script)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for one in got {
        writeln!(input, "{}", json!({"secret": secret, "headers": one.headers, "body": one.body})).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let verified = String::from_utf8(output.stdout).unwrap().matches("verified").count();
    assert_eq!(verified, got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_once_in_order_signed_and_in_its_shape() {
    let authority = Authority::new();
    let receiver = Receiver::tls(&authority).await;
    let url = format!("https://localhost:{}/hook?token=url-canary", receiver.port);
    let webhook = json!({"url": url, "secret": SECRET, "allowLoopback": true, "headers": {"X-Own": "mine"}});
    let mut running = Running::start(json!({"webhooks": [webhook], "caFile": authority.file()})).await;
    let (events, expected) = every_topic();
    let session = running.session("s1");
    running.happens(&session, events);
    let got = receiver.come(expected.len()).await;
    running.quiet().await;
    let got: Vec<_> = {
        drop(got);
        receiver.got()
    };
    let told: Vec<_> = got.iter().map(|one| one.json()["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, expected);
    for one in &got {
        let body = one.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        match keys.as_slice() {
            ["event", "timestamp", "detail", "session"]
            | ["event", "timestamp", "detail", "meta", "session"] => {}
            other => panic!("{other:?}"),
        }
        let id = session.spec.id.to_string();
        assert_eq!(body["session"], json!({"id": id, "name": "s1", "workDir": "[REDACTED]"}));
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(one.headers["x-own"], "mine");
        assert!(one.headers["webhook-id"].starts_with("msg_"));
        assert!(!one.body.contains("canary"));
    }
    let ids: std::collections::HashSet<_> = got.iter().map(|one| one.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), got.len());
    let permission = got.iter().map(Got::json).find(|body| body["event"] == "status.permission").unwrap();
    assert_eq!(permission["meta"]["tool_name"], "Bash");
    assert_eq!(permission["meta"]["tool_input"], json!({"command": "touch made"}));
    // The certificate is for the name, and the name was asked for, though an address was connected to.
    assert!(receiver.names().iter().all(|name| name == "localhost"));
    verify(&got, SECRET);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_is_told_and_content_can_be_left_out() {
    let receiver = Receiver::plain().await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let webhook = json!({
        "url": url, "allowLoopback": true, "redactContent": true,
        "events": ["status.permission", "ask.resolved"]
    });
    let mut running = Running::start(json!({"webhooks": [webhook]})).await;
    let (events, _) = every_topic();
    let session = running.session("s1");
    running.happens(&session, events);
    running.quiet().await;
    let bodies: Vec<Value> = receiver.got().iter().map(Got::json).collect();
    assert!(bodies.len() >= 2, "{bodies:#?}");
    for body in &bodies {
        assert_eq!((&body["detail"], &body["meta"]), (&json!("[REDACTED]"), &json!("[REDACTED]")));
        assert!(["status.permission", "ask.resolved"].contains(&body["event"].as_str().unwrap()));
    }
    // Without a secret nothing is signed.
    assert!(receiver.got().iter().all(|one| !one.headers.contains_key("webhook-signature")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_not_trusted_and_secrets_are_in_no_error() {
    let authority = Authority::new();
    let receiver = Receiver::tls(&authority).await;
    let webhook = json!({
        "url": format!("https://localhost:{}/path-canary?token=url-canary", receiver.port),
        "secret": "secret-canary", "allowLoopback": true, "headers": {"Authorization": "header-canary"}
    });
    let mut running = Running::start(json!({"webhooks": [webhook]})).await;
    let session = running.session("s1");
    running.happens(&session, every_topic().0);
    let row = running.until(|row| row.failures > 0).await;
    assert_eq!(receiver.got().len(), 0);
    let error = row.last_error.unwrap();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    let shown = format!("{error} {:?} {:?}", running.listed(), running.config);
    assert!(!shown.contains("canary"), "{shown}");
}

fn with_webhook(lab: Lab, receiver: &Receiver) -> Lab {
    let webhook = json!([{
        "url": format!("http://127.0.0.1:{}/", receiver.port), "allowLoopback": true, "secret": SECRET
    }]);
    lab.with_var("AEGIS_WEBHOOKS", webhook.to_string())
}

fn topics(got: &[Got]) -> Vec<String> {
    got.iter().map(|one| one.json()["event"].as_str().unwrap().to_owned()).collect()
}

/// Each named point between an event and its acknowledgement.
#[rstest]
#[case::before_it_is_copied("steward.read")]
#[case::copied("steward.copied")]
#[case::a_row("channel.taken")]
#[case::before_it_is_sent("channel.sending")]
#[case::sent("channel.sent")]
#[case::written_down("channel.settled")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_no_notice(#[case] point: &str) {
    let receiver = Receiver::plain().await;
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let lab = with_webhook(lab, &receiver);
    faults.kill_at(point);
    let first = Server::start(&lab).await;
    let second = Server::start(&lab).await;
    let create = json!({"workDir": lab.work_dir(), "prompt": "hello"});
    // Whichever of them is killed, the other goes on; the session needs neither.
    let created = match first.try_call("create_session", create.clone()).await {
        Ok(created) => created,
        Err(_) => second.call("list_sessions", json!({})).await["sessions"][0].clone(),
    };
    let id = created["id"].as_str().unwrap().to_owned();
    let killed = faults.killed(point).await;
    let left = if first.pid == killed { &second } else { &first };
    come("the turn's end", async || {
        let status = left.call("get_status", json!({"sessionId": id})).await;
        let ended = status["receipts"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["state"] == "turn_ended"));
        ended.then_some(())
    })
    .await;
    left.call("kill_session", json!({"sessionId": id})).await;
    come("the end is told", async || {
        topics(&receiver.got()).contains(&"session.ended".to_owned()).then_some(())
    })
    .await;
    let mut seen = std::collections::HashMap::new();
    let mut first_times = Vec::new();
    for got in receiver.got() {
        match seen.insert(got.headers["webhook-id"].clone(), got.body.clone()) {
            None => first_times.push(got.json()["event"].as_str().unwrap().to_owned()),
            // A repeat bears the same id and says the same.
            Some(body) => assert_eq!(body, got.body),
        }
    }
    let expected = [
        "session.created",
        "status.working",
        "message.user",
        "message.assistant",
        "status.idle",
        "session.ended",
    ];
    for topic in expected {
        let times = first_times.iter().filter(|told| *told == topic).count();
        assert!(times >= 1, "{topic} is missing: {first_times:?}");
        assert!(
            topic == "status.idle" || topic == "status.working" || times == 1,
            "{topic}: {first_times:?}"
        );
    }
    assert_eq!(
        (first_times.first(), first_times.last()),
        (Some(&expected[0].to_owned()), Some(&expected[5].to_owned()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_slows_no_call() {
    let receiver = Receiver::plain().await;
    receiver.always(Say { after: Duration::from_secs(60), ..Say::status(200) });
    let quick = Lab::fake(json!({})).build().await;
    let slow = with_webhook(Lab::fake(json!({})).build().await, &receiver);
    let mut p95 = Vec::new();
    for lab in [&quick, &slow] {
        let server = Server::start(lab).await;
        let created =
            server.call("create_session", json!({"workDir": lab.work_dir(), "prompt": "hello"})).await;
        let id = created["id"].clone();
        if std::ptr::eq(lab, &raw const slow) {
            receiver.come(1).await;
        }
        let mut took = Vec::new();
        for _ in 0..60 {
            let start = std::time::Instant::now();
            server.call("get_status", json!({"sessionId": id})).await;
            took.push(start.elapsed());
        }
        took.sort();
        p95.push(took[56]);
        server.call("kill_session", json!({"sessionId": id})).await;
    }
    assert!(p95[1] < p95[0] * 3 + Duration::from_millis(20), "{p95:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_tell_and_mend() {
    let receiver = Receiver::plain().await;
    receiver.always(Say::status(410));
    let lab = with_webhook(Lab::fake(json!({})).build().await, &receiver);
    let listed = cli(&lab, &["channels", "list", "--json"]).await.exits(0).json();
    let name = listed[0]["name"].as_str().unwrap().to_owned();
    assert_eq!((&listed[0]["kind"], &listed[0]["target"]), (&json!("webhook"), &json!("http://127.0.0.1")));
    let tested = cli(&lab, &["channels", "test", "--json"]).await.exits(1).json();
    assert_eq!(tested[0]["responseCode"], 410);
    let fault = cli(&lab, &["channels", "test", "webhok", "--json"]).await.exits(1).fault();
    assert_eq!(fault["code"], "no_such_channel");

    let server = Server::start(&lab).await;
    let created = server.call("create_session", json!({"workDir": lab.work_dir(), "prompt": "hello"})).await;
    let id = created["id"].as_str().unwrap().to_owned();
    server.call("kill_session", json!({"sessionId": id})).await;
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    come("dead letters", async || {
        let dead = store.outbox(None, Some(OutboxState::Dead), 99).unwrap();
        dead.iter().any(|entry| entry.notice.event.as_str() == "session.ended").then_some(())
    })
    .await;
    let letters = cli(&lab, &["channels", "dead-letters", "--json"]).await.exits(0).json();
    let letters = letters.as_array().unwrap().clone();
    assert_eq!(letters.last().unwrap()["event"], "session.ended");
    assert_eq!(letters[0]["error"], "the receiver answered 410");
    let text = cli(&lab, &["channels", "dead-letters"]).await.exits(0).stdout;
    assert!(text.contains("session.ended"), "{text}");

    receiver.always(Say::status(204));
    let before = receiver.got().len();
    let retried = cli(&lab, &["channels", "retry", &name, "--json"]).await.exits(0).json();
    assert_eq!(retried["retried"], letters.len());
    let got = receiver.come(before + letters.len()).await;
    let again: Vec<_> = got[before..].iter().map(|one| one.headers["webhook-id"].clone()).collect();
    let ids: Vec<_> = letters.iter().map(|one| format!("msg_{}", one["id"].as_str().unwrap())).collect();
    assert_eq!(again, ids);
    come("health", async || {
        let health = cli(&lab, &["channels", "health", "--json"]).await.exits(0).json();
        (health[0]["healthy"] == true
            && health[0]["deadCount"] == 0
            && health[0]["pendingCount"] == 0
            && health[0]["lastSuccess"].is_number())
        .then_some(())
    })
    .await;
    let deliveries = cli(&lab, &["channels", "deliveries", "--json"]).await.exits(0).json();
    assert_eq!((&deliveries[0]["status"], &deliveries[0]["responseCode"]), (&json!("success"), &json!(204)));
    let health = cli(&lab, &["health", "--json"]).await.exits(0).json();
    assert_eq!(health["channels"], json!([name]));
    for verb in ["list", "health", "deliveries", "refusals", "alerts"] {
        let told = cli(&lab, &["channels", verb]).await.exits(0);
        assert!(!told.stdout.is_empty() && !told.stdout.contains(SECRET), "{told:?}");
    }
}

/// Each secret of the configuration holds the word `canary`; each receiver is one that fails, at its own step.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_log_no_event_and_no_answer() {
    let receiver = Receiver::plain().await;
    receiver.always(Say::status(500));
    let here = format!("http://127.0.0.1:{}", receiver.port);
    let webhook = json!([{
        "url": format!("{here}/hook-canary?token=canary"), "allowLoopback": true, "secret": "secret-canary",
        "headers": {"Authorization": "Bearer canary"}
    }]);
    let lab = Lab::fake(json!({})).build().await;
    let lab = [
        ("AEGIS_WEBHOOKS", webhook.to_string()),
        ("AEGIS_ALERT_WEBHOOKS", webhook.to_string()),
        ("AEGIS_ALERT_FAILURE_THRESHOLD", "1".into()),
        ("AEGIS_TG_TOKEN", "42:canary".into()),
        ("AEGIS_TG_GROUP", "-1".into()),
        ("AEGIS_TG_API_URL", here.clone()),
        ("AEGIS_SLACK_WEBHOOK_URL", format!("{here}/services/canary")),
        ("AEGIS_EMAIL_HOST", "127.0.0.1".into()),
        ("AEGIS_EMAIL_PORT", receiver.port.to_string()),
        ("AEGIS_EMAIL_USER", "ada".into()),
        ("AEGIS_EMAIL_PASS", "pass-canary".into()),
        ("AEGIS_EMAIL_TO", "ada@example.com".into()),
        ("AEGIS_EMAIL_EVENTS", "session.ended".into()),
    ]
    .into_iter()
    .fold(lab, |lab, (name, value)| lab.with_var(name, value));
    let log = lab.root.join("server.log");
    let mut command = lab.command();
    command.env("AEGIS_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut server = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let driver = Driver::new(&lab);
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    let listed = cli(&lab, &["channels", "list", "--json"]).await.exits(0).json();
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    come("the channels", async || {
        names.iter().all(|name| store.channel(name).unwrap().is_some()).then_some(())
    })
    .await;
    let id = driver.idle().await;
    // The end is no orderly one, so that it is an alert as well.
    let claude = driver.show(&id).await.health.pid.unwrap();
    crate::support::processes::sigkill(i32::try_from(claude).unwrap());
    come("failures of all", async || {
        let failed = |name: &String| store.channel(name).unwrap().unwrap().last_error.is_some();
        names.iter().all(failed).then_some(())
    })
    .await;
    cli(&lab, &["channels", "test", "--json"]).await.exits(1);
    server.kill().unwrap();
    server.wait().unwrap();
    let mut seen =
        vec![("log", std::fs::read_to_string(&log).unwrap()), ("events", format!("{:?}", lab.events()))];
    assert!(seen[0].1.contains("a notice did not arrive"), "the log is empty: {}", seen[0].1);
    for verb in ["list", "health", "dead-letters", "deliveries", "refusals", "alerts"] {
        seen.push((verb, cli(&lab, &["channels", verb, "--json"]).await.exits(0).stdout));
    }
    seen.push(("test", cli(&lab, &["channels", "test"]).await.exits(1).stdout));
    seen.push(("health", cli(&lab, &["health", "--json"]).await.exits(0).stdout));
    for file in std::fs::read_dir(lab.root.join("state")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            seen.push(("file", String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()));
        }
    }
    for got in receiver.got() {
        seen.push(("body", got.body));
    }
    let bad = lab.with_var("AEGIS_WEBHOOKS", r#"[{"url": "https://x.example/canary", "secret": 4}]"#);
    seen.push(("a bad configuration", cli(&bad, &["list"]).await.exits(1).stderr));
    assert!(seen.last().unwrap().1.contains("AEGIS_WEBHOOKS"), "{seen:?}");
    for (what, text) in seen {
        let at = text
            .find("canary")
            .map(|at| text[at.saturating_sub(200)..].chars().take(400).collect::<String>());
        assert_eq!(at, None, "a secret is in {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_nearly_full_is_told_once() {
    let receiver = Receiver::plain().await;
    // 86 % of 200,000 tokens.
    let script = json!({
        "apiModel": "claude-opus-4-6", "usage": {"input_tokens": 172_000, "output_tokens": 10},
        "rules": [{"on": "", "steps": [{"say": "Said."}]}]
    });
    let lab = with_webhook(Lab::fake(script).build().await, &receiver);
    let server = Server::start(&lab).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    for count in 1..=3 {
        driver.send(&id, "go on").await.unwrap();
        come("the answer", async || {
            let told = topics(&receiver.got());
            (told.iter().filter(|topic| *topic == "message.assistant").count() == count).then_some(())
        })
        .await;
        driver.until(&id, StatusWord::Idle).await;
    }
    driver.kill(&id).await;
    come("the end is told", async || {
        topics(&receiver.got()).contains(&"session.ended".to_owned()).then_some(())
    })
    .await;
    let got = receiver.got();
    let told: Vec<_> =
        got.iter().map(Got::json).filter(|body| body["event"] == "status.context_warning").collect();
    assert_eq!(told.len(), 1, "{:?}", topics(&got));
    assert_eq!(told[0]["meta"], json!({"context_used_pct": 86}));
    assert!(told[0]["detail"].as_str().unwrap().starts_with("86% of the context window"), "{told:?}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_events_that_are_never_told_says_what_there_is() {
    let lab = Lab::fake(json!({})).build().await;
    let webhook = json!([{"url": "https://x.example/", "events": ["status.idle", "swarm.teammate_spawned"]}]);
    let spoilt = [
        ("AEGIS_WEBHOOKS", webhook.to_string()),
        ("AEGIS_SLACK_EVENTS", "status.idle,swarm.teammate_finished".to_owned()),
    ];
    for (variable, value) in spoilt {
        let mut command = lab.command();
        command.arg("list").env(variable, value).stdin(Stdio::null());
        let told = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8(told.stderr).unwrap();
        assert!(!told.status.success(), "{said}");
        for part in [variable, "is never told", "GET /v1/swarm", "status.context_warning"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

/// Both by the receiver's clock: it is left alone for so long, and never longer than an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_names_a_date_is_left_alone_until_then() {
    let date = |later| vec![("retry-after", httpdate::fmt_http_date(SystemTime::now() + later))];
    let receiver = Receiver::plain().await;
    let wait = Duration::from_secs(4);
    receiver.next(Say { headers: date(wait), ..Say::status(503) });
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let mut running =
        Running::start(json!({"webhooks": [{"url": url.as_str(), "allowLoopback": true}]})).await;
    let session = running.session("s1");
    let event = || vec![every_topic().0.remove(0)];
    running.happens(&session, event());
    receiver.come(1).await;
    let first = Instant::now();
    let got = receiver.come(2).await;
    // Dates have whole seconds. By itself it would have come again after one.
    let waited = first.elapsed();
    assert!(waited > wait - Duration::from_secs(2), "{waited:?}");
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);

    running.quiet().await;
    let before = Timestamp::now();
    receiver.always(Say { headers: date(Duration::from_secs(30 * 24 * 3600)), ..Say::status(503) });
    running.happens(&session, event());
    let row = running.until(|row| row.paused_until.is_some_and(|until| until > before)).await;
    let pause = row.paused_until.unwrap().millis_since(before);
    assert!((3_590_000..=3_660_000).contains(&pause), "{pause}");
}
