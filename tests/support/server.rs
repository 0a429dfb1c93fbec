//! The real program as an MCP server, spoken to as lines of JSON, so that it can be killed like a program. Any number
//! of calls run at once.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};

use super::Lab;
use super::processes::sigkill;

/// Longer than any answer takes on a busy machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a call has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The server is gone.
    Died,
    /// The tool failed: the error as it was told.
    Failed(Value),
}

/// Calls whose answers are due; none once the server is gone.
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

pub struct Server {
    pub pid: i32,
    input: AsyncMutex<ChildStdin>,
    pending: Pending,
    calls: AtomicU64,
    gone: watch::Receiver<bool>,
}

impl Server {
    pub async fn start(lab: &Lab) -> Self {
        Self::run(lab.command()).await
    }

    /// Starts the server by a command of its own.
    pub async fn run(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = loop {
            match command.spawn() {
                // A program that was copied just now: another test's child has its file open until it has started.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    tokio::task::yield_now().await;
                }
                spawned => break spawned.unwrap(),
            }
        };
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let pid = i32::try_from(child.id().unwrap()).unwrap();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let (tell, gone) = watch::channel(false);
        let waiting = pending.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: Value = serde_json::from_str(&line).unwrap();
                let Some(id) = answer["id"].as_u64() else { continue };
                if let Some(due) = waiting.lock().unwrap().as_mut().and_then(|due| due.remove(&id)) {
                    let _ = due.send(answer);
                }
            }
            *waiting.lock().unwrap() = None;
            let _ = child.wait().await;
            let _ = tell.send(true);
        });
        let server = Self { pid, input: AsyncMutex::new(input), pending, calls: AtomicU64::new(0), gone };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        if server.request("initialize", hello).await.is_some() {
            server.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        server
    }

    async fn say(&self, message: &Value) {
        // A server that is gone takes nothing; its calls are told so.
        let _ = self.input.lock().await.write_all(format!("{message}\n").as_bytes()).await;
    }

    async fn ask(&self, method: &str, params: Value) -> Option<(u64, oneshot::Receiver<Value>)> {
        let id = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, due) = oneshot::channel();
        self.pending.lock().unwrap().as_mut()?.insert(id, answer);
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        Some((id, due))
    }

    /// The answer; none if the server is gone before it.
    async fn request(&self, method: &str, params: Value) -> Option<Value> {
        let (_, due) = self.ask(method, params).await?;
        tokio::time::timeout(PATIENCE, due).await.expect("the server answers in time").ok()
    }

    /// Starts a call; gives its number and where its whole answer comes.
    pub async fn open(&self, tool: &str, arguments: Value) -> (u64, oneshot::Receiver<Value>) {
        let asked = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        asked.expect("the server lives")
    }

    /// Starts a call without waiting for its answer, and gives its number.
    pub async fn begin(&self, tool: &str, arguments: Value) -> u64 {
        self.open(tool, arguments).await.0
    }

    /// Says that the answer to a call is not wanted any more.
    pub async fn cancel(&self, call: u64) {
        let params = json!({"requestId": call, "reason": "the client's own limit"});
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).await;
    }

    /// Calls a tool.
    pub async fn try_call(&self, tool: &str, arguments: Value) -> Result<Value, NoAnswer> {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = self.request("tools/call", params).await.ok_or(NoAnswer::Died)?;
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
        let result = &answer["result"];
        if result["isError"] == true {
            let text = result["content"][0]["text"].as_str().unwrap();
            return Err(NoAnswer::Failed(serde_json::from_str(text).unwrap()));
        }
        Ok(result["structuredContent"].clone())
    }

    /// Calls a tool, which must succeed, and gives what it answers.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.try_call(tool, arguments).await.unwrap_or_else(|error| panic!("{tool}: {error:?}"))
    }

    /// Calls a tool, which must fail, and gives the error's code.
    pub async fn code(&self, tool: &str, arguments: Value) -> String {
        match self.try_call(tool, arguments).await {
            Err(NoAnswer::Failed(error)) => error["code"].as_str().unwrap().to_owned(),
            other => panic!("{tool}: {other:?}"),
        }
    }

    /// SIGKILL, and nothing else.
    pub async fn kill(&self) {
        // Its calls are told when its output ends; until then it has not been waited for, and its id is its own.
        if self.pending.lock().unwrap().is_some() {
            sigkill(self.pid);
        }
        self.gone().await;
    }

    /// Waits until the server is gone.
    pub async fn gone(&self) {
        let mut gone = self.gone.clone();
        let ended = tokio::time::timeout(PATIENCE, gone.wait_for(|gone| *gone)).await;
        ended.expect("the server ends").unwrap();
    }
}
