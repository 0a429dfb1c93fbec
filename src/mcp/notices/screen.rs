//! Tells when a session's screen has changed.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::pace::INTERVAL;
use crate::domain::{OpError, SessionId};
use crate::ops::{Aegis, Attachment, Caller, CapturePane};

/// A look at one screen, which ends when this is dropped.
pub(super) struct Screen(JoinHandle<()>);

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Screen {
    /// Begins to look; from here on `tell` gets `uri` when the screen's text has become another.
    ///
    /// What the program prints wakes it. Much of that changes nothing, so the text is compared, at most twice a second.
    ///
    /// # Errors
    ///
    /// Those of `capture_pane`.
    pub(super) async fn watch(
        aegis: Aegis,
        caller: Caller,
        id: SessionId,
        uri: String,
        tell: mpsc::Sender<String>,
    ) -> Result<Self, OpError> {
        let session_id = id.to_string();
        let req = CapturePane { session_id: session_id.clone(), ..CapturePane::default() };
        // Whoever only watches has no size of its own.
        let Attachment { mut output, input } = aegis.attach(&caller, &session_id, (0, 0), true).await?;
        let mut shown = aegis.capture_pane(&caller, req.clone()).await?.pane;
        Ok(Self(tokio::spawn(async move {
            // The viewer is there for as long as it could type.
            let _input = input;
            while output.recv().await.is_some() {
                while output.try_recv().is_ok() {}
                let Ok(now) = aegis.capture_pane(&caller, req.clone()).await else { continue };
                if now.pane != shown {
                    shown = now.pane;
                    if tell.send(uri.clone()).await.is_err() {
                        return;
                    }
                }
                sleep(INTERVAL).await;
            }
        })))
    }
}
