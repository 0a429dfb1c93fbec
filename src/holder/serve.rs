//! The holder's socket: one task a connection, each with a bounded queue of frames to write.

use std::path::Path;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::actor::{ConnectionId, Input, ReplyTo};
use crate::domain::{Epoch, SessionId};
use crate::wire::socket::{self, AsyncListener, AsyncStream};
use crate::wire::{Call, FrameError, Hello, PROTOCOL, decode, encode, read_frame};

/// How many frames may wait for a slow reader. Then events become a gap and output a redraw.
const QUEUE: usize = 1024;

/// Accepts connections until `over`, then waits for those there are to read what is on its way to them.
pub(super) async fn serve(
    listener: AsyncListener,
    session_id: SessionId,
    inputs: mpsc::Sender<Input>,
    over: CancellationToken,
) {
    let mut id: ConnectionId = 0;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket::accept(&listener) => accepted,
            () = over.cancelled() => break,
        };
        match accepted {
            Ok(stream) => {
                id += 1;
                connections.spawn(connection(stream, id, session_id, inputs.clone()));
            }
            Err(error) => {
                // Out of descriptors: those who are connected go on, the next may find room.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
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
                Ok(Call { call, request }) => {
                    let to = ReplyTo { connection: id, call };
                    if inputs.send(Input::Call(to, request)).await.is_err() {
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
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), write).await;
    }
}

/// Listens at `path`, taking the place of a socket that a dead holder left.
pub(super) fn listen(path: &Path) -> std::io::Result<AsyncListener> {
    match socket::listen(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            // The caller holds this session's lock, so nobody can be listening here.
            std::fs::remove_file(path)?;
            socket::listen(path)
        }
        other => other,
    }
}
