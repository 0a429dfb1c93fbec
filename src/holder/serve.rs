//! The holder's socket: one task a connection, each with a bounded queue of frames to write.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::actor::{ConnectionId, Input, ReplyTo};
use crate::config::private_dir;
use crate::domain::{Epoch, SessionId};
use crate::wire::socket::{self, AsyncListener, AsyncStream};
use crate::wire::{Call, FrameError, Hello, PROTOCOL, decode, encode, read_frame};

/// How many frames may wait for a slow reader. Then events become a gap and output a redraw.
const QUEUE: usize = 1024;

/// When a removed socket that could not be made again is tried again.
const REMAKE_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections until `over`, then waits for those there are to read what is on its way to them. A socket that
/// somebody removes (cleaners of temporary directories do) is made again.
pub(super) async fn serve(
    listener: AsyncListener,
    path: PathBuf,
    session_id: SessionId,
    inputs: mpsc::Sender<Input>,
    over: CancellationToken,
) {
    let mut id: ConnectionId = 0;
    let mut connections = JoinSet::new();
    let mut place = Place::new(path);
    let mut listener = Some(listener);
    loop {
        let Some(listening) = &listener else {
            tokio::select! {
                biased;
                () = over.cancelled() => break,
                again = place.listen_again() => listener = Some(again),
            }
            continue;
        };
        let accepted = tokio::select! {
            biased;
            () = over.cancelled() => break,
            accepted = socket::accept(listening) => accepted,
            () = place.removed() => {
                // Let go of first: a listener takes its file along.
                listener = None;
                continue;
            }
        };
        match accepted {
            Ok(stream) => {
                id += 1;
                connections.spawn(connection(stream, id, session_id, inputs.clone()));
            }
            Err(error) => {
                // Out of descriptors: those who are connected go on, the next may find room.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The socket's place in the file system.
struct Place {
    path: PathBuf,
    changed: mpsc::Receiver<()>,
    watcher: Option<RecommendedWatcher>,
}

impl Place {
    fn new(path: PathBuf) -> Self {
        let (tell, changed) = mpsc::channel(1);
        // One waiting word is enough.
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| event.kind.is_remove() || event.kind.is_modify()) {
                let _ = tell.try_send(());
            }
        });
        let mut place = Self { path, changed, watcher: watcher.ok() };
        place.watch();
        place
    }

    fn watch(&mut self) {
        if let (Some(watcher), Some(dir)) = (&mut self.watcher, self.path.parent())
            && let Err(error) = watcher.watch(dir, RecursiveMode::NonRecursive)
        {
            tracing::warn!(%error, "the socket's directory cannot be watched");
        }
    }

    /// Waits until the socket is not there any more.
    async fn removed(&mut self) {
        while self.path.exists() {
            if self.changed.recv().await.is_none() {
                return std::future::pending().await;
            }
        }
    }

    /// Makes the socket again, however long that takes.
    async fn listen_again(&mut self) -> AsyncListener {
        loop {
            let dir = self.path.parent().map_or(Ok(()), private_dir).map_err(io::Error::other);
            match dir.and_then(|()| listen(&self.path)) {
                Ok(listener) => {
                    self.watch();
                    tracing::warn!("the socket was removed, and made again");
                    return listener;
                }
                Err(error) => tracing::error!(%error, "the removed socket cannot be made again"),
            }
            tokio::time::sleep(REMAKE_PAUSE).await;
        }
    }
}

async fn connection(
    stream: AsyncStream,
    id: ConnectionId,
    session_id: SessionId,
    inputs: mpsc::Sender<Input>,
) {
    // Both directions borrow the one stream, which closes when both are done.
    let (mut reader, mut writer) = (&stream, &stream);
    let (frames, mut queue) = mpsc::channel::<Vec<u8>>(QUEUE);
    let write = async move {
        while let Some(frame) = queue.recv().await {
            if writer.write_all(&frame).await.is_err() {
                break;
            }
        }
    };
    let read = async {
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            session_id: Some(session_id),
            epoch: None::<Epoch>,
        };
        let _peer: Hello = decode(&read_frame(&mut reader).await?)?;
        if let Ok(frame) = encode(&hello) {
            let _ = frames.send(frame).await;
        }
        if inputs.send(Input::Connected(id, frames)).await.is_err() {
            return Err(FrameError::Closed);
        }
        loop {
            let body = read_frame(&mut reader).await?;
            match decode::<Call>(&body) {
                Ok(Call { call, until, request }) => {
                    let to = ReplyTo { connection: id, call };
                    if inputs.send(Input::Call(to, until, request)).await.is_err() {
                        return Err(FrameError::Closed);
                    }
                }
                Err(error) => tracing::warn!(%error, "a frame was ignored"),
            }
        }
    };
    tokio::pin!(write);
    let (ended, written): (Result<(), FrameError>, bool) = tokio::select! {
        ended = read => (ended, false),
        () = &mut write => (Ok(()), true),
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
    }
    let _ = inputs.send(Input::Gone(id)).await;
    // Whoever only stopped writing may still read what is on its way.
    if !written {
        let _ = tokio::time::timeout(Duration::from_secs(1), write).await;
    }
}

/// Listens at `path`, taking the place of a socket that a dead holder left.
pub(super) fn listen(path: &Path) -> io::Result<AsyncListener> {
    match socket::listen(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // The caller holds this session's lock, so nobody can be listening here.
            std::fs::remove_file(path)?;
            socket::listen(path)
        }
        other => other,
    }
}
