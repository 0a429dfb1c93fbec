//! A server of the HTTP door as a process, and a client that sends exactly what it is told.

use std::net::SocketAddr;
use std::process::Stdio;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Lab;
use super::tasks::PATIENCE;

/// A server that was started with `--http` and nobody at its stdin.
pub struct HttpServer {
    pub child: Child,
    pub addr: SocketAddr,
    /// What it says on stderr after the first line.
    pub stderr: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
    /// The token that calls bring, unless they say otherwise.
    pub token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub text: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Ends the test unless the answer has this status; gives its body.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        self.json()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl HttpServer {
    /// Starts one on a port of the system's choice.
    pub async fn start(lab: &Lab) -> Self {
        Self::with(lab, &[]).await
    }

    /// Starts one with more arguments.
    pub async fn with(lab: &Lab, args: &[&str]) -> Self {
        let mut command = Command::from(lab.command());
        command.args(["--http", "127.0.0.1:0"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr = timeout(PATIENCE, async {
            loop {
                let line = stderr.next_line().await.unwrap().expect("the server says where it listens");
                if let Some(addr) = line.strip_prefix("aegis: HTTP on http://") {
                    return addr.parse().unwrap();
                }
            }
        });
        let addr = addr.await.expect("the server says where it listens in time");
        let token = lab.env.get("AEGIS_AUTH_TOKEN").map(|token| token.to_str().unwrap().to_owned());
        Self { child, addr, stderr, token }
    }

    /// Calls with another token from here on.
    pub fn with_token(&mut self, token: Option<&str>) -> &mut Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// Calls once with another token.
    pub async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Told {
        let mut request = Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        request = request.header("authorization", format!("Bearer {token}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(Bytes::from(body))).unwrap()).await
    }

    /// Makes a key with the configured token, and gives it and its id.
    pub async fn key(&self, name: &str, role: &str, more: Value) -> (String, String) {
        let mut body = serde_json::json!({"name": name, "role": role});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let made = self.post("/v1/auth/keys", body).await.is(201);
        (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    /// Sends a request with a JSON body, or none.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Told {
        let mut request = Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(Bytes::from(body))).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Told {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Told {
        self.call("POST", path, Some(body)).await
    }

    /// Sends a request as it is, on a connection of its own, and reads the whole answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Told {
        let answer = timeout(PATIENCE, async {
            let response = self.open(request).await;
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Told {
                status: head.status.as_u16(),
                headers: head.headers,
                text: String::from_utf8(bytes.to_vec()).unwrap(),
            }
        });
        answer.await.expect("an answer in time")
    }

    /// Sends a request and gives the answer with its body still coming.
    pub async fn open(&self, request: Request<Full<Bytes>>) -> Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.unwrap()
    }

    /// Waits until the session is in this status.
    pub async fn until(&self, id: &str, wanted: &str) -> Value {
        let seen = timeout(PATIENCE, async {
            loop {
                let session = self.get(&format!("/v1/sessions/{id}")).await.is(200);
                if session["status"] == wanted {
                    return session;
                }
                // What changes is a process' state, which nothing here announces.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        seen.await.unwrap_or_else(|_| panic!("the session never is {wanted}"))
    }

    /// Tells the server to end, and waits until it has.
    pub async fn end(mut self) -> i32 {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code().unwrap()
    }
}
