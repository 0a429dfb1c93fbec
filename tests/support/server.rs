//! The real program as an MCP server, spoken to as lines of JSON, so that it can be killed like a program.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Lab;

/// Longer than any answer takes on a busy machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    calls: u64,
}

impl Server {
    pub async fn start(lab: &Lab) -> Self {
        let mut command = Command::from(lab.command());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut server = Self { child, input, output: BufReader::new(output).lines(), calls: 0 };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        server.request("initialize", hello).await;
        server.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        server
    }

    async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// Starts a call without waiting for its answer.
    pub async fn begin(&mut self, tool: &str, arguments: Value) {
        self.calls += 1;
        let params = json!({"name": tool, "arguments": arguments});
        self.say(&json!({"jsonrpc": "2.0", "id": self.calls, "method": "tools/call", "params": params}))
            .await;
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let answer = async {
            loop {
                let line = self.output.next_line().await.unwrap().expect("the server answers");
                let answer: Value = serde_json::from_str(&line).unwrap();
                if answer["id"] == id {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("the server answers in time")
    }

    /// Calls a tool, which must succeed, and gives what it answers.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        assert_ne!(answer["result"]["isError"], true, "{tool}: {answer}");
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
        answer["result"]["structuredContent"].clone()
    }

    /// SIGKILL, and nothing else.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
