//! A viewer's connection to a session's terminal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use super::{AttachInput, Attachment, Engine};
use crate::domain::{ErrorCode, OpError, SessionId};
use crate::holder::HolderClient;
use crate::holder::client::ANSWERS_WITHIN;
use crate::wire::{Pane, Push, Request};

/// How many pieces of output or keys may wait.
const QUEUE: usize = 256;

impl Engine {
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
        let (client, mut pushes) = HolderClient::connect(&row.socket).await.map_err(unreachable)?;
        let request = Request::Attach { cols, rows, watch, by: by.to_owned() };
        let _pane: Pane = client.ask(request, ANSWERS_WITHIN).await.map_err(unreachable)?;
        let (output, shown) = mpsc::channel(QUEUE);
        let (input, mut keys) = mpsc::channel::<AttachInput>(QUEUE);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    pushed = pushes.recv() => match pushed {
                        Some(Push::Output { bytes }) => {
                            let Ok(bytes) = STANDARD.decode(bytes) else { continue };
                            // Who does not look any more may still type.
                            let _ = output.send(bytes).await;
                        }
                        Some(Push::Event { .. } | Push::Unknown) => {}
                        None => return,
                    },
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
            // An answer to this means that all keys before it have arrived.
            let _ = client.ask::<crate::wire::Snapshot>(Request::Snapshot, ANSWERS_WITHIN).await;
        });
        Ok(Attachment { output: shown, input })
    }
}
