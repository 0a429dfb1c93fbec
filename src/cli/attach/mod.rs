//! `aegis attach`: this terminal becomes a session's terminal, until the detach key or the session's end.
//!
//! Keys go through as the bytes they came as. Output goes through but for queries (`queries`). The terminal is put
//! back on every way out (`terminal`).

mod keys;
mod queries;
mod signals;
mod terminal;

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Cx, Exit, Target, text};
use crate::domain::{ErrorCode, OpError, Session, StatusWord};
use crate::engine::{AttachInput, Attachment};
use crate::ops::SessionRef;
use keys::{DetachKey, Keys};
use queries::Queries;
use signals::{Signal, Signals};
use terminal::Raw;

/// How long the last keys may take to reach the session after a detach.
const FLUSH: Duration = Duration::from_secs(1);

/// What to attach to.
#[derive(Clone, Debug, Args)]
pub struct AttachArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// Only look: keys do nothing, the session keeps its size, and q or Ctrl-C detach too
    #[arg(long, short)]
    pub watch: bool,
    /// The key that detaches and leaves the session running: ctrl with a letter or one of ] \ ^ _
    #[arg(long, value_name = "KEY", default_value = "ctrl-]")]
    pub detach_key: DetachKey,
}

/// How an attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    /// The person left.
    Detached,
    /// The session's output ended.
    Closed,
    /// This terminal went away or the process was asked to end.
    Terminated,
}

/// The answer of `attach --json`.
#[derive(Serialize)]
struct Report {
    how: End,
    session: Session,
}

pub(super) async fn run(cx: &Cx, args: AttachArgs) -> Result<Exit, OpError> {
    if !cx.out.is_terminal() || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(OpError::new(ErrorCode::InvalidArgument, "attach needs a terminal on stdin and stdout")
            .hint(
                "capture_pane prints the screen once; get_transcript with --follow prints the conversation",
            ));
    }
    let failed = |error: std::io::Error| OpError::new(ErrorCode::Internal, format!("the terminal: {error}"));
    let size = crossterm::terminal::size().map_err(failed)?;
    let session = &args.target.session;
    let attachment = cx.aegis.attach(&cx.caller, session, size, args.watch).await?;
    let signals = Signals::new().map_err(failed)?;
    let end = {
        let _raw = Raw::enter(cx.out).map_err(failed)?;
        mirror(cx, attachment, signals, args.watch, args.detach_key).await
    };
    let request = SessionRef { session_id: session.clone() };
    let session = cx.aegis.get_status(&cx.caller, request).await?.session;
    if cx.out.json {
        cx.out.document(&Report { how: end, session: session.clone() })?;
    } else {
        cx.out.note(&told(end, &session));
    }
    Ok(match end {
        End::Detached => Exit::Done,
        End::Closed if session.status == StatusWord::Ended => Exit::SessionEnded,
        End::Closed | End::Terminated => Exit::Failed,
    })
}

fn told(end: End, session: &Session) -> String {
    let id = text::short(session.id);
    match end {
        End::Detached => format!("detached; session {id} goes on: aegis attach {id}"),
        End::Closed if session.status == StatusWord::Ended => format!("session {}", text::summary(session)),
        End::Closed => format!("the connection to session {id} was lost: aegis show {id}"),
        End::Terminated => format!("asked to end; session {id} goes on"),
    }
}

/// Carries bytes both ways until somebody ends it.
async fn mirror(
    cx: &Cx,
    attachment: Attachment,
    mut signals: Signals,
    watch: bool,
    detach: DetachKey,
) -> End {
    let Attachment { mut output, input } = attachment;
    let (to_session, pending) = mpsc::unbounded_channel();
    // On its own, so that a session that does not read keys just now still shows its output.
    let sender = tokio::spawn(forward(pending, input));
    let mut keys = Keys::start();
    let mut queries = Queries::default();
    let end = loop {
        tokio::select! {
            bytes = output.recv() => match bytes {
                Some(bytes) if cx.out.terminal(&queries.strip(&bytes)) => {}
                Some(_) => break End::Terminated,
                None => break End::Closed,
            },
            bytes = keys.next() => match bytes {
                Some(bytes) if typed(&to_session, &bytes, watch, detach) => break End::Detached,
                Some(_) => {}
                None => break End::Terminated,
            },
            signal = signals.next() => match signal {
                Signal::Resized => resized(&to_session, watch),
                Signal::Ended => break End::Terminated,
            },
        }
    };
    drop(to_session);
    // Keys typed just before the detach still count.
    let _ = tokio::time::timeout(FLUSH, sender).await;
    end
}

async fn forward(mut pending: UnboundedReceiver<AttachInput>, input: mpsc::Sender<AttachInput>) {
    while let Some(item) = pending.recv().await {
        if input.send(item).await.is_err() {
            return;
        }
    }
}

/// Passes keys on; returns whether they ask to detach.
fn typed(to_session: &UnboundedSender<AttachInput>, bytes: &[u8], watch: bool, detach: DetachKey) -> bool {
    let at = detach.find(bytes);
    if watch {
        return at.is_some() || matches!(bytes, b"q" | b"\x03");
    }
    let keys = bytes.get(..at.unwrap_or(bytes.len())).unwrap_or_default();
    if !keys.is_empty() {
        // If nobody takes them the output ends too, and that is told.
        let _ = to_session.send(AttachInput::Keys(keys.to_vec()));
    }
    at.is_some()
}

fn resized(to_session: &UnboundedSender<AttachInput>, watch: bool) {
    if let (false, Ok((cols, rows))) = (watch, crossterm::terminal::size()) {
        let _ = to_session.send(AttachInput::Resize(cols, rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_before_the_detach_key_arrive() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        assert!(typed(&sender, b"ab\x1dcd", false, DetachKey::default()));
        assert!(matches!(receiver.try_recv(), Ok(AttachInput::Keys(keys)) if keys == b"ab"));
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn a_watcher_sends_nothing() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        assert!(!typed(&sender, b"rm\r", true, DetachKey::default()));
        assert!(typed(&sender, b"q", true, DetachKey::default()));
        assert!(receiver.try_recv().is_err());
    }
}
