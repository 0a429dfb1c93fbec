use std::net::SocketAddr;
use std::time::Duration;

use aegis::domain::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::bench::lab;
use super::process::{Used, mb};
use super::support::Lab;
use super::support::frames::crowd;
use super::support::http::HttpServer;
use super::table::{Samples, Table, Target, Unit};

/// How many events a second, and for how many.
const RATE: u32 = 200;
const EVENTS: usize = 2000;

/// What one stream was told.
#[derive(Default)]
struct Got {
    messages: usize,
    gaps: usize,
    /// From the event's own time to its receipt.
    took: Vec<Duration>,
}

/// Reads a stream up to its last event. The times of every tenth are kept: reading them costs more than the rest.
async fn read(addr: SocketAddr, path: String, timed: bool, open: tokio::sync::mpsc::Sender<()>) -> Got {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let last = format!("\"message {EVENTS}\"");
    let mut got = Got::default();
    let mut last_seen = false;
    let mut rest: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut open = Some(open);
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        let now = Timestamp::now();
        assert!(count > 0, "the stream ended");
        rest.extend_from_slice(&buffer[..count]);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = rest.drain(..whole).collect();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data: ")) {
            if line.starts_with(b"data: {\"event\":\"connected\"") {
                drop(open.take());
            } else if line.starts_with(b"data: {\"event\":\"gap\"") {
                got.gaps += 1;
            } else if line.starts_with(b"data: {\"event\":\"message\"") {
                got.messages += 1;
                let text = std::str::from_utf8(line).unwrap();
                if timed {
                    let (_, told) = text.split_once("\"timestamp\":\"").unwrap();
                    let at: Timestamp = told.split('"').next().unwrap().parse().unwrap();
                    got.took.push(Duration::from_millis(now.millis_since(at)));
                }
                // The last one is told by a hook, and may come before lines that are still to be written.
                last_seen |= text.contains(&last);
                if last_seen && (got.messages == EVENTS || got.gaps > 0) {
                    return got;
                }
            }
        }
    }
}

async fn crowded(table: &mut Table, streams: usize, target: Target) {
    let every = Duration::from_secs(1) / RATE;
    let lab = lab(Lab::fake(json!({"rules": [crowd(EVENTS, every)]}))).await;
    let server = HttpServer::start(&lab).await;
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    let pid = i32::try_from(server.child.id().unwrap()).unwrap();
    let before = Used::of(pid);
    let (open, mut all_open) = tokio::sync::mpsc::channel(1);
    let mut readers = JoinSet::new();
    for at in 0..streams {
        readers.spawn(read(server.addr, format!("/v1/sessions/{id}/events"), at % 10 == 0, open.clone()));
    }
    drop(open);
    let _ = all_open.recv().await;
    let opened = Used::of(pid);
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": "CROWD"})).await.is(200);
    let (mut took, mut lost) = (Samples::default(), 0);
    let patience = Duration::from_secs(120);
    while let Some(got) =
        tokio::time::timeout(patience, readers.join_next()).await.expect("every stream ends")
    {
        let got = got.unwrap();
        got.took.into_iter().for_each(|time| took.add(time));
        assert!(got.messages == EVENTS || got.gaps > 0, "{} events and no gap", got.messages);
        lost += EVENTS - got.messages;
    }
    let after = Used::of(pid);
    let name = format!("{streams} streams, {RATE} events/s");
    table.add(&format!("{name}: event → receipt"), Unit::Ms, target, took);
    table.add(&format!("{name}: lost, each told by a gap"), Unit::Count, Target::None, vec![lost as f64]);
    table.add(
        &format!("{name}: the server's peak growth"),
        Unit::Mb,
        Target::None,
        vec![mb(after.peak - before.resident)],
    );
    table.add(
        &format!("{name}: an open stream, in KB"),
        Unit::Count,
        Target::None,
        vec![mb(opened.resident.saturating_sub(before.resident)) * 1000.0 / streams as f64],
    );
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

pub async fn measure(table: &mut Table) {
    crowded(table, 200, Target::Under(3.0)).await;
    crowded(table, 1000, Target::None).await;
}
