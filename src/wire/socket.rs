//! The local socket: a Unix socket file, 0600, in a directory of 0700.
//!
//! Holder side and both client sides (asynchronous for servers, blocking for hooks). The one place that knows
//! which kind of socket the system has.

use std::io;
use std::path::Path;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::Stream as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt as _;

pub use interprocess::local_socket::tokio::{Listener as AsyncListener, Stream as AsyncStream};

/// A blocking connection.
pub type BlockingStream = interprocess::local_socket::Stream;

/// Listens on `path`, which only this user can reach.
///
/// # Errors
///
/// When the socket cannot be made; [`io::ErrorKind::AddrInUse`] when one stands there.
pub fn listen(path: &Path) -> io::Result<Listener> {
    let name = path.to_fs_name::<GenericFilePath>()?;
    ListenerOptions::new().name(name).mode(0o600).create_tokio()
}

/// Waits for the next peer.
///
/// # Errors
///
/// When the system refuses, for want of file descriptors for one.
pub async fn accept(listener: &Listener) -> io::Result<Stream> {
    listener.accept().await
}

/// Connects to the socket at `path`.
///
/// # Errors
///
/// When nobody listens there.
pub async fn connect(path: &Path) -> io::Result<Stream> {
    Stream::connect(path.to_fs_name::<GenericFilePath>()?).await
}

/// Connects to the socket at `path`, blocking.
///
/// # Errors
///
/// When nobody listens there.
pub fn connect_blocking(path: &Path) -> io::Result<BlockingStream> {
    BlockingStream::connect(path.to_fs_name::<GenericFilePath>()?)
}
