//! The program from outside: as a command, as an MCP server, in a terminal.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Lab;
use super::lab::AEGIS;
use super::tasks::PATIENCE;

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    /// The answer of a command with `--json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The error of a command with `--json`: the last line on stderr.
    pub fn fault(&self) -> Value {
        let last = self.stderr.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Ends the test unless the command ended so.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// Runs `aegis` with these arguments to its end, nobody at its stdin.
pub async fn cli(lab: &Lab, args: &[&str]) -> Told {
    let mut command = Command::from(lab.command());
    command.args(args).env("AEGIS_LOG", "error").stdin(Stdio::null()).kill_on_drop(true);
    let output =
        timeout(PATIENCE, command.output()).await.unwrap_or_else(|_| panic!("{args:?} does not end"));
    let output = output.unwrap();
    Told {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A program that is spoken to in lines.
pub struct Peer {
    pub child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub fn start(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output }
    }

    /// The program itself with these arguments.
    pub fn aegis(lab: &Lab, args: &[&str]) -> Self {
        let mut command = lab.command();
        command.args(args);
        Self::start(command)
    }

    pub async fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// The next line; none when the program has closed its output.
    pub async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.output.next_line()).await.expect("the program says something").unwrap()
    }

    /// The next line, which must be JSON.
    pub async fn value(&mut self) -> Value {
        let line = self.line().await.expect("the program speaks on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Closes the program's input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for the program's end and gives its exit code.
    pub async fn ended(&mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the program ends").unwrap();
        status.code().unwrap_or(-1)
    }
}

/// A client of the real server on stdio.
pub struct McpClient {
    pub peer: Peer,
    /// The tools that the server listed.
    pub tools: BTreeSet<String>,
    /// The tools that were called.
    pub called: BTreeSet<String>,
    next: u64,
    bridged: bool,
}

impl McpClient {
    /// Starts the server and opens the connection with the `initialize` handshake.
    pub async fn start(lab: &Lab) -> Self {
        Self::with(lab, &[]).await
    }

    /// The same with these arguments.
    pub async fn with(lab: &Lab, args: &[&str]) -> Self {
        let mut client = Self::over(Peer::aegis(lab, args), false);
        let about = json!({"name": "test", "version": "0"});
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
        client.request("initialize", hello).await;
        client.peer.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    /// Speaks to the server through a program that speaks MCP for us: a call is a line to it, a result one from it.
    pub async fn bridged(peer: Peer) -> Self {
        let mut client = Self::over(peer, true);
        let listed = client.peer.value().await;
        client.tools = serde_json::from_value(listed["tools"].clone()).unwrap_or_else(|_| panic!("{listed}"));
        client
    }

    fn over(peer: Peer, bridged: bool) -> Self {
        Self { peer, tools: BTreeSet::new(), called: BTreeSet::new(), next: 0, bridged }
    }

    /// Sends a request and does not wait for its answer.
    pub async fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        self.peer.send(&request).await;
        self.next
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        loop {
            let answer = self.peer.value().await;
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Calls a tool and gives its whole result.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.called.insert(tool.into());
        let call = json!({"name": tool, "arguments": arguments});
        if !self.bridged {
            return self.request("tools/call", call).await;
        }
        self.peer.send(&call).await;
        let answer = self.peer.value().await;
        assert!(answer.get("threw").is_none(), "{tool}: {answer}");
        answer["result"].clone()
    }

    /// Has the program that speaks for us do something that is no call of a tool.
    pub async fn act(&mut self, what: Value) -> Value {
        self.peer.send(&what).await;
        let answer = self.peer.value().await;
        assert!(answer.get("threw").is_none(), "{what}: {answer}");
        answer["result"].clone()
    }

    /// Has it do something that must fail, and gives what it says of that.
    pub async fn act_in_vain(&mut self, what: Value) -> String {
        self.peer.send(&what).await;
        let answer = self.peer.value().await;
        answer["threw"].as_str().unwrap_or_else(|| panic!("{what}: {answer}")).to_owned()
    }

    /// Calls a tool that must succeed and gives its structured content.
    pub async fn ask(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_ne!(result["isError"], true, "{tool}: {result}");
        assert!(
            result["content"][0]["text"].as_str().is_some_and(|text| !text.is_empty()),
            "{tool}: {result}"
        );
        result["structuredContent"].clone()
    }

    /// Calls a tool that must fail and gives the error.
    pub async fn fault(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        assert!(result.get("structuredContent").is_none(), "{tool}: {result}");
        serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
    }

    /// Starts a session of its own and gives its id.
    pub async fn create(&mut self, lab: &Lab, prompt: Option<&str>) -> String {
        let mut arguments = json!({"workDir": lab.work_dir(), "reuse": false});
        if let Some(prompt) = prompt {
            arguments["prompt"] = json!(prompt);
        }
        let created = self.ask("create_session", arguments).await;
        created["id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
    }

    /// Waits until the session is in this status.
    pub async fn until(&mut self, id: &str, wanted: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut arguments = json!({"sessionIds": [id], "until": [wanted], "timeoutMs": 5000});
        while Instant::now() < deadline {
            let waited = self.ask("wait_for_session", arguments.clone()).await;
            if let Some(woke) = waited["woke"].as_array().and_then(|woke| woke.last())
                && woke["session"]["status"] == wanted
            {
                return woke["session"].clone();
            }
            arguments["cursor"] = waited["cursor"].clone();
        }
        let status = self.ask("get_status", json!({"sessionId": id})).await;
        let pane = self.call("capture_pane", json!({"sessionId": id})).await;
        let pane = pane["structuredContent"]["pane"].as_str().unwrap_or_default();
        panic!("waited for {wanted}: {status:#}\n{pane}");
    }

    /// Sends a prompt that must be taken.
    pub async fn send(&mut self, id: &str, text: &str) {
        let receipt = self.ask("send_message", json!({"sessionId": id, "text": text})).await;
        let state = receipt["state"].as_str().unwrap();
        assert!(["submitted", "turn_ended"].contains(&state), "{receipt:#}");
    }

    /// What was said: role and text of each text message.
    pub async fn said(&mut self, id: &str) -> Vec<(String, String)> {
        let page = self.ask("get_transcript", json!({"sessionId": id, "limit": 200})).await;
        texts(&page)
    }
}

/// Role and text of each text message on a page.
pub fn texts(page: &Value) -> Vec<(String, String)> {
    let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
    let word = |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let texts = messages.iter().filter(|message| message["contentType"] == "text");
    texts.map(|message| (word(message, "role"), word(message, "text"))).collect()
}

/// A program with these arguments in this directory, nothing in its environment yet.
pub fn terminal_command(program: &str, args: &[&str], cwd: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.args(args);
    command.env_clear();
    command.cwd(cwd);
    command
}

/// A terminal in which `aegis` runs.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    state: Arc<Mutex<vt100::Parser>>,
    changed: watch::Receiver<bool>,
}

/// The size of a terminal in which nothing depends on the size.
const SIZE: (u16, u16) = (120, 40);

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    pub fn start(lab: &Lab, args: &[&str]) -> Self {
        Self::sized(lab, args, SIZE)
    }

    /// As [`Terminal::start`], in a window of so many columns and rows.
    pub fn sized(lab: &Lab, args: &[&str], size: (u16, u16)) -> Self {
        let mut command = terminal_command(AEGIS, args, &lab.project);
        for (name, value) in &lab.env {
            command.env(name, value);
        }
        command.env("AEGIS_LOG", "error");
        command.env("TERM", "xterm-256color");
        Self::running(command, size)
    }

    /// A terminal in which something else runs.
    pub fn running(command: CommandBuilder, size: (u16, u16)) -> Self {
        let size = pty_size(size);
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let state = Arc::new(Mutex::new(vt100::Parser::new(nonzero(size.rows), nonzero(size.cols), 0)));
        let (tell, changed) = watch::channel(false);
        let shared = state.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                shared.lock().unwrap().process(&buffer[..n]);
                tell.send_modify(|_| {});
            }
            let _ = tell.send(true);
        });
        Self { master: pair.master, writer, child, state, changed }
    }

    /// Somebody resizes the window.
    pub fn resize(&self, (cols, rows): (u16, u16)) {
        self.master.resize(pty_size((cols, rows))).unwrap();
        self.state.lock().unwrap().screen_mut().set_size(nonzero(rows), nonzero(cols));
    }

    pub fn screen(&self) -> String {
        self.state.lock().unwrap().screen().contents()
    }

    /// Waits until the screen shows this.
    pub async fn until(&mut self, text: &str) {
        self.until_shows(text, |screen| screen.contains(text)).await;
    }

    /// Waits until the screen is as wanted.
    pub async fn until_shows(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let seen = self.shows_within(PATIENCE, wanted).await;
        assert!(seen, "`{what}` is not shown:\n{}", self.screen());
    }

    /// Whether the screen is as wanted within so long.
    pub async fn shows_within(&mut self, within: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let state = self.state.clone();
        let shown = || wanted(&state.lock().unwrap().screen().contents());
        let seen = timeout(within, async {
            loop {
                // Noted before the look, so that what comes after it wakes this up.
                let closed = *self.changed.borrow_and_update();
                if shown() {
                    return true;
                }
                if closed || self.changed.changed().await.is_err() {
                    return shown();
                }
            }
        });
        seen.await.unwrap_or(false)
    }

    /// Chooses an option of a menu as a person does: moves up to it, pressing again what was swallowed, then enters it.
    pub async fn choose(&mut self, option: &str) {
        let marked = |line: &str| line.trim_start().starts_with('❯') && line.trim_end().ends_with(option);
        for _ in 0..20 {
            if self.shows_within(Duration::from_millis(300), |screen| screen.lines().any(marked)).await {
                self.keys("\r");
                return;
            }
            self.keys("\x1b[A");
        }
        panic!("`{option}` cannot be chosen:\n{}", self.screen());
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.process_id().unwrap()).unwrap()
    }

    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits for the program's end; gives its exit code and the last screen.
    pub async fn ended(mut self) -> (u32, String) {
        let closed = timeout(PATIENCE, self.changed.wait_for(|closed| *closed)).await.is_ok();
        assert!(closed, "the program does not end:\n{}", self.screen());
        let screen = self.screen();
        let mut child = self.child;
        let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        (status.exit_code(), screen)
    }
}

fn nonzero(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

/// How long something took.
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let done = work.await;
    (done, start.elapsed())
}
