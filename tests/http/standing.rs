//! Streams and terminals that are open when the key of their caller ends.

use std::time::{Duration, Instant};

use aegis::access::hash;
use aegis::domain::Timestamp;
use aegis::store::{KeyStore as _, SqliteStore};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use rstest::rstest;
use serde_json::json;
use tokio::time::timeout;

use super::mcp;
use super::terminal::Viewer;
use crate::support::Lab;
use crate::support::frames::{Events, Shown};
use crate::support::http::HttpServer;
use crate::support::outside::cli;

const MASTER: &str = "hush-hush-hush";

/// How long an end may take to show.
const SOON: Duration = Duration::from_secs(5);

/// What ends a key.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Somebody removes it, at the command line.
    Revoked,
    /// Its time is over.
    Expired,
    /// It gets another text, and the old one is refused at once.
    Rotated,
}

impl End {
    async fn come(self, lab: &Lab, server: &HttpServer, key_id: &str) {
        match self {
            Self::Revoked => drop(cli(lab, &["keys", "revoke", key_id]).await.exits(0)),
            Self::Expired => {
                // Days are the least that can be asked for.
                let store = SqliteStore::open(&lab.root.join("state/aegis.db")).unwrap();
                let near = Timestamp::from_millis(Timestamp::now().millis() + 300).unwrap();
                store.rotate_api_key(key_id, &hash("a text of nobody"), Some(near), near).unwrap().unwrap();
            }
            Self::Rotated => {
                server.post(&format!("/v1/auth/keys/{key_id}/rotate"), json!({})).await.is(200);
            }
        }
    }
}

/// Ends the test unless the stream is told why it ends, and ends.
async fn turned_away(stream: &mut Events) {
    let rest = stream.rest().await;
    let last = rest.last().expect("a last frame");
    assert_eq!(last.name(), "unauthorized", "{rest:#?}");
    assert!(last.told["data"]["reason"].as_str().unwrap().contains("no longer counts"), "{last:?}");
}

#[rstest]
#[case(End::Revoked)]
#[case(End::Expired)]
#[case(End::Rotated)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_opened_ends_with_it_and_nothing_else_does(#[case] end: End) {
    let rules = json!({"rules": [{"on": "greet", "steps": [{"say": "Hello."}]}]});
    let lab = Lab::fake(rules).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let mut server = HttpServer::start(&lab).await;
    let (ada, ada_id) = server.key("ada", "operator", json!({"rateLimit": 10_000})).await;
    let (bob, _) = server.key("bob", "admin", json!({"rateLimit": 10_000})).await;
    let body = Some(json!({"workDir": lab.work_dir()}));
    let created = server.call_as(&ada, "POST", "/v1/sessions", body).await.is(201);
    let id = created["id"].as_str().unwrap();
    server.until(id, "idle").await;
    let own = format!("/v1/sessions/{id}/events");
    let ticket = server.call_as(&ada, "POST", "/v1/auth/sse-token", None).await.is(201);

    server.with_token(Some(&ada));
    let mut adas = [server.events("/v1/events", None).await, server.events(&own, None).await];
    let mut terminal = Viewer::open(&server, id, "").await;
    server.with_token(None);
    let by_ticket = format!("{own}?token={}", ticket["token"].as_str().unwrap());
    let mut by_ticket = server.events(&by_ticket, None).await;
    let mut late = Viewer::open(&server, id, "?readonly=true").await;
    late.say(json!({"type": "auth", "token": ada})).await;
    server.with_token(Some(&bob));
    let mut bobs = [server.events("/v1/events", None).await, server.events(&own, None).await];
    let mut bobs_terminal = Viewer::open(&server, id, "").await;
    server.with_token(Some(MASTER));
    let mut masters = server.events(&own, None).await;
    for viewer in [&mut terminal, &mut late, &mut bobs_terminal] {
        viewer.until("the screen", |told| told["type"] == "pane").await;
    }

    let begun = Instant::now();
    end.come(&lab, &server, &ada_id).await;
    for stream in adas.iter_mut().chain([&mut by_ticket]) {
        turned_away(stream).await;
    }
    for viewer in [&mut terminal, &mut late] {
        assert_eq!(viewer.close().await, (4401, "the key or token no longer counts".to_owned()));
        assert!(viewer.told().iter().any(|told| told["type"] == "error"), "{:#?}", viewer.told());
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    server.call_as(&ada, "GET", "/v1/sessions", None).await.is(401);

    // What others opened goes on, to the session's own end.
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "greet"})).await.is(200);
    let idle = |shown: &Shown| shown.told["data"]["status"] == "idle";
    for stream in bobs.iter_mut().chain([&mut masters]) {
        stream.until("the turn's end", idle).await;
    }
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    assert_eq!(bobs_terminal.close().await.0, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mcp_hosts_stream_ends_with_its_key() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let mut server = HttpServer::start(&lab).await;
    let (ada, ada_id) = server.key("ada", "operator", json!({})).await;
    server.with_token(Some(&ada));
    let opened = mcp::post(&server, None, &[], &mcp::hello()).await;
    mcp::answer(&opened);
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    let request = Request::builder()
        .uri("/mcp")
        .header("host", server.addr.to_string())
        .header("authorization", format!("Bearer {ada}"))
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &session);
    let stream = server.open(request.body(Full::default()).unwrap()).await;
    assert_eq!(
        (stream.status().as_u16(), &stream.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let whole = tokio::spawn(stream.into_body().collect());
    // Another call is answered meanwhile, and the stream stays open.
    let listed =
        mcp::post(&server, Some(&session), &[], &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
            .await;
    mcp::answer(&listed);
    assert!(!whole.is_finished());
    cli(&lab, &["keys", "revoke", &ada_id]).await.exits(0);
    timeout(SOON, whole).await.expect("it ends soon").unwrap().expect("it ends in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_nobody_in_particular_end_with_the_first_key() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let mut stream = server.events("/v1/events", None).await;
    assert_eq!(stream.next().await.unwrap().name(), "connected");
    cli(&lab, &["keys", "create", "ci", "--role", "operator"]).await.exits(0);
    turned_away(&mut stream).await;
}
