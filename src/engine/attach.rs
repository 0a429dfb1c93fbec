//! A viewer's connection to a session's terminal.

use std::fs::File;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use super::{AttachInput, Attachment, Engine};
use crate::domain::{ErrorCode, OpError, SessionId};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{HolderClient, SessionDir};
use crate::wire::{Pane, Push, Request};

/// How many pieces of output or keys may wait.
const QUEUE: usize = 256;

impl Engine {
    /// Claims the one window in which a session is shown to whoever lives in a terminal multiplexer. True for the
    /// first who asks, whichever server that is, and never again.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn claim_window(&self, id: SessionId) -> Result<bool, OpError> {
        let row = self.row_of(id).await?;
        let mark = SessionDir::new(&row.session_dir).window();
        match File::options().write(true).create_new(true).open(&mark) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => {
                let what = format!("{} cannot be written: {error}", mark.display());
                Err(OpError::new(ErrorCode::StorageFailed, what))
            }
        }
    }

    /// Attaches to a session's terminal.
    ///
    /// # Errors
    ///
    /// Those of `attach`.
    pub async fn attach(
        &self,
        id: SessionId,
        (cols, rows): (u16, u16),
        watch: bool,
        by: &str,
    ) -> Result<Attachment, OpError> {
        let row = self.row_of(id).await?;
        let unreachable = |error: crate::holder::HolderError| {
            OpError::new(ErrorCode::HolderUnreachable, format!("session {id}: {error}"))
        };
        // Says what is wrong better than a failed connection does.
        let _: crate::wire::Snapshot = self.ask(&row, Request::Snapshot, ANSWERS_WITHIN).await?;
        let (client, mut pushes) =
            HolderClient::connect(&row.socket, ANSWERS_WITHIN).await.map_err(unreachable)?;
        let request = Request::Attach { cols, rows, watch, by: by.to_owned() };
        let _pane: Pane = client.ask(request, ANSWERS_WITHIN).await.map_err(unreachable)?;
        let (output, taken) = mpsc::channel(QUEUE);
        let (input, mut keys) = mpsc::channel::<AttachInput>(QUEUE);
        tokio::spawn(async move {
            // Output that whoever looks has not taken yet. No more is read meanwhile, so that the holder shows the
            // whole screen later instead; keys pass all the same.
            let mut shown = None;
            loop {
                tokio::select! {
                    pushed = pushes.recv(), if shown.is_none() => match pushed {
                        Some(Push::Output { bytes }) => shown = STANDARD.decode(bytes).ok(),
                        Some(Push::Event { .. } | Push::Changed | Push::Unknown) => {}
                        None => return,
                    },
                    place = output.reserve(), if shown.is_some() => {
                        let bytes = shown.take();
                        // Who does not look any more may still type.
                        if let (Ok(place), Some(bytes)) = (place, bytes) {
                            place.send(bytes);
                        }
                    }
                    typed = keys.recv() => {
                        let request = match typed {
                            Some(AttachInput::Keys(bytes)) => Request::Input { bytes: STANDARD.encode(bytes) },
                            Some(AttachInput::Resize(cols, rows)) => Request::Resize { cols, rows },
                            None => break,
                        };
                        if client.tell(request).await.is_err() {
                            return;
                        }
                    }
                }
            }
            drop(pushes);
            // An answer to this means that all keys before it have arrived.
            let _ = client.ask::<crate::wire::Snapshot>(Request::Snapshot, ANSWERS_WITHIN).await;
        });
        Ok(Attachment { output: taken, input })
    }
}
