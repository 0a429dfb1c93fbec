//! The listener, its connections, and their end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a client may take to send a request's head.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what is told it, once the system's buffers are full. One that is gone without
/// a word, or does not read, holds its place and what waits for it no longer than that.
const STALLED: Duration = Duration::from_secs(30);

/// How many connections are open at once; more wait in the system's queue. Below the usual limit of descriptors.
const MOST_CONNECTIONS: usize = 4096;

/// How long calls in flight may go on after the server was told to end.
const DRAIN: Duration = Duration::from_millis(1500);

/// How long the program that has the port may take to say what it is.
const INTRODUCTION: Duration = Duration::from_millis(500);

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another Aegis has the port.
    #[error("another Aegis serves HTTP on {addr}")]
    OtherAegis {
        /// Where.
        addr: SocketAddr,
    },
    /// Something else has it.
    #[error("{addr} is taken by another program")]
    Taken {
        /// Where.
        addr: SocketAddr,
    },
    /// The system refuses.
    #[error("cannot listen on {addr}: {source}")]
    Refused {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// An open listener.
pub struct Listening {
    listener: TcpListener,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// Opens the listener. Whoever has the port already keeps it.
///
/// # Errors
///
/// See [`BindError`].
pub async fn bind(addr: SocketAddr) -> Result<Listening, BindError> {
    match TcpListener::bind(addr).await.and_then(|listener| Ok((listener.local_addr()?, listener))) {
        Ok((addr, listener)) => Ok(Listening { listener, addr }),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let other = tokio::time::timeout(INTRODUCTION, is_aegis(addr)).await;
            Err(match other {
                Ok(Ok(true)) => BindError::OtherAegis { addr },
                _ => BindError::Taken { addr },
            })
        }
        Err(source) => Err(BindError::Refused { addr, source }),
    }
}

/// Asks whoever listens there whether it is an Aegis.
async fn is_aegis(mut addr: SocketAddr) -> io::Result<bool> {
    if addr.ip().is_unspecified() {
        addr.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET /v1/health HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Enough for any head; whatever else sits there may talk without end.
    stream.take(16 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).to_ascii_lowercase().contains("x-aegis-api-version"))
}

impl Listening {
    /// Serves until `closing` is cancelled, then lets calls in flight finish, for at most a second and a half.
    pub async fn serve(self, router: Router, closing: CancellationToken) {
        let connections = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let next = async {
                // Held until the connection ends.
                let slot = slots.clone().acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                next = next => next,
                () = closing.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = converse(stream, peer, router.clone(), closing.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of descriptors, most likely: nothing tells when there are some again.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "calls were still in flight at the end");
        }
    }
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, closing: CancellationToken) {
    // Answers are small, and each is written whole.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let stream = Box::pin(stream);
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(axum::body::Body::new)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
