//! A host of the real program on stdio, with the stand-in for Claude Code: it keeps what it is told unasked, and can be
//! asked itself.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::client::Era;
use crate::support::Lab;
use crate::support::outside::Peer;
use crate::support::tasks::PATIENCE;

pub(crate) struct Host {
    pub(crate) peer: Peer,
    era: Era,
    next: u64,
    /// What was said besides answers, in order: notifications and requests of the server.
    heard: VecDeque<Value>,
    /// Requests whose answers came while another was waited for.
    answers: Vec<Value>,
    pub(crate) capabilities: Value,
    pub(crate) server: Value,
}

impl Host {
    pub(crate) async fn start(lab: &Lab, era: Era) -> Self {
        Self::with(lab, era, &[], json!({})).await
    }

    /// Starts the server with these arguments as a host that can do this.
    pub(crate) async fn with(lab: &Lab, era: Era, args: &[&str], capabilities: Value) -> Self {
        let mut command = lab.command();
        command.args(args);
        Self::run(command, era, capabilities).await
    }

    pub(crate) async fn run(command: std::process::Command, era: Era, capabilities: Value) -> Self {
        let mut host = Self {
            peer: Peer::start(command),
            era,
            next: 0,
            heard: VecDeque::new(),
            answers: Vec::new(),
            capabilities,
            server: Value::Null,
        };
        if era == Era::Legacy {
            let about = json!({"name": "test", "version": "0"});
            let hello = json!({"protocolVersion": "2025-11-25", "capabilities": host.capabilities, "clientInfo": about});
            host.server = host.ask("initialize", hello).await;
            host.say(json!({"method": "notifications/initialized"})).await;
        } else {
            host.server = host.ask("server/discover", json!({})).await;
        }
        host
    }

    /// Sends anything.
    pub(crate) async fn say(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        self.peer.send(&message).await;
    }

    /// Sends a request and gives its number.
    pub(crate) async fn begin(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if self.era == Era::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "0"});
        }
        self.say(json!({"id": self.next, "method": method, "params": params})).await;
        self.next
    }

    /// The whole answer to a request.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.answers.iter().position(|answer| answer["id"] == id) {
            return self.answers.swap_remove(at);
        }
        loop {
            let said = self.peer.value().await;
            if said.get("method").is_some() {
                self.heard.push_back(said);
            } else if said["id"] == id {
                return said;
            } else {
                self.answers.push(said);
            }
        }
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        self.answer(id).await
    }

    /// A request that must succeed.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// A request that must fail.
    pub(crate) async fn fault(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert!(answer.get("result").is_none(), "{method}: {answer}");
        answer["error"].clone()
    }

    /// Calls a tool that must succeed.
    pub(crate) async fn tool(&mut self, name: &str, arguments: Value) -> Value {
        let result = self.ask("tools/call", json!({"name": name, "arguments": arguments})).await;
        assert_ne!(result["isError"], true, "{name}: {result}");
        result["structuredContent"].clone()
    }

    /// Starts a session of its own that is idle, and gives its id.
    pub(crate) async fn session(&mut self, lab: &Lab, name: &str) -> String {
        let new = json!({"workDir": lab.work_dir(), "name": name, "reuse": false});
        let id = self.tool("create_session", new).await["id"].as_str().unwrap().to_owned();
        self.until(&id, "idle").await;
        id
    }

    pub(crate) async fn until(&mut self, id: &str, wanted: &str) {
        let mut wait = json!({"sessionIds": [id], "until": [wanted], "timeoutMs": 50000});
        for _ in 0..3 {
            let waited = self.tool("wait_for_session", wait.clone()).await;
            if waited["timedOut"] == false {
                return;
            }
            wait["cursor"] = waited["cursor"].clone();
        }
        panic!("{id} is never {wanted}");
    }

    /// The next thing the server says unasked with this method, within so long.
    pub(crate) async fn heard_within(&mut self, method: &str, within: Duration) -> Option<Value> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(at) = self.heard.iter().position(|said| said["method"] == method) {
                return self.heard.remove(at);
            }
            let said = timeout_at(deadline, self.peer.value()).await.ok()?;
            if said.get("method").is_some() {
                self.heard.push_back(said);
            } else {
                self.answers.push(said);
            }
        }
    }

    pub(crate) async fn hears(&mut self, method: &str) -> Value {
        let heard = self.heard_within(method, PATIENCE).await;
        heard.unwrap_or_else(|| panic!("{method} is not heard; but {:?}", self.heard))
    }

    /// What was heard with this method and not asked for yet.
    pub(crate) fn forget(&mut self, method: &str) -> usize {
        let before = self.heard.len();
        self.heard.retain(|said| said["method"] != method);
        before - self.heard.len()
    }

    /// Whether any of these calls was answered meanwhile.
    pub(crate) fn has_answer(&self, calls: &[u64]) -> bool {
        self.answers.iter().any(|answer| calls.iter().any(|call| answer["id"] == *call))
    }

    /// Reads a resource that is JSON.
    pub(crate) async fn read(&mut self, uri: &str) -> Value {
        let result = self.ask("resources/read", json!({"uri": uri})).await;
        let content = &result["contents"][0];
        assert_eq!(
            (&content["uri"], &content["mimeType"]),
            (&json!(uri), &json!("application/json")),
            "{result}"
        );
        serde_json::from_str(content["text"].as_str().unwrap()).unwrap()
    }

    /// Closes the connection and waits for the server's end.
    pub(crate) async fn close(mut self) {
        self.peer.end_input();
        assert_eq!(self.peer.ended().await, 0);
    }

    /// How many files the server has open.
    pub(crate) fn files(&self) -> usize {
        let pid = self.peer.child.id().expect("the server runs");
        std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    }
}

/// The values of a list's items.
pub(crate) fn each(list: &Value, key: &str) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}
