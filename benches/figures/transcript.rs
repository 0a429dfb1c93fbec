use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::bench::{call, lab};
use super::idle::{kill, sessions};
use super::process::{Used, mb};
use super::support::Lab;
use super::support::http::HttpServer;
use super::support::outside::McpClient;
use super::support::processes::{come, holders};
use super::table::{Samples, Table, Target, Unit, one};

/// How many lines the transcript has, and how many bytes it has at least.
const ENTRIES: usize = 33_000;
const BYTES: usize = 50_000_000;
const CONVERSATION: &str = "0b6f4a86-9a3e-4e39-8d3e-3a1a4d2f5c10";

/// Writes a conversation of many turns: prompts, tool calls with results, answers.
fn write(lab: &Lab) -> PathBuf {
    let slug: String =
        lab.work_dir().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let dir = lab.home.config_dir().join("projects").join(slug);
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{CONVERSATION}.jsonl"));
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    let usage = json!({
        "input_tokens": 10, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 5000, "output_tokens": 28,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}, "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 300}, "speed": "standard",
    });
    let answer = |at: usize, block: Value| {
        let id = format!("msg_{at:024}");
        let model = "claude-opus-4-8";
        (
            "assistant",
            json!({"id": id, "role": "assistant", "model": model, "content": [block], "usage": usage}),
        )
    };
    let filler = "All work and no play makes a long line. ".repeat(BYTES / ENTRIES / 40);
    let mut parent = Value::Null;
    for at in 0..ENTRIES {
        let uuid = format!("00000000-0000-4000-8000-{at:012}");
        let (kind, message) = match at % 4 {
            0 => ("user", json!({"role": "user", "content": format!("prompt {at} {filler}")})),
            1 => {
                let input = json!({"command": format!("echo {at}"), "description": filler});
                let tool =
                    json!({"type": "tool_use", "id": format!("toolu_{at}"), "name": "Bash", "input": input});
                answer(at, tool)
            }
            2 => {
                let id = format!("toolu_{}", at - 1);
                let result = json!({"type": "tool_result", "tool_use_id": id, "content": filler});
                ("user", json!({"role": "user", "content": [result]}))
            }
            _ => answer(at, json!({"type": "text", "text": format!("answer {at} {filler}")})),
        };
        let line = json!({
            "parentUuid": parent, "isSidechain": false, "userType": "external", "cwd": lab.work_dir(),
            "sessionId": CONVERSATION, "version": "2.1.197", "gitBranch": "", "type": kind, "message": message,
            "uuid": uuid, "timestamp": "2026-01-01T00:00:00.000Z",
        });
        writeln!(file, "{line}").unwrap();
        parent = uuid.into();
    }
    file.flush().unwrap();
    path
}

pub async fn measure(table: &mut Table) {
    long(table).await;
    by_cursor(table).await;
    lists(table).await;
}

/// The last messages of a long conversation, while it is being read for the first time, and later.
async fn long(table: &mut Table) {
    let lab = lab(Lab::fake(json!({}))).await;
    let path = write(&lab);
    let size = fs::metadata(&path).unwrap().len();
    assert!(size >= BYTES as u64, "{size}");
    let mut client = McpClient::start(&lab).await;
    let server = i32::try_from(client.peer.child.id().unwrap()).unwrap();
    let small = sessions(&lab, &mut client, 1).await.remove(0);
    let plain = Used::of(holders(&lab)[0]);
    let before = Used::of(server);

    let arguments = json!({"workDir": lab.work_dir(), "resumeSessionId": CONVERSATION, "reuse": false});
    let (created, launched) = call(&mut client, "create_session", arguments).await;
    let id = created["id"].as_str().unwrap().to_owned();
    let holder =
        come("the new holder", async || holders(&lab).into_iter().find(|pid| variable_dir(*pid, &id))).await;
    // From the first moment on others ask, and so does who wants the conversation.
    let page = json!({"sessionId": id, "limit": 50, "maxChars": 1_000_000});
    let (mut others, mut status) = (Samples::default(), Samples::default());
    let mut first = None;
    let mut beside = McpClient::start(&lab).await;
    let start = Instant::now();
    while first.is_none() {
        let ((read, taken), (_, other)) = tokio::join!(
            call(&mut client, "get_transcript", page.clone()),
            call(&mut beside, "get_status", json!({"sessionId": small}))
        );
        others.add(other);
        if read["messages"].as_array().is_some_and(|messages| messages.len() == 50) {
            first = Some(taken);
        }
        status.add(taken);
        assert!(start.elapsed() < Duration::from_secs(60), "{read}");
    }
    let ready = start.elapsed() + launched;
    client.until(&id, "idle").await;
    let (read, again) = call(&mut client, "get_transcript", page.clone()).await;
    assert_eq!(read["newestId"], ENTRIES, "{}", read["newestId"]);
    let mut later = Samples::default();
    let mut oldest = read["oldestId"].as_u64().unwrap();
    for _ in 0..100 {
        let page = json!({"sessionId": id, "limit": 50, "beforeId": oldest, "maxChars": 1_000_000});
        let (read, taken) = call(&mut client, "get_transcript", page).await;
        assert_eq!(read["messages"].as_array().unwrap().len(), 50);
        oldest = read["oldestId"].as_u64().unwrap();
        later.add(taken);
    }
    let (held, served) = (Used::of(holder), Used::of(server));
    let ms = |taken: Duration| one(taken.as_secs_f64() * 1000.0);
    table.add(
        "50 MB transcript: create_session called → its first page of 50 told",
        Unit::Ms,
        Target::None,
        ms(ready),
    );
    table.add(
        "50 MB transcript: the slowest call meanwhile",
        Unit::Ms,
        Target::Under(150.0),
        one(status.most()),
    );
    table.add(
        "50 MB transcript: another session's get_status meanwhile, slowest",
        Unit::Ms,
        Target::Under(150.0),
        one(others.most()),
    );
    table.add("50 MB transcript: first page once read", Unit::Ms, Target::Under(150.0), ms(again));
    table.add("50 MB transcript: later pages", Unit::Ms, Target::Under(1.0), later);
    table.add(
        "50 MB transcript: the holder's peak over a plain one's",
        Unit::Mb,
        Target::Under(30.0),
        one(mb(held.peak) - mb(plain.peak)),
    );
    table.add(
        "50 MB transcript: the holder's resident memory over a plain one's",
        Unit::Mb,
        Target::Under(30.0),
        one(mb(held.resident) - mb(plain.resident)),
    );
    table.add(
        "50 MB transcript: the server's peak over before",
        Unit::Mb,
        Target::Under(30.0),
        one(mb(served.peak) - mb(before.peak)),
    );

    kill(&mut client, &[id.clone(), small]).await;
    let (mut first, mut later) = (Samples::default(), Samples::default());
    for round in 0..20 {
        let (read, taken) = call(&mut client, "get_transcript", page.clone()).await;
        assert_eq!(read["messages"].as_array().unwrap().len(), 50);
        if round == 0 { first.add(taken) } else { later.add(taken) }
    }
    table.add("50 MB transcript, session ended: first page", Unit::Ms, Target::Under(150.0), first);
    table.add("50 MB transcript, session ended: later pages", Unit::Ms, Target::Under(1.0), later);
}

/// The same over HTTP, on one connection that is kept.
async fn by_cursor(table: &mut Table) {
    let lab = lab(Lab::fake(json!({}))).await;
    write(&lab);
    let server = HttpServer::start(&lab).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut get = async |path: String| {
        let request = Request::get(path).header("host", server.addr.to_string());
        sender.ready().await.unwrap();
        let start = Instant::now();
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let taken = start.elapsed();
        (serde_json::from_slice::<Value>(&body).unwrap(), taken)
    };
    let body = json!({"workDir": lab.work_dir(), "resumeSessionId": CONVERSATION, "reuse": false});
    let created = server.post("/v1/sessions", body).await.is(201);
    let id = created["id"].as_str().unwrap();
    let path = format!("/v1/sessions/{id}/transcript/cursor?limit=50");
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    loop {
        let (read, taken) = get(path.clone()).await;
        slowest = slowest.max(taken);
        if read["messages"].as_array().is_some_and(|messages| messages.len() == 50) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{read}");
    }
    server.until(id, "idle").await;
    let (read, _) = get(path.clone()).await;
    let mut oldest = read["oldest_id"].as_u64().unwrap();
    let mut later = Samples::default();
    for _ in 0..100 {
        let (read, taken) = get(format!("{path}&before_id={oldest}")).await;
        assert_eq!(read["messages"].as_array().unwrap().len(), 50);
        oldest = read["oldest_id"].as_u64().unwrap();
        later.add(taken);
    }
    let name = "50 MB transcript over HTTP, by cursor";
    let slowest = one(slowest.as_secs_f64() * 1000.0);
    table.add(
        &format!("{name}: the slowest call until the first page"),
        Unit::Ms,
        Target::Under(150.0),
        slowest,
    );
    table.add(&format!("{name}: later pages"), Unit::Ms, Target::Under(1.0), later);
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

/// Whether a holder's command line names this session.
fn variable_dir(pid: i32, id: &str) -> bool {
    procfs::process::Process::new(pid)
        .and_then(|process| process.cmdline())
        .is_ok_and(|line| line.iter().any(|word| word.contains(id)))
}

/// Lists of twenty sessions.
async fn lists(table: &mut Table) {
    let lab = lab(Lab::fake(json!({}))).await;
    let mut client = McpClient::start(&lab).await;
    let ids = sessions(&lab, &mut client, 20).await;
    let mut taken = Samples::default();
    for _ in 0..300 {
        taken.add(call(&mut client, "list_sessions", json!({})).await.1);
    }
    table.add("list_sessions with 20 sessions", Unit::Ms, Target::Under(0.6), taken);
    kill(&mut client, &ids).await;
}
