//! One connection, from the first byte to the last.
//!
//! When the client closes its end, everything must be over at once: the MCP library would wait up to five seconds
//! for calls in flight. [`Eof`] sees the end of the input first, waits stop by themselves, other calls in flight
//! get [`GRACE`], and then the connection is dropped.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::door::McpDoor;

/// How long calls in flight may go on after the input ended.
///
/// Enough for what is computed from memory, so that `printf … | aegis` gets its answers; well below the 100 ms
/// after which the process must be gone.
const GRACE: Duration = Duration::from_millis(40);
const _: () = assert!(GRACE.as_millis() < 100);

/// How much the pipe to the client is made to hold, in bytes: most answers whole, so that writing one does not take
/// turns with reading it. The system's own choice is 64 KiB (`man 7 pipe`); it keeps only what is in it in memory.
const PIPE: usize = 256 << 10;

/// Why a connection was not served to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What came first was neither an `initialize` nor a self-contained request, or the answer could not be written.
    #[error("the MCP connection could not be opened")]
    Opening {
        /// What the library said.
        source: Box<ServerInitializeError>,
    },
    /// The connection's task failed.
    #[error("the MCP connection broke")]
    Broken {
        /// How.
        source: tokio::task::JoinError,
    },
}

/// Whether anybody was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A client opened the connection.
    Client,
    /// The input ended before a client had said a word.
    Nobody,
}

/// Serves MCP on standard input and output until the client closes its end.
///
/// Returns within 100 ms of that, whatever is in flight. Tasks of the runtime may still be running then, and where
/// standard input is no pipe a thread may still be reading it: shut the runtime down without waiting.
///
/// # Errors
///
/// See [`ServeError`]. A client that leaves without a word is no error.
pub async fn serve_stdio(door: McpDoor) -> Result<Met, ServeError> {
    // Standard output may be no pipe, or the user have too many large ones already: that is only slower.
    let _ = rustix::pipe::fcntl_setpipe_size(io::stdout(), PIPE);
    let (reader, writer) = rmcp::transport::io::stdio_pipes();
    serve(door, reader, writer).await
}

/// Serves MCP on any pair of streams until the reader ends.
///
/// # Errors
///
/// As [`serve_stdio`].
pub async fn serve<R, W>(door: McpDoor, reader: R, writer: W) -> Result<Met, ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let closing = door.closing.clone();
    // Dropping this future ends the connection too: SIGTERM needs nothing else.
    let stop = CancellationToken::new();
    let _stop: DropGuard = stop.clone().drop_guard();
    // Whatever the connection has started ends with it.
    let _closing: DropGuard = closing.clone().drop_guard();
    let input = Eof { inner: reader, closing: closing.clone() };
    let opened = AtomicBool::new(false);
    let connection = async {
        let service = match door.serve_with_ct((input, writer), stop).await {
            Ok(service) => service,
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Met::Nobody),
            Err(error) => return Err(ServeError::Opening { source: Box::new(error) }),
        };
        opened.store(true, Ordering::Relaxed);
        service.waiting().await.map(|_| Met::Client).map_err(|source| ServeError::Broken { source })
    };
    tokio::select! {
        ended = connection => ended,
        () = over(&closing) => {
            tracing::debug!("calls were still in flight when the client left");
            Ok(if opened.load(Ordering::Relaxed) { Met::Client } else { Met::Nobody })
        }
    }
}

async fn over(closing: &CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// A reader that tells when the input has ended or failed.
struct Eof<R> {
    inner: R,
    closing: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for Eof<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        match &polled {
            Poll::Ready(Ok(())) if buf.filled().len() > before || buf.remaining() == 0 => {}
            Poll::Ready(_) => self.closing.cancel(),
            Poll::Pending => {}
        }
        polled
    }
}
