//! Slack and mail.

use std::path::Path;
use std::process::Command;

use aegis::domain::{ContentType, OutboxState, Role};
use aegis::store::OutboxStore as _;
use rstest::rstest;
use serde_json::{Value, json};

use super::events::{every_topic, message};
use crate::support::fetched::venv;
use crate::support::outside::Peer;
use crate::support::receiver::{Authority, Receiver, Say};
use crate::support::running::Running;

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_a_burst_as_one_escaped_message() {
    let receiver = Receiver::plain().await;
    receiver.next(Say { headers: vec![("retry-after", "1".into())], ..Say::status(429) });
    let url = format!("http://127.0.0.1:{}/services/slack-canary", receiver.port);
    let mut running = Running::start(json!({"slackWebhookUrl": url})).await;
    let session = running.session("s<1>`");
    let (mut events, _) = every_topic();
    events.insert(1, message(Role::Assistant, ContentType::Text, "<!channel> 1 < 2 & *so on*"));
    running.happens(&session, events);
    running.quiet().await;
    let got = receiver.got();
    // The one that was refused for a while came again, as it was.
    assert_eq!(got[0].body, got[1].body);
    assert!(got.len() < 6, "{}", got.len());
    let body = got[1].json();
    assert_eq!(body["text"].as_str().unwrap().find(":large_green_circle: Aegis: Session"), Some(0), "{body}");
    let blocks = body["blocks"].as_array().unwrap();
    let head = blocks[0]["text"]["text"].as_str().unwrap();
    assert!(head.contains("*Session:* `s&lt;1&gt;'` ("), "{head}");
    let all = body.to_string();
    assert!(all.contains("&lt;!channel&gt; 1 &lt; 2 &amp; *so on*") && !all.contains("<!channel>"), "{all}");
    let foot = blocks.last().unwrap();
    assert_eq!(foot["type"], "context");
    assert!(foot["elements"][0]["text"].as_str().unwrap().starts_with("WorkDir: `/work` • "));
    for one in &got {
        let body: Value = one.json();
        assert!(body["blocks"].as_array().unwrap().len() <= 50);
        assert!(!one.body.contains("canary"));
    }
    assert!(!format!("{:?}", running.listed()).contains("canary"));
}

/// A server that runs until it is dropped.
async fn smtp(authority: &Authority, dir: &Path, how: &str) -> (Peer, u16) {
    let (certificate, key) = &authority.server;
    std::fs::write(dir.join("cert.pem"), certificate).unwrap();
    std::fs::write(dir.join("key.pem"), key).unwrap();
    let python = tokio::task::spawn_blocking(|| venv("aiosmtpd", &["aiosmtpd==1.4.6"])).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/smtp.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(dir.join("cert.pem")).arg(dir.join("key.pem")).arg(how).env_clear();
    let mut peer = Peer::start(command);
    let port = peer.value().await["port"].as_u64().unwrap();
    (peer, u16::try_from(port).unwrap())
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn mail_arrives_over_tls_as_text_and_html(#[values("starttls", "tls")] how: &str) {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let (mut server, port) = smtp(&authority, dir.path(), how).await;
    let email = json!({
        "host": "localhost", "port": port, "user": "ada", "pass": "pass-canary", "secure": how == "tls",
        "from": "Aegis <aegis@example.com>", "to": "Ada <ada@example.com>, bob@example.com"
    });
    let mut running = Running::start(json!({"email": email, "caFile": authority.file()})).await;
    let session = running.session("s<1>");
    running.happens(&session, every_topic().0);
    let mail = server.value().await;
    running.quiet().await;
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("aegis@example.com"), &json!(["ada@example.com", "bob@example.com"]))
    );
    let data = mail["data"].as_str().unwrap().replace("=\r\n", "");
    let head = data.split("\r\n\r\n").next().unwrap();
    assert!(head.contains("multipart/alternative") && head.contains("Message-ID: <"), "{head}");
    assert!(head.contains("Subject: "), "{head}");
    assert!(data.contains("text/plain") && data.contains("text/html"), "{data}");
    for part in ["status.error", "status.stall", "status.dead", "status.permission_timeout", "Overloaded"] {
        assert!(data.contains(part), "{part}: {data}");
    }
    assert!(data.contains("s&lt;1&gt;") && data.contains("Session: s<1>"), "{data}");
    assert!(!data.contains("status.idle") && !data.contains("canary"), "{data}");
    let row = running.until(|row| row.last_success.is_some()).await;
    assert_eq!(row.last_error.as_deref(), Some("the mail was not taken: the server answered 451"));
    server.child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_tells_nothing_of_it_and_is_tried_again() {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let (mut server, port) = smtp(&authority, dir.path(), "starttls").await;
    let email = json!({
        "host": "localhost", "port": port, "user": "ada", "pass": "wrong-canary", "to": "ada@example.com"
    });
    let mut running = Running::start(json!({"email": email, "caFile": authority.file()})).await;
    let session = running.session("s1");
    running.happens(&session, every_topic().0);
    let row = running.until(|row| row.last_error.is_some()).await;
    let shown = format!("{row:?} {:?} {:?}", running.config, running.listed());
    assert!(row.last_error.as_deref().unwrap().contains("login"), "{row:?}");
    assert!(!shown.contains("canary"), "{shown}");
    server.child.kill().await.unwrap();
    for state in [OutboxState::Sent, OutboxState::Dead] {
        assert_eq!(running.store.outbox(None, Some(state), 9).unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_pile_up_raise_one_alert() {
    let receiver = Receiver::plain().await;
    let webhook = json!({"url": format!("http://127.0.0.1:{}/", receiver.port), "allowLoopback": true});
    let alerting = json!({"webhooks": [webhook], "failureThreshold": 3, "cooldownMs": 600_000});
    let mut running = Running::start(json!({"alerting": alerting})).await;
    let session = running.session("s1");
    let dead = || every_topic().0.pop().unwrap();
    running.happens(&session, vec![dead(), dead()]);
    running.quiet().await;
    assert_eq!(receiver.got().len(), 0);
    running.happens(&session, vec![dead(), dead(), dead(), dead()]);
    running.quiet().await;
    let got = receiver.got();
    assert_eq!(got.len(), 1, "{got:#?}");
    let body = got[0].json();
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["event", "type", "timestamp", "detail", "failureCount", "threshold", "source"]);
    assert_eq!(
        (&body["event"], &body["type"], &body["failureCount"], &body["threshold"], &body["source"]),
        (&json!("alert"), &json!("session_failure"), &json!(3), &json!(3), &json!("aegis"))
    );
    assert_eq!(got[0].headers["x-aegis-alert-type"], "session_failure");
    let row = running.store.channel("alerts").unwrap().unwrap();
    let stats: Value = serde_json::from_str(&row.note.unwrap()).unwrap();
    assert_eq!((&stats["delivered"], &stats["trackers"]["session_failure"]["count"]), (&json!(1), &json!(6)));
}
