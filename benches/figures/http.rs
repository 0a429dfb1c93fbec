use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::process::Command;

use super::bench::lab;
use super::process::{Used, mb};
use super::support::Lab;
use super::support::http::HttpServer;
use super::table::{Samples, Table, Target, Unit, one};

const TOKEN: &str = "a token for the figures only";
/// How many sessions are listed.
const SESSIONS: usize = 20;
const CONNECTIONS: &str = "8";
/// How many requests the memory is watched over.
const REQUESTS: u64 = 500_000;
/// How often the server is started.
const STARTS: usize = 20;

async fn guarded() -> Lab {
    let mut lab = lab(Lab::fake(json!({}))).await;
    lab.env.insert("AEGIS_AUTH_TOKEN".into(), TOKEN.into());
    lab
}

pub async fn measure(table: &mut Table) {
    starts(table).await;
    lists(table).await;
}

/// From the start until the first call is answered. A client that finds nobody listening tries again at once.
async fn starts(table: &mut Table) {
    let lab = guarded().await;
    let mut taken = Samples::default();
    for _ in 0..STARTS {
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = lab.command();
        command.args(["--http", &addr.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        while !answers(addr) {
            assert!(start.elapsed() < Duration::from_secs(10), "the server never answers");
        }
        taken.add(start.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    table.add("HTTP: spawned, until the first 200", Unit::Ms, Target::Under(20.0), taken);
}

fn answers(addr: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(addr) else {
        std::thread::sleep(Duration::from_micros(200));
        return false;
    };
    let request = format!("GET /v1/health HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let mut told = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut told).is_ok()
        && told.starts_with("HTTP/1.1 200")
}

/// What a load generator says of one run.
struct Load {
    requests: u64,
    a_second: f64,
    p99_ms: f64,
}

/// Loads one path with wrk; `None` where that is not installed.
async fn load(addr: SocketAddr, path: &str, seconds: u32) -> Option<Load> {
    let told = Command::new("wrk")
        .args(["-t1", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--latency"])
        .args(["-H", &format!("Authorization: Bearer {TOKEN}"), &format!("http://{addr}{path}")])
        .output()
        .await
        .ok()?;
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(!told.contains("Non-2xx"), "{told}");
    let after = |word: &str| told.split_once(word).map(|(_, rest)| rest.split_whitespace().next().unwrap());
    let requests = told.lines().find_map(|line| line.trim().split_once(" requests in ")).unwrap().0;
    let p99 = after("99%").unwrap();
    let (number, factor) = match p99 {
        us if us.ends_with("us") => (us.trim_end_matches("us"), 0.001),
        ms if ms.ends_with("ms") => (ms.trim_end_matches("ms"), 1.0),
        s => (s.trim_end_matches('s'), 1000.0),
    };
    Some(Load {
        requests: requests.parse().unwrap(),
        a_second: after("Requests/sec:").unwrap().parse().unwrap(),
        p99_ms: number.parse::<f64>().unwrap() * factor,
    })
}

/// Lists of sessions under load, and the memory over half a million of them.
async fn lists(table: &mut Table) {
    let lab = guarded().await;
    let server = HttpServer::start(&lab).await;
    let pid = i32::try_from(server.child.id().unwrap()).unwrap();
    // Threads of the start end after ten seconds without work.
    tokio::time::sleep(Duration::from_secs(12)).await;
    table.add("HTTP: idle, resident", Unit::Mb, Target::Under(16.0), one(mb(Used::of(pid).resident)));
    let mut ids = Vec::new();
    for at in 0..SESSIONS {
        let body = json!({"workDir": lab.work_dir(), "name": format!("s{at}"), "reuse": false});
        ids.push(server.post("/v1/sessions", body).await.is(201)["id"].as_str().unwrap().to_owned());
    }
    for id in &ids {
        server.until(id, "idle").await;
    }
    let path = format!("/v1/sessions?limit={SESSIONS}");
    if load(server.addr, &path, 3).await.is_none() {
        println!("wrk is not installed: HTTP is not put under load");
        return;
    }
    let (mut requests, mut before) = (0, Used::of(pid));
    let (mut a_second, mut p99, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    let mut cost = Vec::new();
    let first = before.resident;
    while requests < REQUESTS {
        let run = load(server.addr, &path, 10).await.unwrap();
        let after = Used::of(pid);
        cost.push((after.ticks - before.ticks) as f64 * 10.0 / run.requests as f64);
        before = after;
        requests += run.requests;
        a_second.push(run.a_second);
        p99.push(run.p99_ms);
        memory.push(mb(after.resident));
    }
    let name = format!("GET /v1/sessions, {SESSIONS} sessions, {CONNECTIONS} connections");
    table.add(&format!("{name}: requests a second"), Unit::Count, Target::AtLeast(15_000.0), a_second);
    table.add(&format!("{name}: p99 of each run"), Unit::Ms, Target::Under(5.0), p99);
    table.add(&format!("{name}: the server's processor time a call"), Unit::Ms, Target::None, cost);
    table.add(&format!("HTTP: resident in {requests} requests"), Unit::Mb, Target::None, memory);
    let grown = mb(Used::of(pid).resident) - mb(first);
    table.add("HTTP: resident over what it was after the first", Unit::Mb, Target::Under(2.0), one(grown));
    for id in &ids {
        server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    }
}
