//! What the system tells an attached terminal: a new size, or to end.

use std::io;

/// What was told.
pub(super) enum Signal {
    /// The terminal has a new size.
    Resized,
    /// The terminal hangs up, or the process is asked to end.
    Ended,
}

/// Listens to the system.
#[cfg(unix)]
pub(super) struct Signals {
    resize: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Begins to listen.
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            resize: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next thing told.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.resize.recv() => Signal::Resized,
            _ = self.terminate.recv() => Signal::Ended,
            _ = self.hang_up.recv() => Signal::Ended,
        }
    }
}

/// Looks at the size, where no signal tells it.
#[cfg(not(unix))]
pub(super) struct Signals {
    size: (u16, u16),
}

#[cfg(not(unix))]
impl Signals {
    /// Begins to look.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { size: crossterm::terminal::size()? })
    }

    /// The next thing seen.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            if let Ok(size) = crossterm::terminal::size()
                && size != self.size
            {
                self.size = size;
                return Signal::Resized;
            }
        }
    }
}
