//! A reader of a stream of events that knows only what the wire says.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tokio::time::timeout;

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

/// How long one thing is waited for on a stream that says something now and then, if only that it lives.
const LONGEST: Duration = PATIENCE.saturating_mul(3);

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
        let found = timeout(LONGEST, async {
            while let Some(shown) = self.next().await {
                seen.push(shown);
                if seen.last().is_some_and(&wanted) {
                    return true;
                }
            }
            false
        });
        match found.await {
            Ok(true) => seen,
            Ok(false) => panic!("the stream ended before {what}: {seen:#?}"),
            Err(_) => panic!("no {what} came in time: {seen:#?}"),
        }
    }

    /// The frames up to the stream's end.
    pub async fn rest(&mut self) -> Vec<Shown> {
        let mut seen = Vec::new();
        let all = timeout(LONGEST, async {
            while let Some(shown) = self.next().await {
                seen.push(shown);
            }
        });
        all.await.expect("the stream ends");
        seen
    }
}

/// A rule by which the stand-in says `message 1` and so on when it is told `CROWD`, one so often.
pub fn crowd(messages: usize, every: Duration) -> Value {
    let pause = u64::try_from(every.as_millis()).unwrap();
    let say = |number| json!({"say": format!("message {number}")});
    let steps: Vec<Value> = if pause == 0 {
        (1..=messages).map(say).collect()
    } else {
        (1..=messages).flat_map(|number| [say(number), json!({"wait": {"ms": pause}})]).collect()
    };
    json!({"on": "CROWD", "steps": steps})
}
