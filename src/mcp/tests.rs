//! The plumbing around tools, with tools that do what no real one should: never answer, panic, linger.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::handler::server::tool::{IntoCallToolResult, ToolCallContext, ToolRoute};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, JsonObject, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::guard::WAIT;
use super::{McpDoor, Met, ServeError, ToolSet, serve};
use crate::ops::{Aegis, Caller};

/// What an end may take here: an idle machine needs the grace and a millisecond; a busy one is not the server's
/// fault, and the library's own five seconds are still far away.
const AT_ONCE: Duration = Duration::from_secs(1);

type Answer = Result<CallToolResponse, ErrorData>;

fn door() -> McpDoor {
    let caller = Caller::local("mcp");
    McpDoor::new(Aegis::new(Arc::new(crate::engine::testing::engine())), caller, ToolSet::Full)
}

fn with_tool<F>(door: McpDoor, name: &'static str, call: F) -> McpDoor
where
    F: for<'a> Fn(
            ToolCallContext<'a, McpDoor>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
        + Send
        + Sync
        + 'static,
{
    let tool = Tool::new(name, "", Arc::new(JsonObject::new()));
    let mut router = door.router().clone();
    router.add_route(ToolRoute::new_dyn(tool, call));
    McpDoor { tools: Arc::new(router.into()), ..door }
}

/// A wait that nothing ever ends but the client.
fn with_endless_wait(door: McpDoor) -> McpDoor {
    with_tool(door, WAIT, |cx| {
        Box::pin(async move {
            let wait = std::future::pending::<Result<(), _>>();
            match cx.service.patiently(&cx.request_context, None, wait).await {
                Ok(()) => Ok(CallToolResult::default().into()),
                Err(fault) => fault.into_call_tool_result(),
            }
        })
    })
}

struct Peer {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: JoinHandle<Result<Met, ServeError>>,
}

impl Peer {
    async fn open(door: McpDoor) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (output, input) = tokio::io::split(ours);
        let (reader, writer) = tokio::io::split(theirs);
        let server = tokio::spawn(serve(door, reader, writer));
        let mut peer = Self { input, output: BufReader::new(output).lines(), server };
        let about = json!({"name": "test", "version": "0"});
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
        peer.send(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello})).await;
        assert_eq!(peer.line().await["id"], 0);
        peer
    }

    async fn send(&mut self, message: Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn call(&mut self, id: u64, tool: &str) {
        let params = json!({"name": tool, "arguments": {}, "_meta": {"progressToken": id}});
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }

    async fn line(&mut self) -> Value {
        let line = timeout(Duration::from_secs(30), self.output.next_line()).await;
        serde_json::from_str(&line.expect("the server says something").unwrap().expect("more lines")).unwrap()
    }

    /// Closes the client's end; gives how long the server took to be done with it.
    async fn leave(mut self) -> Duration {
        let left = Instant::now();
        self.input.shutdown().await.unwrap();
        timeout(Duration::from_secs(30), self.server).await.expect("the server ends").unwrap().unwrap();
        left.elapsed()
    }
}

/// Lets everything that was sent be taken in: a later call has its answer.
async fn settle(peer: &mut Peer) {
    peer.call(9_999, "server_health").await;
    while peer.line().await["id"] != 9_999 {}
}

#[tokio::test]
async fn a_wait_in_flight_does_not_delay_the_end() {
    let mut peer = Peer::open(with_endless_wait(door())).await;
    peer.call(1, WAIT).await;
    settle(&mut peer).await;
    let took = peer.leave().await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn a_call_that_never_answers_does_not_delay_the_end() {
    let stuck = with_tool(door(), "stuck", |_| Box::pin(std::future::pending()));
    let mut peer = Peer::open(stuck).await;
    peer.call(1, "stuck").await;
    settle(&mut peer).await;
    let took = peer.leave().await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_delay_the_end() {
    let flood = with_tool(door(), "flood", |_| {
        let text = ContentBlock::text("x".repeat(1 << 17));
        Box::pin(async move { Ok(CallToolResult::success(vec![text]).into()) })
    });
    let mut peer = Peer::open(flood).await;
    for id in 1..=4 {
        peer.call(id, "flood").await;
    }
    let took = peer.leave().await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn a_tool_that_panics_still_answers_and_the_server_goes_on() {
    let broken = with_tool(door(), "broken", |_| Box::pin(async { panic!("on purpose") }));
    let mut peer = Peer::open(broken).await;
    peer.call(1, "broken").await;
    let answer = peer.line().await;
    let result = &answer["result"];
    assert_eq!((&answer["id"], &result["isError"]), (&json!(1), &json!(true)));
    assert!(result.get("structuredContent").is_none());
    let fault: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(fault["code"], "internal");
    assert!(!fault.to_string().contains("on purpose"), "what it said is for the log: {fault}");
    settle(&mut peer).await;
}

#[tokio::test]
async fn calls_in_flight_are_bounded_and_waits_take_no_slot_from_others() {
    let running = Arc::new(AtomicUsize::new(0));
    let release = Arc::new(Semaphore::new(0));
    let (counter, gate) = (running.clone(), release.clone());
    let slow = with_tool(with_endless_wait(door()), "slow", move |_| {
        let (counter, gate) = (counter.clone(), gate.clone());
        Box::pin(async move {
            counter.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            Ok(CallToolResult::default().into())
        })
    });
    let mut peer = Peer::open(slow).await;
    for id in 1..=100 {
        peer.call(id, WAIT).await;
    }
    settle(&mut peer).await;
    for id in 101..=200 {
        peer.call(id, "slow").await;
    }
    while running.load(Ordering::SeqCst) < 64 {
        tokio::task::yield_now().await;
    }
    // The rest waits in line, and goes on as slots come free.
    release.add_permits(100);
    for _ in 0..100 {
        assert!(peer.line().await["id"].as_u64().unwrap() > 100);
    }
    assert_eq!(running.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn no_more_than_the_bound_runs_at_once() {
    let running = Arc::new(AtomicUsize::new(0));
    let counter = running.clone();
    let stuck = with_tool(door(), "stuck", move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    });
    let mut peer = Peer::open(stuck).await;
    for id in 1..=100 {
        peer.call(id, "stuck").await;
    }
    peer.send(json!({"jsonrpc": "2.0", "id": 500, "method": "tools/list"})).await;
    assert_eq!(peer.line().await["id"], 500);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.load(Ordering::SeqCst), 64);
    assert!(peer.leave().await < AT_ONCE);
}

#[tokio::test]
async fn a_wait_tells_how_it_stands_and_can_be_taken_back() {
    let quick = McpDoor { progress_every: Duration::from_millis(5), ..door() };
    let mut peer = Peer::open(with_endless_wait(quick)).await;
    peer.call(7, WAIT).await;
    let mut before = 0.0;
    for _ in 0..3 {
        let note = peer.line().await;
        assert_eq!(note["method"], "notifications/progress");
        assert_eq!(note["params"]["progressToken"], 7);
        assert!(note["params"]["message"].as_str().unwrap().ends_with(" s"), "{note}");
        let progress = note["params"]["progress"].as_f64().unwrap();
        assert!(progress > before, "{note}");
        before = progress;
    }
    let params = json!({"requestId": 7, "reason": "enough"});
    peer.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).await;
    peer.call(8, "server_health").await;
    // What was told before the word came may still be on its way, but the wait itself gets no answer.
    loop {
        let line = peer.line().await;
        assert_ne!(line["id"], 7, "{line}");
        if line["id"] == 8 {
            break;
        }
    }
    peer.send(json!({"jsonrpc": "2.0", "id": 9, "method": "ping"})).await;
    assert_eq!(peer.line().await["id"], 9, "no more progress after that");
    let took = peer.leave().await;
    assert!(took < AT_ONCE, "{took:?}");
}
