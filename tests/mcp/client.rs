//! A client that knows nothing of MCP but its lines.

use std::time::Duration;

use aegis::mcp::{McpDoor, Met, ServeError, ToolSet, serve};
use aegis::ops::{Aegis, Caller};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any answer takes on a busy machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which protocol the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// With the `initialize` handshake.
    Legacy,
    /// Stateless, 2026-07-28.
    Modern,
}

pub(crate) struct Client {
    era: Era,
    next_id: u64,
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: JoinHandle<Result<Met, ServeError>>,
    /// The server's directories.
    _dir: TempDir,
}

fn aegis() -> (Aegis, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().to_owned();
    let env = [("AEGIS_STATE_DIR", dir.join("state")), ("AEGIS_RUNTIME_DIR", dir.join("run"))];
    let env = env.into_iter().map(|(name, path)| (name.to_owned(), path.into_os_string())).collect();
    let sources = aegis::config::Sources { file: None, cwd: dir.clone(), home: Some(dir), env };
    (aegis::app::Surroundings { sources, program: "aegis".into() }.build().unwrap().aegis(), kept)
}

impl Client {
    /// Starts a server and opens the connection as the era wants it.
    pub(crate) async fn open(era: Era, set: ToolSet) -> Self {
        let mut client = Self::silent(era, set);
        if era == Era::Legacy {
            let answer = client.request("initialize", client.hello()).await;
            assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
            client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        client
    }

    /// Starts a server and says nothing yet.
    pub(crate) fn silent(era: Era, set: ToolSet) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (output, input) = tokio::io::split(ours);
        let (reader, writer) = tokio::io::split(theirs);
        let caller = Caller::local("mcp");
        let (aegis, dir) = aegis();
        let door = McpDoor::new(aegis, caller, set);
        let server = tokio::spawn(serve(door, reader, writer));
        Self {
            era,
            next_id: 0,
            input: Some(input),
            output: BufReader::new(output).lines(),
            server,
            _dir: dir,
        }
    }

    pub(crate) fn hello(&self) -> Value {
        json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        })
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string()).await;
    }

    pub(crate) async fn send_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Sends a request and gives the whole answer.
    pub(crate) async fn request(&mut self, method: &str, mut params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        if self.era == Era::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "0"});
        }
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        loop {
            let answer = self.line().await.expect("the server answers before it closes");
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// Calls a tool and gives its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// The next line of the server, which must be JSON; none once it has closed.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("the server says something");
        line.unwrap().map(|line| serde_json::from_str(&line).expect("a line of JSON"))
    }

    /// Closes the client's end; the server can still be heard.
    pub(crate) async fn end_input(&mut self) {
        if let Some(mut input) = self.input.take() {
            input.shutdown().await.unwrap();
        }
    }

    /// Closes the client's end and waits for the server's.
    pub(crate) async fn close(mut self) -> Result<Met, ServeError> {
        self.end_input().await;
        timeout(PATIENCE, self.server).await.expect("the server ends").unwrap()
    }
}

/// Takes the JSON out of a tool error, and checks its shape.
pub(crate) fn fault(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    assert!(result.get("structuredContent").is_none(), "{result}");
    let content = result["content"].as_array().unwrap();
    assert_eq!(content.len(), 1, "{result}");
    let fault: Value = serde_json::from_str(content[0]["text"].as_str().unwrap()).unwrap();
    for key in ["code", "message", "hint"] {
        assert!(fault[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {fault}");
    }
    fault
}
