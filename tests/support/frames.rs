//! A reader of a stream of events that knows only what the wire says.

use std::io::Write as _;
use std::time::Duration;

use aegis::domain::EventData;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Lab;
use super::http::HttpServer;
use super::tasks::PATIENCE;

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its `id:` line.
    pub id: Option<String>,
    /// What its `data:` line says.
    pub told: Value,
}

impl Shown {
    pub fn name(&self) -> &str {
        self.told["event"].as_str().unwrap()
    }

    /// The event that it tells of: session, epoch and number; none for frames that tell of none.
    pub fn event(&self) -> Option<(String, String, u64)> {
        let word = |key: &str| self.told[key].as_str().map(str::to_owned);
        Some((word("sessionId")?, word("epoch")?, self.told["seq"].as_u64()?))
    }
}

/// An open stream.
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    /// The id that a browser would send when it connects again.
    pub last_id: Option<String>,
}

impl HttpServer {
    /// Opens a stream, which must be given.
    pub async fn events(&self, path: &str, last_id: Option<&str>) -> Events {
        let mut request = Request::builder().uri(path).header("host", self.addr.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = self.open(request.body(Full::from(Bytes::new())).unwrap()).await;
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { body: response.into_body(), buffer: Vec::new(), last_id: last_id.map(str::to_owned) }
    }
}

impl Events {
    /// The next frame; none when the stream is over.
    pub async fn next(&mut self) -> Option<Shown> {
        timeout(PATIENCE, self.frame()).await.expect("the stream says something")
    }

    pub async fn frame(&mut self) -> Option<Shown> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(self.read(std::str::from_utf8(&frame).unwrap()));
            }
            let frame = self.body.frame().await?.ok()?;
            self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
    }

    fn read(&mut self, frame: &str) -> Shown {
        let mut id = None;
        let mut told = None;
        for line in frame.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("data", text)) => told = Some(serde_json::from_str(text).unwrap()),
                _ => panic!("a line of another kind: {frame}"),
            }
        }
        self.last_id = id.clone().or(self.last_id.take());
        Shown { id, told: told.unwrap_or_else(|| panic!("no data: {frame}")) }
    }

    /// The frames up to one that is so, itself included.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Shown) -> bool) -> Vec<Shown> {
        let mut seen = Vec::new();
        while let Some(shown) = self.next().await {
            seen.push(shown);
            if seen.last().is_some_and(&wanted) {
                return seen;
            }
        }
        panic!("the stream ended before {what}: {seen:#?}");
    }

    /// The frames up to the stream's end.
    pub async fn rest(&mut self) -> Vec<Shown> {
        let mut seen = Vec::new();
        while let Some(shown) = self.next().await {
            seen.push(shown);
        }
        seen
    }
}

/// Puts so many messages into a session's transcript, one each so often, as Claude Code does.
pub async fn crowd(lab: &Lab, id: &str, messages: usize, every: Duration) {
    let path = lab.events().into_iter().find_map(|event| match event.data {
        EventData::Conversation { transcript_path, .. } if event.session_id.to_string() == id => {
            transcript_path
        }
        _ => None,
    });
    let mut file = std::fs::File::options().create(true).append(true).open(path.unwrap()).unwrap();
    let mut beat = tokio::time::interval(every.max(Duration::from_micros(1)));
    for number in 1..=messages {
        if !every.is_zero() {
            beat.tick().await;
        }
        let line = json!({
            "type": "assistant", "uuid": uuid::Uuid::new_v4(), "parentUuid": null, "isSidechain": false,
            "timestamp": "2026-11-25T12:00:00.000Z",
            "message": {"id": format!("m{number}"), "role": "assistant", "model": "claude-fake", "type": "message",
                "content": [{"type": "text", "text": format!("message {number}")}],
                "usage": {"input_tokens": 1, "output_tokens": 1}},
        });
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
