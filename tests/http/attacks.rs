//! What hostile pages, programs and networks do, and that whoever means well is answered meanwhile.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rstest::rstest;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::lab::LabBuilder;

const MASTER: &str = "hush-hush-hush";

/// Longer than the server lets anybody take for a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest that somebody who means well waits for a small answer on a machine that is busy with an attack and
/// with other tests.
const PROMPTLY: Duration = Duration::from_secs(5);

/// Nobody reads what the server says on stderr, so it says little.
fn lab() -> LabBuilder {
    Lab::fake(json!({})).var("AEGIS_LOG", "error")
}

/// Sends bytes as they are and reads whatever comes until the server closes.
async fn raw(server: &HttpServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is reset has been refused too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The server's resident memory, in bytes.
fn resident(server: &HttpServer) -> u64 {
    let pid = i32::try_from(server.child.id().unwrap()).unwrap();
    procfs::process::Process::new(pid).unwrap().statm().unwrap().resident * procfs::page_size()
}

async fn answers_promptly(server: &HttpServer) {
    let start = Instant::now();
    server.get("/v1/sessions").await.is(200);
    assert!(start.elapsed() < PROMPTLY, "{:?}", start.elapsed());
}

/// Many connections take many descriptors in this process too.
fn many_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

#[rstest]
#[case::no_origin(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "websocket")])]
#[case::null(&[("origin", "null")])]
#[case::foreign(&[("origin", "https://evil.example")])]
#[case::other_port(&[("origin", "http://127.0.0.1:1")])]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_opens_no_socket(#[case] headers: &[(&str, &str)]) {
    let lab = lab().build().await;
    let server = HttpServer::start(&lab).await;
    let mut request = Request::builder()
        .uri("/v1/sessions/00000000-0000-4000-8000-000000000000/terminal")
        .header("host", server.addr.to_string())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let refused = server.send(request.body(Full::default()).unwrap()).await.is(403);
    assert_eq!(refused["reason"], "origin_refused");
}

#[rstest]
#[case("/v1/sessions/../../../etc/passwd")]
#[case("/v1/sessions/..%2f..%2f..%2fetc%2fpasswd")]
#[case("/v1/sessions/%2e%2e/%2e%2e/etc/passwd")]
#[case("/v1/sessions/....//....//etc/passwd")]
#[case("/v1/sessions/00000000-0000-4000-8000-000000000000%00/pane")]
#[case("/v1/sessions/%c0%ae%c0%ae")]
#[case("//v1/sessions")]
#[case("/v1/../v1/sessions/none")]
#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out(#[case] path: &str) {
    let lab = lab().build().await;
    let server = HttpServer::start(&lab).await;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.addr);
    let answer = raw(&server, head.as_bytes()).await;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(["400", "404"].contains(&status), "{answer}");
    assert!(!answer.contains("root:"), "{answer}");
    answers_promptly(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_works_where_none_may() {
    let lab = lab().build().await;
    let inside = lab.project.join("inside");
    let outside = lab.root.join("outside");
    for dir in [&inside, &outside] {
        std::fs::create_dir(dir).unwrap();
    }
    std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
    let lab = lab.with_var("AEGIS_ALLOWED_ROOTS", inside.clone());
    let server = HttpServer::start(&lab).await;
    let inside = inside.to_str().unwrap();
    for dir in [
        outside.to_str().unwrap().to_owned(),
        format!("{inside}/../../outside"),
        format!("{inside}/link"),
        format!("{inside}/link/../../outside"),
        format!("{inside}%2f..%2f..%2foutside"),
        "/etc".into(),
        "../../outside".into(),
        format!("{inside}\0/x"),
    ] {
        let refused = server.post("/v1/sessions", json!({"workDir": dir})).await.is(400);
        assert_eq!(refused["reason"], "work_dir_refused", "{dir}");
    }
    assert!(lab.session_dirs().is_empty());
    let good = server.post("/v1/sessions", json!({"workDir": format!("{inside}/../inside")})).await.is(201);
    server.call("DELETE", &format!("/v1/sessions/{}", good["id"].as_str().unwrap()), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_wrong_tokens_let_nobody_in_and_lock_nobody_out() {
    let lab = lab().var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let server = HttpServer::start(&lab).await;
    let (key, _) = server.key("ci", "viewer", json!({"rateLimit": 100_000})).await;
    let before = resident(&server);
    let mut attack = JoinSet::new();
    for connection in 0..10 {
        let addr = server.addr;
        attack.spawn(async move {
            let stream = TcpStream::connect(addr).await.unwrap();
            let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(driver);
            let mut told = [0; 2];
            for at in 0..1000 {
                let guess = match at % 2 {
                    0 => format!("aegis_{:064x}", connection * 1000 + at),
                    _ => format!("guess-{connection}-{at}"),
                };
                let request = Request::builder()
                    .uri("/v1/sessions")
                    .header("host", addr.to_string())
                    .header("authorization", format!("Bearer {guess}"));
                let answer =
                    sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
                match answer.status().as_u16() {
                    401 => told[0] += 1,
                    429 => {
                        assert!(answer.headers().contains_key("retry-after"));
                        told[1] += 1;
                    }
                    other => panic!("{other}"),
                }
                answer.into_body().collect().await.unwrap();
            }
            told
        });
    }
    let mut refused = [0; 2];
    let mut meanwhile = 0;
    loop {
        tokio::select! {
            done = attack.join_next() => match done {
                Some(told) => {
                    let told = told.unwrap();
                    refused = [refused[0] + told[0], refused[1] + told[1]];
                }
                None => break,
            },
            () = answers_promptly(&server) => {
                server.call_as(&key, "GET", "/v1/sessions", None).await.is(200);
                meanwhile += 1;
            }
        }
    }
    assert_eq!(refused[0] + refused[1], 10_000);
    // Some more than five where the attack takes minutes.
    assert!(refused[1] > 9_900, "{refused:?}");
    assert!(meanwhile > 10, "{meanwhile}");
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}

#[rstest]
#[case::told("Content-Length: 2147483648", true)]
#[case::untold("Transfer-Encoding: chunked", false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_two_gigabytes_is_refused_early(#[case] header: &str, #[case] told: bool) {
    let lab = lab().build().await;
    let server = HttpServer::start(&lab).await;
    answers_promptly(&server).await;
    let before = resident(&server);
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{header}\r\n\r\n",
        server.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    if told {
        // Refused before anything is sent.
        let mut answer = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    let chunk = b" ".repeat(65_536);
    let chunk = if told { chunk } else { [b"10000\r\n".to_vec(), chunk, b"\r\n".to_vec()].concat() };
    let flood = async {
        let mut sent = 0_u64;
        // Two gigabytes, unless the server has had enough.
        while sent < 2 << 30 && stream.write_all(&chunk).await.is_ok() {
            sent += 65_536;
        }
        sent
    };
    let sent = timeout(PATIENCE, flood).await.expect("the server stops reading");
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
    answers_promptly(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_cut_off() {
    let lab = lab().build().await;
    let server = HttpServer::start(&lab).await;
    let mut slow = JoinSet::new();
    let start = Instant::now();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        slow.spawn(async move {
            stream.write_all(b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n").await.unwrap();
            let (mut from, mut to) = stream.split();
            let drip = async {
                let mut pause = tokio::time::interval(Duration::from_millis(500));
                loop {
                    pause.tick().await;
                    if to.write_all(b"X-Slow: 1\r\n").await.is_err() {
                        return std::future::pending::<()>().await;
                    }
                }
            };
            let cut = async {
                let mut answer = Vec::new();
                let _ = from.read_to_end(&mut answer).await;
                assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
            };
            tokio::select! {
                () = drip => {}
                () = cut => {}
            }
        });
    }
    answers_promptly(&server).await;
    timeout(PATIENCE, async {
        while let Some(ended) = slow.join_next().await {
            ended.unwrap();
            answers_promptly(&server).await;
        }
    })
    .await
    .expect("all are cut off");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_cut_off() {
    let lab = lab().build().await;
    let server = HttpServer::start(&lab).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        server.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    answers_promptly(&server).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_half_open_connections_keep_nobody_out() {
    many_descriptors();
    let lab = lab().var("AEGIS_AUTH_TOKEN", MASTER).build().await;
    let server = HttpServer::start(&lab).await;
    answers_promptly(&server).await;
    let before = resident(&server);
    let mut open = Vec::new();
    for at in 0..1000 {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        // Half of them say nothing at all.
        if at % 2 == 0 {
            stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n").await.unwrap();
        }
        open.push(stream);
    }
    for _ in 0..20 {
        answers_promptly(&server).await;
    }
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 40 << 20, "{grown} bytes more");
    // And they do not stay.
    for stream in &mut open {
        let answer = rest(stream).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    answers_promptly(&server).await;
}
