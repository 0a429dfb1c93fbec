//! The proxy through which a browser loads everything: it looks names up itself, checks each address, and connects to
//! exactly the one it checked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use url::{Host, Url};

use crate::domain::{Reach, refused};
use crate::names::Lookup;

/// How long a connection to a page's server may take.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

/// A running proxy; it ends with this value.
pub(super) struct Proxy {
    pub(super) addr: SocketAddr,
    told: Arc<Told>,
    task: AbortHandle,
}

/// What connections share.
struct Told {
    lookup: Arc<dyn Lookup>,
    reach: Reach,
    /// Why the last address was refused, if one was.
    refused: Mutex<Option<String>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens on loopback, on a port of the system's choice.
    pub(super) async fn start(lookup: Arc<dyn Lookup>, reach: Reach) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let told = Arc::new(Told { lookup, reach, refused: Mutex::new(None) });
        let shared = told.clone();
        let task = tokio::spawn(async move {
            // Ended with the proxy, as all that was started for it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, shared.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { addr, told, task: task.abort_handle() })
    }

    /// Why the last address was refused, if one was.
    pub(super) fn refused(&self) -> Option<String> {
        self.told.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Checks a page's address before a browser is started for it: the scheme, and where its name leads now.
pub(super) async fn check(url: &Url, names: &dyn Lookup, reach: Reach) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{} is not http or https", url.scheme()));
    }
    let host = url.host().ok_or("the address has no host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    lookup(&host.to_owned(), port, names, reach).await.map(drop)
}

/// Where a name leads, if everything it leads to may be called.
async fn lookup(
    host: &Host<String>,
    port: u16,
    names: &dyn Lookup,
    reach: Reach,
) -> Result<Vec<SocketAddr>, String> {
    let found: Vec<SocketAddr> = match host {
        Host::Ipv4(address) => vec![(*address, port).into()],
        Host::Ipv6(address) => vec![(*address, port).into()],
        Host::Domain(name) => {
            let found = names.lookup(name.clone()).await;
            let found = found.map_err(|error| format!("{host} cannot be looked up: {error}"))?;
            found.into_iter().map(|address| (address, port).into()).collect()
        }
    };
    for address in &found {
        if let Some(why) = refused(address.ip(), reach) {
            return Err(format!("{host} is {}, which is not called: {why}", address.ip()));
        }
    }
    if found.is_empty() { Err(format!("{host} has no address")) } else { Ok(found) }
}

async fn converse(stream: TcpStream, told: Arc<Told>) {
    let service = service_fn(move |request| {
        let told = told.clone();
        // A failure closes the connection without an answer: a page made of one of ours would pass for the site's.
        async move { answer(request, &told).await }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).preserve_header_case(true);
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "a browser's connection broke");
    }
}

async fn answer(request: Request<Incoming>, told: &Told) -> io::Result<Response<Body>> {
    let (host, port) = target(request.uri()).map_err(io::Error::other)?;
    let stream = open(&host, port, told).await.map_err(io::Error::other)?;
    if request.method() == Method::CONNECT {
        tokio::spawn(tunnel(request, stream));
        return Ok(Response::new(Body::empty()));
    }
    Ok(forward(request, stream).await.map_err(io::Error::other)?.map(Body::new))
}

/// The host and port that a request is for.
fn target(uri: &Uri) -> Result<(Host<String>, u16), String> {
    let host = uri.host().ok_or("no host")?;
    let host = Host::parse(host).map_err(|error| error.to_string())?;
    let secure = uri.scheme_str() != Some("http");
    Ok((host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 })))
}

async fn open(host: &Host<String>, port: u16, told: &Told) -> Result<TcpStream, String> {
    let found = lookup(host, port, &*told.lookup, told.reach).await.inspect_err(|why| {
        *told.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
    })?;
    let connecting = TcpStream::connect(found.as_slice());
    match tokio::time::timeout(CONNECTS_WITHIN, connecting).await {
        Ok(stream) => stream.map_err(|error| error.to_string()),
        Err(_) => Err(format!("{host} did not answer in time")),
    }
}

async fn tunnel(request: Request<Incoming>, mut stream: TcpStream) {
    let moved = match hyper::upgrade::on(request).await {
        Ok(upgraded) => tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut stream).await,
        Err(error) => Err(io::Error::other(error)),
    };
    if let Err(error) = moved {
        tracing::debug!(%error, "a browser's tunnel broke");
    }
}

/// Sends a request on, as a server wants it rather than a proxy.
async fn forward(mut request: Request<Incoming>, stream: TcpStream) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a page's server broke off");
        }
    });
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.remove("proxy-connection");
    headers.remove("proxy-authorization");
    if let Some(host) = authority.and_then(|authority| authority.parse().ok()) {
        headers.insert(HOST, host);
    }
    sender.send_request(request).await
}
