//! A thousand calls in flight on one connection: each is answered once, with what belongs to it, and the server is as
//! small as before.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, interval, timeout};

use crate::support::Lab;
use crate::support::tasks::{Driver, PATIENCE};

const CALLS: usize = 1000;

/// For how long memory must stay the same to count as settled: longer than until the server gives back what it does not
/// need.
const SETTLED: Duration = Duration::from_secs(4);

struct Wire {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next: u64,
}

impl Wire {
    async fn start(lab: &Lab) -> Self {
        let mut command = Command::from(lab.command());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wire = Self { child, input, output, next: 0 };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        wire.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}).to_string())
            .await;
        wire.answer().await;
        wire.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await;
        wire
    }

    async fn send(&mut self, lines: &str) {
        let sent = timeout(PATIENCE, self.input.write_all(format!("{lines}\n").as_bytes())).await;
        sent.expect("the server reads on while nobody reads its answers").unwrap();
    }

    /// The next answer: its number and the rest.
    async fn answer(&mut self) -> (u64, Value) {
        loop {
            let line = timeout(PATIENCE, self.output.next_line()).await.expect("the server answers");
            let said: Value = serde_json::from_str(&line.unwrap().expect("the server lives")).unwrap();
            if let Some(id) = said["id"].as_u64() {
                return (id, said);
            }
        }
    }

    /// Sends a thousand calls, reads nothing before the last is sent, and holds every answer against its call.
    async fn burst(&mut self, sessions: &[String]) {
        let mut expected = BTreeMap::new();
        let mut lines = Vec::new();
        for n in 0..CALLS {
            self.next += 1;
            let (tool, arguments, check) = call(n, sessions);
            let params = json!({"name": tool, "arguments": arguments});
            let request =
                json!({"jsonrpc": "2.0", "id": self.next, "method": "tools/call", "params": params});
            lines.push(request.to_string());
            expected.insert(self.next, (tool, arguments, check));
        }
        self.send(&lines.join("\n")).await;
        while !expected.is_empty() {
            let (id, answer) = self.answer().await;
            let (tool, arguments, check) =
                expected.remove(&id).unwrap_or_else(|| panic!("answered twice, or never asked: {answer}"));
            let result = &answer["result"];
            let told = if result["isError"] == true {
                serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
            } else {
                result["structuredContent"].clone()
            };
            let (pointer, value) = check;
            let found = told.pointer(pointer).unwrap_or(&Value::Null);
            let fits = match value.as_str().and_then(|text| text.strip_prefix('~')) {
                Some(part) => found.as_str().is_some_and(|text| text.contains(part)),
                None => *found == value,
            };
            assert!(fits, "{tool} {arguments} {pointer}: not {value} but {found}, in {told}");
        }
    }

    /// What the server has resident, and of that what is its own, in KiB, once neither changes any more.
    async fn settled(&mut self) -> (u64, u64) {
        self.next += 1;
        let follow_up = json!({"name": "server_health", "arguments": {}});
        let request = json!({"jsonrpc": "2.0", "id": self.next, "method": "tools/call", "params": follow_up});
        self.send(&request.to_string()).await;
        assert_eq!(self.answer().await.0, self.next, "nothing is answered that was not asked");
        let mut pause = interval(Duration::from_millis(100));
        let (mut last, mut since) = (self.memory(), Instant::now());
        let deadline = Instant::now() + PATIENCE;
        while since.elapsed() < SETTLED {
            pause.tick().await;
            let now = self.memory();
            if now.0.abs_diff(last.0) > last.0 / 100 {
                (last, since) = (now, Instant::now());
            }
            assert!(Instant::now() < deadline, "the server's memory does not settle: {now:?}");
        }
        self.memory()
    }

    fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/smaps_rollup", self.child.id().expect("the server runs"));
        let text = std::fs::read_to_string(path).unwrap();
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        (of("Rss:"), of("Anonymous:"))
    }
}

/// The `n`-th call: the tool, its arguments, and what stands where in its answer and in no other's; `~` before a text
/// that is only a part of it.
fn call(n: usize, sessions: &[String]) -> (&'static str, Value, (&'static str, Value)) {
    let id = &sessions[n / 16 % sessions.len()];
    let session = json!({"sessionId": id});
    match n % 16 {
        0 => ("get_status", session, ("/id", json!(id))),
        1 => {
            let entry = json!({"key": format!("burst/{n}"), "value": format!("value {n}")});
            ("state_set", entry, ("/value", json!(format!("value {n}"))))
        }
        2 => {
            let key = format!("none/{n}");
            ("state_get", json!({"key": key}), ("/message", json!(format!("~{key}"))))
        }
        3 => ("list_sessions", json!({"limit": 1 + n % 3}), ("/sessions/0/status", json!("idle"))),
        4 => ("get_transcript", session, ("/hasMore", json!(false))),
        5 => ("capture_pane", session, ("/cols", json!(120))),
        6 => {
            let nobody = format!("nobody-{n}");
            ("get_status", json!({"sessionId": nobody}), ("/message", json!(format!("~{nobody}"))))
        }
        7 => ("list_sessions", json!({format!("colour{n}"): 1}), ("/message", json!(format!("~colour{n}")))),
        8 => {
            let wait = json!({"sessionIds": [id], "until": ["idle"]});
            ("wait_for_session", wait, ("/woke/0/session/id", json!(id)))
        }
        9 => {
            let wait = json!({"sessionIds": [id], "until": ["ended"], "timeoutMs": n % 50});
            ("wait_for_session", wait, ("/timedOut", json!(true)))
        }
        10 => ("server_health", json!({}), ("/sessions/idle", json!(sessions.len()))),
        11 => ("get_session_metrics", session, ("/sessionId", json!(id))),
        12 => ("get_session_summary", session, ("/sessionId", json!(id))),
        13 => ("approve_permission", session, ("/code", json!("nothing_to_approve"))),
        14 => {
            let text = json!({"sessionId": id, "text": format!("bell {n} \u{7}")});
            ("send_message", text, ("/code", json!("prompt_refused")))
        }
        _ => ("state_delete", json!({"key": format!("gone/{n}")}), ("/key", json!(format!("gone/{n}")))),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_at_once_are_answered_each_once_and_leave_nothing() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(driver.idle().await);
    }
    let mut wire = Wire::start(&lab).await;
    let small = wire.settled().await;
    // What is made once, such as the tools' schemas, is made now.
    wire.burst(&sessions).await;
    let before = wire.settled().await;
    wire.burst(&sessions).await;
    let full = wire.memory();
    let after = wire.settled().await;
    eprintln!(
        "resident and own KiB: {small:?} at first, {before:?} before, {full:?} during, {after:?} after"
    );
    for (before, after) in [(before.0, after.0), (before.1, after.1)] {
        assert!(after * 10 <= before * 11, "{before} KiB before, {after} after");
    }
    for id in sessions {
        driver.kill(&id).await;
    }
}
