//! A session's terminal over a WebSocket.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::tasks::PATIENCE;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Somebody who looks at a terminal.
pub(super) struct Viewer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// All that was told.
    told: Vec<Value>,
}

async fn connect(server: &HttpServer, path: &str, headers: &[(&'static str, &str)]) -> Result<Viewer, Error> {
    let mut request = format!("ws://{}{path}", server.addr).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let (socket, _) = timeout(PATIENCE, connect_async(request)).await.unwrap()?;
    Ok(Viewer { socket, told: Vec::new() })
}

impl Viewer {
    /// Opens a session's terminal; `query` is empty or begins with a question mark.
    pub(super) async fn open(server: &HttpServer, id: &str, query: &str) -> Self {
        let token = server.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        connect(server, &format!("/v1/sessions/{id}/terminal{query}"), &headers).await.unwrap()
    }

    pub(super) async fn say(&mut self, what: Value) {
        self.socket.send(Message::text(what.to_string())).await.unwrap();
    }

    async fn keys(&mut self, text: &str) {
        self.say(json!({"type": "input", "text": text})).await;
    }

    /// The next thing that is told; the close's code and reason if that is it.
    async fn next(&mut self) -> Result<Value, (u16, String)> {
        // Not a moment longer for the pings that come meanwhile.
        timeout(PATIENCE, self.said()).await.unwrap_or_else(|_| panic!("nothing is told: {:#?}", self.told))
    }

    async fn said(&mut self) -> Result<Value, (u16, String)> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let told: Value = serde_json::from_str(text.as_str()).unwrap();
                    self.told.push(told.clone());
                    return Ok(told);
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err((frame.code.into(), frame.reason.as_str().to_owned()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not closed in order: {other:?}"),
            }
        }
    }

    /// Reads on until something is told that is so.
    pub(super) async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next().await {
                Ok(told) if wanted(&told) => return told,
                Ok(_) => {}
                Err(closed) => panic!("closed before {what}: {closed:?} {:#?}", self.told),
            }
        }
    }

    /// All that was told.
    pub(super) fn told(&self) -> &[Value] {
        &self.told
    }

    /// Reads on until the screen that all output makes shows this.
    async fn until_shown(&mut self, what: &str) {
        let mut screen = vt100::Parser::new(size(40), size(120), 0);
        let mut done = 0;
        loop {
            for told in &self.told[done..] {
                let text = told["content"].as_str().or(told["data"].as_str()).unwrap_or_default();
                screen.process(text.as_bytes());
            }
            done = self.told.len();
            if screen.screen().contents().contains(what) {
                return;
            }
            if let Err(closed) = self.next().await {
                panic!("closed before `{what}`: {closed:?}\n{}", screen.screen().contents());
            }
        }
    }

    /// Reads on to the close: its code and reason.
    pub(super) async fn close(&mut self) -> (u16, String) {
        loop {
            if let Err(closed) = self.next().await {
                return closed;
            }
        }
    }
}

async fn lab() -> Lab {
    Lab::fake(json!({"rules": [{"on": "greet", "steps": [{"say": "Hello over there."}]}]})).build().await
}

async fn create(lab: &Lab, server: &HttpServer) -> String {
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    id
}

fn status(wanted: &str) -> impl Fn(&Value) -> bool + '_ {
    move |told| told["type"] == "status" && told["status"] == wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_typed_as_they_are_and_every_viewer_sees_what_comes_of_it() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server).await;
    let mut first = Viewer::open(&server, &id, "").await;
    assert_eq!(first.next().await.unwrap()["type"], "pane", "the screen comes first");
    first.until("its status", status("idle")).await;
    first.keys("greet zhem").await;
    first.until_shown("greet zhem").await;
    // One that joins late sees what stands there; nothing was entered.
    let mut late = Viewer::open(&server, &id, "?readonly=true").await;
    let pane = late.next().await.unwrap();
    assert!(pane["content"].as_str().unwrap().contains("greet zhem"), "{pane}");
    assert_eq!(server.get(&format!("/v1/sessions/{id}")).await.is(200)["status"], "idle");
    // Backspaces, letters, and then Enter by itself.
    first.keys("\u{7f}\u{7f}\u{7f}\u{7f}").await;
    first.keys("them").await;
    late.until_shown("greet them").await;
    first.keys("\r").await;
    first.until("the turn", status("working")).await;
    first.until_shown("Hello over there.").await;
    // The turn may end before its last line is drawn, and the line may be drawn before the end is told.
    late.until("the turn", status("working")).await;
    late.until("the turn's end", status("idle")).await;
    late.until_shown("Hello over there.").await;
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    for mut viewer in [first, late] {
        assert_eq!(viewer.close().await, (1000, "the session has ended".to_owned()));
        assert!(viewer.told.iter().any(status("ended")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_only_looks_types_nothing_and_keeps_the_size() {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server).await;
    let mut viewer = Viewer::open(&server, &id, "?readonly=true").await;
    viewer.keys("x").await;
    let refused = viewer.until("the refusal", |told| told["type"] == "error").await;
    assert_eq!(refused["message"], "Forbidden — read-only connection cannot send input");
    viewer.say(json!({"type": "resize", "cols": 60, "rows": 20})).await;
    viewer.say(json!({"type": "nonsense"})).await;
    let refused = viewer.until("the refusal", |told| told["type"] == "error").await;
    assert_eq!(refused["message"], "Invalid message");
    let (aegis, caller) = lab.aegis();
    let shown = async || {
        let pane = aegis::ops::CapturePane { session_id: id.clone(), ..Default::default() };
        let pane = aegis.capture_pane(&caller, pane).await.unwrap();
        (pane.cols, pane.rows)
    };
    assert_eq!(shown().await, (120, 40));
    let mut typist = Viewer::open(&server, &id, "").await;
    typist.until("the screen", |told| told["type"] == "pane").await;
    assert_eq!(shown().await, (120, 40), "joining changes nothing");
    typist.say(json!({"type": "resize", "cols": 9999, "rows": 30})).await;
    crate::support::processes::come("the new size", async || (shown().await == (500, 30)).then_some(()))
        .await;
    drop(typist);
    crate::support::processes::come("the old size", async || (shown().await == (120, 40)).then_some(()))
        .await;
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_token_learns_nothing() {
    let lab = lab().await.with_var("AEGIS_AUTH_TOKEN", "hush-hush");
    let mut server = HttpServer::start(&lab).await;
    let id = create(&lab, &server).await;
    server.token = None;
    for session in [&id, NOBODY] {
        let path = format!("/v1/sessions/{session}/terminal");
        // Before the upgrade.
        let refused = connect(&server, &path, &[("authorization", "Bearer hush")]).await;
        assert!(matches!(&refused, Err(Error::Http(answer)) if answer.status() == 401));
        // In the first frame.
        let mut viewer = connect(&server, &path, &[]).await.unwrap();
        viewer.keys("x").await;
        let refused = viewer.next().await.unwrap();
        assert!(refused["message"].as_str().unwrap().starts_with("Not authenticated"), "{refused}");
        viewer.say(json!({"type": "auth", "token": "hush"})).await;
        assert_eq!(viewer.next().await.unwrap()["message"], "Unauthorized — invalid API key");
        assert_eq!(viewer.close().await.0, 4401);
        // Never.
        let start = Instant::now();
        let mut viewer = connect(&server, &path, &[]).await.unwrap();
        assert_eq!(viewer.next().await.unwrap()["message"], "Auth timeout — no auth message received");
        assert_eq!(viewer.close().await.0, 4408);
        assert!(start.elapsed() > Duration::from_secs(4), "{:?}", start.elapsed());
    }
    let auth = json!({"type": "auth", "token": "hush-hush"});
    let mut viewer = connect(&server, &format!("/v1/sessions/{NOBODY}/terminal"), &[]).await.unwrap();
    viewer.say(auth.clone()).await;
    assert_eq!(viewer.next().await.unwrap(), json!({"type": "status", "status": "authenticated"}));
    assert_eq!(viewer.next().await.unwrap(), json!({"type": "error", "message": "Session not found"}));
    assert_eq!(viewer.close().await, (4404, "there is no such session".to_owned()));
    let mut viewer = connect(&server, &format!("/v1/sessions/{id}/terminal"), &[]).await.unwrap();
    viewer.say(auth.clone()).await;
    viewer.until("the screen", |told| told["type"] == "pane").await;
    viewer.say(auth).await;
    viewer.until("the refusal", |told| told["message"] == "Already authenticated").await;
    server.token = Some("hush-hush".into());
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[rstest]
#[case::foreign(NOBODY, &[("origin", "http://evil.example")], 403)]
#[case::null(NOBODY, &[("origin", "null")], 403)]
#[case::page_without_origin(NOBODY, &[("sec-fetch-site", "cross-site")], 403)]
#[case::rebinding(NOBODY, &[("host", "evil.example")], 403)]
#[case::no_id("one", &[], 400)]
#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_gets_no_terminal(
    #[case] session: &str,
    #[case] headers: &[(&'static str, &str)],
    #[case] status: u16,
) {
    let lab = lab().await;
    let server = HttpServer::start(&lab).await;
    let refused = connect(&server, &format!("/v1/sessions/{session}/terminal"), headers).await;
    let Err(Error::Http(answer)) = refused else { panic!("it was let in") };
    assert_eq!(answer.status(), status);
    server.get(&format!("/v1/sessions/{NOBODY}/terminal")).await.is(426);
}

/// A viewer that reads nothing: the session goes on, others see it, and the viewer is shown the last screen.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_does_not_read_slows_nobody() {
    let flood = json!({"on": "FLOOD", "steps": [{"flood": {"bytes": 8_000_000}}, {"say": "Dry again."}]});
    let lab = Lab::fake(json!({"rules": [flood]})).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server).await;
    let mut stuck = Viewer::open(&server, &id, "").await;
    stuck.until("the screen", |told| told["type"] == "pane").await;
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "FLOOD"})).await.is(200);
    server.until(&id, "idle").await;
    let mut late = Viewer::open(&server, &id, "?readonly=true").await;
    late.until_shown("Dry again.").await;
    stuck.until_shown("Dry again.").await;
    let bytes: usize = stuck.told.iter().filter_map(|told| told["data"].as_str()).map(str::len).sum();
    assert!(bytes < 10_000_000, "{bytes}");
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

fn size(cells: u16) -> std::num::NonZeroU16 {
    cells.try_into().unwrap()
}
