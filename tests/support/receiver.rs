//! A receiver of HTTP, plain or with TLS under an authority of the test's own. It remembers what it got and answers as
//! it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// How to answer.
#[derive(Clone, Debug)]
pub struct Say {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub after: Duration,
    pub body: String,
}

impl Say {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), after: Duration::ZERO, body: "ok".into() }
    }
}

#[derive(Default)]
struct Inside {
    /// Only how much came is remembered.
    counts: AtomicBool,
    got: Mutex<Vec<Got>>,
    next: Mutex<VecDeque<Say>>,
    always: Mutex<Option<Say>>,
    count: watch::Sender<usize>,
    names: Mutex<Vec<String>>,
}

pub struct Receiver {
    pub port: u16,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

/// An authority, and what a server shows that it vouches for.
pub struct Authority {
    dir: TempDir,
    config: Arc<ServerConfig>,
    /// The server's certificate and its key, as PEM.
    pub server: (String, String),
}

impl Authority {
    /// Vouches for `localhost`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&server_key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self { dir, config: Arc::new(config), server: (leaf.pem(), server_key.serialize_pem()) }
    }

    /// The file with the authority's certificate.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    inside: Arc<Inside>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else { continue };
            // Who does not trust the certificate leaves here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                self.inside.names.lock().unwrap().push(name);
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

async fn take(State(inside): State<Arc<Inside>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if !inside.counts.load(Ordering::Relaxed) {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let body = String::from_utf8(body.to_vec()).unwrap();
        inside.got.lock().unwrap().push(Got { path: uri.path().into(), headers, body });
    }
    inside.count.send_modify(|count| *count += 1);
    let next = inside.next.lock().unwrap().pop_front();
    let say = next.or_else(|| inside.always.lock().unwrap().clone()).unwrap_or(Say::status(200));
    tokio::time::sleep(say.after).await;
    let mut headers = HeaderMap::new();
    for (name, value) in say.headers {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(say.status).unwrap(), headers, say.body).into_response()
}

impl Receiver {
    pub async fn plain() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let inside = Arc::new(Inside::default());
        let app = Router::new().fallback(take).with_state(inside.clone());
        Self { port, inside, task: tokio::spawn(async move { axum::serve(tcp, app).await.unwrap() }) }
    }

    pub async fn tls(authority: &Authority) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let inside = Arc::new(Inside::default());
        let app = Router::new().fallback(take).with_state(inside.clone());
        let acceptor = TlsAcceptor::from(authority.config.clone());
        let listener = TlsListener { tcp, acceptor, inside: inside.clone() };
        Self { port, inside, task: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }) }
    }

    /// Remembers from now on how much comes, and nothing of it.
    pub fn only_count(&self) {
        self.inside.counts.store(true, Ordering::Relaxed);
    }

    /// Answers so from now on, after what is to be said next.
    pub fn always(&self, say: Say) {
        *self.inside.always.lock().unwrap() = Some(say);
    }

    /// Answers so once.
    pub fn next(&self, say: Say) {
        self.inside.next.lock().unwrap().push_back(say);
    }

    pub fn got(&self) -> Vec<Got> {
        self.inside.got.lock().unwrap().clone()
    }

    /// How much came so far.
    pub fn count(&self) -> usize {
        *self.inside.count.borrow()
    }

    /// The names that clients asked for in their TLS greetings.
    pub fn names(&self) -> Vec<String> {
        self.inside.names.lock().unwrap().clone()
    }

    /// Waits until so much came.
    pub async fn come(&self, count: usize) -> Vec<Got> {
        let mut counted = self.inside.count.subscribe();
        let enough = counted.wait_for(|of| *of >= count);
        let in_time = tokio::time::timeout(Duration::from_secs(60), enough).await.map(drop);
        in_time.unwrap_or_else(|_| panic!("{count} should have come: {:#?}", self.got()));
        self.got()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
